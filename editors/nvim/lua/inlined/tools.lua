-- SPDX-License-Identifier: Apache-2.0
-- :Inlined tools: the MCP servers and what they offer; one of them is ended and started anew.
local M = {}

local function tell(text, level)
  vim.notify('inlined: ' .. text, level or vim.log.levels.INFO)
end

-- Asks the daemon of this file; `act` gets the result.
local function ask(method, params, act)
  local client = require('inlined').client(0)
  if not client then
    tell('not running for this file; see :checkhealth inlined', vim.log.levels.ERROR)
    return
  end
  require('inlined.compat').request(client, method, params, function(failed, result)
    if failed then
      tell(failed.message, vim.log.levels.ERROR)
    else
      act(result)
    end
  end, 0)
end

--- `inlined/tools` for people, line by line.
---@return string[]
function M.describe(answer)
  local lines = {}
  for _, server in ipairs(answer.servers or {}) do
    local why = server.why ~= '' and server.why
    table.insert(lines, server.name .. ': ' .. server.state .. (why and ', ' .. why or ''))
    for _, tool in ipairs(server.quarantined or {}) do
      table.insert(lines, ('    %s cannot be called: its definition has changed since it was'):format(tool.name))
      table.insert(lines, '    approved. Compare, then: inlined mcp approve ' .. server.name)
      for _, line in ipairs(vim.split(vim.trim(tool.changes), '\n')) do
        table.insert(lines, '      ' .. line)
      end
    end
  end
  if #lines == 0 then
    return { 'no MCP server is configured for this workspace' }
  end
  for _, tool in ipairs(answer.tools or {}) do
    vim.list_extend(lines, { '', tool.name })
    for _, line in ipairs(vim.split(tool.description, '\n')) do
      table.insert(lines, '    ' .. line)
    end
  end
  return lines
end

local function show(answer)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, M.describe(answer))
  vim.api.nvim_buf_set_name(bufnr, ('inlined://%d/tools'):format(bufnr))
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].modifiable = false
  vim.cmd('botright split')
  vim.api.nvim_win_set_buf(0, bufnr)
end

---@param rest string '' or 'restart NAME'
function M.run(rest)
  local name = rest:match('^restart%s+(%S+)%s*$')
  if rest == '' then
    ask('inlined/tools', vim.empty_dict(), show)
  elseif name then
    ask('inlined/tools/restart', { server = name }, function()
      tell(('the MCP server %s is being restarted'):format(name))
    end)
  else
    tell('it is :Inlined tools, or :Inlined tools restart NAME', vim.log.levels.ERROR)
  end
end

return M
