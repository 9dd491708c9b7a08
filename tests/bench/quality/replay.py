# SPDX-License-Identifier: Apache-2.0
"""The simulated user.  Types a line; wherever a suggestion is on the screen that equals the whole
rest of the line, or at least 10 characters of it and nothing else, the user takes it with one key.
Of several lines the first one counts (both sides can accept by line).  A suggestion stays while it
is typed along, as in every client's cache, and is counted once.  One that is never taken costs half
a key of reading.
"""
ACCEPT_CHARACTERS = 10
REJECT_KEYS = 0.5


def first_line(text):
    return text.split("\n", 1)[0]


def is_accepted(text, rest):
    line = first_line(text).rstrip()
    if not line:
        return False
    return line == rest.rstrip() or (len(line) >= ACCEPT_CHARACTERS and rest.startswith(line))


class Tally:
    """What happened on some lines."""

    def __init__(self):
        self.keys = self.saved = self.shown = self.accepted = self.asked = 0

    def add(self, other):
        for key in vars(self):
            setattr(self, key, getattr(self, key) + getattr(other, key))
        return self

    @property
    def net_saved(self):
        return self.saved - REJECT_KEYS * (self.shown - self.accepted)


def play(line, answers, policy):
    """One line; `answers` by position, `policy(answer)` gives the text shown or None."""
    t = Tally()
    t.keys = len(line.strip()) + 1
    at, on_screen, since = 0, None, 0
    for answer in answers:
        if answer["at"] < at:
            continue
        at = answer["at"]
        typed = line[since:at]
        if on_screen and first_line(on_screen).startswith(typed) and \
                len(first_line(on_screen)) > len(typed):
            continue  # still there, and judged when it came
        on_screen, since = policy(answer), at
        t.asked += 1
        if not on_screen:
            continue
        t.shown += 1
        if is_accepted(on_screen, line[at:]):
            t.accepted += 1
            taken = len(first_line(on_screen).rstrip())
            t.saved += taken - 1
            at, on_screen = at + taken, None
    return t
