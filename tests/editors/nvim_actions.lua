-- SPDX-License-Identifier: Apache-2.0
-- Code actions, hovers and what :Inlined does on demand, in a real editor with the daemon and a
-- small instruct model.  What the model writes is its affair: an action of its ends with an applied
-- edit or with one sentence, and a cancelled one leaves everything as it was.
--   NVIM -l nvim_actions.lua BUILD FOLDER
local here = arg[0]:match('^(.*)/[^/]*$')
package.path = here .. '/?.lua;' .. package.path
local Child = require('child')
local actions = require('actions')
local said = require('said')

local folder = arg[2]
local equal, passed = said.equal, said.passed
local buffer, go_to, forget, told = actions.buffer, actions.go_to, actions.forget, actions.told
local menu, wait_over, check_end = actions.menu, actions.wait_over, actions.check_end
local git, cancel_midway = actions.git, actions.cancel_midway

local text = said.read(actions.top .. '/tests/demo/samples/inventory.py')
local nvim = actions.start({
  build = arg[1],
  folder = folder,
  text = text,
  tokens = 120,
  hover = 'instant',
})
local sample = actions.sample

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
  equal(actions.running(), 0, 'the menu runs nothing')
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
end

-- Takes "Rewrite with instruction..." and answers its question.
local function instruct(answer)
  forget()
  nvim:lua([[
    choices, reply = { 'Rewrite cheapest with instruction' }, ...
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
  passed('a review of nonsense: one sentence')
end

-- Findings are diagnostics (what is found twice is there once).  A small model may never come to an
-- end of its answer; that is one sentence, and another one with what was whole of it.
local function test_review()
  forget()
  go_to('def total_quantity')
  nvim:command('Inlined review')
  wait_over('the review')
  local words = told()
  local last = words[#words]
  local found = last:match('^inlined: review is over: findings: (%d+), pieces read: 1$')
  local cut = found and #words == 2 and words[1]:find('the review was cut in 1 of 1 pieces', 1, true)
  assert(#words == 1 or cut, 'one sentence, or what there is and that it was cut: ' .. vim.inspect(words))
  if found then
    nvim:wait(found .. ' findings as diagnostics', function()
      local shown = nvim:lua([[
        return #vim.tbl_filter(function(d) return d.source == 'inlined' end, vim.diagnostic.get(0))
      ]])
      return shown <= tonumber(found) and (shown > 0) == (tonumber(found) > 0)
    end)
  end
  equal(buffer(), text, 'a review changes nothing')
  passed('a review: ' .. last)
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

actions.run(function()
  test_menu()
  test_extract()
  test_hover()
  test_explain()
  test_cancelled_edit()
  test_instruction()
  test_cancelled_review()
  test_review()
  test_commit()
end)
