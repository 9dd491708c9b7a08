-- SPDX-License-Identifier: Apache-2.0
-- :checkhealth inlined
local M = {}

local ANSWER_MS = 5000
local DOCTOR_MS = 120000 -- it loads the model and completes something

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
    if (map.desc or ''):find('inlined') or (map.rhs or ''):find('inlined') then
      keys[#keys + 1] = map.lhs
    end
  end
  if #keys > 0 then
    vim.health.ok('keys of insert mode: ' .. table.concat(keys, ' '))
  else
    vim.health.warn('no key accepts a suggestion', {
      "require('inlined').setup({ keys = { accept = '<Tab>' } })",
      'see :help inlined-keys',
    })
  end
end

-- Path of the program, or nil after saying what is wrong with it.
local function check_program()
  local program = require('inlined').server_config().cmd[1]
  local path = vim.fn.exepath(program)
  if path == '' then
    vim.health.error(('there is no program "%s"'):format(program), {
      'run ./bootstrap install in the project and put its bin folder on PATH, or',
      "require('inlined').setup({ cmd = { '/path/to/inlined', '--stdio' } })",
    })
    return nil
  end
  local started, run = pcall(vim.system, { path, '--version' }, { text = true })
  local done = started and run:wait(ANSWER_MS) or { code = -1, stderr = tostring(run) }
  if done.code ~= 0 then
    vim.health.error(path .. ' does not start: ' .. vim.trim(done.stderr or ''), {
      'build it again: ./bootstrap install',
    })
    return nil
  end
  vim.health.ok(path .. ': ' .. vim.trim(done.stdout))
  return path
end

local function check_doctor(path)
  vim.health.start('inlined: doctor')
  local done = vim.system({ path, 'doctor', '--json' }, { text = true }):wait(DOCTOR_MS)
  local parsed, report = pcall(vim.json.decode, done.stdout or '')
  if not parsed or type(report) ~= 'table' or type(report.checks) ~= 'table' then
    vim.health.error('`inlined doctor --json` gave no report', {
      vim.trim(done.stderr or ''),
      'run it in a terminal: ' .. path .. ' doctor',
    })
    return
  end
  for _, check in ipairs(report.checks) do
    local text = ('%s: %s'):format(check.name, check.detail or '')
    if check.ok then
      vim.health.ok(text)
    else
      vim.health.error(text, check.fix and check.fix ~= '' and { check.fix } or nil)
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
    local files = vim.tbl_count(client.attached_buffers)
    local status = require('inlined.status').get()
    local text = ('client %d, %d file(s), %s'):format(client.id, files, client.offset_encoding)
    if status and status.kind == 'Error' then
      vim.health.error(text .. ': ' .. status.message)
    else
      vim.health.ok(text .. (status and ': ' .. status.message or ''))
    end
  end
  if require('inlined').is_paused() then
    vim.health.warn('paused', { ':Inlined resume' })
  end
end

function M.check()
  check_editor()
  vim.health.start('inlined: program')
  local path = check_program()
  if path then
    check_doctor(path)
  end
  check_clients()
end

return M
