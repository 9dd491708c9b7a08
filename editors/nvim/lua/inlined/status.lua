-- SPDX-License-Identifier: Apache-2.0
-- The last `inlined/status` of each client.
local M = {}

---@type table<integer, table>
local last = {}

---@param client_id integer
---@param status table
function M.set(client_id, status)
  last[client_id] = status
  vim.api.nvim_exec_autocmds('User', { pattern = 'InlinedStatus', data = status })
end

---@param bufnr? integer
---@return table?
function M.get(bufnr)
  local client = require('inlined').client(bufnr)
  return client and last[client.id]
end

---@param bufnr? integer
---@return string
function M.line(bufnr)
  if require('inlined').is_paused() then
    return 'inlined: paused'
  end
  local status = M.get(bufnr)
  if not status then
    return ''
  end
  return 'inlined: ' .. (status.message or status.state or 'running')
end

return M
