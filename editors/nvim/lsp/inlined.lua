-- SPDX-License-Identifier: Apache-2.0
-- The server's entry for Neovim 0.11 and newer: `vim.lsp.enable('inlined')`, for those who start
-- all their servers that way.  Loading it also turns ghost text on where the server attaches.
return require('inlined').server_config()
