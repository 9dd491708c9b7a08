-- SPDX-License-Identifier: Apache-2.0
-- :Inlined and its words.
local M = {}

local function daemon()
  return require('inlined').server_config().cmd[1]
end

-- Shows a command's output in a scratch window.
local function show(title, argv)
  vim.system(argv, { text = true }, function(done)
    vim.schedule(function()
      local text = (done.stdout or '') .. (done.stderr or '')
      local bufnr = vim.api.nvim_create_buf(false, true)
      vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(vim.trim(text), '\n'))
      vim.bo[bufnr].bufhidden = 'wipe'
      vim.cmd('botright split')
      vim.api.nvim_win_set_buf(0, bufnr)
      vim.api.nvim_buf_set_name(bufnr, 'inlined://' .. title .. '/' .. bufnr)
    end)
  end)
end

local words = {
  doctor = function()
    show('doctor', { daemon(), 'doctor' })
  end,
  log = function()
    vim.cmd.tabnew(vim.lsp.get_log_path and vim.lsp.get_log_path() or vim.lsp.log.get_filename())
  end,
  models = function()
    show('models', { daemon(), 'models', 'list' })
  end,
  pause = function()
    require('inlined').pause()
  end,
  restart = function()
    for _, client in ipairs(vim.lsp.get_clients({ name = 'inlined' })) do
      client:stop()
    end
    vim.defer_fn(function()
      require('inlined').start(vim.api.nvim_get_current_buf())
    end, 500)
  end,
  resume = function()
    require('inlined').resume()
  end,
  status = function()
    local status = require('inlined.status').get(0)
    local client = require('inlined').client(0)
    if not client then
      vim.notify('inlined: not running for this buffer; see :checkhealth inlined')
      return
    end
    vim.notify(status and vim.inspect(status) or 'inlined: running, no status yet')
  end,
}

---@param args string[]
function M.run(args)
  local word = args[1] or 'status'
  if not words[word] then
    vim.notify(
      ('inlined: unknown word "%s"; known are: %s'):format(word, table.concat(M.complete(''), ', ')),
      vim.log.levels.ERROR
    )
    return
  end
  words[word]()
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
