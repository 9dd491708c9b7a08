-- SPDX-License-Identifier: Apache-2.0
-- For the tests of actions: a Neovim with the daemon and a small instruct model on a project in git,
-- in which menus and questions are answered at once, and what such a test looks at again and again.
local here = debug.getinfo(1, 'S').source:match('^@(.*)/[^/]*$')
local Child = require('child')
local said = require('said')

local M = { top = vim.fs.normalize(here .. '/../..') }

-- Menus and questions are answered at once: what holds one of `choices` in its title, the text
-- `reply`.  With `hold` a question stays open.
local INIT = [[
vim.o.termguicolors = true
vim.o.background = 'dark'
vim.o.columns = 90
vim.o.lines = 30
titles, told, reports, asked, choices, reply, hold, held = {}, {}, 0, 0, {}, nil, false, nil
prompts, confirmed = {}, 0
vim.fn.confirm = function(text)
  confirmed = confirmed + 1
  return 1
end
vim.notify = function(text, level)
  told[#told + 1] = text
end
vim.ui.select = function(items, options, done)
  titles = vim.tbl_map(options.format_item, items)
  prompts[#prompts + 1] = options.prompt
  if hold then
    held = done
    return
  end
  for i, title in ipairs(titles) do
    for _, choice in ipairs(choices) do
      if title:find(choice, 1, true) then
        return done(items[i], i)
      end
    end
  end
  done(nil, nil)
end
vim.ui.input = function(options, done)
  asked = asked + 1
  done(reply)
end
vim.api.nvim_create_autocmd('LspProgress', { callback = function(event)
  local value = event.data.params.value
  if value.kind == 'report' and (value.message or ''):find('tokens', 1, true) then
    reports = reports + 1
  end
end })
-- What the daemon still works at for us.
function running()
  local n = 0
  for _, request in pairs(require('inlined').client().requests) do
    local work = request.method == 'codeAction/resolve'
      or request.method == 'workspace/executeCommand'
    n = n + (work and 1 or 0)
  end
  return n
end
require('inlined').setup({ settings = {
  model = %q,
  actions = { maxTokens = %d },
  hover = %q,
  mcp = { builtIn = false }, -- one tool makes a short prompt
} })
]]

local function find_model(build)
  local name = 'smollm2-135m-instruct'
  local path = vim.env.INLINED_MODEL
  if not path or path == '' then
    local program = build .. '/inlined'
    if vim.fn.executable(program) == 0 then
      said.skip(program .. ' is not built')
    end
    local run = vim.system({ program, 'models', 'path', name }, { text = true }):wait()
    path = run.code == 0 and vim.trim(run.stdout) or ''
  end
  if not vim.uv.fs_stat(path) then
    said.skip(('no model %s here; fetch it with: build/inlined models pull %s'):format(name, name))
  end
  return path
end

function M.git(...)
  local run = vim.system({
    'git', '-C', M.folder .. '/project', '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...,
  }, { text = true }):wait()
  assert(run.code == 0, run.stderr)
  return run.stdout
end

--- Starts a Neovim on a project whose only file is `text`.
---@param spec table { build, folder, text, tokens, hover, init?, files? }
function M.start(spec)
  local model = find_model(spec.build)
  if vim.fn.executable('git') == 0 then
    said.skip('git is not here')
  end
  M.folder, M.text = spec.folder, spec.text
  vim.fn.delete(spec.folder, 'rf')
  M.sample = Child.write(spec.folder .. '/project', 'inventory.py', spec.text)
  for name, text in pairs(spec.files or {}) do
    Child.write(spec.folder .. '/project', name, text)
  end
  M.git('init', '-q')
  M.git('add', 'inventory.py')
  M.git('commit', '-q', '-m', 'begin')
  M.nvim = Child.start({
    nvim = vim.env.INLINED_NVIM,
    folder = spec.folder,
    plugin = M.top .. '/editors/nvim',
    init = INIT:format(model, spec.tokens, spec.hover) .. (spec.init or ''),
    programs = spec.build,
  })
  return M.nvim
end

function M.buffer()
  return table.concat(M.nvim:call('nvim_buf_get_lines', 0, 0, -1, false), '\n') .. '\n'
end

--- Puts the cursor where `words` stand; returns their line and columns (from 1 and 0).
function M.go_to(words)
  for row, line in ipairs(M.nvim:call('nvim_buf_get_lines', 0, 0, -1, false)) do
    local col = line:find(words, 1, true)
    if col then
      M.nvim:call('nvim_win_set_cursor', 0, { row, col - 1 })
      return { row, col - 1 }, { row, col - 1 + #words }
    end
  end
  error('the buffer has no ' .. words)
end

function M.forget()
  M.nvim:lua(
    'titles, told, reports, asked, choices, reply, hold, held = {}, {}, 0, 0, {}, nil, false, nil')
end

function M.told()
  return M.nvim:lua('return told')
end

function M.running()
  return M.nvim:lua('return running()')
end

function M.wait_over(what)
  M.nvim:wait(what, function()
    return M.running() == 0
  end)
end

--- Opens the menu at the cursor or over a range, and takes what has `choice` in its title.
function M.menu(choice, from, to)
  M.forget()
  M.nvim:lua([[
    local choice, range = ...
    choices = { choice }
    vim.lsp.buf.code_action(range and { range = range } or {})
  ]], choice, from and { start = from, ['end'] = to } or nil)
  return M.nvim:wait('the menu', function()
    local titles = M.nvim:lua('return titles')
    return #titles > 0 and titles
  end)
end

--- An action of a model has ended: its change is there, or one sentence, not both and not neither.
function M.check_end(changed, what)
  local words = M.told()
  if changed then
    said.equal(words, {}, what .. ': a change and no complaint')
    return 'changed'
  end
  said.equal(#words, 1, what .. ': one sentence where nothing changed: ' .. vim.inspect(words))
  assert(#words[1] > 10 and not words[1]:find('\n'), words[1])
  return vim.inspect(words[1])
end

--- One undo takes a change back.
function M.undo(what)
  M.nvim:keys('u')
  M.nvim:wait('one undo of ' .. what, function()
    return M.buffer() == M.text
  end)
end

--- Starts something and cancels it as soon as the model writes.  What a fast machine had finished by
--- then is started again and cancelled before anything is written.
function M.cancel_midway(what, start)
  local nvim, over = M.nvim, nil
  for _, least in ipairs({ 1, 0 }) do
    start()
    over = nvim:wait(what .. ' to run', function()
      local now = nvim:lua('return { running(), reports }')
      local ended = now[1] == 0 and (#M.told() > 0 or M.buffer() ~= M.text)
      return now[1] > 0 and now[2] >= least and 'no' or ended and 'yes'
    end) == 'yes'
    if not over then
      break
    end
    nvim:command('edit! ' .. M.sample)
  end
  assert(not over, what .. ' cannot be cancelled: ' .. vim.inspect(M.told()))
  M.cancel(what)
end

--- Cancels what runs: it ends, says so once, and has changed nothing.
function M.cancel(what)
  M.nvim:command('Inlined cancel')
  M.wait_over('the end of ' .. what)
  M.nvim:never('a change or a word after it was cancelled', function()
    return M.buffer() ~= M.text or #M.told() ~= 1
  end, 500)
  said.equal(M.told(), { 'inlined: cancelled' }, 'it says so')
  said.passed(what .. ', cancelled: nothing has changed')
end

local function open()
  M.nvim:command('edit ' .. M.sample)
  M.nvim:wait('the model', function()
    local status = M.nvim:lua([[return require('inlined.status').get(0)]])
    return status ~= vim.NIL and status.state == 'ready'
  end)
  said.passed('the daemon is ready')
end

--- Runs a test with the editor and ends both, whatever happens.
function M.run(test)
  local fine, why = xpcall(function()
    open()
    test()
    local daemons = M.nvim:processes()
    said.equal(M.nvim:quit(), 0, 'exit code')
    Child.wait_dead(daemons)
    said.passed('the server ends with Neovim')
  end, debug.traceback)
  if not fine then
    io.write('FAILED: ', tostring(why), '\n')
    if M.nvim then
      M.nvim:kill()
    end
    os.exit(1)
  end
end

return M
