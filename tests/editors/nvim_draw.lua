-- SPDX-License-Identifier: Apache-2.0
-- Drawing and accepting, with answers that are written here: every shape of an item, every
-- encoding, answers that come late or never, and set-ups that are wrong.
--   NVIM -l nvim_draw.lua BUILD FOLDER
local here = arg[0]:match('^(.*)/[^/]*$')
package.path = here .. '/?.lua;' .. package.path
local Child = require('child')

local folder = arg[2]
local top = vim.fs.normalize(here .. '/../..')
local BUILTIN = vim.fn.has('nvim-0.12') == 1
local INIT = [[
package.path = ']] .. here .. [[/?.lua;' .. package.path
vim.g.clipboard = false
vim.o.shortmess = vim.o.shortmess .. 'I'
vim.o.termguicolors = true
for _, group in ipairs({ 'ComplHint', 'InlinedGhost' }) do
  vim.api.nvim_set_hl(0, group, { fg = '#6f9ec4' })
end
require('inlined').setup({
  enabled = false,
  debounce_ms = 20,
  keys = {
    accept = '<Tab>',
    accept_word = '<C-Right>',
    accept_line = '<C-Down>',
    dismiss = '<C-]>',
  },
})
]]

vim.fn.delete(folder, 'rf')
local nvim

local function start(init, programs)
  nvim = Child.start({
    nvim = vim.env.INLINED_NVIM,
    folder = folder,
    plugin = top .. '/editors/nvim',
    init = init or INIT,
    programs = programs,
  })
end

local function equal(got, want, what)
  if not vim.deep_equal(got, want) then
    error(('%s\n got: %s\nwant: %s'):format(what, vim.inspect(got), vim.inspect(want)), 2)
  end
end

local function range(line, from, to)
  return { start = { line = line, character = from }, ['end'] = { line = line, character = to } }
end

-- A new buffer with `text`; the scripted server answers with `items` from now on.
local function open(text, items, encoding)
  nvim:command('stopinsert | silent! %bwipeout!')
  nvim:call('nvim_buf_set_lines', 0, 0, -1, false, vim.split(text, '\n'))
  nvim:lua([[
    scripted = require('scripted')
    scripted.items, scripted.error, scripted.hold = ..., nil, false
    scripted.executed, scripted.asked = {}, {}
    scripted.start(select(2, ...))
  ]], items, encoding or 'utf-8')
  nvim:wait('the server', function()
    return nvim:lua([[return require('inlined').client(0) ~= nil]])
  end)
end

local function text()
  return (nvim:text())
end

local function wait_text(want)
  nvim:wait('the text ' .. vim.inspect(want), function()
    return text() == want
  end)
end

-- From now on the server is silent: what is shown is what was shown.
local function silence()
  nvim:lua('scripted.hold = true')
end

-- Expects ghost text that reads `want`.
local function shows(want)
  nvim:wait('the ghost text ' .. vim.inspect(want), function()
    local ghost = nvim:ghost()
    return (ghost and ghost.text) == want
  end)
  return nvim:ghost()
end

local function asked()
  return nvim:lua('return #scripted.asked')
end

-- The upper rows of the screen, what is drawn as ghost text in braces.
local function screen(rows)
  nvim:command('redraw!')
  local found = {}
  for row = 0, rows - 1 do
    local line, inside = '', false
    for col = 0, 39 do
      local cell = nvim:call('nvim__inspect_cell', 1, row, col)
      local is_ghost = cell[2].foreground == 0x6f9ec4
      line = line .. (is_ghost ~= inside and (is_ghost and '{' or '}') or '') .. cell[1]
      inside = is_ghost
    end
    found[#found + 1] = (line .. (inside and '}' or '')):gsub('%s+$', '')
  end
  return found
end

local tests = {}

-- Whole screens, as a person sees them; the two ways of drawing must look the same.
function tests.screens()
  local code = 'def f(items):\n    return\n\nprint(f([]))'
  open(code, { { insertText = ' sorted(items)', range = range(1, 10, 10) } })
  nvim:keys('jA')
  shows(' sorted(items)')
  equal(screen(5), {
    'def f(items):',
    '    return{ sorted(items)}',
    '',
    'print(f([]))',
    '~',
  }, 'at the end of a line')

  open(code, { { insertText = ' (\n        sorted(items)\n    )', range = range(1, 10, 10) } })
  nvim:keys('jA')
  shows(' (\n        sorted(items)\n    )')
  equal(screen(6), {
    'def f(items):',
    '    return{ (}',
    '{        sorted(items)}',
    '{    )}',
    '',
    'print(f([]))',
  }, 'several lines move what is below')
  silence()
  nvim:keys('<C-Down>')
  nvim:wait('the rest', function()
    return vim.deep_equal(screen(6), {
      'def f(items):',
      '    return (',
      '{        sorted(items)}',
      '{    )}',
      '',
      'print(f([]))',
    })
  end)

  open('total = add()', { { insertText = 'price, tax)', range = range(0, 12, 13) } })
  nvim:keys('A<Left>')
  shows('price, tax)')
  equal(screen(2), { 'total = add({price, tax)}', '~' }, 'over the bracket that it replaces')
  nvim:keys('<Esc>')
  nvim:wait_no_ghost()
  equal(screen(2), { 'total = add()', '~' }, 'and as it was')
end

function tests.insertion_and_cursor()
  open('x = ', { { insertText = '1 + 2', range = range(0, 4, 4) } })
  nvim:keys('A')
  local ghost = shows('1 + 2')
  equal({ ghost.row, ghost.col, ghost.pos }, { 0, 4, 'inline' }, 'place')
  nvim:keys('<Tab>')
  wait_text('x = 1 + 2')
  equal(nvim:call('nvim_win_get_cursor', 0), { 1, 9 }, 'cursor')
  nvim:keys(';')
  wait_text('x = 1 + 2;')
end

-- What other tools say goes to the daemon: errors and warnings, the nearest first.
function tests.diagnostics_of_others()
  open(('line\n'):rep(60) .. 'last', {})
  nvim:lua([[
    scripted.told = {}
    vim.api.nvim_win_set_cursor(0, { 30, 0 })
    local list = {}
    for i = 0, 59 do
      list[#list + 1] = { lnum = i, col = 1, message = 'w' .. i, severity = i == 28 and 1 or 2, source = 'lint' }
    end
    list[#list + 1] = { lnum = 29, col = 0, message = 'hint', severity = 4 }
    list[#list + 1] = { lnum = 29, col = 0, message = 'ours', severity = 2, source = 'inlined' }
    vim.diagnostic.set(vim.api.nvim_create_namespace('lint'), 0, list)
  ]])
  nvim:wait('the diagnostics', function()
    return nvim:lua('return #scripted.told > 0')
  end)
  local told = nvim:lua('return scripted.told[#scripted.told]')
  equal(told.uri, nvim:lua('return vim.uri_from_bufnr(0)'), 'the buffer')
  equal(#told.diagnostics, 32, 'so many at most')
  equal({ told.diagnostics[1].message, told.diagnostics[2].message, told.diagnostics[2].severity },
    { 'w29', 'w28', 1 }, 'the nearest first')
  equal(told.diagnostics[2].range, range(28, 1, 1), 'place')
  nvim:lua("vim.diagnostic.reset(vim.api.nvim_create_namespace('lint'), 0)")
  nvim:wait('the empty list', function()
    return nvim:lua('return #scripted.told[#scripted.told].diagnostics') == 0
  end)
end

function tests.item_without_range()
  open('x = ', { { insertText = 'y' } })
  nvim:keys('A')
  shows('y')
  nvim:keys('<Tab>')
  wait_text('x = y')
  nvim:lua('scripted.items = {}')
  nvim:keys('<Esc>')
end

-- The text right of the cursor is part of the suggestion: it lies under an overlay and is replaced.
function tests.replacement()
  local item = { insertText = 'a, b)', range = range(0, 6, 7) }
  item.command = {
    title = 'accept',
    command = 'inlined.didAcceptCompletionItem',
    arguments = { '7' },
  }
  open('print()', { item })
  nvim:keys('A<Left>')
  equal(shows('a, b)').pos, 'overlay', 'drawn over what it replaces')
  silence()
  nvim:keys('<C-Right>')
  wait_text('print(a)')
  equal(shows(', b)').pos, 'overlay', 'the rest')
  equal(nvim:lua('return scripted.executed'), {}, 'a part is not all')
  nvim:keys('<Tab>')
  wait_text('print(a, b)')
  equal(nvim:call('nvim_win_get_cursor', 0), { 1, 11 }, 'cursor behind the bracket')
  nvim:wait('the command', function()
    return nvim:lua('return scripted.executed[1] and scripted.executed[1].arguments[1]') == '7'
  end)
end

function tests.lines()
  open('def f():\nend', { { insertText = ' a\n  b\n\n  c', range = range(0, 8, 8) } })
  nvim:keys('A')
  shows(' a\n  b\n\n  c')
  silence()
  nvim:keys('<C-Down>')
  wait_text('def f(): a\nend')
  shows('\n  b\n\n  c')
  nvim:keys('<C-Down>')
  wait_text('def f(): a\n  b\nend')
  equal(nvim:call('nvim_win_get_cursor', 0), { 2, 3 }, 'cursor')
  shows('\n\n  c')
  nvim:keys('<Tab>')
  wait_text('def f(): a\n  b\n\n  c\nend')
  equal(nvim:call('nvim_win_get_cursor', 0), { 4, 3 }, 'cursor')
end

function tests.utf_16()
  -- The two letters before the cursor are 2 bytes and 4 bytes, and 1 and 2 units of UTF-16.
  open('s = "é😀"', { { insertText = 'ß😀 x"', range = range(0, 8, 9) } }, 'utf-16')
  nvim:keys('A<Left>')
  shows('ß😀 x"')
  silence()
  nvim:keys('<C-Right>')
  wait_text('s = "é😀ß😀"')
  shows(' x"')
  nvim:keys('<Tab>')
  wait_text('s = "é😀ß😀 x"')
end

function tests.typing_along_and_off()
  open('', { { insertText = 'return value', range = range(0, 0, 0) } })
  nvim:keys('i')
  shows('return value')
  silence()
  nvim:keys('re')
  wait_text('re')
  equal(nvim:ghost().text, 'turn value', 'typed along')
  nvim:keys('<BS>')
  wait_text('r')
  equal(nvim:ghost().text, 'eturn value', 'typed back')
  nvim:keys('X')
  wait_text('rX')
  nvim:keys('<Tab>')
  if BUILTIN then
    nvim:never('a suggestion that no longer fits is inserted', function()
      return text():find('value')
    end, 300)
  else
    wait_text('rX\t')
  end
  nvim:lua('scripted.release()')
end

-- The answer comes when a part of it is typed already.
function tests.late_answer()
  open('', { { insertText = 'return value', range = range(0, 0, 0) } })
  silence()
  nvim:keys('i')
  nvim:wait('the question', function()
    return asked() == 1
  end)
  nvim:keys('ret')
  wait_text('ret')
  nvim:lua('scripted.release()')
  shows('urn value')
  nvim:keys('<Tab>')
  wait_text('return value')
end

function tests.errors_and_nothing()
  open('', { { insertText = 'abc', range = range(0, 0, 0) } })
  nvim:keys('i')
  shows('abc')
  nvim:lua([[scripted.error = { code = -32800, message = 'superseded' }]])
  nvim:keys('a')
  wait_text('a')
  shows('bc')
  local before = asked()
  nvim:wait('the answer', function()
    return asked() > before
  end)
  shows('bc') -- an error leaves the screen alone
  nvim:lua([[scripted.error, scripted.items = nil, {}]])
  nvim:keys('b')
  nvim:wait_no_ghost()
  equal(nvim:messages():find('superseded'), nil, 'no message for what is no mistake')
end

function tests.leaving()
  open('x', { { insertText = 'yz', range = range(0, 1, 1) } })
  nvim:lua('scripted.hold, scripted.cancelled = true, 0')
  nvim:keys('A')
  nvim:wait('the question', function()
    return asked() == 1
  end)
  nvim:keys('<Esc>')
  nvim:wait('the cancellation', function()
    return nvim:lua('return scripted.cancelled') == 1
  end)
  nvim:lua('scripted.release()')
  nvim:never('ghost text in normal mode', function()
    return nvim:ghost()
  end, 100)
end

-- Whoever pauses, or wipes the buffer, while an answer is on its way sees no error.
function tests.going_while_asked()
  open('x', { { insertText = 'yz', range = range(0, 1, 1) } })
  for _, way in ipairs({ 'Inlined pause', 'bwipeout!' }) do
    nvim:command('Inlined resume')
    assert(not nvim:ghost(), way)
    nvim:lua('scripted.hold, scripted.asked = true, {}')
    nvim:keys('<Esc>A')
    nvim:wait('the question', function()
      return asked() == 1
    end)
    nvim:command(way)
    nvim:lua('scripted.release()')
    nvim:never('ghost text', function()
      return nvim:ghost()
    end, 100)
  end
  nvim:command('Inlined resume')
end

function tests.brackets_that_close_themselves()
  open('f', { { insertText = '(x)', range = range(0, 1, 1) } })
  nvim:keys('A')
  shows('(x)')
  silence()
  nvim:lua([[vim.keymap.set('i', '(', '()<Left>')]])
  nvim:keys('(')
  wait_text('f()')
  if BUILTIN then -- the editor shows what it has until the next answer, but must not insert it
    nvim:keys('<Tab>')
    nvim:wait_no_ghost()
    equal(text(), 'f()', 'the text right of the cursor has changed')
  else
    equal(nvim:ghost(), nil, 'the text right of the cursor has changed')
  end
  nvim:lua([[vim.keymap.del('i', '(')]])
  nvim:lua('scripted.release()')
end

function tests.several()
  open('', {
    { insertText = 'one', range = range(0, 0, 0) },
    { insertText = 'two', range = range(0, 0, 0) },
  })
  nvim:keys('i')
  shows('one')
  nvim:lua([[require('inlined').cycle(1)]])
  nvim:wait('the second', function()
    return nvim:ghost().text:find('^two')
  end)
  nvim:keys('<Tab>')
  wait_text('two')
end

function tests.keys_without_ghost()
  open('', {})
  nvim:lua([[vim.bo.expandtab, vim.bo.shiftwidth, vim.bo.softtabstop = true, 2, 2]])
  nvim:keys('i<Tab>x<C-Right>y')
  wait_text('  xy')
end

function tests.file_types_without()
  nvim:lua([[require('inlined').setup({ filetypes_off = { secret = true } })]])
  nvim:command('enew! | set filetype=secret')
  nvim:lua([[scripted.asked = {} scripted.start('utf-8')]])
  nvim:keys('ix')
  nvim:never('a question in a file type that is off', function()
    return asked() > 0
  end, 400)
  nvim:keys('<Esc>')
end

-- They share one URI, so only the one that is worked in may be open at the server.
function tests.nameless_buffers()
  open('first', {})
  nvim:lua([[
    scripted.opened = {}
    require('inlined').setup({ enabled = true, cmd = { 'true' } }) -- the running one is taken
  ]])
  local first = nvim:call('nvim_get_current_buf')
  nvim:command('set hidden | enew')
  nvim:keys('isecond<Esc>')
  wait_text('second')
  nvim:command('buffer ' .. first)
  nvim:keys('A<Esc>')
  nvim:wait('the first again', function()
    return vim.deep_equal(nvim:lua('return scripted.opened'), { 'closed', '', 'closed', 'first' })
  end)
  nvim:lua([[require('inlined').setup({ enabled = false })]])
end

function tests.undo_of_one_suggestion()
  open('', { { insertText = 'bc', range = range(0, 1, 1) } })
  nvim:keys('ia')
  shows('bc')
  nvim:keys('<Tab>')
  wait_text('abc')
  nvim:lua('scripted.items = {}')
  nvim:keys('d<Esc>')
  wait_text('abcd')
  for _, want in ipairs({ 'abc', 'a', '' }) do
    nvim:keys('u')
    wait_text(want)
  end
end

function tests.wrong_words()
  local words = nvim:lua([[return require('inlined.command').complete('re')]])
  equal(words, { 'restart', 'resume', 'review' }, 'words')
  nvim:lua([[
    told = {}
    vim.notify = function(text) told[#told + 1] = text end
    vim.cmd('Inlined bogus')
    require('inlined').setup({ keys = { acept = '<Tab>' } })
  ]])
  local told = nvim:lua('return told')
  assert(told[1]:find('unknown word "bogus"', 1, true) and told[1]:find('doctor', 1, true), told[1])
  assert(told[2]:find('"acept"', 1, true) and told[2]:find('accept_word', 1, true), told[2])
end

function tests.no_error_was_shown()
  equal(nvim:lua('return vim.v.errmsg'), '', 'v:errmsg')
  local messages = nvim:messages()
  assert(not messages:find('[Ee]rror') and not messages:find('E%d+:'), messages)
end

-- ---- without the scripted server ---------------------------------------------------------------

-- Nothing is installed but the plugin: one message, and a health report that says what to do.
function tests.program_missing()
  nvim:quit()
  start([[require('inlined').setup({ cmd = { 'inlined-is-not-here', '--stdio' } })]])
  local file = Child.write(folder .. '/project', 'a.py', 'x = 1\n')
  local said = nvim:command('edit ' .. file)
  local second = Child.write(folder .. '/project', 'b.py', 'y = 1\n')
  said = said .. nvim:command('split | edit ' .. second)
  local _, count = said:gsub('there is no program "inlined%-is%-not%-here"', '')
  equal(count, 1, 'said once: ' .. said)
  assert(nvim:command('Inlined'):find('not running', 1, true))
  local fine, why = pcall(nvim.command, nvim, 'Inlined doctor')
  assert(not fine and why:find('does not start', 1, true), why)
  nvim:command('checkhealth inlined')
  local report = nvim:wait('the report', function()
    local all = table.concat(nvim:call('nvim_buf_get_lines', 0, 0, -1, false), '\n')
    return all:find('inlined: running', 1, true) and all
  end)
  assert(report:find('ERROR', 1, true) and report:find('bootstrap install', 1, true), report)
  assert(report:find('no key accepts a suggestion', 1, true), report)
end

-- The program is found beside the plugin when it is not on PATH.
function tests.program_of_the_installation()
  for prefix, place in pairs({
    [folder .. '/prefix'] = { 'bin', 'share/nvim/site/pack/inlined/start/inlined' },
    [folder .. '/clone'] = { 'build', 'editors/nvim' },
  }) do
    local program = Child.write(prefix .. '/' .. place[1], 'inlined', '#!/bin/sh\nexit 1\n')
    vim.uv.fs_chmod(program, 493)
    local plugin = prefix .. '/' .. place[2]
    vim.fn.mkdir(vim.fs.dirname(plugin), 'p')
    assert(vim.uv.fs_rename(nvim.plugin, plugin))
    nvim:lua([[
      vim.opt.rtp:prepend(...)
      vim.env.PATH = '/nonexistent'
      package.loaded.inlined = nil
    ]], plugin)
    local cmd = nvim:lua([[return require('inlined').server_config().cmd]])
    equal(cmd, { program, '--stdio' }, 'the program beside the plugin')
    nvim.plugin = plugin
  end
end

local order = {
  'screens', 'insertion_and_cursor', 'item_without_range', 'replacement', 'lines', 'utf_16',
  'typing_along_and_off', 'late_answer', 'errors_and_nothing', 'leaving', 'going_while_asked',
  'brackets_that_close_themselves', 'several',
  'keys_without_ghost', 'file_types_without', 'nameless_buffers', 'undo_of_one_suggestion',
  'wrong_words', 'no_error_was_shown', 'program_missing',
  'program_of_the_installation',
}

start()
local failed = 0
for _, name in ipairs(order) do
  local fine, why = xpcall(tests[name], debug.traceback)
  local word = fine and 'ok      ' or 'FAILED  '
  io.write(word, name, fine and '' or '\n' .. tostring(why), '\n')
  failed = failed + (fine and 0 or 1)
end
nvim:quit()
os.exit(failed == 0 and 0 or 1)
