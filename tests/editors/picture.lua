-- SPDX-License-Identifier: Apache-2.0
-- A picture of a Neovim screen: its cells, with the colours that Neovim computed, as an SVG.
local M = {}

local CELL_W, CELL_H, PAD, BAR = 8.4, 19, 16, 26
local FONT = 'DejaVu Sans Mono, Menlo, Consolas, monospace'

local function colour(value, default)
  return value and ('#%06x'):format(value) or default
end

local function escape(text)
  return (text:gsub('[&<>]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;' }))
end

-- Cells of one row with equal looks, joined: { col, width, text, fg, bg, bold, italic }.
local function spans(child, grid, row, columns, default)
  local found = {}
  for col = 0, columns - 1 do
    local cell = child:call('nvim__inspect_cell', grid, row, col)
    local text, attr = cell[1], cell[2]
    local fg, bg = colour(attr.foreground, default.fg), colour(attr.background, default.bg)
    if attr.reverse then
      fg, bg = bg, fg
    end
    local look = table.concat({ fg, bg, tostring(attr.bold), tostring(attr.italic) }, ' ')
    local last = found[#found]
    if last and last.look == look then
      last.text = last.text .. text
      last.width = last.width + 1
    else
      found[#found + 1] = {
        look = look,
        col = col,
        width = 1,
        text = text,
        fg = fg,
        bg = bg,
        bold = attr.bold,
        italic = attr.italic,
      }
    end
  end
  return found
end

-- `covers`: what lies below does not shine through.
local function draw_span(out, span, left, y, default, covers)
  local x, width = left + span.col * CELL_W, span.width * CELL_W
  if covers or span.bg ~= default.bg then
    out[#out + 1] = ('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>'):format(
      x, y, width, CELL_H, span.bg)
  end
  if span.text:match('^%s*$') then
    return
  end
  local text = span.text:gsub('%s+$', '')
  local look = (span.bold and ' font-weight="bold"' or '')
    .. (span.italic and ' font-style="italic"' or '')
  local length = vim.fn.strdisplaywidth(text) * CELL_W
  local shape = '<text x="%.1f" y="%d" fill="%s"%s xml:space="preserve" textLength="%.1f">%s</text>'
  out[#out + 1] = shape:format(x, y + CELL_H - 5, span.fg, look, length, escape(text))
end

-- Floating windows: their grid, place and size with the border.  Neovim does not say which grid is
-- whose, so it is found by its size.
local function floats(child)
  local found = child:lua([[
    local found = {}
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      local config = vim.api.nvim_win_get_config(window)
      if config.relative ~= '' then
        local border = config.border and config.border ~= 'none' and 2 or 0
        local place = vim.api.nvim_win_get_position(window)
        found[#found + 1] = { row = place[1], col = place[2],
          rows = config.height + border, columns = config.width + border }
      end
    end
    return found
  ]])
  local function has(grid, row, col)
    local there, cell = pcall(child.call, child, 'nvim__inspect_cell', grid, row, col)
    return there and cell[1] ~= nil
  end
  for _, float in ipairs(found) do
    for grid = 2, 200 do
      if has(grid, float.rows - 1, float.columns - 1) and not has(grid, float.rows, 0)
        and not has(grid, 0, float.columns) then
        float.grid = grid
      end
    end
    assert(float.grid, 'no grid is as large as the floating window')
  end
  return found
end

--- Writes the child's screen, less its command line, to `path`, with a cursor where it stands.
---@param child table
---@param path string
---@param title string
function M.write(child, path, title)
  child:command('redraw!')
  local size = child:lua([[return { vim.o.columns, vim.o.lines }]])
  local columns, rows = size[1], size[2] - 1
  local normal = child:call('nvim_get_hl', 0, { name = 'Normal' })
  local default = { fg = colour(normal.fg, '#d7dae0'), bg = colour(normal.bg, '#21252b') }
  local width = math.floor(columns * CELL_W + 2 * PAD)
  local height = rows * CELL_H + PAD + BAR
  local out = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'):format(
      width, height, width, height),
    '<title>' .. escape(title) .. '</title>',
    ('<rect width="%d" height="%d" rx="8" fill="%s"/>'):format(width, height, default.bg),
  }
  for i, shade in ipairs({ '#e06c75', '#e5c07b', '#98c379' }) do
    out[#out + 1] = ('<circle cx="%d" cy="14" r="5" fill="%s"/>'):format(PAD + 18 * i - 12, shade)
  end
  out[#out + 1] = ('<g font-family="%s" font-size="14">'):format(FONT)
  for row = 0, rows - 1 do
    for _, span in ipairs(spans(child, 1, row, columns, default)) do
      draw_span(out, span, PAD, BAR + row * CELL_H, default, false)
    end
  end
  for _, float in ipairs(floats(child)) do
    for row = 0, float.rows - 1 do
      for _, span in ipairs(spans(child, float.grid, row, float.columns, default)) do
        draw_span(out, span, PAD + float.col * CELL_W, BAR + (float.row + row) * CELL_H, default, true)
      end
    end
  end
  local at = child:lua([[return { vim.fn.screenrow(), vim.fn.screencol() }]])
  out[#out + 1] = ('<rect x="%.1f" y="%d" width="2" height="%d" fill="#c678dd"/>'):format(
    PAD + (at[2] - 1) * CELL_W - 1, BAR + (at[1] - 1) * CELL_H, CELL_H)
  vim.list_extend(out, { '</g>', '</svg>', '' })
  vim.fn.mkdir(vim.fs.dirname(path), 'p')
  local file = assert(io.open(path, 'wb'))
  file:write(table.concat(out, '\n'))
  file:close()
end

return M
