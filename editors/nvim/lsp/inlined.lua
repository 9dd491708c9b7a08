-- SPDX-License-Identifier: Apache-2.0
-- The server's entry for Neovim 0.11 and newer: `vim.lsp.enable('inlined')`.  Works without the rest
-- of the plugin too; the rest only adds ghost text before 0.12, commands and the health check.
return require('inlined').server_config()
