-- SPDX-License-Identifier: Apache-2.0
-- What differs between Neovim 0.10 and newer: clients got methods in 0.11, and a few functions
-- moved.
local M = {}

local methods = vim.fn.has('nvim-0.11') == 1

local function call(client, name, ...)
  if methods then
    return client[name](client, ...)
  end
  return client[name](...)
end

--- Returns whether it was sent, and the id to cancel it with.
function M.request(client, method, params, handler, bufnr)
  return call(client, 'request', method, params, handler, bufnr)
end

function M.notify(client, method, params)
  return call(client, 'notify', method, params)
end

function M.cancel(client, id)
  return call(client, 'cancel_request', id)
end

function M.stop(client, force)
  return call(client, 'stop', force)
end

function M.is_stopped(client)
  return call(client, 'is_stopped')
end

--- Byte offset in `line` of a `character` of the protocol; one beyond the end is the end.
function M.byte_col(line, character, encoding)
  if methods then
    return vim.str_byteindex(line, encoding, character, false)
  end
  return vim.lsp.util._str_byteindex_enc(line, character, encoding)
end

--- The reverse, for the end of `line`: its length in units of the protocol.
function M.character(line, encoding)
  if methods then
    return vim.str_utfindex(line, encoding)
  end
  return vim.lsp.util._str_utfindex_enc(line, nil, encoding)
end

--- What a configuration's `capabilities` must be so that `more` is announced.
function M.capabilities(more)
  if methods then
    return more -- merged by Neovim
  end
  return vim.tbl_deep_extend('force', vim.lsp.protocol.make_client_capabilities(), more)
end

function M.log_path()
  return require('vim.lsp.log').get_filename()
end

return M
