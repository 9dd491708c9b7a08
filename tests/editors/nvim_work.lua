-- SPDX-License-Identifier: Apache-2.0
-- What a person does with a model, from the beginning to the end, in a real editor: fix a diagnostic,
-- document a function, extract a variable under a name by the model, review a file and apply what a
-- finding proposes, look at a hover, let the model call a tool; and each of them taken back midway.
-- The model is small and may write nonsense: judged is that what it writes is taken or refused as a
-- whole, that a change is one step of undo, and that what is cancelled stops and leaves everything as
-- it was.
--   NVIM -l nvim_work.lua BUILD FOLDER
local here = arg[0]:match('^(.*)/[^/]*$')
package.path = here .. '/?.lua;' .. package.path
local actions = require('actions')
local picture = require('picture')
local said = require('said')

local folder = arg[2]
local equal, passed = said.equal, said.passed
local buffer, go_to, forget, told = actions.buffer, actions.go_to, actions.forget, actions.told

-- An MCP server with one tool, which writes down how it was called.
local SHOP = [[
for line in io.lines() do
  local fine, m = pcall(vim.json.decode, line)
  local result = vim.empty_dict()
  if fine and m.method == 'initialize' then
    result = {
      protocolVersion = '2025-06-18',
      capabilities = { tools = vim.empty_dict() },
      serverInfo = { name = 'shop', version = '1' },
    }
  elseif fine and m.method == 'tools/list' then
    result = { tools = { {
      name = 'stock',
      description = 'Says how many pieces of an item are in stock.',
      inputSchema = {
        type = 'object',
        properties = { item = { type = 'string' } },
        required = { 'item' },
      },
    } } }
  elseif fine and m.method == 'tools/call' then
    local file = assert(io.open(arg[1], 'a'))
    file:write(vim.json.encode(m.params), '\n')
    file:close()
    result = { content = { { type = 'text', text = '7 pieces' } } }
  end
  if fine and m.id and m.method then
    io.stdout:write(vim.json.encode({ jsonrpc = '2.0', id = m.id, result = result }), '\n')
    io.stdout:flush()
  end
end
]]

-- A menu as plugins for vim.ui.select draw it, for the picture.
local INIT = [[
vim.o.signcolumn = 'no'
vim.o.statusline = '%t'
vim.diagnostic.config({ virtual_text = { prefix = '■' }, signs = false })
-- Takes the next work back in the moment in which it is asked for.
cancel_next = false
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  local request = event.data.request
  if cancel_next and request.type == 'pending' and request.method == 'codeAction/resolve' then
    cancel_next = false
    vim.schedule(function() vim.cmd('Inlined cancel') end)
  end
end })
function draw_menu()
  local lines = vim.tbl_map(function(title) return ' ' .. title .. ' ' end, titles)
  local width = math.max(unpack(vim.tbl_map(vim.fn.strdisplaywidth, lines)))
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  menu_window = vim.api.nvim_open_win(buffer, false, { relative = 'cursor', row = 1, col = 4,
    width = width, height = #lines, style = 'minimal', border = 'rounded', title = ' Code actions ' })
end
]]

local calls = folder .. '/calls.txt'
local nvim = actions.start({
  build = arg[1],
  folder = folder,
  text = said.read(actions.top .. '/tests/demo/samples/inventory.py'),
  tokens = 800, -- a review writes up to four findings for a function
  hover = 'full',
  init = INIT,
  files = {
    ['shop.lua'] = SHOP,
    ['.mcp.json'] = vim.json.encode({ mcpServers = { shop = {
      command = vim.env.INLINED_NVIM,
      args = { '--clean', '-l', folder .. '/project/shop.lua', calls },
    } } }),
  },
})
local text, sample = actions.text, actions.sample

local function draw(name, title)
  picture.write(nvim, ('%s/%s.svg'):format(folder, name), title)
  passed(('picture of the screen: %s/%s.svg'):format(folder, name))
end

-- After an action on cheapest(): what stands before it is as it was, and one undo brings all back.
local function check_change(what)
  local changed = buffer() ~= text
  passed(what .. ': ' .. actions.check_end(changed, what))
  if changed then
    local before = text:sub(1, text:find('def cheapest', 1, true) - 1)
    equal(buffer():sub(1, #before), before, what .. ' changes nothing before it')
    actions.undo(what)
  end
  return changed
end

-- Takes an action, and waits until the menu has it: what others say of a buffer takes a moment.
local function choose(title)
  nvim:wait(('"%s" in the menu'):format(title), function()
    local titles = actions.menu(nil)
    return vim.iter(titles):any(function(one)
      return vim.startswith(one, title)
    end)
  end)
  actions.menu(title)
end

local function test_document()
  local function start()
    go_to('def cheapest')
    actions.menu('Document cheapest')
  end
  actions.cancel_midway('documentation', start)
  start()
  actions.wait_over('the documentation')
  local after = buffer()
  assert(check_change('document a function'), 'a comment can always be taken')
  local head = text:match('^.*\ndef cheapest[^\n]*\n')
  equal({ after:sub(1, #head), after:sub(#head - #text) }, { head, text:sub(#head + 1) },
    'the code stays')
  local added = after:sub(#head + 1, #after - (#text - #head))
  assert(added:match('^    """.*"""\n$'), added)
end

local function test_fix()
  local row = go_to('return min')[1]
  nvim:lua([[
    vim.diagnostic.set(vim.api.nvim_create_namespace('lint'), 0, { {
      lnum = ..., col = 4, end_col = 10, severity = vim.diagnostic.severity.WARN,
      message = 'min() fails when there are no items', source = 'lint',
    } })
  ]], row - 1)
  local function start()
    go_to('return min')
    choose('Fix: min() fails when there are no items')
  end
  actions.cancel_midway('a fix', start)
  start()
  actions.wait_over('the fix')
  check_change('fix a diagnostic')
  nvim:lua([[vim.diagnostic.reset(vim.api.nvim_create_namespace('lint'), 0)]])
end

-- The tree extracts, the model names: taken back before it has said a name, and done.
local function test_extract()
  local words = 'item.price * item.quantity'
  local function start()
    local from, to = go_to(words)
    actions.menu('Extract variable (syntax tree, named by the model)', from, { to[1], to[2] - 1 })
  end
  nvim:lua('cancel_next = true')
  start()
  actions.wait_over('the end of the extraction')
  nvim:never('a change or a second word after it was cancelled', function()
    return buffer() ~= text or #told() > 1
  end, 500)
  equal({ told(), nvim:lua('return cancel_next') }, { { 'inlined: cancelled' }, false }, 'it says so')
  passed('an extraction, cancelled: nothing has changed')
  start()
  nvim:wait('the extraction', function()
    return buffer() ~= text
  end)
  equal(told(), {}, 'without a word')
  local name = buffer():match('\n        ([%w_]+) = item%.price %* item%.quantity\n')
  assert(name, buffer())
  local line = '        total += '
  local there = text:find(line .. words, 1, true)
  equal(buffer(), ('%s        %s = %s\n%s%s%s'):format(text:sub(1, there - 1), name, words, line, name,
    text:sub(there + #line + #words)), 'it is the tree that extracts')
  actions.undo('the extraction')
  passed('extract a variable: ' .. name)
end

local function test_menu_picture()
  go_to('item.price * item.quantity')
  forget()
  nvim:lua([[
    hold = true
    local row, col = unpack(vim.api.nvim_win_get_cursor(0))
    vim.lsp.buf.code_action({ range = { start = { row, col }, ['end'] = { row, col + 26 } } })
  ]])
  nvim:wait('the menu', function()
    return nvim:lua('return held ~= nil')
  end)
  nvim:lua('draw_menu()')
  draw('actions', 'Code actions for a selection in Neovim')
  nvim:lua('vim.api.nvim_win_close(menu_window, true) held(nil, nil)')
  equal({ actions.running(), buffer() }, { 0, text }, 'a menu changes nothing')
end

local function findings()
  return nvim:lua([[
    return vim.tbl_filter(function(d) return d.source == 'inlined' end, vim.diagnostic.get(0))
  ]])
end

local function test_review()
  actions.cancel_midway('a review', function()
    forget()
    nvim:command('Inlined review file')
  end)
  forget()
  nvim:command('Inlined review file')
  actions.wait_over('the review')
  local count = tonumber((told()[1] or ''):match('^inlined: review is over: findings: (%d+)'))
  assert(count, 'the JSON of a whole review: ' .. vim.inspect(told()))
  nvim:wait(count .. ' findings as diagnostics', function()
    return #findings() == count
  end)
  equal(buffer(), text, 'a review changes nothing')
  passed(('review a file: %d findings'):format(count))
  go_to('def total_value')
  draw('review', 'Findings of a review in Neovim')
  return count
end

-- Applies the first fix that a finding has.
local function test_finding(count)
  for _, finding in ipairs(findings()) do
    nvim:call('nvim_win_set_cursor', 0, { finding.lnum + 1, finding.col })
    local titles = actions.menu('Fix what the review found')
    if titles[1] and titles[1]:find('Fix what the review found', 1, true) then
      nvim:wait('the fix', function()
        return buffer() ~= text
      end)
      local old, new = vim.split(text, '\n'), vim.split(buffer(), '\n')
      equal(vim.list_slice(new, 1, finding.lnum), vim.list_slice(old, 1, finding.lnum), 'before it')
      local behind = #old - finding.lnum - 2
      equal(vim.list_slice(new, #new - behind, #new), vim.list_slice(old, #old - behind, #old),
        'behind it')
      nvim:wait('the finding to go with its line', function()
        return #findings() == count - 1
      end)
      equal(told(), {}, 'without a word')
      actions.undo('the fix')
      passed("apply a finding's fix: " .. titles[1]:sub(1, 60))
      return
    end
  end
  error(('none of %d findings has a fix'):format(count))
end

local function hover_text()
  local lines = nvim:lua([[
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= '' then
        return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
      end
    end
  ]])
  return lines ~= vim.NIL and table.concat(lines, '\n')
end

local function hover(words)
  go_to(words)
  nvim:lua('vim.lsp.buf.hover()')
  return nvim:wait('the hover', hover_text)
end

local function close_hover()
  nvim:keys('jk')
  nvim:wait('the hover to go', function()
    return not hover_text()
  end)
end

-- How many models work, or have something to do.
local function busy()
  nvim:lua([[
    daemon = nil
    require('inlined.compat').request(require('inlined').client(), 'inlined/daemon', {},
      function(_, result) daemon = result end, 0)
  ]])
  return nvim:wait('what the daemon does', function()
    return nvim:lua([[
      if not daemon then return false end
      local n = 0
      for _, model in ipairs(daemon.models) do n = n + (model.queue or 0) end
      return { n }
    ]])
  end)[1]
end

local function set_hover(value)
  nvim:lua([[
    local client = require('inlined').client()
    client.settings.inlined.hover = ...
    require('inlined.compat').notify(client, 'workspace/didChangeConfiguration',
      { settings = vim.NIL })
  ]], value)
end

-- Takes a note back while the model writes it; false: it was written before that.
local function stop_note(name)
  local first = hover(name)
  assert(first:find('def ' .. name, 1, true), first)
  assert(not first:find('(model)', 1, true), 'nobody has written about it yet: ' .. first)
  close_hover()
  pcall(nvim.wait, nvim, 'the model to begin', function()
    return busy() > 0
  end, 10000)
  set_hover('instant')
  nvim:wait('the model to stop', function()
    return busy() == 0
  end)
  set_hover('full')
  local written = hover(name):find('(model)', 1, true)
  close_hover()
  return not written
end

-- The signature is there at once, the model's sentence later; taken back, it never comes.
local function test_hover()
  if stop_note('total_quantity') or stop_note('total_value') or stop_note('cheapest') then
    passed('a note for a hover, taken back: it is not written')
  else
    passed('notes for hovers: each was written before it could be taken back')
  end
  nvim:wait('the model to write', function()
    local shown = hover('total_quantity')
    if shown:find('(model)', 1, true) then
      return true
    end
    close_hover()
    vim.wait(500)
  end)
  draw('hover', 'Hover with a sentence of a local model in Neovim')
  close_hover()
  equal(buffer(), text, 'a hover changes nothing')
  passed('hover: the signature at once, the sentence of the model when it is there')
end

local function test_explain_cancelled()
  actions.cancel_midway('an explanation', function()
    forget()
    go_to('def total_value')
    nvim:command('Inlined explain')
  end)
end

local function test_commit_cancelled()
  local Child = require('child')
  Child.write(folder .. '/project', 'inventory.py', (text:gsub('total_value', 'stock_value')))
  actions.git('add', 'inventory.py')
  Child.write(folder .. '/project', 'inventory.py', text)
  nvim:command('edit! ' .. sample)
  actions.cancel_midway('a commit message', function()
    nvim:command('silent! only')
    forget()
    nvim:command('Inlined commit')
  end)
  actions.git('reset', '-q')
end

-- A question that has been answered by calls before: even a small model goes on like that.
local function question(items)
  local lines = { ('how many %ss are there?'):format(items[#items]) }
  for i, item in ipairs(items) do
    lines[#lines + 1] = ('Question: how many %ss are there?\nAnswer:'):format(item)
    if i < #items then
      lines[#lines + 1] = '<tool_call>\n{"name": "shop__stock", "arguments": {"item": "' .. item
        .. '"}}\n</tool_call>'
    end
  end
  return table.concat(lines, '\n') .. '\n'
end

local function ask(items)
  forget()
  go_to('def cheapest')
  nvim:lua([[
    choices, prompts, hold = { 'Allow once' }, {}, select(2, ...)
    require('inlined.actions').explain(nil, (...))
  ]], question(items), items.hold or false)
end

local function called()
  return vim.uv.fs_stat(calls) and vim.split(vim.trim(said.read(calls)), '\n') or {}
end

local function test_tool()
  nvim:lua([[
    choices, tools = { 'Start it' }, {}
    function look()
      require('inlined.compat').request(require('inlined').client(), 'inlined/tools', {},
        function(_, result) tools = result.tools end, 0)
    end
  ]])
  nvim:wait('the tool', function()
    nvim:lua('look()')
    vim.wait(100)
    return nvim:lua('return tools[1] ~= nil and tools[1].name') == 'shop__stock'
  end)
  assert(nvim:lua('return prompts[#prompts]'):find('/shop.lua', 1, true), 'the whole command is shown')

  for _, items in ipairs({ { 'pear', 'plum', 'fig', 'apple' }, { 'nut', 'pea', 'pear' },
    { 'chair', 'table', 'lamp', 'desk', 'bed' } }) do
    ask(items)
    actions.wait_over('the answer')
    if #called() > 0 then
      break
    end
  end
  local done = called()
  equal(#done, 1, 'one call, made by the model')
  local call = vim.json.decode(done[1])
  equal({ call.name, type(call.arguments.item) }, { 'stock', 'string' }, done[1])
  local prompt = nvim:lua('return prompts[1]')
  assert(prompt:find('May the model call stock of shop with {"item":"' .. call.arguments.item, 1, true),
    prompt)
  equal(buffer(), text, 'a question changes nothing')
  passed('one call of an MCP tool, allowed by a person: ' .. done[1])
  nvim:command('only')

  -- Asked, and taken back instead of an answer.
  ask({ 'pear', 'plum', 'fig', 'apple', hold = true })
  nvim:wait('the question', function()
    return nvim:lua('return held ~= nil')
  end)
  actions.cancel('a call that waits for an answer')
  nvim:lua('held({ title = "Allow once" }, 1)')
  nvim:never('a call after it was cancelled', function()
    return #called() ~= 1
  end, 500)
  passed('an answer that comes too late calls nothing')
end

actions.run(function()
  test_tool() -- the first work that may use tools asks whether their server may start, once
  test_document()
  test_fix()
  test_extract()
  test_menu_picture()
  test_finding(test_review())
  test_hover()
  test_explain_cancelled()
  test_commit_cancelled()
end)
