-- SPDX-License-Identifier: Apache-2.0
-- What the daemon does on demand and Neovim's menu of code actions does not do by itself:
-- explanations and reviews from the command line, messages for commits, the question that
-- "Rewrite with instruction..." asks, and taking back what still runs.
local M = {}

local compat = require('inlined.compat')

local function tell(text, level)
  vim.notify('inlined: ' .. text, level or vim.log.levels.INFO)
end

-- The daemon of a buffer; nil, after a sentence, where there is none.
local function client_of(bufnr)
  local client = require('inlined').client(bufnr)
  if not client then
    tell('not running for this file; see :checkhealth inlined', vim.log.levels.ERROR)
  end
  return client
end

-- Runs a command of the daemon; `act` gets its result.
local function execute(client, bufnr, command, argument, act)
  local params = { command = command, arguments = { argument } }
  compat.request(client, 'workspace/executeCommand', params, function(failure, result)
    if failure then
      tell(failure.message, vim.log.levels.ERROR)
    elseif type(result) == 'table' then
      act(result)
    end
  end, bufnr)
end

-- Whole lines, or the place of the cursor: then the daemon takes what is around it.
local function range_of(client, lines)
  if not lines then
    return vim.lsp.util.make_range_params(0, client.offset_encoding).range
  end
  local last = vim.api.nvim_buf_get_lines(0, lines[2] - 1, lines[2], false)[1] or ''
  local units = compat.character(last, client.offset_encoding)
  return {
    start = { line = lines[1] - 1, character = 0 },
    ['end'] = { line = lines[2] - 1, character = units },
  }
end

local function act(action, lines, instruction, done)
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_of(bufnr)
  if client then
    execute(client, bufnr, 'inlined.action', {
      action = action,
      uri = vim.uri_from_bufnr(bufnr),
      version = vim.lsp.util.buf_versions[bufnr],
      range = range_of(client, lines),
      instruction = instruction ~= '' and instruction or nil,
    }, done)
  end
end

--- Explains the lines or, without, the definition around the cursor, on a page in a window of its
--- own (which the daemon asks for).
---@param lines? integer[] First and last line, from 1.
---@param question? string What shall be answered, instead of a general explanation.
function M.explain(lines, question)
  act('explain', lines, question, function() end)
end

local scopes = { [''] = 'review', file = 'reviewFile', changes = 'reviewChanges' }

--- Findings become diagnostics of the buffer.
---@param lines? integer[]
---@param scope string "" (the definition or lines), "file" or "changes".
function M.review(lines, scope)
  if not scopes[scope] then
    tell(('"%s" cannot be reviewed; it is file, changes or nothing'):format(scope),
      vim.log.levels.ERROR)
    return
  end
  act(scopes[scope], lines, nil, function(result)
    local form = 'review is over: findings: %d, pieces read: %d'
    tell(form:format(result.findings or 0, result.pieces or 0))
  end)
end

-- Where the buffer is no commit's, the message goes into one without a name, to be taken from there.
local function show_message(message)
  vim.cmd('botright new')
  vim.bo.buftype = 'nofile'
  vim.bo.bufhidden = 'wipe'
  vim.bo.filetype = 'gitcommit'
  vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(vim.trim(message), '\n'))
end

--- A message for what is staged: at the top of a COMMIT_EDITMSG, else in a window of its own.
function M.commit()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_of(bufnr)
  if client then
    local argument = { uri = vim.uri_from_bufnr(bufnr) }
    execute(client, bufnr, 'inlined.commitMessage', argument, function(result)
      if type(result.message) == 'string' then
        show_message(result.message)
      end
    end)
  end
end

--- Cancels the actions that run for a buffer, from wherever they were started.
function M.cancel()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_of(bufnr)
  local cancelled = 0
  for id, request in pairs(client and client.requests or {}) do
    local work = request.method == 'codeAction/resolve'
      or request.method == 'workspace/executeCommand'
    if work and request.type == 'pending' and request.bufnr == bufnr then
      compat.cancel(client, id)
      cancelled = cancelled + 1
    end
  end
  if client then
    tell(cancelled > 0 and 'cancelled' or 'nothing runs for this file')
  end
end

--- The daemon's menu has "Rewrite with instruction..." because we announce that we can ask for it.
M.capabilities = { experimental = { inlined = { instructions = true, status = true } } }

--- Commands that the daemon leaves to the editor.
M.commands = {
  ['inlined.askInstruction'] = function(command, ctx)
    vim.ui.input({ prompt = 'Change the code so that: ' }, function(text)
      local client = vim.lsp.get_client_by_id(ctx.client_id)
      if client and text and vim.trim(text) ~= '' then
        local argument = vim.tbl_extend('force', command.arguments[1], { instruction = text })
        execute(client, ctx.bufnr, 'inlined.action', argument, function() end)
      end
    end)
  end,
}

return M
