-- SPDX-License-Identifier: Apache-2.0
-- inlined for Neovim: starts the daemon, turns ghost text on, and offers the functions that people
-- map keys to.  Nothing here draws: 0.12 and newer draw by `vim.lsp.inline_completion`
-- (inlined.builtin), older versions by inlined.ghost.  One daemon serves all buffers.
local M = {}

local compat = require('inlined.compat')
local suggestion = require('inlined.suggestion')

---@class inlined.Options
---@field cmd string[] Command that starts the daemon.
---@field enabled boolean Start by itself when a file is opened.
---@field filetypes_off table<string, boolean> File types that never get ghost text.
---@field debounce_ms integer Pause before a request, where we draw (before Neovim 0.12).
---@field keys table<string, string> Keys of insert mode: accept, accept_word, accept_line, dismiss.
---@field settings table Settings for the daemon (section "inlined").
---@field root_markers string[] What marks the root of a workspace.
M.options = {
  cmd = { 'inlined', '--stdio' },
  enabled = true,
  filetypes_off = { help = true, TelescopePrompt = true },
  debounce_ms = 75,
  keys = {},
  settings = {},
  root_markers = { '.git' },
}

local paused = false

--- True where Neovim draws inline completion itself.
function M.has_builtin()
  return vim.lsp.inline_completion ~= nil
end

local function drawer()
  return require(M.has_builtin() and 'inlined.builtin' or 'inlined.ghost')
end

-- ---- set-up ------------------------------------------------------------------------------------

local actions = { 'accept', 'accept_word', 'accept_line', 'dismiss' }

local function map_keys(keys)
  for action, lhs in pairs(keys) do
    if vim.tbl_contains(actions, action) then
      vim.keymap.set('i', lhs, function()
        return M[action]() and '' or lhs
      end, { expr = true, desc = 'inlined: ' .. action:gsub('_', ' ') })
    else
      local text = 'inlined: setup({ keys = ... }) has no "%s"; it has %s'
      vim.notify(text:format(action, table.concat(actions, ', ')), vim.log.levels.ERROR)
    end
  end
end

--- Optional; may be called again.
---@param options? table See inlined.Options.
function M.setup(options)
  M.options = vim.tbl_deep_extend('force', M.options, options or {})
  map_keys((options or {}).keys or {})
end

-- The daemon as cmd names it; else the one that came with this plugin: PREFIX/bin of an
-- installation, build/ of a clone.
local function find_daemon(cmd)
  if vim.fn.executable(cmd[1]) == 1 or cmd[1] ~= 'inlined' then
    return cmd
  end
  local here = vim.fs.normalize(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
  local prefix = here:match('^(.*)/share/nvim/site/pack/.*$')
  local clone = here:match('^(.*)/editors/nvim/lua/inlined/init%.lua$')
  local path = prefix and prefix .. '/bin/inlined' or clone and clone .. '/build/inlined'
  if path and vim.fn.executable(path) == 1 then
    return vim.list_extend({ path }, vim.list_slice(cmd, 2))
  end
  return cmd
end

--- The table that `vim.lsp.config` and `vim.lsp.start` take.
function M.server_config()
  local on_demand = require('inlined.actions')
  return {
    name = 'inlined',
    cmd = find_daemon(M.options.cmd),
    root_markers = M.options.root_markers,
    -- An empty table of Lua would arrive as a list.
    settings = { inlined = next(M.options.settings) and M.options.settings or vim.empty_dict() },
    capabilities = compat.capabilities(on_demand.capabilities),
    commands = on_demand.commands,
    handlers = {
      ['inlined/status'] = function(_, status, ctx)
        require('inlined.status').set(ctx.client_id, status)
      end,
    },
  }
end

-- ---- buffers and the daemon --------------------------------------------------------------------

---@param bufnr? integer
---@return vim.lsp.Client?
function M.client(bufnr)
  return vim.lsp.get_clients({ name = 'inlined', bufnr = bufnr })[1]
end

-- Whether a buffer may get ghost text.
local function suits(bufnr)
  return vim.api.nvim_buf_is_loaded(bufnr)
    and vim.bo[bufnr].buftype == ''
    and not M.options.filetypes_off[vim.bo[bufnr].filetype]
end

--- Whether a buffer gets ghost text now.
---@param bufnr integer
---@return boolean
function M.wants(bufnr)
  return not paused and suits(bufnr)
end

local told_missing = false

local function tell_missing(program)
  if not told_missing then
    told_missing = true
    local text = 'inlined: there is no program "%s"; run ./bootstrap install or set cmd in setup()'
    vim.notify(text:format(program), vim.log.levels.WARN)
  end
end

-- One daemon is enough: it learns of a further root as a workspace folder.
local function add_root(client, root)
  local uri = vim.uri_from_fname(root)
  for _, folder in ipairs(client.workspace_folders or {}) do
    if folder.uri == uri then
      return
    end
  end
  local folder = { uri = uri, name = root }
  client.workspace_folders = client.workspace_folders or {}
  table.insert(client.workspace_folders, folder)
  compat.notify(client, 'workspace/didChangeWorkspaceFolders', {
    event = { added = { folder }, removed = {} },
  })
end

local function reuse(client, config)
  if client.name ~= 'inlined' or compat.is_stopped(client) then
    return false
  end
  if client.initialized then
    add_root(client, config.root_dir)
  end
  return true
end

-- Whether Neovim itself starts the daemon, because the user said vim.lsp.enable('inlined').
local function enabled_by_user()
  return vim.lsp.is_enabled ~= nil and vim.lsp.is_enabled('inlined')
end

local function each_attached(act)
  for _, client in ipairs(vim.lsp.get_clients({ name = 'inlined' })) do
    for bufnr in pairs(client.attached_buffers) do
      act(bufnr, client)
    end
  end
end

-- All buffers without a name have the same URI, so the daemon can know only one of them at a time:
-- the one that is worked in.
local function leave_other_nameless(bufnr)
  if vim.api.nvim_buf_get_name(bufnr) ~= '' then
    return
  end
  each_attached(function(other, client)
    if other ~= bufnr and vim.api.nvim_buf_get_name(other) == '' then
      vim.lsp.buf_detach_client(other, client.id)
    end
  end)
end

--- Starts the daemon for a buffer (or attaches the running one).
---@param bufnr integer
function M.start(bufnr)
  local wanted = M.options.enabled and not paused and not enabled_by_user()
  if not wanted or not suits(bufnr) or M.client(bufnr) then
    return
  end
  leave_other_nameless(bufnr)
  local config = M.server_config()
  if vim.fn.executable(config.cmd[1]) == 0 then
    tell_missing(config.cmd[1])
    return
  end
  local name = vim.api.nvim_buf_get_name(bufnr)
  local folder = name ~= '' and vim.fs.dirname(name) or vim.fn.getcwd()
  local root = vim.fs.find(config.root_markers, { path = folder, upward = true })[1]
  config.root_dir = root and vim.fs.dirname(root) or folder
  vim.lsp.start(config, { bufnr = bufnr, silent = true, reuse_client = reuse })
end

local attach = vim.api.nvim_create_augroup('inlined.attach', { clear = true })

-- The one place where ghost text is turned on, whoever started the daemon.  What is paused or off
-- for a file type is decided by each question (wants()).
vim.api.nvim_create_autocmd('LspAttach', {
  group = attach,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'inlined' then
      drawer().attach(event.buf, client)
      require('inlined.diagnostics').changed(event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('DiagnosticChanged', {
  group = attach,
  callback = function(event)
    require('inlined.diagnostics').changed(event.buf)
  end,
})

local function start_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.bo[bufnr].buflisted then
      M.start(bufnr)
    end
  end
end

--- Asks again in insert mode: there is news, such as a loaded model.
function M.refresh()
  local bufnr = vim.api.nvim_get_current_buf()
  if M.client(bufnr) and vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
    drawer().refresh(bufnr)
  end
end

--- No request is sent until resume().
function M.pause()
  paused = true
  each_attached(function(bufnr, client)
    drawer().hide(bufnr, client)
  end)
  require('inlined.status').changed()
end

function M.resume()
  paused = false
  start_all()
  M.refresh()
  require('inlined.status').changed()
end

---@return boolean
function M.is_paused()
  return paused
end

local function is_gone(client)
  return vim.lsp.get_client_by_id(client.id) == nil
end

-- Calls `act` once none of `clients` runs; the last means is to kill them.
local function when_stopped(clients, tries, act)
  if vim.iter(clients):all(is_gone) then
    act()
  elseif tries == 0 then
    for _, client in ipairs(clients) do
      compat.stop(client, true)
    end
    act()
  else
    vim.defer_fn(function()
      when_stopped(clients, tries - 1, act)
    end, 50)
  end
end

--- Stops the daemon and starts it again, for all files.
function M.restart()
  told_missing = false
  local old = vim.lsp.get_clients({ name = 'inlined' })
  each_attached(function(bufnr, client)
    drawer().hide(bufnr, client)
  end)
  local by_user = enabled_by_user()
  if by_user then
    vim.lsp.enable('inlined', false)
  end
  for _, client in ipairs(old) do
    compat.stop(client)
  end
  when_stopped(old, 100, function()
    if by_user then
      vim.lsp.enable('inlined', true)
    end
    start_all()
  end)
end

-- ---- for keys ----------------------------------------------------------------------------------

--- Inserts the shown text.  False when nothing is shown, so that a mapping can fall back.
---@return boolean
function M.accept()
  return drawer().accept(nil)
end

--- The same for its first word.
---@return boolean
function M.accept_word()
  return drawer().accept(suggestion.first_word)
end

--- The same for its first line.
---@return boolean
function M.accept_line()
  return drawer().accept(suggestion.first_line)
end

--- Hides the shown text until the next change.
---@return boolean
function M.dismiss()
  return drawer().dismiss()
end

--- Shows another candidate, where the daemon sent several.
---@param count? integer
function M.cycle(count)
  drawer().cycle(count or 1)
end

--- One short text for a statusline.
---@return string
function M.statusline()
  return require('inlined.status').line(vim.api.nvim_get_current_buf())
end

return M
