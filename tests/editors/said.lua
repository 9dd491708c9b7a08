-- SPDX-License-Identifier: Apache-2.0
-- What the tests in real editors say, and how they compare.
local M = {}

local began = vim.uv.hrtime()

function M.skip(why)
  io.write('SKIP: ', why, '\n')
  os.exit(77)
end

function M.passed(what)
  io.write(('ok  %5.1f s  %s\n'):format((vim.uv.hrtime() - began) / 1e9, what))
end

function M.equal(got, want, what)
  if not vim.deep_equal(got, want) then
    error(('%s\n got: %s\nwant: %s'):format(what, vim.inspect(got), vim.inspect(want)), 2)
  end
end

function M.read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('a')
  file:close()
  return text
end

return M
