# SPDX-License-Identifier: Apache-2.0
"""A program in a terminal of its own (tmux), driven by keys and judged by what is on its screen."""
import os
import subprocess
import time

WAIT_S = 180  # a model computes, and the machine may have other work
AGAIN_S = 10
COLUMNS, ROWS = 110, 32


class Terminal:
    def __init__(self, folder, argv, env):
        self.socket = os.path.join(folder, "tmux")
        words = [f"{k}={v}" for k, v in env.items()]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS),
                  "-c", os.path.join(folder, "project"), "env", *words, *argv)
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("set-option", "-g", "escape-time", "0")

    def tmux(self, *args):
        done = subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, text=True,
                              check=False, timeout=30)
        return done.stdout if done.returncode == 0 else ""

    def keys(self, *names):
        """Keys by tmux's names: Enter, Escape, C-x ..."""
        self.tmux("send-keys", *names)

    def type(self, text):
        for character in text:
            self.tmux("send-keys", "-l", character)

    def screen(self):
        """Its lines, without blanks at their ends."""
        return [line.rstrip() for line in self.tmux("capture-pane", "-p").split("\n")]

    def has(self, words):
        return any(words in line for line in self.screen())

    def wait(self, what, see, seconds=WAIT_S):
        """What `see()` gives, once it is something."""
        end = time.monotonic() + seconds
        while True:
            seen = see()
            if seen:
                return seen
            if time.monotonic() > end:
                shown = "\n".join("  | " + line for line in self.screen() if line)
                raise AssertionError(f"waited {seconds} s in vain for {what}; the screen:\n{shown}")
            time.sleep(0.1)

    def wait_words(self, words, seconds=WAIT_S):
        self.wait(f'"{words}"', lambda: self.has(words), seconds)

    def press_until(self, what, press, see):
        """Presses, and looks a while whether `see()` is something; else once more: the program may
        have been busy with the keys before."""
        def pressed():
            press()
            end = time.monotonic() + AGAIN_S
            seen = see()
            while not seen and time.monotonic() < end:
                time.sleep(0.1)
                seen = see()
            return seen
        return self.wait(what, pressed)

    def is_alive(self):
        return bool(self.tmux("list-sessions"))

    def end(self, quit_keys):
        """Ends it as a person does: who sees that a key went elsewhere presses it once more."""
        self.press_until("its end", quit_keys, lambda: not self.is_alive())

    def kill(self):
        self.tmux("kill-server")
