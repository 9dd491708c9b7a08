-- SPDX-License-Identifier: Apache-2.0
-- A real Neovim as a child process, driven over msgpack-RPC as a user would: keys go in by
-- nvim_input, and what the user sees comes out of buffers, extmarks and the screen's own cells.
-- Nothing waits for a fixed time: wait() polls a condition and fails with what it saw last.
local Child = {}
Child.__index = Child

local uv = vim.uv
-- What a model computes takes long on a machine with other work; so may the end of a process.
local WAIT_MS, END_MS = 120000, 60000

local function seconds()
  return uv.hrtime() / 1e9
end

--- Makes FOLDER/NAME with TEXT and returns its path.
function Child.write(folder, name, text)
  local path = folder .. '/' .. name
  vim.fn.mkdir(vim.fs.dirname(path), 'p')
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
  return path
end

--- Copies the files of a folder, and of those in it.
function Child.copy_tree(from, to)
  for name, kind in vim.fs.dir(from, { depth = 8 }) do
    if kind == 'directory' then
      vim.fn.mkdir(to .. '/' .. name, 'p')
    else
      vim.fn.mkdir(vim.fs.dirname(to .. '/' .. name), 'p')
      assert(uv.fs_copyfile(from .. '/' .. name, to .. '/' .. name))
    end
  end
end

--- Starts `nvim` with a home of its own under `folder`, in which the plugin lies where
--- `./bootstrap install` puts it and `init` is the user's init.lua.
--- `programs` goes before PATH, `models` is the folder with the daemon's models, `env` more variables.
---@param spec table { nvim, folder, plugin?, init, programs?, models?, env? }
function Child.start(spec)
  local self = setmetatable({ folder = spec.folder }, Child)
  for _, name in ipairs({ 'config/nvim', 'state', 'cache', 'run', 'data/nvim', 'data/inlined' }) do
    vim.fn.mkdir(spec.folder .. '/' .. name, 'p')
  end
  self.plugin = spec.folder .. '/data/nvim/site/pack/inlined/start/inlined'
  vim.fn.delete(self.plugin, 'rf')
  if spec.plugin then
    Child.copy_tree(spec.plugin, self.plugin)
  end
  if spec.models then
    uv.fs_symlink(spec.models, spec.folder .. '/data/inlined/models')
  end
  Child.write(spec.folder .. '/config/nvim', 'init.lua', spec.init)
  self.job = vim.fn.jobstart({ spec.nvim, '--embed', '--headless', '-n', '-i', 'NONE' }, {
    rpc = true,
    cwd = spec.folder,
    env = vim.tbl_extend('error', spec.env or {}, {
      PATH = (spec.programs and spec.programs .. ':' or '') .. vim.env.PATH,
      XDG_CONFIG_HOME = spec.folder .. '/config',
      XDG_DATA_HOME = spec.folder .. '/data',
      XDG_STATE_HOME = spec.folder .. '/state',
      XDG_CACHE_HOME = spec.folder .. '/cache',
      XDG_RUNTIME_DIR = spec.folder .. '/run',
      NVIM_APPNAME = 'nvim',
    }),
    on_exit = function(_, code)
      self.code = code
    end,
    on_stderr = function(_, data)
      io.stderr:write(table.concat(data, '\n'))
    end,
  })
  assert(self.job > 0, 'cannot start ' .. spec.nvim)
  self.pid = vim.fn.jobpid(self.job)
  return self
end

--- Calls an API function of the child.  A child that waits for a key would block us for ever.
function Child:call(name, ...)
  assert(not self.code, 'Neovim has ended')
  local mode = vim.rpcrequest(self.job, 'nvim_get_mode')
  if mode.blocking and name ~= 'nvim_input' then
    vim.rpcrequest(self.job, 'nvim_input', '<CR>')
    error('Neovim waits for a key (mode ' .. mode.mode .. '): ' .. tostring(self:messages()))
  end
  return vim.rpcrequest(self.job, name, ...)
end

--- Runs Lua in the child; `...` are its arguments.
function Child:lua(code, ...)
  return self:call('nvim_exec_lua', code, { ... })
end

--- Runs an ex command and returns what it printed.
function Child:command(text)
  return self:call('nvim_exec2', text, { output = true }).output
end

function Child:messages()
  return vim.rpcrequest(self.job, 'nvim_exec2', 'messages', { output = true }).output
end

--- Types keys.  They are processed before the next call() is answered.
function Child:keys(text)
  self:call('nvim_input', text)
end

--- Waits until `see` returns something true and returns that.
function Child:wait(what, see, ms)
  local most = (ms or WAIT_MS) / 1000
  local limit = seconds() + most
  while true do
    local seen = see()
    if seen then
      return seen
    end
    if seconds() > limit then
      error(('waited %.0f s in vain for %s\n%s'):format(most, what, self:report()), 2)
    end
    vim.wait(10)
  end
end

--- Fails when `see` becomes true within `ms`: for what must not happen.
function Child:never(what, see, ms)
  local limit = seconds() + ms / 1000
  while seconds() < limit do
    if see() then
      error(what .. '\n' .. self:report(), 2)
    end
    vim.wait(10)
  end
end

--- For a failure: the state of everything that a reader would ask for.
function Child:report()
  if self.code then
    return 'Neovim has ended with ' .. self.code
  end
  local text = {
    'mode ' .. vim.inspect(self:call('nvim_get_mode')),
    'cursor ' .. vim.inspect(self:call('nvim_win_get_cursor', 0)),
    'status ' .. vim.inspect({ pcall(self.lua, self, [[return require('inlined.status').get()]]) }),
    'ghost ' .. vim.inspect(self:ghost()),
    'messages ' .. self:messages(),
    'buffer:',
  }
  vim.list_extend(text, self:call('nvim_buf_get_lines', 0, 0, -1, false))
  return table.concat(text, '\n')
end

-- Ghost text as the extmark has it: nil or { text, row, col, pos }.
local GHOST = [[
  for _, name in ipairs({ 'nvim.lsp.inline_completion', 'inlined.ghost' }) do
    local ns = vim.api.nvim_get_namespaces()[name]
    local marks = ns and vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true }) or {}
    if #marks > 1 then error('two ghosts: ' .. vim.inspect(marks)) end
    if marks[1] then
      local function join(chunks)
        return table.concat(vim.tbl_map(function(chunk) return chunk[1] end, chunks))
      end
      local lines = { join(marks[1][4].virt_text or {}) }
      for _, line in ipairs(marks[1][4].virt_lines or {}) do lines[#lines + 1] = join(line) end
      local text = table.concat(lines, '\n')
      if text ~= '' then
        return { text = text, row = marks[1][2], col = marks[1][3],
          pos = marks[1][4].virt_text_pos, namespace = name }
      end
    end
  end
]]

--- The ghost text that is on screen, or nil.
function Child:ghost()
  local ghost = self:lua(GHOST)
  return ghost ~= vim.NIL and ghost or nil
end

--- Waits for ghost text (other than `not_text`) and returns it.
function Child:wait_ghost(not_text)
  return self:wait('ghost text', function()
    local ghost = self:ghost()
    return ghost and ghost.text ~= not_text and ghost
  end)
end

function Child:wait_no_ghost()
  self:wait('the ghost text to go', function()
    return not self:ghost()
  end)
end

--- The whole text and the cursor's byte in it.
function Child:text()
  local lines = self:call('nvim_buf_get_lines', 0, 0, -1, false)
  local cursor = self:call('nvim_win_get_cursor', 0)
  local before = vim.list_slice(lines, 1, cursor[1] - 1)
  local byte = #table.concat(before, '\n') + (#before > 0 and 1 or 0) + cursor[2]
  return table.concat(lines, '\n'), byte
end

--- Process ids of what the child started.
function Child:processes()
  return self:call('nvim_get_proc_children', self.pid)
end

local function is_alive(pid)
  local stat = io.open('/proc/' .. pid .. '/stat')
  if not stat then
    return uv.kill(pid, 0) == 0
  end
  local text = stat:read('a') -- nil when the process ends between these two lines
  stat:close()
  return text ~= nil and text:match('%) (%a)') ~= 'Z'
end

--- Waits until none of these processes runs.
function Child.wait_dead(pids)
  local limit = seconds() + END_MS / 1000
  for _, pid in ipairs(pids) do
    while is_alive(pid) do
      assert(seconds() < limit, 'process ' .. pid .. ' outlives Neovim')
      vim.wait(10)
    end
  end
end

--- The daemons that were started with this child's runtime folder.
function Child:daemons()
  local found = {}
  for _, name in ipairs(vim.fn.glob('/proc/[0-9]*/environ', true, true)) do
    local function read(file)
      local handle = io.open((name:gsub('environ$', file)), 'rb')
      local text = handle and handle:read('a')
      _ = handle and handle:close()
      return text or ''
    end
    local ours = 'XDG_RUNTIME_DIR=' .. self.folder .. '/run\0'
    if read('environ'):find(ours, 1, true) and read('cmdline'):find('\0--listen\0', 1, true) then
      found[#found + 1] = tonumber(name:match('%d+'))
    end
  end
  return found
end

--- The daemon outlives its editors by minutes; tests do not wait for that.
function Child:end_daemons()
  local pids = self:daemons()
  for _, pid in ipairs(pids) do
    uv.kill(pid, 'sigterm')
  end
  Child.wait_dead(pids)
end

--- Ends Neovim as a user does and returns its exit code.
function Child:quit()
  vim.rpcnotify(self.job, 'nvim_command', 'qall!')
  if vim.fn.jobwait({ self.job }, END_MS)[1] == -1 then
    self:kill()
    error(('Neovim did not end within %d s'):format(END_MS / 1000))
  end
  vim.wait(END_MS, function()
    return self.code ~= nil
  end)
  self:end_daemons()
  return self.code
end

--- Ends Neovim as the out-of-memory killer does.
function Child:kill()
  if not self.code then
    uv.kill(self.pid, 'sigkill')
    vim.fn.jobwait({ self.job }, END_MS)
  end
  self:end_daemons()
end

return Child
