-- SPDX-License-Identifier: Apache-2.0
-- Ghost text for Neovim before 0.12: asks textDocument/inlineCompletion and draws the answer as
-- extmarks.  Per buffer: at most one request in flight (a newer one cancels it), at most one shown
-- suggestion.  A suggestion stays while the user types along it and goes with any other change.
local M = {}

local api = vim.api
local compat = require('inlined.compat')
local suggestion = require('inlined.suggestion')
local namespace = api.nvim_create_namespace('inlined.ghost')
local AUTOMATIC = 2

api.nvim_set_hl(0, 'InlinedGhost', { link = 'Comment', default = true })

---@class inlined.Buffer
---@field client vim.lsp.Client
---@field group integer
---@field timer? uv.uv_timer_t
---@field request? integer
---@field items inlined.Suggestion[]
---@field index integer Which of them is drawn.

---@type table<integer, inlined.Buffer>
local buffers = {}

local function is_inserting(bufnr)
  return api.nvim_get_current_buf() == bufnr and vim.startswith(api.nvim_get_mode().mode, 'i')
end

local function cursor()
  local row, col = unpack(api.nvim_win_get_cursor(0))
  return row - 1, col
end

-- The current item and what of it is not typed yet, or nil.
local function remaining(bufnr, state)
  local item = state.items[state.index]
  local row, col = cursor()
  local rest = item and suggestion.rest(item, bufnr, row, col)
  return rest and item, rest
end

local function clear(bufnr)
  if api.nvim_buf_is_valid(bufnr) then
    api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

local function draw(bufnr, state)
  clear(bufnr)
  local item, rest = remaining(bufnr, state)
  if not item then
    return
  end
  local row, col = cursor()
  local lines = vim.split(rest, '\n', { plain = true })
  local below = {}
  for i = 2, #lines do
    below[#below + 1] = { { lines[i], 'InlinedGhost' } }
  end
  -- Text that the suggestion swallows lies under an overlay; other text is pushed aside.
  api.nvim_buf_set_extmark(bufnr, namespace, row, col, {
    virt_text = { { lines[1], 'InlinedGhost' } },
    virt_text_pos = item.swallow > 0 and 'overlay' or 'inline',
    virt_lines = #below > 0 and below or nil,
    hl_mode = 'combine',
    strict = false,
  })
end

local function stop_timer(state)
  if state.timer then
    state.timer:stop()
    if not state.timer:is_closing() then
      state.timer:close()
    end
    state.timer = nil
  end
end

local function stop_request(state)
  local id = state.request
  state.request = nil
  if id and not compat.is_stopped(state.client) then
    compat.cancel(state.client, id)
  end
end

local function hide(bufnr, state)
  state.items = {}
  clear(bufnr)
end

---@class inlined.Asked
---@field row integer
---@field col integer
---@field line string

-- The server's items as suggestions.  Their ranges count in the text as it was when we asked.
local function resolve(state, asked, raw)
  local found = {}
  local encoding = state.client.offset_encoding
  for _, item in ipairs(raw) do
    local text = type(item.insertText) == 'table' and item.insertText.value or item.insertText
    local from, to = asked.col, asked.col
    local range = item.range
    if range then
      from = compat.byte_col(asked.line, range.start.character, encoding)
      to = compat.byte_col(asked.line, range['end'].character, encoding)
    end
    local here = not range
      or (range.start.line == asked.row and range['end'].line == asked.row)
        and from <= asked.col
        and asked.col <= to
    if here and text ~= '' then
      found[#found + 1] = {
        text = text,
        row = asked.row,
        from = from,
        swallow = to - asked.col,
        right = asked.line:sub(asked.col + 1),
        command = item.command,
      }
    end
  end
  return found
end

local function ask(bufnr, state)
  stop_timer(state)
  stop_request(state)
  if compat.is_stopped(state.client) or not require('inlined').wants(bufnr) then
    return
  end
  local row, col = cursor()
  local line = api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  local asked = { row = row, col = col, line = line }
  local params = vim.lsp.util.make_position_params(0, state.client.offset_encoding)
  params.context = { triggerKind = AUTOMATIC }
  local mine
  local _, id = compat.request(
    state.client,
    'textDocument/inlineCompletion',
    params,
    function(err, result)
      if state.request ~= mine then
        return -- overtaken
      end
      state.request = nil
      if err or not result or buffers[bufnr] ~= state or not is_inserting(bufnr) then
        return
      end
      state.items = resolve(state, asked, result.items or result)
      state.index = 1
      draw(bufnr, state) -- draws only what still fits the text
    end,
    bufnr
  )
  mine = id
  state.request = id
end

local function on_change(bufnr)
  local state = buffers[bufnr]
  if not state then
    return
  end
  if remaining(bufnr, state) then
    draw(bufnr, state) -- typed along: keep it on screen while the server confirms
  else
    hide(bufnr, state)
  end
  stop_timer(state)
  state.timer = vim.defer_fn(function()
    state.timer = nil
    if buffers[bufnr] == state and is_inserting(bufnr) then
      ask(bufnr, state)
    end
  end, require('inlined').options.debounce_ms)
end

local function on_leave(bufnr)
  local state = buffers[bufnr]
  if state then
    stop_timer(state)
    stop_request(state)
    hide(bufnr, state)
  end
end

local function watch(bufnr, group)
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = callback })
  end
  on({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, function()
    on_change(bufnr)
  end)
  on({ 'InsertLeave', 'BufLeave' }, function()
    on_leave(bufnr)
  end)
  on('BufUnload', function()
    M.detach(bufnr)
  end)
  on('LspDetach', function(event)
    local state = buffers[bufnr]
    if state and event.data.client_id == state.client.id then
      M.detach(bufnr)
    end
  end)
end

---@param bufnr integer
---@param client vim.lsp.Client
function M.attach(bufnr, client)
  if buffers[bufnr] then
    buffers[bufnr].client = client
    return
  end
  local group = api.nvim_create_augroup('inlined.ghost.' .. bufnr, { clear = true })
  buffers[bufnr] = { client = client, group = group, items = {}, index = 1 }
  watch(bufnr, group)
  if is_inserting(bufnr) then
    on_change(bufnr)
  end
end

function M.detach(bufnr)
  local state = buffers[bufnr]
  if not state then
    return
  end
  on_leave(bufnr)
  buffers[bufnr] = nil
  pcall(api.nvim_del_augroup_by_id, state.group)
end

--- Hides what is shown and forgets what was asked.
---@param bufnr integer
function M.hide(bufnr)
  on_leave(bufnr)
end

---@param bufnr integer
function M.refresh(bufnr)
  on_change(bufnr)
end

--- The text at the cursor, or nil.
---@return string?
function M.visible()
  local bufnr = api.nvim_get_current_buf()
  local state = buffers[bufnr]
  local _, rest = nil, nil
  if state then
    _, rest = remaining(bufnr, state)
  end
  return rest
end

---@param cut? fun(text: string): string What part to take; nil: all of it.
---@return boolean
function M.accept(cut)
  if not M.visible() then
    return false
  end
  local bufnr = api.nvim_get_current_buf()
  local state = buffers[bufnr]
  -- Scheduled: an <expr> mapping may not change the buffer.
  vim.schedule(function()
    local item = state.items[state.index]
    if not item or api.nvim_get_current_buf() ~= bufnr then
      return
    end
    hide(bufnr, state)
    local done, remains = suggestion.accept(item, cut)
    if remains then
      state.items, state.index = { remains }, 1
      draw(bufnr, state)
    elseif done and item.command then
      compat.request(state.client, 'workspace/executeCommand', {
        command = item.command.command,
        arguments = item.command.arguments,
      }, function() end, bufnr)
    end
  end)
  return true
end

---@return boolean
function M.dismiss()
  if not M.visible() then
    return false
  end
  on_leave(api.nvim_get_current_buf())
  return true
end

---@param count integer
function M.cycle(count)
  local bufnr = api.nvim_get_current_buf()
  local state = buffers[bufnr]
  if state and #state.items > 0 then
    state.index = (state.index - 1 + count) % #state.items + 1
    draw(bufnr, state)
  end
end

return M
