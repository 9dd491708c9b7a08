-- SPDX-License-Identifier: Apache-2.0
-- Ghost text on Neovim 0.12 and newer: `vim.lsp.inline_completion` asks and draws; this adds what
-- it lacks.  It accepts parts, and it accepts only what still fits: the editor keeps a suggestion
-- on screen while an answer to newer text is on its way, and its own get() would insert that as
-- it is.
local M = {}

local api = vim.api
local suggestion = require('inlined.suggestion')
local METHOD = 'textDocument/inlineCompletion'
-- Answers that are no answer: overtaken, cancelled, or the text has changed since.
local OVERTAKEN = { [-32800] = true, [-32801] = true, [-32802] = true }

-- Per buffer: what stood right of the cursor when the shown suggestion was asked for.
---@type table<integer, string>
local right_of = {}

-- Whether an answer may be drawn.  The editor itself does not ask: it raises errors when the buffer
-- was left, or switched off, while the answer was on its way.
local function is_welcome(bufnr, client)
  return api.nvim_get_current_buf() == bufnr
    and require('inlined').wants(bufnr)
    and vim.lsp.buf_is_attached(bufnr, client.id)
    and vim.lsp.inline_completion.is_enabled({ bufnr = bufnr, client_id = client.id })
end

-- Puts us between the editor and its client, for this one method: no question while paused, no
-- answer that nobody wants, and a memory of where the question was asked.
local function guard(client)
  local request = client.request
  client.request = function(self, method, params, handler, bufnr)
    if method ~= METHOD or not handler then
      return request(self, method, params, handler, bufnr)
    end
    bufnr = (bufnr == nil or bufnr == 0) and api.nvim_get_current_buf() or bufnr
    -- The editor's timer may fire after the buffer was left; it would ask with a wrong position.
    if bufnr ~= api.nvim_get_current_buf() or not require('inlined').wants(bufnr) then
      return false
    end
    local col = api.nvim_win_get_cursor(0)[2]
    local right = api.nvim_get_current_line():sub(col + 1)
    return request(self, method, params, function(err, result, ctx)
      if err and not OVERTAKEN[err.code] then
        handler(err, result, ctx)
      elseif not err and is_welcome(bufnr, client) then
        right_of[bufnr] = right
        handler(err, result, ctx)
      end
    end, bufnr)
  end
  client._inlined_guarded = true
end

---@param bufnr integer
---@param client vim.lsp.Client
function M.attach(bufnr, client)
  if not client._inlined_guarded then
    guard(client)
  end
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
end

---@param bufnr integer
---@param client vim.lsp.Client
function M.hide(bufnr, client)
  for id, request in pairs(client.requests) do
    if request.method == METHOD and request.bufnr == bufnr and request.type == 'pending' then
      client:cancel_request(id)
    end
  end
  if api.nvim_get_current_buf() == bufnr then
    M.dismiss()
  end
end

--- The editor asks when the cursor moves, so it is told that it has.
---@param bufnr integer
function M.refresh(bufnr)
  pcall(api.nvim_exec_autocmds, 'CursorMovedI', {
    group = 'nvim.lsp.inline_completion:' .. bufnr,
    buffer = bufnr,
  })
end

-- The editor's item as a suggestion, or nil when it is not plain text at or after the cursor.
local function resolve(item)
  if type(item.insert_text) ~= 'string' or not item.range then
    return nil
  end
  local row, from, end_row, to = item.range:to_extmark()
  if end_row ~= row then
    return nil
  end
  return {
    text = item.insert_text,
    row = row,
    from = from,
    swallow = to - from,
    right = right_of[api.nvim_get_current_buf()],
    command = item.command,
  }
end

-- Shows what remains after a part was accepted, at once: the editor itself would ask after 200 ms.
-- This goes through the editor's own handler of answers; without it nothing is lost but the time.
local function offer(bufnr, client, remains)
  local found, capability = pcall(require, 'vim.lsp._capability')
  local class = found and capability.all and capability.all.inline_completion
  local shown = class and class.active and class.active[bufnr]
  if not (shown and shown.handler) then
    return
  end
  local line = api.nvim_buf_get_lines(bufnr, remains.row, remains.row + 1, false)[1] or ''
  local function position(byte)
    local character = vim.str_utfindex(line, client.offset_encoding, math.min(byte, #line), false)
    return { line = remains.row, character = character }
  end
  local item = {
    insertText = remains.text,
    range = { start = position(remains.from), ['end'] = position(remains.from + remains.swallow) },
    command = remains.command,
  }
  right_of[bufnr] = remains.right
  pcall(shown.handler, shown, nil, { items = { item } }, { client_id = client.id })
end

---@param cut? fun(text: string): string What part to take; nil: all of it.
---@return boolean
function M.accept(cut)
  local bufnr = api.nvim_get_current_buf()
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local s = resolve(item)
      local client = vim.lsp.get_client_by_id(item.client_id)
      if not s or not client or api.nvim_get_current_buf() ~= bufnr then
        return not cut and item or nil -- a snippet: the editor knows how
      end
      local done, remains = suggestion.accept(s, cut)
      if remains then
        offer(bufnr, client, remains)
      elseif done and s.command then
        client:exec_cmd(s.command, { bufnr = bufnr })
      end
      return nil -- the buffer has it already
    end,
  })
end

---@return boolean
function M.dismiss()
  return vim.lsp.inline_completion.get({
    on_accept = function()
      return nil
    end,
  })
end

---@param count integer
function M.cycle(count)
  vim.lsp.inline_completion.select({ count = count })
end

return M
