-- SPDX-License-Identifier: Apache-2.0
-- Ghost text for Neovim before 0.12: asks textDocument/inlineCompletion and draws the answer as
-- extmarks.  Per buffer: at most one request in flight (a newer one cancels it), at most one shown
-- suggestion.  A suggestion stays while the user types along it and goes with any other change.
local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('inlined.ghost')

api.nvim_set_hl(0, 'InlinedGhost', { link = 'Comment', default = true })

---@class inlined.Shown
---@field items table[] As the server sent them, text and byte range resolved.
---@field index integer Which one is drawn.
---@field row integer Line of the cursor, from 0.

---@class inlined.Buffer
---@field client vim.lsp.Client
---@field timer? uv.uv_timer_t
---@field request? integer
---@field shown? inlined.Shown
---@field group integer

---@type table<integer, inlined.Buffer>
local buffers = {}

local function request(client, method, params, handler, bufnr)
  if vim.fn.has('nvim-0.11') == 1 then
    return client:request(method, params, handler, bufnr)
  end
  return client.request(method, params, handler, bufnr)
end

local function cancel(client, id)
  if vim.fn.has('nvim-0.11') == 1 then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

local function current_item(state)
  return state.shown and state.shown.items[state.shown.index]
end

-- What of the item is not typed yet, or nil when the text left its path.
local function remaining(bufnr, state)
  local item = current_item(state)
  if not item then
    return nil
  end
  local row, col = unpack(api.nvim_win_get_cursor(0))
  row = row - 1
  if row ~= state.shown.row or col < item.from then
    return nil
  end
  local line = api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  local typed = line:sub(item.from + 1, col)
  if item.text:sub(1, #typed) ~= typed or #typed >= #item.text then
    return nil
  end
  return item.text:sub(#typed + 1), row, col
end

local function clear(bufnr)
  if api.nvim_buf_is_valid(bufnr) then
    api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

local function draw(bufnr, state)
  clear(bufnr)
  local text, row, col = remaining(bufnr, state)
  if not text then
    return
  end
  local item = current_item(state)
  local lines = vim.split(text, '\n')
  local virt_lines = {}
  for i = 2, #lines do
    virt_lines[#virt_lines + 1] = { { lines[i], 'InlinedGhost' } }
  end
  -- Text that the suggestion swallows lies under an overlay, anything else is pushed aside.
  local overlay = item.to > col
  api.nvim_buf_set_extmark(bufnr, namespace, row, col, {
    virt_text = { { lines[1], 'InlinedGhost' } },
    virt_text_pos = overlay and 'overlay' or 'inline',
    virt_lines = #virt_lines > 0 and virt_lines or nil,
    hl_mode = 'combine',
    strict = false,
  })
end

local function stop_timer(state)
  if state.timer then
    state.timer:stop()
    state.timer:close()
    state.timer = nil
  end
end

local function stop_request(state)
  if state.request then
    cancel(state.client, state.request)
    state.request = nil
  end
end

local function hide(bufnr, state)
  state.shown = nil
  clear(bufnr)
end

local function byte_col(line, character, encoding)
  return vim.lsp.util._str_byteindex_enc
      and vim.lsp.util._str_byteindex_enc(line, character, encoding)
    or vim.str_byteindex(line, encoding, character, false)
end

local function resolve(bufnr, state, raw)
  local row, col = unpack(api.nvim_win_get_cursor(0))
  row = row - 1
  local line = api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  local items = {}
  for _, item in ipairs(raw) do
    local text = type(item.insertText) == 'table' and item.insertText.value or item.insertText
    local from, to = col, col
    if item.range then
      if item.range.start.line ~= row or item.range['end'].line ~= row then
        return {}
      end
      from = byte_col(line, item.range.start.character, state.client.offset_encoding)
      to = byte_col(line, item.range['end'].character, state.client.offset_encoding)
    end
    items[#items + 1] = { text = text, from = from, to = to, command = item.command }
  end
  return items, row
end

local function on_answer(bufnr, state, result, tick)
  if buffers[bufnr] ~= state or api.nvim_get_current_buf() ~= bufnr then
    return
  end
  if api.nvim_buf_get_changedtick(bufnr) ~= tick or not vim.startswith(api.nvim_get_mode().mode, 'i') then
    return
  end
  local items, row = resolve(bufnr, state, result.items or result)
  if #items == 0 then
    hide(bufnr, state)
    return
  end
  state.shown = { items = items, index = 1, row = row }
  draw(bufnr, state)
end

local function ask(bufnr, state, kind)
  stop_timer(state)
  stop_request(state)
  if api.nvim_get_current_buf() ~= bufnr then
    return
  end
  local params = vim.lsp.util.make_position_params(0, state.client.offset_encoding)
  params.context = { triggerKind = kind }
  local tick = api.nvim_buf_get_changedtick(bufnr)
  local _, id = request(state.client, 'textDocument/inlineCompletion', params, function(err, result)
    state.request = nil
    if not err and result then
      on_answer(bufnr, state, result, tick)
    end
  end, bufnr)
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
    if buffers[bufnr] == state and vim.startswith(api.nvim_get_mode().mode, 'i') then
      ask(bufnr, state, 2)
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

---@param bufnr integer
---@param client vim.lsp.Client
function M.attach(bufnr, client)
  if buffers[bufnr] then
    buffers[bufnr].client = client
    return
  end
  local group = api.nvim_create_augroup('inlined.ghost.' .. bufnr, { clear = true })
  buffers[bufnr] = { client = client, group = group }
  api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      on_change(bufnr)
    end,
  })
  api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      on_leave(bufnr)
    end,
  })
  api.nvim_create_autocmd({ 'BufDelete', 'LspDetach' }, {
    group = group,
    buffer = bufnr,
    callback = function(event)
      if event.event == 'BufDelete' or event.data.client_id == client.id then
        M.detach(bufnr)
      end
    end,
  })
  if vim.startswith(api.nvim_get_mode().mode, 'i') and api.nvim_get_current_buf() == bufnr then
    on_change(bufnr)
  end
end

---@param bufnr integer
function M.detach(bufnr)
  local state = buffers[bufnr]
  if not state then
    return
  end
  on_leave(bufnr)
  buffers[bufnr] = nil
  pcall(api.nvim_del_augroup_by_id, state.group)
end

-- Inserts at the cursor after removing what the item swallows to its right.
local function insert(row, col, to, text)
  local lines = vim.split(text, '\n')
  api.nvim_buf_set_text(0, row, col, row, math.max(col, to), lines)
  local last_col = (#lines == 1 and col or 0) + #lines[#lines]
  api.nvim_win_set_cursor(0, { row + #lines, last_col })
end

---@param cut? fun(text: string): string What part to take; nil: all of it.
---@return boolean
function M.accept(cut)
  local bufnr = api.nvim_get_current_buf()
  local state = buffers[bufnr]
  local text, row, col = nil, nil, nil
  if state then
    text, row, col = remaining(bufnr, state)
  end
  if not text then
    return false
  end
  local item = current_item(state)
  local part = cut and cut(text) or text
  -- Scheduled: an <expr> mapping may not change the buffer.
  vim.schedule(function()
    clear(bufnr)
    if part == text then
      insert(row, col, item.to, part)
      state.shown = nil
      if item.command then
        state.client:exec_cmd(item.command, { bufnr = bufnr })
      end
    else
      insert(row, col, col, part)
      on_change(bufnr)
    end
  end)
  return true
end

---@return boolean
function M.dismiss()
  local bufnr = api.nvim_get_current_buf()
  local state = buffers[bufnr]
  if not (state and state.shown) then
    return false
  end
  stop_timer(state)
  stop_request(state)
  hide(bufnr, state)
  return true
end

---@param count integer
function M.cycle(count)
  local bufnr = api.nvim_get_current_buf()
  local state = buffers[bufnr]
  if state and state.shown then
    state.shown.index = (state.shown.index - 1 + count) % #state.shown.items + 1
    draw(bufnr, state)
  end
end

return M
