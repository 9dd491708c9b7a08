-- SPDX-License-Identifier: Apache-2.0
-- The recipes of docs/EDITORS.md, so that the tests run what the page says.
local top = vim.fs.normalize(debug.getinfo(1, 'S').source:match('^@(.*)/[^/]*$') .. '/../..')

--- The first block of code behind the line that begins with `words`.
---@param words string
---@return string
return function(words)
  local file = assert(io.open(top .. '/docs/EDITORS.md', 'rb'))
  local page = file:read('a')
  file:close()
  local _, after = page:find('\n' .. words, 1, true)
  assert(after, 'docs/EDITORS.md has no "' .. words .. '"')
  return (assert(page:match('\n```%a+\n(.-)\n```\n', after), words))
end
