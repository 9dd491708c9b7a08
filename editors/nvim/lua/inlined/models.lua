-- SPDX-License-Identifier: Apache-2.0
-- :Inlined models: chooses the daemon's model, fetching it first where it is not here yet.
local M = {}

local function tell(text, level)
  vim.notify('inlined: ' .. text, level or vim.log.levels.INFO)
end

-- Runs the daemon's program with `...`; `act` gets what it printed, in the main loop.
local function run(act, ...)
  local argv = { require('inlined').server_config().cmd[1], ... }
  local function on_done(done)
    if done.code == 0 then
      act(done.stdout)
    else
      local lines = vim.split(vim.trim(done.stderr or ''), '\n')
      tell(lines[#lines], vim.log.levels.ERROR)
    end
  end
  local started, why = pcall(vim.system, argv, { text = true }, vim.schedule_wrap(on_done))
  if not started then
    local text = ('%s does not start: %s'):format(argv[1], tostring(why):match('[^\n]*'))
    tell(text, vim.log.levels.ERROR)
  end
end

--- The setting `model`, for running daemons and those that start later.
function M.use(name)
  require('inlined').setup({ settings = { model = name } })
  for _, client in ipairs(vim.lsp.get_clients({ name = 'inlined' })) do
    client.settings = vim.tbl_deep_extend('force', client.settings or {}, {
      inlined = { model = name },
    })
    local params = { settings = client.settings }
    require('inlined.compat').notify(client, 'workspace/didChangeConfiguration', params)
  end
  tell('the model is now ' .. name)
end

local function fetch(name)
  tell('fetching ' .. name .. ', which may take minutes')
  run(function()
    M.use(name)
  end, 'models', 'pull', name)
end

local function take(model)
  if model.present then
    M.use(model.name)
  else
    fetch(model.name)
  end
end

local function describe(model)
  local here = model.present and 'here'
    or model.bytes and ('to fetch, %d MB'):format(model.bytes / 1e6)
    or 'to fetch'
  return ('%s  %s  %s'):format(model.name, model.tier, here)
end

--- Asks by vim.ui.select, unless `name` says which.
---@param name string
function M.choose(name)
  run(function(text)
    local fine, list = pcall(vim.json.decode, text, { luanil = { object = true } })
    local models = fine and type(list) == 'table' and list.models
    if type(models) ~= 'table' then
      tell('the list of models cannot be read', vim.log.levels.ERROR)
      return
    end
    for _, model in ipairs(models) do
      if model.name == name then
        take(model)
        return
      end
    end
    if name ~= '' then
      tell(('there is no model "%s"'):format(name), vim.log.levels.ERROR)
      return
    end
    local look = { prompt = 'inlined: model', kind = 'inlined_model', format_item = describe }
    vim.ui.select(models, look, function(model)
      if model then
        take(model)
      end
    end)
  end, 'models', 'list', '--json')
end

return M
