-- SPDX-License-Identifier: Apache-2.0
-- Loaded at start-up: one command and one autocommand, everything else waits for the first file.
if vim.g.loaded_inlined then
  return
end
vim.g.loaded_inlined = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify_once('inlined: Neovim 0.10 or newer is needed', vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('Inlined', function(args)
  local lines = args.range > 0 and { args.line1, args.line2 } or nil
  require('inlined.command').run(args.fargs, lines)
end, {
  nargs = '*',
  range = true,
  desc = 'inlined: status, explain, review, commit, cancel, doctor, models, log, pause, ...',
  complete = function(lead)
    return require('inlined.command').complete(lead)
  end,
})

vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'InsertEnter' }, {
  group = vim.api.nvim_create_augroup('inlined.start', { clear = true }),
  callback = function(event)
    require('inlined').start(event.buf)
  end,
})
