-- SPDX-License-Identifier: Apache-2.0
-- inlined for Neovim: starts the daemon, turns ghost text on, and offers the functions that people
-- map keys to.  Nothing here draws or parses: 0.12 and newer draw by `vim.lsp.inline_completion`,
-- older versions by `inlined.ghost`.  There are no default keymaps.
local M = {}

---@class inlined.Options
---@field cmd string[] Command that starts the daemon.
---@field enabled boolean Start by itself when a file is opened.
---@field filetypes_off table<string, boolean> File types that never get ghost text.
---@field debounce_ms integer Pause before a request, where we draw (before Neovim 0.12).
---@field settings table Settings for the daemon (section "inlined").
---@field root_markers string[] What marks the root of a workspace.
M.options = {
  cmd = { 'inlined', '--stdio' },
  enabled = true,
  filetypes_off = { help = true, TelescopePrompt = true },
  debounce_ms = 75,
  settings = {},
  root_markers = { '.git' },
}

local paused = false

--- True where Neovim draws inline completion itself.
function M.has_builtin()
  return vim.lsp.inline_completion ~= nil
end

---@param options? table
function M.setup(options)
  M.options = vim.tbl_deep_extend('force', M.options, options or {})
end

local function find_daemon(cmd)
  if vim.fn.executable(cmd[1]) == 1 then
    return cmd
  end
  -- An installation keeps the plugin in PREFIX/share/inlined/nvim and the daemon in PREFIX/bin.
  local here = debug.getinfo(1, 'S').source:sub(2)
  local prefix = vim.fn.fnamemodify(here, ':p:h:h:h:h:h:h')
  local beside = prefix .. '/bin/inlined'
  if vim.fn.executable(beside) == 1 then
    return vim.list_extend({ beside }, vim.list_slice(cmd, 2))
  end
  return cmd
end

--- The table that `vim.lsp.config` and `vim.lsp.start` take.
function M.server_config()
  return {
    name = 'inlined',
    cmd = find_daemon(M.options.cmd),
    root_markers = M.options.root_markers,
    settings = { inlined = M.options.settings },
    handlers = {
      ['inlined/status'] = function(_, status, ctx)
        require('inlined.status').set(ctx.client_id, status)
      end,
    },
  }
end

---@param bufnr? integer
---@return vim.lsp.Client?
function M.client(bufnr)
  return vim.lsp.get_clients({ name = 'inlined', bufnr = bufnr })[1]
end

local function wanted(bufnr)
  return M.options.enabled
    and not paused
    and vim.api.nvim_buf_is_valid(bufnr)
    and vim.bo[bufnr].buftype == ''
    and not M.options.filetypes_off[vim.bo[bufnr].filetype]
end

local function on_attach(client, bufnr)
  if M.has_builtin() then
    vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  else
    require('inlined.ghost').attach(bufnr, client)
  end
end

local told_missing = false

--- Starts the daemon for a buffer (or attaches the running one).
---@param bufnr integer
function M.start(bufnr)
  if not wanted(bufnr) or M.client(bufnr) then
    return
  end
  local config = M.server_config()
  if vim.fn.executable(config.cmd[1]) == 0 then
    if not told_missing then
      told_missing = true
      vim.notify(
        ('inlined: the program "%s" is not on PATH; run ./bootstrap install or set cmd in setup()'):format(
          config.cmd[1]
        ),
        vim.log.levels.WARN
      )
    end
    return
  end
  local name = vim.api.nvim_buf_get_name(bufnr)
  local root = vim.fs.find(config.root_markers, { path = vim.fs.dirname(name), upward = true })[1]
  config.root_dir = root and vim.fs.dirname(root) or vim.fs.dirname(name)
  config.on_attach = on_attach
  vim.lsp.start(config, { bufnr = bufnr, silent = true })
end

-- Users who prefer `vim.lsp.enable('inlined')` get ghost text as well.
vim.api.nvim_create_autocmd('LspAttach', {
  group = vim.api.nvim_create_augroup('inlined.attach', { clear = true }),
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'inlined' and wanted(event.buf) then
      on_attach(client, event.buf)
    end
  end,
})

--- No request is sent until resume().
function M.pause()
  paused = true
  for _, client in ipairs(vim.lsp.get_clients({ name = 'inlined' })) do
    for bufnr in pairs(client.attached_buffers) do
      if M.has_builtin() then
        vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
      else
        require('inlined.ghost').detach(bufnr)
      end
    end
  end
end

function M.resume()
  paused = false
  for _, client in ipairs(vim.lsp.get_clients({ name = 'inlined' })) do
    for bufnr in pairs(client.attached_buffers) do
      on_attach(client, bufnr)
    end
  end
end

function M.is_paused()
  return paused
end

--- First word of `text` with the blanks before it: what "accept a word" takes.
---@param text string
function M.first_word(text)
  return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w%s_]+') or text
end

--- First line of `text`; when it starts with a line break, that break and the next line.
---@param text string
function M.first_line(text)
  return text:match('^\n*[^\n]*')
end

-- Accepts what `cut` leaves of the shown text.  Returns false when nothing is shown, so that a
-- mapping can fall back.
local function accept(cut)
  if not M.has_builtin() then
    return require('inlined.ghost').accept(cut)
  end
  if not cut then
    return vim.lsp.inline_completion.get()
  end
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local text = item.insert_text
      local row, col = unpack(vim.api.nvim_win_get_cursor(0))
      local typed = 0
      if item.range then
        local start_row, start_col = item.range:to_extmark()
        typed = start_row == row - 1 and col - start_col or 0
      end
      local part = cut(text:sub(typed + 1))
      local lines = vim.split(part, '\n')
      vim.api.nvim_buf_set_text(0, row - 1, col, row - 1, col, lines)
      local last_col = (#lines == 1 and col or 0) + #lines[#lines]
      vim.api.nvim_win_set_cursor(0, { row + #lines - 1, last_col })
      return nil -- applied by us
    end,
  })
end

---@return boolean
function M.accept()
  return accept(nil)
end

---@return boolean
function M.accept_word()
  return accept(M.first_word)
end

---@return boolean
function M.accept_line()
  return accept(M.first_line)
end

--- Hides the shown text until the next change.
---@return boolean
function M.dismiss()
  if not M.has_builtin() then
    return require('inlined.ghost').dismiss()
  end
  return vim.lsp.inline_completion.get({
    on_accept = function()
      return nil
    end,
  })
end

--- Shows the next candidate.
function M.cycle(count)
  if M.has_builtin() then
    vim.lsp.inline_completion.select({ count = count or 1 })
  else
    require('inlined.ghost').cycle(count or 1)
  end
end

--- One short text for a statusline.
---@return string
function M.statusline()
  return require('inlined.status').line(vim.api.nvim_get_current_buf())
end

return M
