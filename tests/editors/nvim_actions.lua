-- SPDX-License-Identifier: Apache-2.0
-- Code actions, hovers and what :Inlined does on demand, in a real editor with the daemon and a
-- small instruct model.  What the model writes is its affair: an action of its ends with an applied
-- edit or with one sentence, and a cancelled one leaves everything as it was.
--   NVIM -l nvim_actions.lua BUILD FOLDER
local here = arg[0]:match('^(.*)/[^/]*$')
package.path = here .. '/?.lua;' .. package.path
local Child = require('child')

local build, folder = arg[1], arg[2]
local top = vim.fs.normalize(here .. '/../..')

local function skip(why)
  io.write('SKIP: ', why, '\n')
  os.exit(77)
end

local function find_model()
  local name = 'smollm2-135m-instruct'
  local path = vim.env.INLINED_MODEL
  if not path or path == '' then
    local program = build .. '/inlined'
    if vim.fn.executable(program) == 0 then
      skip(program .. ' is not built')
    end
    local run = vim.system({ program, 'models', 'path', name }, { text = true }):wait()
    path = run.code == 0 and vim.trim(run.stdout) or ''
  end
  if not vim.uv.fs_stat(path) then
    skip(('no model %s here; fetch it with: build/inlined models pull %s'):format(name, name))
  end
  return path
end

-- Menus and questions are answered at once: the title that holds `choice`, the text `reply`.
local INIT = [[
vim.o.termguicolors = true
vim.o.background = 'dark'
vim.o.columns = 90
vim.o.lines = 30
titles, told, reports, asked, choice, reply = {}, {}, 0, 0, nil, nil
vim.notify = function(text, level)
  told[#told + 1] = text
end
vim.ui.select = function(items, options, done)
  titles = vim.tbl_map(options.format_item, items)
  for i, title in ipairs(titles) do
    if choice and title:find(choice, 1, true) then
      return done(items[i], i)
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
  actions = { maxTokens = 120 },
  hover = 'instant',
} })
]]

local model = find_model()
local began = vim.uv.hrtime()
local function passed(what)
  io.write(('ok  %5.1f s  %s\n'):format((vim.uv.hrtime() - began) / 1e9, what))
end

local function equal(got, want, what)
  if not vim.deep_equal(got, want) then
    error(('%s\n got: %s\nwant: %s'):format(what, vim.inspect(got), vim.inspect(want)), 2)
  end
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('a')
  file:close()
  return text
end

local function git(...)
  local run = vim.system({
    'git', '-C', folder .. '/project', '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...,
  }, { text = true }):wait()
  assert(run.code == 0, run.stderr)
  return run.stdout
end

vim.fn.delete(folder, 'rf')
local text = read(top .. '/tests/demo/samples/inventory.py')
local sample = Child.write(folder .. '/project', 'inventory.py', text)
if vim.fn.executable('git') == 0 then
  skip('git is not here')
end
git('init', '-q')
git('add', '.')
git('commit', '-q', '-m', 'begin')
local nvim = Child.start({
  nvim = vim.env.INLINED_NVIM,
  folder = folder,
  plugin = top .. '/editors/nvim',
  init = INIT:format(model),
  programs = build,
})

local function buffer()
  return table.concat(nvim:call('nvim_buf_get_lines', 0, 0, -1, false), '\n') .. '\n'
end

-- The line and column (from 1 and 0) at which `words` stand in the buffer.
local function go_to(words)
  for row, line in ipairs(nvim:call('nvim_buf_get_lines', 0, 0, -1, false)) do
    local col = line:find(words, 1, true)
    if col then
      nvim:call('nvim_win_set_cursor', 0, { row, col - 1 })
      return { row, col - 1 }, { row, col - 1 + #words }
    end
  end
  error('the buffer has no ' .. words)
end

local function forget()
  nvim:lua('titles, told, reports, asked, choice, reply = {}, {}, 0, 0, nil, nil')
end

local function told()
  return nvim:lua('return told')
end

local function wait_over(what)
  nvim:wait(what, function()
    return nvim:lua('return running()') == 0
  end)
end

-- Opens the menu at the cursor or over a range, and takes what has `choice` in its title.
local function menu(choice, from, to)
  forget()
  nvim:lua([[
    local range
    choice, range = ...
    vim.lsp.buf.code_action(range and { range = range } or {})
  ]], choice, from and { start = from, ['end'] = to } or nil)
  return nvim:wait('the menu', function()
    local titles = nvim:lua('return titles')
    return #titles > 0 and titles
  end)
end

-- An action of a model has ended: its change is there, or one sentence, not both and not neither.
local function check_end(changed, what)
  local said = told()
  if changed then
    equal(said, {}, what .. ': a change and no complaint')
    return 'changed'
  end
  equal(#said, 1, what .. ': one sentence where nothing changed: ' .. vim.inspect(said))
  assert(#said[1] > 10 and not said[1]:find('\n'), said[1])
  return vim.inspect(said[1])
end

-- Starts something and cancels it as soon as the model writes.  What a fast machine had finished by
-- then is started again and cancelled before anything is written.
local function cancel_midway(what, start)
  local over
  for _, least in ipairs({ 1, 0 }) do
    start()
    over = nvim:wait(what .. ' to run', function()
      local now = nvim:lua('return { running(), reports }')
      local ended = now[1] == 0 and (#told() > 0 or buffer() ~= text)
      return now[1] > 0 and now[2] >= least and 'no' or ended and 'yes'
    end) == 'yes'
    if not over then
      break
    end
    nvim:command('edit! ' .. sample)
  end
  assert(not over, what .. ' cannot be cancelled: ' .. vim.inspect(told()))
  nvim:command('Inlined cancel')
  wait_over('the end of ' .. what)
  nvim:never('a change or a word after it was cancelled', function()
    return buffer() ~= text or #told() ~= 1
  end, 500)
  equal(told(), { 'inlined: cancelled' }, 'it says so')
end

local function test_start()
  nvim:command('edit ' .. sample)
  nvim:wait('the model', function()
    local status = nvim:lua([[return require('inlined.status').get(0)]])
    return status ~= vim.NIL and status.state == 'ready'
  end)
  passed('the daemon is ready')
end

local function test_menu()
  go_to('def total_value')
  local titles = menu(nil)
  local found = {}
  for _, title in ipairs(titles) do
    found[title] = true
  end
  for _, title in ipairs({
    'Improve total_value (model)',
    'Simplify total_value (model)',
    'Rewrite total_value with instruction... (model)',
    'Add error handling to total_value (model)',
    'Add types to total_value (model)',
    'Generate tests for total_value (model)',
    'Explain total_value (model)',
    'Review total_value (model)',
    'Review this file (model)',
    'Review changes against git (model)',
  }) do
    assert(found[title], 'no "' .. title .. '" in ' .. vim.inspect(titles))
  end
  assert(not found['Document total_value (model)'], 'it has a docstring')
  equal(nvim:lua('return running()'), 0, 'the menu runs nothing')
  equal(buffer(), text, 'the menu changes nothing')
  passed(('the menu: %d actions'):format(#titles))
end

local function test_extract()
  local from, to = go_to('item.price * item.quantity')
  menu('Extract variable', from, { to[1], to[2] })
  local old = '        total += item.price * item.quantity\n'
  local at = text:find(old, 1, true)
  local want = text:sub(1, at - 1)
    .. '        value = item.price * item.quantity\n        total += value\n'
    .. text:sub(at + #old)
  nvim:wait('the change', function()
    return buffer() ~= text
  end)
  equal(buffer(), want, 'a variable extracted')
  equal(told(), {}, 'without a word')
  nvim:keys('u')
  nvim:wait('the undo', function()
    return buffer() == text
  end)
  passed('extract variable, and one undo')
end

local function test_hover()
  forget()
  go_to('total_value')
  nvim:lua('vim.lsp.buf.hover()')
  local shown = nvim:wait('the hover', function()
    local lines = nvim:lua([[
      for _, window in ipairs(vim.api.nvim_list_wins()) do
        if vim.api.nvim_win_get_config(window).relative ~= '' then
          return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
        end
      end
    ]])
    return lines ~= vim.NIL and table.concat(lines, '\n')
  end)
  for _, words in ipairs({
    'def total_value(items: list[Item]) -> float',
    'Sum of price times quantity over all items.',
  }) do
    assert(shown:find(words, 1, true), 'no "' .. words .. '" in the hover: ' .. shown)
  end
  nvim:keys('jk')
  passed('hover: the signature and the documentation')
end

-- Runs `command`, which makes a page of this name and title, and closes it.
local function explain(command, name, title)
  forget()
  nvim:command(command)
  wait_over('the explanation')
  local page = nvim:lua([[
    for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
      if vim.api.nvim_buf_get_name(buffer):find(..., 1, true) then
        return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\n')
      end
    end
  ]], name)
  local shown = page ~= vim.NIL and vim.startswith(page, '# ' .. title .. '\n')
  passed(title .. ': ' .. check_end(shown, title))
  nvim:command('only')
  equal(vim.fs.basename(nvim:call('nvim_buf_get_name', 0)), 'inventory.py', 'the focus stays')
  equal(buffer(), text, 'an explanation changes nothing')
end

local function test_explain()
  go_to('def cheapest')
  explain('Inlined explain', 'Explain-cheapest.md', 'Explain cheapest')
  local first = go_to('for item in items')[1]
  explain(('%d,%dInlined explain what is added up?'):format(first, first + 1),
    ('Explain-lines-%d-%d-of-total_quantity.md'):format(first, first + 1),
    ('Explain lines %d-%d of total_quantity'):format(first, first + 1))
end

local function test_cancelled_edit()
  cancel_midway('the edit', function()
    go_to('def total_value')
    menu('Improve total_value')
  end)
  passed('a model edit, cancelled: nothing has changed')
end

-- Takes "Rewrite with instruction..." and answers its question.
local function instruct(answer)
  forget()
  nvim:lua([[
    choice, reply = 'Rewrite cheapest with instruction', ...
    vim.lsp.buf.code_action()
  ]], answer)
  nvim:wait('the question', function()
    return nvim:lua('return asked') == 1
  end)
  wait_over('the rewriting')
end

local function test_instruction()
  go_to('def cheapest')
  instruct('  ')
  equal({ buffer(), told() }, { text, {} }, 'no instruction, no change')
  instruct('return None when there are no items')
  passed('an instruction: ' .. check_end(buffer() ~= text, 'an instruction'))
  nvim:command('edit! ' .. sample)
end

local function test_cancelled_review()
  cancel_midway('the review', function()
    forget()
    nvim:command('Inlined review file')
  end)
  nvim:command('Inlined cancel')
  equal(told()[#told()], 'inlined: nothing runs for this file', 'it is over')
  forget()
  nvim:command('Inlined review nonsense')
  assert(#told() == 1 and told()[1]:find('"nonsense" cannot be reviewed', 1, true), told()[1])
  passed('a review, cancelled')
end

-- Findings are diagnostics (what is found twice is there once).  A small model may never come to an
-- end of its answer; that is one sentence.
local function test_review()
  forget()
  go_to('def total_quantity')
  nvim:command('Inlined review')
  wait_over('the review')
  local said = told()
  equal(#said, 1, 'one sentence: ' .. vim.inspect(said))
  local found = said[1]:match('^inlined: review is over: findings: (%d+), pieces read: 1$')
  if found then
    nvim:wait(found .. ' findings as diagnostics', function()
      local shown = nvim:lua([[
        return #vim.tbl_filter(function(d) return d.source == 'inlined' end, vim.diagnostic.get(0))
      ]])
      return shown <= tonumber(found) and (shown > 0) == (tonumber(found) > 0)
    end, 10000)
  end
  equal(buffer(), text, 'a review changes nothing')
  passed('a review: ' .. said[1])
end

local function test_commit()
  forget()
  nvim:command('Inlined commit')
  wait_over('the answer')
  assert(#told() == 1 and told()[1]:find('nothing is staged', 1, true), vim.inspect(told()))
  Child.write(folder .. '/project', 'inventory.py', (text:gsub('total_value', 'stock_value')))
  git('add', 'inventory.py')
  local staged = git('diff', '--cached')
  forget()
  nvim:command('Inlined commit')
  wait_over('the message')
  local shown = nvim:lua([[return vim.bo.filetype == 'gitcommit' and vim.bo.buftype == 'nofile']])
  passed('commit message: ' .. check_end(shown, 'commit message'))

  local comment = '\n# Please enter the commit message for your changes.\n'
  nvim:command('edit ' .. Child.write(folder .. '/project/.git', 'COMMIT_EDITMSG', comment))
  nvim:wait('the daemon for this file', function()
    return nvim:lua([[return require('inlined').client(0) ~= nil]])
  end)
  forget()
  nvim:command('Inlined commit')
  wait_over('the message')
  local now = buffer()
  equal(now:sub(-#comment), comment, 'what git wrote stays')
  passed('in COMMIT_EDITMSG: ' .. check_end(#now > #comment, 'commit message'))
  equal(git('diff', '--cached'), staged, 'nothing was committed')
end

local function run()
  test_start()
  test_menu()
  test_extract()
  test_hover()
  test_explain()
  test_cancelled_edit()
  test_instruction()
  test_cancelled_review()
  test_review()
  test_commit()
  local daemons = nvim:processes()
  equal(nvim:quit(), 0, 'exit code')
  Child.wait_dead(daemons, 10000)
  passed('the daemon ends with Neovim')
end

local fine, why = xpcall(run, debug.traceback)
if not fine then
  io.write('FAILED: ', tostring(why), '\n')
  nvim:kill()
  os.exit(1)
end
