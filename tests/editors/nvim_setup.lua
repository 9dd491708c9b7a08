-- SPDX-License-Identifier: Apache-2.0
-- How the plugin gets into Neovim, and what it does there unasked.  The recipes are taken from
-- docs/EDITORS.md as they stand there, so that they cannot rot; a clone is a folder with the plugin
-- and the built daemon.  No model is needed.
--   NVIM -l nvim_setup.lua BUILD FOLDER
local here = arg[0]:match('^(.*)/[^/]*$')
package.path = here .. '/?.lua;' .. package.path
local Child = require('child')
local recipe = require('recipe')

local build, folder = arg[1], arg[2]
local top = vim.fs.normalize(here .. '/../..')
local nvim

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('a')
  file:close()
  return text
end

local function equal(got, want, what)
  if not vim.deep_equal(got, want) then
    error(('%s\n got: %s\nwant: %s'):format(what, vim.inspect(got), vim.inspect(want)), 2)
  end
end

-- A clone of the repository as a manager makes it, less what is not looked at.
local function clone(place)
  vim.fn.delete(place, 'rf')
  Child.copy_tree(top .. '/editors/nvim', place .. '/editors/nvim')
  vim.fn.mkdir(place .. '/build', 'p')
  assert(vim.uv.fs_symlink(build .. '/inlined', place .. '/build/inlined'))
  return place
end

local function start(init, plugin, programs)
  nvim = Child.start({
    nvim = vim.env.INLINED_NVIM,
    folder = folder,
    plugin = plugin and top .. '/editors/nvim',
    init = init,
    programs = programs,
    env = { HOME = folder },
  })
end

local function project_file(name, text)
  vim.fn.mkdir(folder .. '/project/.git', 'p')
  return Child.write(folder .. '/project', name, text or 'x = 1\n')
end

-- The recipe worked: the command is there, and the first file starts the clone's own daemon.
local function expect_plugin(place)
  nvim:wait(':Inlined', function() -- a manager that clones answers us meanwhile
    return nvim:lua([[return vim.fn.exists(':Inlined')]]) == 2
  end)
  equal(nvim:lua([[return require('inlined').server_config().cmd]]),
    { place .. '/build/inlined', '--stdio' }, "the clone's daemon")
  nvim:command('edit ' .. project_file('a.py'))
  nvim:wait('the daemon', function()
    return nvim:lua([[return require('inlined.status').get(0) ~= nil]])
  end)
  equal(#nvim:processes(), 1, 'one daemon')
  assert(#nvim:lua([[return vim.api.nvim_get_runtime_file('doc/inlined.txt', true)]]) == 1)
  local messages = nvim:messages() -- of the model, which is not here; nothing else went wrong
  assert(not messages:gsub('LSP%[inlined%][^\n]*', ''):find('[Ee]rror') and not messages:find('E%d+:'),
    messages)
  nvim:quit()
end

local tests = {}

function tests.packages_of_neovim()
  local place = clone(folder .. '/data/nvim/site/pack/inlined/opt/inlined')
  start(recipe("Neovim's own packages"))
  expect_plugin(place)
end

-- The editor's own manager clones for real, from a repository in the file system.
function tests.vim_pack()
  if vim.fn.has('nvim-0.12') == 0 then
    return 'Neovim 0.12 has it'
  end
  local origin = clone(folder .. '/origin')
  local function git(...)
    local done = vim.system({ 'git', '-C', origin, '-c', 'user.name=t', '-c', 'user.email=t@t', ... }):wait()
    assert(done.code == 0, done.stderr)
  end
  git('init', '-q')
  git('add', '.')
  git('commit', '-q', '-m', 'all')
  local text, count = recipe('`vim.pack` of Neovim 0.12'):gsub("'https://[^']*' }", function()
    return ("{ src = 'file://%s', name = 'inlined' } }, { confirm = false }"):format(origin)
  end)
  equal(count, 1, 'the address is replaced')
  start(text)
  expect_plugin(folder .. '/data/nvim/site/pack/core/opt/inlined')
end

-- What lazy.nvim does with the table: it clones, then calls config with the plugin's folder, late.
function tests.lazy_nvim()
  local place = clone(folder .. '/data/nvim/lazy/inlined')
  start('')
  nvim:lua([[
    local spec = assert(loadstring('return ' .. (...)))()
    assert(spec[1] == 'inlined/inlined')
    spec.config({ dir = select(2, ...) }, nil)
  ]], recipe('lazy.nvim:'), place)
  equal(nvim:lua([[return vim.fn.maparg('<Tab>', 'i', false, true).desc]]), 'inlined: accept',
    'the key of the recipe')
  expect_plugin(place)
end

function tests.mini_deps()
  local place = clone(folder .. '/data/nvim/site/pack/deps/opt/inlined')
  start('MiniDeps = { add = function(spec) assert(spec.source) end }\n' .. recipe('mini.deps:'))
  expect_plugin(place)
end

-- vim-plug adds the folder `rtp` inside of the clone to the runtime path.
function tests.vim_plug()
  local place = clone(folder .. '/data/nvim/plugged/inlined')
  start(([[
    vim.cmd('let g:plugged = []')
    vim.cmd('command! -nargs=+ Plug call add(g:plugged, [<args>])')
    vim.cmd(%q)
    vim.opt.runtimepath:append(%q .. '/' .. vim.g.plugged[1][2].rtp)
  ]]):format(recipe('vim-plug:'), place))
  expect_plugin(place)
end

-- Without setup() and without a file the plugin costs its one small file, and maps nothing.
function tests.nothing_unasked()
  local function keys()
    local found = {}
    for _, mode in ipairs({ 'n', 'i', 'v', 'o', 'c', 't', 's', 'x' }) do
      for _, map in ipairs(nvim:call('nvim_get_keymap', mode)) do
        found[#found + 1] = mode .. ' ' .. map.lhs
      end
    end
    return found
  end
  start('', false)
  local before = keys()
  nvim:quit()
  start('', true, build)
  equal(keys(), before, 'keys')
  equal(nvim:lua([[
    return vim.tbl_filter(function(name)
      return vim.startswith(name, 'inlined') or vim.startswith(name, 'vim.lsp')
    end, vim.tbl_keys(package.loaded))
  ]]), {}, 'modules that are loaded')
  equal(nvim:processes(), {}, 'processes')
  nvim:command('edit ' .. project_file('a.py'))
  nvim:wait('the daemon', function()
    return #nvim:processes() == 1
  end)
  equal(keys(), before, 'keys with a file')
  nvim:quit()
end

-- Every setting of the daemon has its place in the help.
function tests.help_of_every_setting()
  start('', true)
  nvim:command('helptags ' .. nvim.plugin .. '/doc')
  -- What is installed was made without Neovim, and is the same.
  equal(read(build .. '/nvim/tags'), read(nvim.plugin .. '/doc/tags'), 'tags of the installation')
  local count = 0
  local function visit(prefix, properties)
    for name, value in pairs(properties) do
      if value.type == 'object' and value.properties then
        visit(prefix .. name .. '.', value.properties)
      else
        local tag = 'inlined-' .. prefix .. name
        nvim:command('help ' .. tag)
        local line = nvim:call('nvim_get_current_line')
        assert(line:find('*' .. tag .. '*', 1, true), tag .. ': ' .. line)
        count = count + 1
      end
    end
  end
  visit('', vim.json.decode(read(top .. '/docs/settings.schema.json')).properties)
  assert(count > 30, count)
  nvim:quit()
end

-- vim.ui.select of the child writes down what it is asked, and chooses what `fits` says.
local SELECT = [[
  asked, told = {}, {}
  vim.notify = function(text) told[#told + 1] = text end
  vim.ui.select = function(items, options, act)
    local titles = vim.tbl_map(options.format_item or tostring, items)
    asked[#asked + 1] = { prompt = options.prompt, kind = options.kind, titles = titles }
    for i, title in ipairs(titles) do
      if title:find(answer, 1, true) then
        return act(items[i], i)
      end
    end
    act(nil)
  end
]]

function tests.choice_of_a_model()
  start(SELECT .. "answer = 'none of these'", true, build)
  nvim:command('edit ' .. project_file('a.py'))
  nvim:wait('the daemon', function()
    return nvim:lua([[return require('inlined.status').get(0) ~= nil]])
  end)
  nvim:command('Inlined models')
  nvim:wait('the question', function()
    return nvim:lua('return #asked') == 1
  end)
  local asked = nvim:lua('return asked[1]')
  equal({ asked.prompt, asked.kind }, { 'inlined: model', 'inlined_model' }, 'the question')
  assert(#asked.titles > 10, vim.inspect(asked))
  assert(vim.iter(asked.titles):any(function(title)
    return title:find('to fetch', 1, true)
  end), vim.inspect(asked))
  nvim:command('Inlined models no-such-model')
  nvim:wait('the sentence', function()
    return vim.tbl_contains(nvim:lua('return told'), 'inlined: there is no model "no-such-model"')
  end)
  -- The chosen one reaches the daemon, which then speaks of it.
  nvim:lua([[require('inlined.models').use('/nowhere/chosen.gguf')]])
  nvim:wait("the daemon's word", function()
    local status = nvim:lua([[return require('inlined.status').get(0)]])
    return status.message:find('/nowhere/chosen.gguf', 1, true)
  end)
  nvim:quit()
end

-- Whether a project's server may start is asked by vim.ui.select, with the whole command.
function tests.approval()
  start(SELECT .. "answer = 'No'", true, build)
  project_file('.mcp.json', vim.json.encode({
    mcpServers = { mine = { command = 'true', args = { '--strange-argument' } } },
  }))
  nvim:command('edit ' .. project_file('a.py'))
  nvim:wait('the daemon', function()
    return nvim:lua([[return require('inlined.status').get(0) ~= nil]])
  end)
  nvim:lua([[
    local client = require('inlined').client(0)
    require('inlined.compat').request(client, 'inlined/tools', vim.empty_dict(), function(_, got)
      tools = got
    end, 0)
  ]])
  nvim:wait('the question', function()
    return nvim:lua('return #asked') > 0
  end)
  local asked = nvim:lua('return asked[1]')
  assert(asked.prompt:find('true --strange-argument', 1, true), asked.prompt)
  equal(asked.titles, { 'Start it', 'No' }, 'answers')
  nvim:wait('the answer', function()
    return nvim:lua('return tools ~= nil')
  end)
  -- What there is can be shown, and the server be started anew by hand.
  nvim:command('Inlined tools')
  nvim:wait('the servers', function()
    local shown = table.concat(nvim:lua('return vim.api.nvim_buf_get_lines(0, 0, -1, false)'), '\n')
    return shown:find('mine: %l+', 1) and shown:find('inlined: %l+', 1)
  end)
  nvim:command('close')
  nvim:command('Inlined tools restart nobody')
  nvim:command('Inlined tools restart mine')
  nvim:command('Inlined tools stop mine')
  local said = {}
  nvim:wait('the sentences', function()
    said = table.concat(nvim:lua('return told'), '\n')
    return said:find('the MCP server mine is being restarted', 1, true)
      and said:find('must name an MCP server', 1, true)
      and said:find('it is :Inlined tools, or', 1, true)
  end)
  local described = nvim:lua([[return require('inlined.tools').describe({
    servers = { { name = 'm', state = 'ready', why = '', quarantined = {
      { name = 'read', changes = '- description: Reads.\n+ description: Sends.\n' } } } },
    tools = { { name = 'm__look', description = 'Looks.' } },
  })]])
  equal(described, {
    'm: ready', '    read cannot be called: its definition has changed since it was',
    '    approved. Compare, then: inlined mcp approve m', '      - description: Reads.',
    '      + description: Sends.', '', 'm__look', '    Looks.',
  }, 'what is shown')
  local log = io.open(folder .. '/state/nvim/lsp.log')
  for line in (log and log:read('a') or ''):gmatch('[^\n]+') do
    assert(not line:find('[ERROR]', 1, true) or line:find('"stderr"', 1, true), line)
  end
  nvim:quit()
end

local order = {
  'packages_of_neovim', 'vim_pack', 'lazy_nvim', 'mini_deps', 'vim_plug', 'nothing_unasked',
  'help_of_every_setting', 'choice_of_a_model', 'approval',
}
local failed = 0
for _, name in ipairs(order) do
  vim.fn.delete(folder, 'rf')
  nvim = nil
  local fine, why = xpcall(tests[name], debug.traceback)
  local skipped = fine and why and ' (not here: ' .. why .. ')' or ''
  io.write(fine and 'ok      ' or 'FAILED  ', name, fine and skipped or '\n' .. tostring(why), '\n')
  failed = failed + (fine and 0 or 1)
  if nvim then
    nvim:kill()
  end
end
os.exit(failed == 0 and 0 or 1)
