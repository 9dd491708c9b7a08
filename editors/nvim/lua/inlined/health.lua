-- SPDX-License-Identifier: Apache-2.0
-- :checkhealth inlined
local M = {}

local function check_editor()
  vim.health.start('inlined: Neovim')
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.10') == 0 then
    vim.health.error('Neovim ' .. version .. ' is too old', { 'use 0.10 or newer' })
  elseif require('inlined').has_builtin() then
    vim.health.ok('Neovim ' .. version .. ' draws ghost text itself (vim.lsp.inline_completion)')
  else
    vim.health.ok('Neovim ' .. version .. ': the plugin draws the ghost text')
  end
  local keys = {}
  for _, map in ipairs(vim.api.nvim_get_keymap('i')) do
    if (map.desc or ''):find('inlined') then
      keys[#keys + 1] = map.lhs
    end
  end
  if #keys > 0 then
    vim.health.ok('mapped in insert mode: ' .. table.concat(keys, ' '))
  else
    vim.health.info('no key is mapped with "inlined" in its description; see :help inlined-keys')
  end
end

local function check_daemon()
  vim.health.start('inlined: daemon')
  local cmd = require('inlined').server_config().cmd
  local path = vim.fn.exepath(cmd[1])
  if path == '' then
    vim.health.error(('"%s" is not on PATH'):format(cmd[1]), {
      'run ./bootstrap install in the project, or',
      "require('inlined').setup({ cmd = { '/path/to/inlined', '--stdio' } })",
    })
    return
  end
  local done = vim.system({ path, '--version' }, { text = true }):wait(5000)
  if done.code == 0 then
    vim.health.ok(path .. ': ' .. vim.trim(done.stdout))
  else
    vim.health.error(path .. ' does not start: ' .. vim.trim(done.stderr or ''))
    return
  end
  local doctor = vim.system({ path, 'doctor', '--json' }, { text = true }):wait(60000)
  local parsed, report = pcall(vim.json.decode, doctor.stdout or '')
  if not parsed or type(report.checks) ~= 'table' then
    vim.health.error('`inlined doctor --json` gave no report', { vim.trim(doctor.stderr or '') })
    return
  end
  for _, check in ipairs(report.checks) do
    local text = ('%s: %s'):format(check.name, check.detail or '')
    if check.ok then
      vim.health.ok(text)
    else
      vim.health.warn(text, check.fix and check.fix ~= '' and { check.fix } or nil)
    end
  end
end

local function check_clients()
  vim.health.start('inlined: running')
  local clients = vim.lsp.get_clients({ name = 'inlined' })
  if #clients == 0 then
    vim.health.info('not running; it starts with the first file that is opened')
  end
  for _, client in ipairs(clients) do
    local buffers = vim.tbl_count(client.attached_buffers)
    vim.health.ok(('client %d, %d buffers, %s'):format(client.id, buffers, client.offset_encoding))
  end
  local line = require('inlined.status').line()
  if line ~= '' then
    vim.health.info(line)
  end
end

function M.check()
  check_editor()
  check_daemon()
  check_clients()
end

return M
