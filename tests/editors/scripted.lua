-- SPDX-License-Identifier: Apache-2.0
-- A language server inside Neovim whose answers a test writes: for shapes of answers and moments
-- that the real daemon gives only by chance.  Runs in the child.
local M = {
  asked = {}, -- params of each textDocument/inlineCompletion
  executed = {}, -- params of each workspace/executeCommand
  opened = {}, -- text of each textDocument/didOpen; "closed" for each didClose
  cancelled = 0,
  told = {}, -- params of each inlined/diagnostics
  items = {}, -- what is answered
  error = nil, -- or this
  hold = false, -- answers wait for release()
}

local held = {}

local function answer(callback)
  vim.schedule(function()
    if M.error then
      callback(M.error, nil)
    else
      callback(nil, { items = M.items })
    end
  end)
end

--- Sends what was held back.
function M.release()
  M.hold = false
  for _, callback in ipairs(held) do
    answer(callback)
  end
  held = {}
end

local function connection(encoding)
  return function(dispatchers)
    local closing, id = false, 0
    local function on_request(method, params, callback)
      if method == 'initialize' then
        callback(nil, {
          capabilities = {
            inlineCompletionProvider = true,
            positionEncoding = encoding,
            textDocumentSync = { openClose = true, change = 2 },
            executeCommandProvider = { commands = { 'inlined.didAcceptCompletionItem' } },
            experimental = { ['inlined/diagnostics'] = true },
          },
        })
      elseif method == 'textDocument/inlineCompletion' then
        M.asked[#M.asked + 1] = params
        if M.hold then
          held[#held + 1] = callback
        else
          answer(callback)
        end
      else
        if method == 'workspace/executeCommand' then
          M.executed[#M.executed + 1] = params
        end
        callback(nil, vim.NIL)
      end
    end
    return {
      request = function(method, params, callback)
        id = id + 1
        on_request(method, params, callback)
        return true, id
      end,
      notify = function(method, params)
        if method == '$/cancelRequest' then
          M.cancelled = M.cancelled + 1
        elseif method == 'inlined/diagnostics' then
          table.insert(M.told, params)
        elseif method == 'textDocument/didOpen' then
          table.insert(M.opened, (vim.trim(params.textDocument.text)))
        elseif method == 'textDocument/didClose' then
          table.insert(M.opened, 'closed')
        elseif method == 'exit' then
          closing = true
          dispatchers.on_exit(0, 0)
        end
        return true
      end,
      is_closing = function()
        return closing
      end,
      terminate = function()
        closing = true
      end,
    }
  end
end

--- Attaches it to the current buffer under the daemon's name.
function M.start(encoding)
  local config = { name = 'inlined', cmd = connection(encoding), root_dir = '/' }
  vim.lsp.start(config, {
    reuse_client = function()
      return false
    end,
  })
end

return M
