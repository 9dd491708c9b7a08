#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Editors for which we have a recipe and no plugin: each starts with exactly the recipe that
docs/EDITORS.md has, the daemon and the real model, in a terminal.

    others.py helix|eglot|lsp-mode|ale BUILD FETCHED FOLDER

FETCHED is the folder of install_editors.sh.  Where the client asks for inline completion, ghost
text must come; where it does not, the suggestion in the menu of completions.  Each ends without the
server that it started left behind.
"""
import contextlib
import glob
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from terminal import Terminal

TOP = pathlib.Path(__file__).resolve().parents[2]
# Type `TYPED` at the end of this file, and the model goes on.
TEXT = (TOP / "tests/demo/samples/inventory.py").read_text(encoding="utf-8") + """

def most_expensive(items: list[Item]) -> Item:
    return"""
TYPED = " m"
WANTED = "return m"


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def recipe(heading, language):
    """The blocks of code in this language under a heading of docs/EDITORS.md, joined."""
    page = (TOP / "docs/EDITORS.md").read_text(encoding="utf-8")
    section = re.search(rf"(?ms)^### {re.escape(heading)}\n(.*?)(?=^##)", page).group(1)
    blocks = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", section)
    assert blocks, f"docs/EDITORS.md has no {language} under {heading}"
    return "\n".join(blocks)


class Case:
    def __init__(self, build, fetched, folder):
        self.fetched, self.folder = pathlib.Path(fetched), pathlib.Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        self.file = self.folder / "project/inventory.py"
        self.file.parent.mkdir(parents=True)
        (self.file.parent / ".git").mkdir()
        self.file.write_text(TEXT, encoding="utf-8")
        data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
        models = os.path.join(data, "inlined/models")
        if not glob.glob(models + "/inlined-fim-135m*"):
            skip("no model here; fetch it with: build/inlined models pull default")
        (self.folder / "data/inlined").mkdir(parents=True)
        (self.folder / "data/inlined/models").symlink_to(models)
        (self.folder / "bin").mkdir()
        # The daemon by a name of its own, so that it can be told from those of other tests.
        self.daemon = self.folder / "bin/inlined"
        self.daemon.symlink_to(os.path.join(build, "inlined"))
        self.env = {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"),
                    "XDG_DATA_HOME": str(self.folder / "data"), "LC_ALL": "C.UTF-8",
                    "XDG_CACHE_HOME": str(self.folder / "cache"), "TERM": "screen-256color",
                    "XDG_RUNTIME_DIR": str(self.folder),
                    "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        self.terminal = None

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def start(self, *argv):
        self.terminal = Terminal(str(self.folder), argv, self.env)
        return self.terminal

    def processes(self, option):
        """Process ids of `inlined OPTION` with our home: --stdio is what the editor started,
        --listen the user's daemon behind it, which waits for other editors when this one ends."""
        found = subprocess.run(["pgrep", "-f", f"inlined {option}"], capture_output=True, text=True,
                               check=False).stdout.split()
        mine = []
        for pid in found:
            try:
                environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                if f"HOME={self.folder}\0".encode() in environment:
                    mine.append(int(pid))
            except OSError:
                pass
        return mine

    def wait_daemon(self):
        self.terminal.wait("the daemon", lambda: self.processes("--stdio"))

    def end(self, quit_keys):
        """The editor ends by these keys, and what it started with it."""
        self.terminal.end(quit_keys)
        limit = time.monotonic() + 60
        while self.processes("--stdio"):
            assert time.monotonic() < limit, f"it left {self.processes('--stdio')}"
            time.sleep(0.1)

    def tidy(self):
        """Whatever happened: nothing of ours stays, the user's daemon included."""
        if self.terminal:
            self.terminal.kill()
        for pid in self.processes("--listen") + self.processes("--stdio"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def line(self, begin):
        """The line of the screen that holds `begin`, from there; "" when there is none."""
        for line in self.terminal.screen():
            if begin in line:
                return line[line.index(begin):]
        return ""


def escape_and_type(t, command):
    t.keys("Escape")
    time.sleep(0.5)  # else a terminal takes both keys for one with Alt
    t.type(command)
    t.keys("Enter")


# ---- Helix: completions in its menu, and the menu of code actions --------------------------------

def helix(case):
    program = case.fetched / "bin/hx"
    if not program.exists():
        skip(f"there is no Helix at {program}; ./bootstrap test fetches it where it can")
    case.write("config/helix/languages.toml", recipe("Helix", "toml"))
    t = case.start(str(program), str(case.file))
    t.wait_words("inventory.py")
    case.wait_daemon()
    t.keys("g", "e", "A")
    t.type(TYPED)

    def menu():
        t.keys("C-x")
        time.sleep(2)
        lines = t.screen()
        at = next((i for i, line in enumerate(lines) if WANTED in line), -8)
        # The menu stands above or below the line; its other entries are single words.
        near = [x for x in lines[max(0, at - 8):at + 8] if re.search(r"^ {12,}.*m\w*\(", x)]
        if not near:
            t.keys("Escape")  # it asked while the model was loading
            time.sleep(0.5)  # else a terminal takes both keys for one with Alt
            t.keys("A")
        return near
    shown = t.wait("the menu of completions", menu)
    print("menu: " + shown[0].strip())

    def actions():
        t.keys("Escape", "Escape")
        time.sleep(0.5)
        t.keys("g", "g", "/")
        t.type("def total")
        t.keys("Enter")
        t.keys("Space", "a")
    t.press_until("the menu of code actions", actions, lambda: t.has("Explain"))
    print("the menu of code actions is there")
    t.keys("Escape")
    return lambda: escape_and_type(t, ":q!")


# ---- Emacs ---------------------------------------------------------------------------------------

def emacs(case, paths, text, more=""):
    program = shutil.which("emacs") or skip("there is no Emacs; ./bootstrap test installs it")
    init = "".join(f'(add-to-list \'load-path "{p}")\n' for p in paths)
    loads = [a for p in paths for a in glob.glob(f"{p}/*-autoloads.el")]
    init += "".join(f'(load "{a}" nil t)\n' for a in loads)
    init += '(setq inhibit-startup-screen t make-backup-files nil auto-save-default nil)\n'
    init += more + text
    return case.start(program, "-nw", "-Q", "-l", case.write("init.el", init), str(case.file))


def kill_emacs(t):
    t.keys("C-g", "C-g")
    meta_x(t, "kill-emacs")


def meta_x(t, command):
    t.keys("Escape", "x")
    t.type(command)
    t.keys("Enter")


def eglot(case):
    paths = glob.glob("/usr/share/emacs/site-lisp/elpa-src/eglot-*")
    t = emacs(case, paths, recipe("Emacs, eglot", "elisp"))
    case.wait_daemon()
    t.wait_words("eglot")
    t.keys("Escape", ">")
    t.type(TYPED)

    def completed():
        meta_x(t, "completion-at-point")
        time.sleep(2)
        after = case.line(WANTED)
        return after if len(after) > len(WANTED) + 2 else ""
    print("completed: " + t.wait("a completion", completed))

    def actions():
        t.keys("C-g", "C-g")
        meta_x(t, "eglot-code-actions")
    t.press_until("the menu of code actions", actions, lambda: t.has("Pick an action"))
    print("the menu of code actions is there")
    return lambda: kill_emacs(t)


def lsp_mode(case):
    paths = glob.glob(f"{case.fetched}/elpa/*")
    if not any("lsp-mode" in p for p in paths):
        skip(f"there is no lsp-mode under {case.fetched}; ./bootstrap test fetches it where it can")
    t = emacs(case, paths, recipe("Emacs, lsp-mode", "elisp"),
              "(setq lsp-warn-no-matched-clients nil)\n")
    t.wait_words("Import project")
    t.type(".")
    case.wait_daemon()
    t.keys("Escape", ">")
    t.type(TYPED)

    def ghost():
        line = case.line(WANTED)
        if len(line) > len(WANTED) + 2:
            return line
        time.sleep(2)
        if case.line(WANTED) == WANTED:  # the model may have been loading
            t.keys("BSpace")
            t.type(TYPED[-1])
            time.sleep(1)
        return None

    def accept():
        nonlocal line
        line = t.wait("ghost text", ghost)
        meta_x(t, "lsp-inline-completion-accept")
        t.keys("C-x", "C-s")
    line = ""
    t.press_until("it in the saved file", accept,
                  lambda: line in case.file.read_text(encoding="utf-8"))
    print("ghost text, accepted: " + line)
    assert not t.has("Warning (lsp-mode)"), "lsp-mode warns: " + "\n".join(t.screen())
    return lambda: kill_emacs(t)


# ---- Vim -----------------------------------------------------------------------------------------

def ale(case):
    program = shutil.which("vim") or skip("there is no Vim; ./bootstrap test installs it")
    has = subprocess.run([program, "-es", "-u", "NONE", "+if !has('job') | cquit | endif", "+q"],
                         check=False, timeout=30).returncode == 0
    if not has or not os.path.isdir("/usr/share/vim-ale"):
        skip("this Vim has no jobs, or ALE (vim-ale) is not installed")
    t = case.start(program, "-u", case.write("vimrc", recipe("Vim, ALE", "vim")), str(case.file))
    case.wait_daemon()
    t.keys("G", "A")
    t.type(TYPED)

    def menu():
        t.keys("C-x", "C-o")
        time.sleep(2)
        line = case.line(WANTED)
        if len(line) > len(WANTED) + 2:
            return line
        t.keys("C-e")
        return None
    print("completed: " + t.wait("a completion", menu))
    return lambda: escape_and_type(t, ":qa!")


def main():
    kind, build, fetched, folder = sys.argv[1:5]
    if not shutil.which("tmux"):
        skip("there is no tmux; ./bootstrap test installs it")
    if not os.access(os.path.join(build, "inlined"), os.X_OK):
        skip(f"{build}/inlined is not built")
    case = Case(build, fetched, folder)
    try:
        quit_keys = {"helix": helix, "eglot": eglot, "lsp-mode": lsp_mode, "ale": ale}[kind](case)
        case.end(quit_keys)
    finally:
        case.tidy()
    print("ok: it ended, and its server with it")


if __name__ == "__main__":
    main()
