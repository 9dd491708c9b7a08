# SPDX-License-Identifier: Apache-2.0
"""The least that an editor does: a child process, framed JSON-RPC, and documents.

One reader thread puts what the server says into a queue; everything else is single-threaded.
Requests of the server (configuration, registration, progress) are answered as editors do.
"""
import json
import os
import pathlib
import queue
import re
import subprocess
import threading
import time

SECONDS_START = 30
SECONDS_ANSWER = 60
SECONDS_LOAD = 120


class EditorError(Exception):
    """What went wrong, in one sentence."""


class Answer:
    """One inline completion with what the server told about it."""

    def __init__(self, text, reason, seen_ms, cost):
        self.text = text
        self.reason = reason
        self.seen_ms = seen_ms
        self.cost = cost  # the key=value pairs of the server's log line; empty when it has none


class Editor:
    def __init__(self, program, log):
        os.makedirs(os.path.dirname(log), exist_ok=True)
        self.log = open(log, "wb")
        self.log_seen = open(log, encoding="utf-8", errors="replace")
        try:
            self.child = subprocess.Popen([program, "--no-daemon", "--log-level", "info"],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=self.log)
        except OSError as e:
            raise EditorError(f"cannot start {program}: {e.strerror}") from e
        self.inbox = queue.Queue()
        self.status = {}
        self.loading = ""
        self.next_id = 0
        self.version = {}
        self.settings = None  # what workspace/configuration is answered with
        self.model = self.backend = ""
        threading.Thread(target=self.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            if self.child.poll() is None:
                self.request("shutdown", None)
                self.notify("exit", None)
                self.child.stdin.close()
            self.child.wait(10)
        except (EditorError, OSError, subprocess.TimeoutExpired):
            self.child.kill()
        self.log.close()
        self.log_seen.close()

    # ---- wire --------------------------------------------------------------------------------

    def read(self):
        stream = self.child.stdout
        while True:
            length = 0
            while True:
                header = stream.readline()
                if not header:
                    self.inbox.put(None)
                    return
                if header in (b"\r\n", b"\n"):
                    break
                name, _, value = header.partition(b":")
                if name.strip().lower() == b"content-length":
                    length = int(value)
            self.inbox.put(json.loads(stream.read(length)))

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        try:
            self.child.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self.child.stdin.flush()
        except OSError as e:
            raise EditorError("the server closed its input") from e

    def notify(self, method, params):
        message = {"method": method}
        self.send(message if params is None else {**message, "params": params})

    def request(self, method, params, seconds=SECONDS_ANSWER):
        self.next_id += 1
        mine = self.next_id
        self.send({"id": mine, "method": method,
                   **({"params": params} if params is not None else {})})
        end = time.monotonic() + seconds
        while True:
            message = self.receive(end, method)
            if message.get("id") == mine and "method" not in message:
                if "error" in message:
                    raise EditorError(f"{method}: {message['error'].get('message')}")
                return message.get("result")

    def receive(self, end, what):
        """The next message; those that need an editor's reaction get it here."""
        try:
            message = self.inbox.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise EditorError(f"no answer to {what} in time") from None
        if message is None:
            raise EditorError(f"the server ended (exit code {self.child.wait(5)})")
        method = message.get("method")
        if method and "id" in message:
            params = message.get("params") or {}
            section = [self.settings] * len(params.get("items", []))
            result = section if method == "workspace/configuration" else None
            self.send({"id": message["id"], "result": result})
        elif method == "inlined/status":
            self.on_status(message.get("params") or {})
        elif method == "$/progress":
            self.on_progress(message["params"].get("value") or {})
        return message

    def on_status(self, params):
        self.status = params
        self.model = params.get("model") or self.model
        self.backend = params.get("backend") or self.backend

    def on_progress(self, value):
        kind = value.get("kind")
        if kind == "end":
            self.loading = ""
            return
        words = [value.get("title"), value.get("message")]
        if value.get("percentage") is not None:
            words.append(f"{value['percentage']} %")
        self.loading = " ".join(w for w in words if w) or "loading"

    # ---- what a user does --------------------------------------------------------------------

    def start(self, folder):
        root = pathlib.Path(folder).as_uri()
        self.request("initialize", {
            "processId": os.getpid(), "clientInfo": {"name": "inlined-demo"}, "rootUri": root,
            "initializationOptions": {"completion": {"candidates": 1}},
            "workspaceFolders": [{"uri": root, "name": os.path.basename(folder)}],
            "capabilities": {
                "general": {"positionEncodings": ["utf-16"]},
                "textDocument": {"inlineCompletion": {"dynamicRegistration": False},
                                 "synchronization": {"didSave": True}},
                "window": {"workDoneProgress": True},
                "workspace": {"configuration": True, "workspaceFolders": True},
                "experimental": {"inlined": {"status": True}}},
        }, SECONDS_START)
        self.notify("initialized", {})

    def wait_ready(self, tell):
        """Until the model is loaded, as far as the server tells about it."""
        end = time.monotonic() + SECONDS_LOAD
        quiet = time.monotonic() + 1.0
        while time.monotonic() < end:
            if self.status.get("state") in ("ready", "idle"):
                return
            if self.status.get("state") in ("error", "failed"):
                raise EditorError(self.status.get("message") or self.status.get("reason"))
            if not self.loading and time.monotonic() > quiet:
                return
            try:
                self.receive(time.monotonic() + 0.1, "start-up")
            except EditorError:
                if self.child.poll() is not None:
                    raise
            if self.loading:
                tell(self.loading)

    def configure(self, settings):
        """The user changes settings: the server is told, and asks for them."""
        self.settings = settings
        self.notify("workspace/didChangeConfiguration", {"settings": None})

    def explain(self, uri, line, column):
        """What a prompt at this place is made of."""
        return self.request("inlined/context/explain", {
            "textDocument": {"uri": uri}, "position": {"line": line, "character": column}})

    def open(self, path, language, text):
        uri = pathlib.Path(path).as_uri()
        self.version[uri] = 1
        self.notify("textDocument/didOpen", {"textDocument": {
            "uri": uri, "languageId": language, "version": 1, "text": text}})
        return uri

    def type(self, uri, line, column, text):
        self.version[uri] += 1
        at = {"line": line, "character": column}
        self.notify("textDocument/didChange", {
            "textDocument": {"uri": uri, "version": self.version[uri]},
            "contentChanges": [{"range": {"start": at, "end": at}, "text": text}]})

    def close(self, uri):
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def complete(self, uri, line, column, invoked):
        """Asks at the cursor; while the model still loads, asks again."""
        end = time.monotonic() + SECONDS_LOAD
        while True:
            self.log_seen.read()
            self.status = {**self.status, "reason": ""}
            began = time.monotonic()
            result = self.request("textDocument/inlineCompletion", {
                "textDocument": {"uri": uri}, "position": {"line": line, "character": column},
                "context": {"triggerKind": 1 if invoked else 2}})
            seen_ms = 1000 * (time.monotonic() - began)
            items = result.get("items", []) if isinstance(result, dict) else result or []
            text = self.new_text(items[0], line, column) if items else ""
            reason = "" if text else self.reason()
            if text or "load" not in reason or time.monotonic() > end:
                return Answer(text, reason, seen_ms, self.cost())
            time.sleep(0.2)

    def reason(self):
        """Why there was nothing; the status with it may come just after the answer."""
        try:
            while not self.status.get("reason"):
                self.receive(time.monotonic() + 0.3, "status")
        except EditorError:
            if self.child.poll() is not None:
                raise
        return self.status.get("reason", "")

    def cost(self):
        """The server's log line of the last completion: {"prefill": 81.2, "reused": 120, ...}."""
        end = time.monotonic() + 0.5
        text = ""
        while time.monotonic() < end:
            text += self.log_seen.read()
            for line in text.split("\n")[:-1]:
                if "method=textDocument/inlineCompletion" in line:
                    return {name: float(value)
                            for name, value in re.findall(r"(\w+)=([0-9.]+)(?=\s|$)", line)}
            time.sleep(0.01)
        return {}

    @staticmethod
    def new_text(item, line, column):
        """What an item adds at the cursor: its text less what it repeats of the line before it."""
        text = item["insertText"]
        text = text if isinstance(text, str) else text["value"]
        start = item.get("range", {}).get("start", {"line": line, "character": column})
        return text[max(0, column - start["character"]):] if start["line"] == line else text
