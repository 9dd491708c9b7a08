-- SPDX-License-Identifier: Apache-2.0
-- The last `inlined/status` of each client.
local M = {}

---@class inlined.Status
---@field state string starting, loading, ready, error or off
---@field kind string Normal, Error or Inactive
---@field busy boolean
---@field message string For people.
---@field model string
---@field backend string
---@field reason string Why the last request had no suggestion; "" when it had one.
---@field uri? string File of that request.
---@field progress? integer Percent, while the model loads.

---@type table<integer, inlined.Status>
local last = {}

--- Tells statuslines that there is something new.
function M.changed()
  vim.api.nvim_exec_autocmds('User', { pattern = 'InlinedStatus', modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

---@param client_id integer
---@param status inlined.Status
function M.set(client_id, status)
  local before = last[client_id]
  last[client_id] = status
  M.changed()
  if status.state == 'ready' and before and before.state ~= 'ready' then
    require('inlined').refresh() -- who typed while the model was loading gets an answer now
  end
end

---@param bufnr? integer
---@return inlined.Status?
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
  return status and 'inlined: ' .. status.message or ''
end

return M
