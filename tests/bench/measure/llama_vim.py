# SPDX-License-Identifier: Apache-2.0
"""The peer: llama-server (PyPI xllamacpp) asked by the rules of llama.vim.

What the plugin sends: 256 lines before the cursor's line, 64 after, the line's beginning as prompt,
128 tokens at most, 250 ms of prediction for a first request (only enforced after a newline), top_k
40, top_p 0.9 and the infill sampler, prompt cache on.  What it does not show: nothing, white space,
what follows the cursor already.  What it keeps: an answer stays while it is typed along (250
entries, up to 128 characters typed).  Its ring of other files is empty here, as ours is.
"""
import http.client
import json
import re

LINES_BEFORE, LINES_AFTER = 256, 64
MAX_LINE_SUFFIX = 8
CACHE_ENTRIES, CACHE_TYPED = 250, 128


class Server:
    def __init__(self, model, threads, context=4096):
        import xllamacpp
        p = xllamacpp.CommonParams()
        p.model.path = model
        p.n_ctx = context
        p.n_parallel = 1
        p.cpuparams.n_threads = threads
        p.cpuparams_batch.n_threads = threads
        p.n_cache_reuse = 256
        p.port = 0
        p.hostnames = ["127.0.0.1"]
        self.server = xllamacpp.Server(p)
        self.address = re.sub(r"^https?://", "", self.server.listening_address)

    def post(self, path, body):
        link = http.client.HTTPConnection(self.address, timeout=900)
        link.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = link.getresponse()
        text = answer.read()
        link.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {text[:300]!r}")
        return json.loads(text)


class Plugin:
    """One editor: asks, filters, caches."""

    def __init__(self, server, predict_ms=250):
        self.server, self.predict_ms = server, predict_ms
        self.cache = {}
        self.hits = self.asked = 0
        self.timings = {}

    def ask(self, before, after):
        """Text that would be shown between `before` and `after`, or None."""
        line, rest = before.rsplit("\n", 1)[-1], after.split("\n", 1)[0]
        if len(rest) > MAX_LINE_SUFFIX:
            return None
        content = self.cached(before, after)
        if content is None:
            content = self.request(before, after)
            self.cache[before, after] = content
            if len(self.cache) > CACHE_ENTRIES:
                del self.cache[next(iter(self.cache))]
        return shown(content, line, after)

    def cached(self, before, after):
        for typed in range(min(CACHE_TYPED, len(before)) + 1):
            known = self.cache.get((before[:len(before) - typed], after))
            if known is not None and known.startswith(before[len(before) - typed:]) and \
                    (typed == 0 or len(known) > typed):
                self.hits += 1
                return known[typed:]
        return None

    def request(self, before, after):
        lines, below = before.split("\n"), after.split("\n")
        line = lines[-1]
        blank = not line.strip() and not below[0].strip()
        self.asked += 1
        answer = self.server.post("/infill", {
            "input_prefix": "".join(x + "\n" for x in lines[:-1][-LINES_BEFORE:]),
            "input_suffix": "\n".join(below[:LINES_AFTER + 1]) + "\n",
            "input_extra": [],
            "prompt": "" if blank else line,
            "n_predict": 128,
            "n_indent": 0 if blank else len(line) - len(line.lstrip()),
            "top_k": 40, "top_p": 0.9, "samplers": ["top_k", "top_p", "infill"], "seed": 1,
            "stream": False, "cache_prompt": True,
            "t_max_prompt_ms": 500, "t_max_predict_ms": self.predict_ms,
        })
        self.timings = answer.get("timings", {})
        content = answer["content"]
        if blank:  # the model chose the indentation: what stands there already is not inserted
            content = content[len(line):] if content.startswith(line) else "\0" + content
        return content


def shown(content, line, after):
    """The plugin's rules for not showing a text; None or the text."""
    lines = content.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    below = after.split("\n")
    rest, following = below[0], below[1:]
    if not lines or not lines[0].strip():
        return None
    if len(lines) == 1 and lines[0] == rest:
        return None
    if len(lines) > 1 and lines[0] == rest and lines[1:] == following[:len(lines) - 1]:
        return None
    at = next((i for i, x in enumerate(following) if x.strip()), None)
    if at is not None and line + lines[0] == following[at]:
        if len(lines) == 1:
            return None
        next_line = following[at + 1] if at + 1 < len(following) else ""
        if len(lines) == 2 and next_line.startswith(lines[1]):
            return None
        if len(lines) > 2 and lines[1:] == following[at + 1:at + len(lines)]:
            return None
    return "\n".join(lines)
