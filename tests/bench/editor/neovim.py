# SPDX-License-Identifier: Apache-2.0
"""A Neovim with this process as its screen: keys go in, and cells with ghost text come out.

The clock stops when the `flush` after the last cell is read, which is when a terminal would draw.
"""
import os
import pathlib
import select
import shutil
import subprocess
import time

from msgpack_rpc import Reader, pack

TOP = pathlib.Path(__file__).resolve().parents[3]
GHOST_COLOUR = 0x6f9ec4
INIT = """
vim.o.termguicolors, vim.o.shortmess, vim.o.swapfile = true, vim.o.shortmess .. 'I', false
for _, group in ipairs({{ 'ComplHint', 'InlinedGhost' }}) do
  vim.api.nvim_set_hl(0, group, {{ fg = '#6f9ec4' }})
end
local function now()
  local t = vim.uv.clock_gettime('realtime')
  return t.sec * 1e6 + math.floor(t.nsec / 1e3)
end
sent, got = 0, 0
vim.api.nvim_create_autocmd('LspRequest', {{ callback = function(event)
  local request = event.data.request
  if request.method == 'textDocument/inlineCompletion' then
    if request.type == 'pending' then sent = now() end
    if request.type == 'complete' then got = now() end
  end
end }})
require('inlined').setup({{
  cmd = {{ {command} }},
  keys = {{ dismiss = '<C-]>' }},
  settings = {{ completion = {{ timeBudgetMs = 0, confidence = 0, cutBelow = 0 }} }},
}})
"""


class Neovim:
    COLUMNS, ROWS = 100, 60

    def __init__(self, nvim, folder, command):
        home = pathlib.Path(folder)
        plugin = home / "data/nvim/site/pack/inlined/start/inlined"
        shutil.copytree(TOP / "editors/nvim", plugin)
        words = ", ".join("'" + word + "'" for word in command)
        (home / "config/nvim").mkdir(parents=True)
        (home / "config/nvim/init.lua").write_text(INIT.format(command=words), encoding="utf-8")
        data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
        (home / "data/inlined").mkdir(parents=True)
        (home / "data/inlined/models").symlink_to(os.path.join(data, "inlined/models"))
        env = {**os.environ, **{f"XDG_{name}_HOME": str(home / name.lower())
                                for name in ("CONFIG", "DATA", "STATE", "CACHE")},
               "XDG_RUNTIME_DIR": str(home)}
        self.process = subprocess.Popen([nvim, "--embed", "-n", "-i", "NONE"], env=env, bufsize=0,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reader, self.id, self.answers = Reader(), 0, {}
        self.ghost_ids, self.cells, self.painted = set(), {}, 0
        self.call("nvim_ui_attach", self.COLUMNS, self.ROWS, {"rgb": True, "ext_linegrid": True})

    # ---- messages -------------------------------------------------------------------------------

    def read(self, timeout):
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        if not ready:
            return
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        now = time.time_ns()
        if not data:
            raise RuntimeError("Neovim has ended")
        for message in self.reader.feed(data):
            if message[0] == 1:
                self.answers[message[1]] = message[2:]
            elif message[0] == 2 and message[1] == "redraw":
                self.redraw(message[2], now)

    def call(self, method, *args):
        self.id += 1
        self.process.stdin.write(pack([0, self.id, method, list(args)]))
        while self.id not in self.answers:
            self.read(10)
        error, result = self.answers.pop(self.id)
        if error:
            raise RuntimeError(f"{method}: {error}")
        return result

    def lua(self, code, *args):
        return self.call("nvim_exec_lua", code, list(args))

    def keys(self, text):
        """Sends keys and returns when: nanoseconds of the wall clock."""
        now = time.time_ns()
        self.call("nvim_input", text)
        return now

    # ---- the screen -----------------------------------------------------------------------------

    def redraw(self, events, now):
        for name, *calls in events:
            for args in calls:
                if name == "hl_attr_define":
                    (self.ghost_ids.add if args[1].get("foreground") == GHOST_COLOUR
                     else self.ghost_ids.discard)(args[0])
                elif name == "grid_line":
                    self.line(*args[1:4])
                elif name in ("grid_clear", "grid_scroll"):
                    self.cells = {}
                elif name == "flush" and bool(self.ghost()) != bool(self.painted):
                    self.painted = now if self.ghost() else 0

    def line(self, row, col, cells):
        highlight = 0
        for cell in cells:
            highlight = cell[1] if len(cell) > 1 else highlight
            for _ in range(cell[2] if len(cell) > 2 else 1):
                self.cells[row, col] = (cell[0], highlight)
                col += 1

    def ghost(self):
        """The ghost text on the screen, without blanks at its ends."""
        return "".join(t for _, (t, h) in sorted(self.cells.items()) if h in self.ghost_ids).strip()

    def until(self, see, seconds):
        end = time.monotonic() + seconds
        while not see():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.read(min(left, 0.05))
        return True

    def settle(self, seconds):
        self.until(lambda: False, seconds)

    # ---- what is measured -----------------------------------------------------------------------

    def place(self, path, before, after):
        """The file with these words around the cursor, in insert mode and with nothing shown."""
        self.keys("<Esc>")
        self.lua("""
            local path, lines, row, col = ...
            if vim.api.nvim_buf_get_name(0) ~= path then vim.cmd.edit({ path, bang = true }) end
            vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)
            vim.api.nvim_win_set_cursor(0, { row, col })
        """, path, (before + after).split("\n"), before.count("\n") + 1,
                 max(0, len(before.rsplit("\n", maxsplit=1)[-1]) - 1))
        self.keys("a")
        self.settle(0.6)
        shown = self.ghost()
        self.keys("<C-]>")
        self.settle(0.2)
        return shown

    def press(self, key, seconds=8):
        """Microseconds of the wall clock: pressed, sent, got, painted; None when nothing came."""
        if self.painted:
            return None
        pressed = self.keys(key)
        if not self.until(lambda: self.painted, seconds):
            return None
        painted = self.painted
        sent, got = self.lua("return { sent, got }")
        return pressed / 1e3, sent, got, painted / 1e3

    def wait_ready(self, path):
        self.call("nvim_command", "edit " + path)
        ready = "local s = require('inlined.status').get(0) return s ~= nil and s.state == 'ready'"
        end = time.monotonic() + 60
        while not self.lua(ready):
            if time.monotonic() > end:
                raise RuntimeError("the model is not ready after 60 s")
            self.settle(0.1)

    def end(self):
        self.process.stdin.write(pack([2, "nvim_command", ["qall!"]]))
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
