-- SPDX-License-Identifier: Apache-2.0
-- The whole way in a real editor: Neovim, the plugin where the installation puts it, the daemon and
-- the real model.  What is suggested is the model's affair; how it is shown, accepted and dismissed
-- is checked against whatever it suggests.
--   NVIM -l nvim_live.lua BUILD FOLDER
local here = arg[0]:match('^(.*)/[^/]*$')
package.path = here .. '/?.lua;' .. package.path
local Child = require('child')
local picture = require('picture')
local recipe = require('recipe')
local said = require('said')

local equal, passed, read, skip = said.equal, said.passed, said.read, said.skip
local build, folder = arg[1], arg[2]
local top = vim.fs.normalize(here .. '/../..')
local BUILTIN = vim.fn.has('nvim-0.12') == 1
local INIT = [[
vim.o.termguicolors = true
vim.o.background = 'dark'
vim.o.columns = 90
vim.o.laststatus = 2
vim.o.scrolloff = 5
vim.o.statusline = "%t%=%{v:lua.require'inlined'.statusline()} "
for _, group in ipairs({ 'ComplHint', 'InlinedGhost' }) do
  vim.api.nvim_set_hl(0, group, { fg = '#6f9ec4', italic = true })
end
sent, answered = 0, 0
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  local request = event.data.request
  if request.method == 'textDocument/inlineCompletion' then
    sent = sent + (request.type == 'pending' and 1 or 0)
    answered = answered + (request.type == 'complete' and 1 or 0)
  end
end })
require('inlined').setup({
  keys = {
    accept = '<Tab>',
    accept_word = '<C-Right>',
    accept_line = '<C-Down>',
    dismiss = '<C-]>',
  },
  -- Other tests may take the processor; unsure suggestions are shown, too.
  settings = { completion = { timeBudgetMs = 0, deadlineMs = 0, confidence = 0, cutBelow = 0 } },
})
]]

local function find_models()
  local program = build .. '/inlined'
  if vim.fn.executable(program) == 0 then
    skip(program .. ' is not built')
  end
  local run = vim.system({ program, 'models', 'path', 'default' }, { text = true }):wait()
  local path = vim.trim(run.stdout or '')
  if run.code ~= 0 or not vim.uv.fs_stat(path) then
    skip('no model here; fetch it with: build/inlined models pull default')
  end
  return vim.fs.dirname(path)
end

local models = find_models()

-- `text` with `more` put in at `byte`.
local function spliced(text, byte, more)
  return text:sub(1, byte) .. more .. text:sub(byte + 1)
end

vim.fn.delete(folder, 'rf')
local sample = Child.write(folder .. '/project', 'inventory.py',
  read(top .. '/tests/demo/samples/inventory.py'))
vim.fn.mkdir(folder .. '/project/.git', 'p')
local function start(init, without_plugin)
  return Child.start({
    nvim = vim.env.INLINED_NVIM,
    folder = folder,
    plugin = not without_plugin and top .. '/editors/nvim' or nil,
    init = init,
    programs = build,
    models = models,
  })
end
local nvim = start(INIT)

local function status()
  local found = nvim:lua([[return require('inlined.status').get(0)]])
  return found ~= vim.NIL and found or nil
end

local function cursor_text()
  local text, byte = nvim:text()
  return text, byte
end

-- Places where the model is likely to have something to say.
local PLACES = {
  'def most_expensive(items: list[Item]) -> Item:<CR>',
  'def total_price(items: list[Item]) -> float:<CR>total = 0.0<CR>for item in items:<CR>',
  'def names(items: list[Item]) -> list[str]:<CR>return [',
  'class Shelf:<CR>def __init__(self, items: list[Item]):<CR>',
}

-- Types at the end of the untouched file, at one place after the other, until ghost text comes that
-- `fits`.  A model may have nothing to say somewhere; it may not be silent everywhere.
local function suggest(fits)
  local reasons = {}
  for _, place in ipairs(PLACES) do
    nvim:command('stopinsert | edit! ' .. sample)
    local before = nvim:lua('return answered')
    nvim:keys('<Esc>Go<CR><CR>' .. place)
    local ghost = nvim:wait('an answer', function()
      local found = nvim:ghost()
      local done = nvim:lua('return answered > ... and answered == sent', before)
      local reason = status().reason
      return found or done and reason ~= '' and reason ~= 'model-loading' and status()
    end)
    if ghost.text and (not fits or fits(ghost.text)) then
      return ghost
    end
    reasons[#reasons + 1] = ghost.text or ghost.message
  end
  error('no suggestion at any place: ' .. vim.inspect(reasons), 2)
end

-- ---- a file is opened: the daemon starts, the model loads, the status says so ------------------

local function test_start()
  nvim:command('edit ' .. sample)
  nvim:wait('the model', function()
    local now = status()
    return now and now.state == 'ready'
  end)
  local line = nvim:lua([[return require('inlined').statusline()]])
  assert(line:find('ready', 1, true) and line:find(status().model, 1, true), line)
  assert(nvim:command('Inlined status'):find(line, 1, true), ':Inlined status says ' .. line)
  assert(#nvim:processes() == 1, 'one daemon')
  passed('the daemon starts with the file: ' .. line)
end

-- ---- typing brings ghost text where it belongs -------------------------------------------------

local function test_ghost()
  local ghost = suggest(function(text)
    return #text > 10
  end)
  local _, byte = cursor_text()
  local row, col = unpack(nvim:call('nvim_win_get_cursor', 0))
  equal({ ghost.row, ghost.col }, { row - 1, col }, 'ghost text begins at the cursor')
  equal(ghost.namespace, BUILTIN and 'nvim.lsp.inline_completion' or 'inlined.ghost', 'who draws')
  assert(byte > 0)
  passed('ghost text: ' .. vim.inspect(ghost.text))
  picture.write(nvim, folder .. '/neovim.svg', 'Ghost text of a local model in Neovim')
  passed('picture of the screen: ' .. folder .. '/neovim.svg')
  return ghost.text
end

-- What is typed along a suggestion stays away from the rest of it, before any answer.
local function test_type_through(shown)
  local text, byte = cursor_text()
  local typed = shown:sub(1, 2)
  for i = 1, #typed do
    local want = spliced(text, byte, typed:sub(1, i))
    nvim:keys(typed:sub(i, i))
    nvim:wait('the typed letter', function()
      return cursor_text() == want
    end)
    local ghost = nvim:ghost()
    equal(ghost and ghost.text, shown:sub(i + 1), 'the rest stays on screen')
  end
  passed('typed through')
  return shown:sub(#typed + 1)
end

local function accept(key, part, shown)
  local text, byte = cursor_text()
  nvim:keys(key)
  local want = spliced(text, byte, part)
  nvim:wait('the accepted text', function()
    return cursor_text() == want
  end)
  local _, now = cursor_text()
  equal(now, byte + #part, 'the cursor stands behind it')
  local ghost = nvim:ghost()
  local rest = shown:sub(#part + 1)
  equal(ghost and ghost.text, rest ~= '' and rest or nil, 'the rest is still shown')
  return rest
end

local function first_word(text)
  return text:match('^%s*[%w_]+') or text:match('^%s*[^%w%s_]+') or text
end

local function test_accept(shown)
  local rest = accept('<C-Right>', first_word(shown), shown)
  rest = accept('<C-Right>', first_word(rest), rest)
  passed('accepted by word, twice without a pause')
  local before = cursor_text()
  accept('<Tab>', rest, rest)
  passed('accepted whole')
  nvim:keys('<Esc>u')
  nvim:wait('the undo', function()
    return cursor_text() == before
  end)
  nvim:keys('<C-r>')
end

-- The default model writes single lines, so several are asked for by setting.
local function set_multiline(value)
  nvim:lua([[
    local client = require('inlined').client(0)
    client.settings = { inlined = { completion = { multiline = ..., confidence = 0, cutBelow = 0 } } }
    require('inlined.compat').notify(client, 'workspace/didChangeConfiguration', {
      settings = client.settings,
    })
  ]], value)
end

local function test_accept_line()
  set_multiline('always')
  local shown = suggest(function(text)
    return text:find('\n', 1, true)
  end).text
  local line = shown:match('^%s*\n[^\n]*') or shown:match('^[^\n]*')
  accept('<C-Down>', line, shown)
  passed('accepted by line, of ' .. vim.inspect(shown))
  nvim:keys('<Esc>')
  nvim:wait_no_ghost()
  set_multiline('auto')
end

local function test_dismiss()
  local shown = suggest().text
  local text = cursor_text()
  nvim:keys('<C-]>')
  nvim:wait_no_ghost()
  equal(cursor_text(), text, 'dismissing changes nothing')
  nvim:keys(shown:sub(1, 1))
  nvim:wait_ghost()
  nvim:keys('<Esc>')
  nvim:wait_no_ghost()
  passed('dismissed until the next change; gone on leaving insert mode')
end

-- ---- a key without a suggestion, a reason for none ---------------------------------------------

local function test_nothing()
  nvim:command('edit ' .. folder .. '/project/empty.py')
  nvim:keys('i')
  local line = nvim:wait('the reason', function()
    local now = status()
    return now and now.reason == 'empty-document'
      and nvim:lua([[return require('inlined').statusline()]])
  end)
  assert(nvim:command('Inlined'):find(line, 1, true), ':Inlined says it')
  nvim:keys('<Tab>')
  equal((cursor_text()):match('^%s+$') ~= nil, true, '<Tab> is a tab where nothing is shown')
  nvim:keys('<Esc>')
  nvim:command('edit! ' .. sample)
  passed('no suggestion, and why: ' .. line)
end

-- ---- pause, resume, restart, one daemon --------------------------------------------------------

local function test_pause()
  local ghost = suggest()
  nvim:command('Inlined pause')
  nvim:wait_no_ghost()
  equal(nvim:lua([[return require('inlined').statusline()]]), 'inlined: paused', 'the status')
  local before = nvim:lua('return sent')
  nvim:keys(ghost.text:sub(1, 1))
  nvim:never('a request while paused', function()
    return nvim:lua('return sent') ~= before or nvim:ghost()
  end, 600)
  nvim:command('Inlined resume')
  equal(nvim:wait_ghost().text, ghost.text:sub(2), 'the suggestion comes back by itself')
  nvim:keys('<Esc>')
  passed('paused and resumed')
end

local function test_one_daemon()
  local text = read(top .. '/tests/demo/samples/string_list.c')
  local other = Child.write(folder .. '/other', 'list.c', text)
  vim.fn.mkdir(folder .. '/other/.git', 'p')
  nvim:command('edit! ' .. other)
  nvim:wait('the second root', function()
    return nvim:lua([[
      local client = require('inlined').client(0)
      return client and #client.workspace_folders == 2
    ]])
  end)
  assert(#nvim:processes() == 1 and #nvim:daemons() == 1, 'still one daemon')
  nvim:command('edit! ' .. sample)
  passed('one daemon for two roots')
end

local function test_restart()
  local old = nvim:processes()
  nvim:command('Inlined restart')
  Child.wait_dead(old)
  nvim:wait('the model', function()
    local now = status()
    return now and now.state == 'ready'
  end)
  suggest()
  nvim:keys('<Esc>')
  passed('restarted')
end

-- The daemon is shared and may die: the plugin does not notice.
local function test_daemon_killed()
  local server, old = nvim:processes(), nvim:daemons()
  equal(#old, 1, 'one daemon')
  vim.uv.kill(old[1], 'sigkill')
  nvim:wait('another daemon', function()
    local now = nvim:daemons()
    return now[1] and now[1] ~= old[1]
  end)
  suggest()
  nvim:keys('<Esc>')
  equal(nvim:processes(), server, 'the server that Neovim started')
  passed('the daemon was killed, and another one suggests')
end

-- ---- health, help, messages --------------------------------------------------------------------

local check_names

-- The names of what the program's doctor looks at.
local function checks()
  if check_names then
    return check_names
  end
  local run = vim.system({ build .. '/inlined', 'doctor', '--json' }, { text = true }):wait()
  check_names = vim.tbl_map(function(check)
    return check.name
  end, vim.json.decode(run.stdout).checks)
  return check_names
end

local function test_health()
  local model = status().model
  nvim:command('checkhealth inlined')
  local report = nvim:wait('the report', function()
    local text = table.concat(nvim:call('nvim_buf_get_lines', 0, 0, -1, false), '\n')
    return text:find('inlined: running', 1, true) and text
  end)
  assert(not report:find('ERROR'), report)
  assert(not report:find('WARNING'), report)
  for _, name in ipairs(checks()) do
    assert(report:find(name .. ': ', 1, true), name .. ' is missing\n' .. report)
  end
  assert(report:find('keys of insert mode', 1, true) and report:find(model, 1, true), report)
  nvim:command('bwipeout!')
  passed(':checkhealth inlined has everything that doctor checks')
end

local function test_windows()
  nvim:command('Inlined doctor')
  local report = nvim:wait('what doctor says', function()
    local name = nvim:call('nvim_buf_get_name', 0)
    return name:match('^inlined://%d+/doctor$')
      and table.concat(nvim:call('nvim_buf_get_lines', 0, 0, -1, false), '\n')
  end)
  for _, name in ipairs(checks()) do
    assert(report:find(name, 1, true), name .. ' is missing\n' .. report)
  end
  equal(nvim:lua('return { vim.bo.modifiable, #vim.api.nvim_list_wins() }'), { false, 2 },
    'a window of its own to read in')
  nvim:command('close')
  nvim:command('Inlined log')
  equal(nvim:call('nvim_buf_get_name', 0), folder .. '/state/nvim/lsp.log', 'the log')
  equal(#nvim:call('nvim_list_tabpages'), 2, 'in a tab of its own')
  nvim:command('bwipeout')
  equal(nvim:call('nvim_buf_get_name', 0), sample, 'back in the code')
  passed(':Inlined doctor and :Inlined log show what they say')
end

local function test_help()
  nvim:command('helptags ' .. nvim.plugin .. '/doc')
  for _, tag in ipairs({ 'inlined', 'inlined-keys', ':Inlined', 'inlined-trouble' }) do
    nvim:command('help ' .. tag)
    assert(nvim:lua([[return vim.fn.expand('%:t')]]) == 'inlined.txt', 'help for ' .. tag)
    nvim:command('bwipeout!')
  end
  passed('help tags')
end

local function test_messages()
  equal(nvim:lua('return vim.v.errmsg'), '', 'no error message')
  local messages = nvim:messages()
  assert(not messages:find('[Ee]rror') and not messages:find('E%d+:'), messages)
  local log = io.open(folder .. '/state/nvim/lsp.log')
  local text = log and log:read('a') or ''
  assert(not text:find('[ERROR]', 1, true), 'the LSP log has no errors:\n' .. text)
  passed('no errors in :messages and the LSP log')
end

-- ---- the end -----------------------------------------------------------------------------------

local function test_quit()
  local daemons = nvim:processes()
  assert(#daemons == 1)
  equal(nvim:quit(), 0, 'exit code')
  Child.wait_dead(daemons)
  passed('the server ends with Neovim')
end

-- A user of vim.lsp.enable: no set-up of ours, the same ghost text, and the end by a kill.
local function test_enable()
  if not vim.lsp.enable then -- came with 0.11
    return
  end
  nvim = start([[
    vim.lsp.config('inlined', {
      settings = { inlined = { completion = { confidence = 0, cutBelow = 0 } } },
    })
    vim.lsp.enable('inlined')
  ]])
  nvim:command('edit ' .. sample)
  nvim:keys('Go<CR><CR>' .. PLACES[1])
  nvim:wait_ghost() -- typed before the model was there, answered after
  assert(#nvim:processes() == 1, 'one daemon')
  local daemons = nvim:processes()
  nvim:kill()
  Child.wait_dead(daemons)
  passed("vim.lsp.enable('inlined') does it too, and a daemon whose editor is killed ends")
end

-- Neovim's own means alone, as docs/EDITORS.md has them.
local function test_without_plugin()
  if not BUILTIN then
    return
  end
  nvim = start(recipe('no more than its own means') .. [[
    vim.lsp.config('inlined', {
      init_options = { completion = { confidence = 0, cutBelow = 0 } },
    })
  ]], true)
  nvim:command('edit ' .. sample)
  nvim:keys('Go<CR><CR>' .. PLACES[1])
  local shown = nvim:wait('ghost text', function()
    local ghost = nvim:ghost()
    if not ghost then
      nvim:keys('<Space><BS>') -- asks again: the model may have been loading
      vim.wait(2000)
    end
    return ghost
  end).text
  accept('<Tab>', shown, shown)
  nvim:quit()
  passed('without the plugin')
end

-- A model that is not there: one message that says so, and the editor is left alone.
local function test_model_missing()
  nvim = start([[
    shown = {}
    local show = vim.lsp.handlers['window/showMessage']
    vim.lsp.handlers['window/showMessage'] = function(err, result, ctx)
      shown[#shown + 1] = result.message
      return show(err, result, ctx)
    end
    require('inlined').setup({ settings = { model = '/nowhere/no.gguf' } })
  ]])
  nvim:command('edit ' .. sample)
  local line = nvim:wait('the error', function()
    local now = status()
    return now and now.kind == 'Error' and now.message
  end)
  assert(line:find('/nowhere/no.gguf', 1, true), line)
  nvim:keys('Go<CR><CR>' .. PLACES[1] .. '<Esc>')
  assert(nvim:command('Inlined'):find(line, 1, true), 'the status says it')
  nvim:wait('the message', function()
    return #nvim:lua('return shown') > 0
  end)
  equal(nvim:lua('return shown'), { line }, 'said once')
  nvim:quit()
  passed('a model that is missing: ' .. line)
end

local function run()
  test_start()
  local rest = test_type_through(test_ghost())
  test_accept(rest)
  test_accept_line()
  test_dismiss()
  test_nothing()
  test_pause()
  test_one_daemon()
  test_restart()
  test_daemon_killed()
  test_health()
  test_windows()
  test_help()
  test_messages()
  test_quit()
  test_enable()
  test_without_plugin()
  test_model_missing()
end

local fine, why = xpcall(run, debug.traceback)
if not fine then
  io.write('FAILED: ', tostring(why), '\n')
  nvim:kill()
  os.exit(1)
end
