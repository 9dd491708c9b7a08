-- SPDX-License-Identifier: Apache-2.0
-- One suggestion as bytes of a line: what of it is not typed yet, and how it gets into the buffer.
-- Both ways of drawing share this, so accepting a part of it is the same everywhere.
local M = {}

local api = vim.api

---@class inlined.Suggestion
---@field text string What belongs at `from`.
---@field row integer Line, from 0.
---@field from integer Byte of the line where `text` begins.
---@field swallow integer Bytes right of the cursor that `text` replaces.
---@field right? string The line right of the cursor when it was made; nil: not known.
---@field command? lsp.Command To run once all of it is in the buffer.

--- What the user has not typed yet at the cursor, or nil when the line left the suggestion's path.
---@param s inlined.Suggestion
---@param bufnr integer
---@param row integer Cursor, from 0.
---@param col integer
---@return string?
function M.rest(s, bufnr, row, col)
  if row ~= s.row or col < s.from then
    return nil
  end
  local line = api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  if s.right and line:sub(col + 1) ~= s.right then
    return nil
  end
  local typed = line:sub(s.from + 1, col)
  if #typed >= #s.text or s.text:sub(1, #typed) ~= typed then
    return nil
  end
  return s.text:sub(#typed + 1)
end

--- First word of `text` with the blanks before it: what "accept a word" takes.
---@param text string
function M.first_word(text)
  return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w%s_\128-\255]+') or text
end

--- First line of `text`; when it starts with line breaks, these and the first line with text.
---@param text string
function M.first_line(text)
  return text:match('^%s*\n[^\n]*') or text:match('^[^\n]*')
end

-- Puts `text` in place of `swallow` bytes at the cursor of the current window, in a change of its
-- own: one undo takes back the suggestion and not the typing before it.
local function insert(row, col, swallow, text)
  vim.go.undolevels = vim.go.undolevels
  local line = api.nvim_buf_get_lines(0, row, row + 1, false)[1] or ''
  local lines = vim.split(text, '\n', { plain = true })
  api.nvim_buf_set_text(0, row, col, row, math.min(#line, col + swallow), lines)
  local last_col = (#lines == 1 and col or 0) + #lines[#lines]
  api.nvim_win_set_cursor(0, { row + #lines, last_col })
  vim.go.undolevels = vim.go.undolevels
end

--- Accepts what `cut` leaves of the suggestion (all of it without `cut`).  Returns what remains of
--- it as a suggestion for the new cursor, or nil when nothing does.
---@param s inlined.Suggestion
---@param cut? fun(text: string): string
---@return boolean accepted False: the text left its path, nothing was done.
---@return inlined.Suggestion? remains
function M.accept(s, cut)
  local bufnr = api.nvim_get_current_buf()
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local rest = M.rest(s, bufnr, row - 1, col)
  if not rest then
    return false, nil
  end
  local part = cut and cut(rest) or rest
  if part == rest then
    insert(row - 1, col, s.swallow, rest)
    return true, nil
  end
  insert(row - 1, col, 0, part)
  local new_row, new_col = unpack(api.nvim_win_get_cursor(0))
  return true,
    {
      text = rest:sub(#part + 1),
      row = new_row - 1,
      from = new_col,
      swallow = s.swallow,
      right = s.right,
      command = s.command,
    }
end

return M
