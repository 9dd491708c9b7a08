-- SPDX-License-Identifier: Apache-2.0
-- :Inlined and its words.
local M = {}

-- Runs the daemon's program with a command of its own and shows in a new window what it says.
local function show(...)
  local argv = { require('inlined').server_config().cmd[1], ... }
  local title = table.concat(argv, ' ', 2)
  local function on_done(done)
    local text = vim.trim((done.stdout or '') .. (done.stderr or ''))
    local bufnr = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(text, '\n'))
    vim.api.nvim_buf_set_name(bufnr, ('inlined://%d/%s'):format(bufnr, title))
    vim.bo[bufnr].bufhidden = 'wipe'
    vim.bo[bufnr].modifiable = false
    vim.cmd('botright split')
    vim.api.nvim_win_set_buf(0, bufnr)
  end
  local started, why = pcall(vim.system, argv, { text = true }, vim.schedule_wrap(on_done))
  if not started then
    local text = ('inlined: %s does not start: %s'):format(argv[1], tostring(why):match('[^\n]*'))
    vim.notify(text, vim.log.levels.ERROR)
  end
end

local function tell_status()
  local inlined = require('inlined')
  local line = inlined.statusline()
  if line ~= '' then
    vim.notify(line)
  elseif inlined.client(0) then
    vim.notify('inlined: starting')
  else
    vim.notify('inlined: not running for this file; see :checkhealth inlined')
  end
end

-- Each gets the rest of the line and, if lines were given, the first and the last.
local words = {
  cancel = function()
    require('inlined.actions').cancel()
  end,
  commit = function()
    require('inlined.actions').commit()
  end,
  doctor = function()
    show('doctor')
  end,
  explain = function(rest, lines)
    require('inlined.actions').explain(lines, rest)
  end,
  log = function()
    vim.cmd.tabnew(vim.fn.fnameescape(require('inlined.compat').log_path()))
  end,
  models = function(rest)
    require('inlined.models').choose(rest)
  end,
  pause = function()
    require('inlined').pause()
  end,
  restart = function()
    require('inlined').restart()
  end,
  resume = function()
    require('inlined').resume()
  end,
  review = function(rest, lines)
    require('inlined.actions').review(lines, rest)
  end,
  status = tell_status,
  tools = function(rest)
    require('inlined.tools').run(rest)
  end,
}

---@param args string[]
---@param lines? integer[] First and last line, from 1.
function M.run(args, lines)
  local word = args[1] or 'status'
  if words[word] then
    words[word](table.concat(args, ' ', 2), lines)
    return
  end
  local known = table.concat(M.complete(''), ', ')
  vim.notify(('inlined: unknown word "%s"; known are %s'):format(word, known), vim.log.levels.ERROR)
end

---@param lead string
---@return string[]
function M.complete(lead)
  local found = vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, vim.tbl_keys(words))
  table.sort(found)
  return found
end

return M
