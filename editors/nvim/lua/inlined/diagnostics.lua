-- SPDX-License-Identifier: Apache-2.0
-- Tells the daemon what other servers and linters say about the buffers that it knows
-- (inlined/diagnostics), because a language server does not hear the others.  Errors and warnings
-- only, the nearest to the cursor first, a moment after they have changed.
local M = {}

local compat = require('inlined.compat')

local DELAY_MS = 300
local MOST = 32

---@type table<integer, table> Timers, by buffer.
local waiting = {}

local function cursor_line(bufnr)
  local window = vim.fn.bufwinid(bufnr)
  return window ~= -1 and vim.api.nvim_win_get_cursor(window)[1] - 1 or 0
end

-- Diagnostics that came from the daemon itself have its name as source.
local function near(bufnr)
  local here = cursor_line(bufnr)
  local found = vim.tbl_filter(function(d)
    return not vim.startswith(d.source or '', 'inlined')
  end, vim.diagnostic.get(bufnr, { severity = { min = vim.diagnostic.severity.WARN } }))
  table.sort(found, function(a, b)
    local x, y = math.abs(a.lnum - here), math.abs(b.lnum - here)
    if x ~= y then
      return x < y
    end
    return a.lnum < b.lnum
  end)
  return vim.list_slice(found, 1, MOST)
end

-- Columns do not matter to the daemon, so bytes will do.
local function to_lsp(d)
  local from = { line = d.lnum, character = d.col or 0 }
  local to = { line = d.end_lnum or d.lnum, character = d.end_col or from.character }
  return {
    range = { start = from, ['end'] = to },
    severity = d.severity,
    source = d.source,
    message = d.message,
  }
end

local function send(bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    return
  end
  local list = vim.tbl_map(to_lsp, near(bufnr))
  for _, client in ipairs(vim.lsp.get_clients({ name = 'inlined', bufnr = bufnr })) do
    local offers = (client.server_capabilities or {}).experimental
    if type(offers) == 'table' and offers['inlined/diagnostics'] then
      compat.notify(client, 'inlined/diagnostics', {
        uri = vim.uri_from_bufnr(bufnr),
        diagnostics = list,
      })
    end
  end
end

--- They may have changed, or the daemon is new to the buffer.
---@param bufnr integer
function M.changed(bufnr)
  if waiting[bufnr] or #vim.lsp.get_clients({ name = 'inlined', bufnr = bufnr }) == 0 then
    return
  end
  waiting[bufnr] = vim.defer_fn(function()
    waiting[bufnr] = nil
    send(bufnr)
  end, DELAY_MS)
end

return M
