# SPDX-License-Identifier: Apache-2.0
"""A small LSP client that checks every message of both sides against the official meta model.

    client = Client([program, "--no-daemon"], model=metamodel.load())
    client.initialize()
    items = client.call("textDocument/inlineCompletion", {...})
    code = client.close()            # shutdown, exit; the exit code of the daemon
    client.violations                # sentences; a test fails when there is one

One thread reads; every request of the server is answered by a handler (`client.handlers`).  What a
test sends wrong on purpose goes through send_wrong() or send_bytes(), which are not checked.
"""
import json
import os
import queue
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

import protocol_check

TIMEOUT_S = 90
CAPABILITIES = {
    "general": {"positionEncodings": ["utf-8", "utf-16"]},
    "textDocument": {
        "synchronization": {"dynamicRegistration": True, "didSave": True},
        "inlineCompletion": {"dynamicRegistration": False},
    },
    "workspace": {"configuration": True, "workspaceFolders": True,
                  "didChangeConfiguration": {"dynamicRegistration": True}},
    "window": {"workDoneProgress": True, "showDocument": {"support": True}},
}
EXPERIMENTAL = {"inlined": {"status": True}}  # the tests wait for what the daemon says of itself


class LspError(Exception):
    def __init__(self, method, error):
        super().__init__(f"{method}: {error.get('code')} {error.get('message')}")
        self.code = error.get("code")
        self.message = error.get("message", "")


class Gone(Exception):
    """The daemon's stream ended while a test waited."""


class Client:
    def __init__(self, command, model=None, env=None, cwd=None, settings=None):
        self.checker = protocol_check.Checker(model) if model else None
        self.violations, self.log = [], []
        self.settings = settings or {}
        self.answers, self.answer_counts = {}, {}
        self.notifications = []
        self.server_requests = []
        self.changed = threading.Condition()
        self.ended = False
        self.next_id = 0
        self.encoding = "utf-16"
        self.capabilities = {}
        self.handlers = {
            "workspace/configuration": self.configuration,
            "client/registerCapability": lambda p: None,
            "client/unregisterCapability": lambda p: None,
            "window/workDoneProgress/create": lambda p: None,
            "window/showMessageRequest": lambda p: None,
            "workspace/workspaceFolders": lambda p: None,
            "workspace/applyEdit": lambda p: {"applied": True},
        }
        self.stderr_file = tempfile.TemporaryFile()
        self.connect(command, env, cwd)
        self.outbox = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.writer = threading.Thread(target=self._write, daemon=True)
        self.reader.start()
        self.writer.start()

    def connect(self, command, env, cwd):
        """Starts the daemon: sets process, input and output."""
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr_file,
            env={**os.environ, **(env or {})}, cwd=cwd)
        self.input, self.output = self.process.stdin, self.process.stdout

    # -- sending ------------------------------------------------------------------------------

    def _write(self):
        while True:
            data = self.outbox.get()
            if data is None:
                break
            try:
                self.input.write(data)
                self.input.flush()
            except (OSError, ValueError):
                break
        try:
            self.input.close()
        except OSError:
            pass

    def send_bytes(self, data):
        self.outbox.put(data)

    def frame(self, message):
        body = json.dumps(message, ensure_ascii=False).encode("utf-8")
        return b"Content-Length: %d\r\n\r\n" % len(body) + body

    def _send(self, message, check=True):
        with self.changed:
            if self.checker:
                errors = self.checker.check(message, protocol_check.CLIENT)
                if check:
                    self.violations += [f"client: {e}" for e in errors]
            self.log.append(("->", message))
            self.send_bytes(self.frame(message))

    def send_wrong(self, message):
        """Sends a message that is wrong on purpose; an id in it may be answered."""
        self._send(message, check=False)

    def notify(self, method, params=None):
        message = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self._send(message)

    def request(self, method, params=None, key=None, check=True):
        """Sends a request and returns its id."""
        with self.changed:
            if key is None:
                self.next_id += 1
                key = self.next_id
        message = {"jsonrpc": "2.0", "id": key, "method": method}
        if params is not None:
            message["params"] = params
        self._send(message, check)
        return key

    # -- receiving ----------------------------------------------------------------------------

    def _read(self):
        out = self.output
        try:
            while True:
                length = None
                line = out.readline()
                if not line:
                    break
                while line not in (b"\r\n", b""):
                    match = re.fullmatch(rb"([!-9;-~]+): *(.*)\r\n", line)
                    if not match:
                        self._violate(f"server: a header line {line!r}")
                    elif match.group(1).lower() == b"content-length":
                        length = int(match.group(2))
                    line = out.readline()
                if length is None:
                    self._violate("server: a frame without Content-Length")
                    break
                body = out.read(length)
                if len(body) < length:
                    self._violate("server: the stream ends inside a frame")
                    break
                self._receive(json.loads(body.decode("utf-8")))
        except ConnectionResetError:
            pass  # how the end of a socket reads whose other side had not read everything
        except (OSError, ValueError, UnicodeDecodeError) as e:
            self._violate(f"server: {e}")
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _violate(self, sentence):
        with self.changed:
            self.violations.append(sentence)

    def _receive(self, message):
        with self.changed:
            self.log.append(("<-", message))
            if self.checker:
                errors = self.checker.check(message, protocol_check.SERVER)
                self.violations += [f"server: {e}" for e in errors]
            if "method" not in message:
                key = message.get("id")
                self.answers[key] = message
                self.answer_counts[key] = self.answer_counts.get(key, 0) + 1
            elif "id" not in message:
                self.notifications.append(message)
            else:
                self.server_requests.append(message)
            self.changed.notify_all()
        if "method" in message and "id" in message:
            self._answer(message)

    def _answer(self, message):
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        handler = self.handlers.get(message["method"])
        if handler is None:
            answer["error"] = {"code": -32601, "message": "the test client does not know it"}
        else:
            answer["result"] = handler(message.get("params"))
        self._send(answer)

    def configuration(self, params):
        return [self.settings if item.get("section") == "inlined" else None
                for item in params["items"]]

    # -- waiting ------------------------------------------------------------------------------

    def wait_for(self, question, what, timeout=TIMEOUT_S):
        """Waits until question() is true and returns its value."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                value = question()
                if value:
                    return value
                left = end - time.monotonic()
                if self.ended:
                    raise Gone(f"the stream ended while waiting for {what}\n{self.stderr()}")
                if left <= 0:
                    raise TimeoutError(f"no {what} in {timeout} s\n{self.stderr()}")
                self.changed.wait(left)

    def wait(self, key, timeout=TIMEOUT_S):
        """The whole answer to request `key`."""
        return self.wait_for(lambda: self.answers.get(key), f"answer to {key}", timeout)

    def call(self, method, params=None, timeout=TIMEOUT_S, check=True):
        """Sends a request, waits, and returns its result; an error answer is raised."""
        answer = self.wait(self.request(method, params, check=check), timeout)
        if "error" in answer:
            raise LspError(method, answer["error"])
        return answer["result"]

    def wait_notification(self, method, accept=lambda params: True, timeout=TIMEOUT_S, since=0):
        def search():
            for message in self.notifications[since:]:
                if message["method"] == method and accept(message.get("params")):
                    return message
            return None
        return self.wait_for(search, method, timeout).get("params")

    def has_answer(self, key):
        with self.changed:
            return key in self.answers

    def stderr(self):
        self.stderr_file.seek(0)
        return self.stderr_file.read().decode("utf-8", "replace")[-4000:]

    # -- life ---------------------------------------------------------------------------------

    def initialize(self, capabilities=None, **more):
        capabilities = CAPABILITIES if capabilities is None else capabilities
        params = {"processId": os.getpid(), "rootUri": None,
                  "capabilities": {"experimental": EXPERIMENTAL, **capabilities}, **more}
        result = self.call("initialize", params)
        self.capabilities = result["capabilities"]
        self.encoding = self.capabilities.get("positionEncoding", "utf-16")
        self.notify("initialized", {})
        return result

    def close(self, timeout=20):
        """shutdown, exit; returns the exit code."""
        self.call("shutdown", timeout=timeout)
        self.notify("exit")
        return self.wait_exit(timeout)

    def wait_exit(self, timeout=20):
        code = self.process.wait(timeout)
        self.reader.join(timeout)
        return code

    def end_input(self):
        """Closes the daemon's stdin, as an editor that dies does."""
        self.outbox.put(None)

    def kill(self):
        """Makes sure that nothing is left; for tearDown."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.outbox.put(None)
        self.reader.join(10)
        self.writer.join(10)
        self.process.stdout.close()
        self.stderr_file.close()

    # -- documents ----------------------------------------------------------------------------

    def open(self, uri, text, language="python", version=1):
        self.notify("textDocument/didOpen", {"textDocument": {
            "uri": uri, "languageId": language, "version": version, "text": text}})

    def change(self, uri, version, *changes):
        self.notify("textDocument/didChange", {
            "textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)})

    def position(self, text, offset):
        """LSP position of a character offset, in the negotiated encoding."""
        return position_of(text, offset, self.encoding)

    def completion_params(self, uri, position, trigger=1):
        return {"textDocument": {"uri": uri}, "position": position,
                "context": {"triggerKind": trigger}}

    def complete(self, uri, position, trigger=1, timeout=TIMEOUT_S):
        """Items of textDocument/inlineCompletion as a list."""
        result = self.call("textDocument/inlineCompletion",
                           self.completion_params(uri, position, trigger), timeout)
        return result if isinstance(result, list) else (result or {}).get("items", [])


class SocketClient(Client):
    """An editor that connects to a daemon which listens on a local socket."""

    def connect(self, command, env, cwd):
        """`command` is the socket's path."""
        self.process = None
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(command)
        self.input, self.output = self.socket.makefile("wb"), self.socket.makefile("rb")

    def wait_exit(self, timeout=20):
        """Waits until the daemon has closed this connection."""
        self.reader.join(timeout)
        if not self.ended:
            raise TimeoutError("the daemon keeps the connection open")
        return 0

    def kill(self):
        """Drops the connection without a word."""
        self.outbox.put(None)
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join(10)
        self.writer.join(10)
        self.output.close()
        self.socket.close()
        self.stderr_file.close()


def units(text, encoding):
    """Length of `text` in the code units of a position encoding."""
    if encoding == "utf-8":
        return len(text.encode("utf-8"))
    if encoding == "utf-32":
        return len(text)
    return len(text.encode("utf-16-le")) // 2


def position_of(text, offset, encoding):
    before = re.split(r"\r\n|\n|\r", text[:offset])
    if text[:offset].endswith("\r") and text[offset:offset + 1] == "\n":
        raise ValueError("an offset inside a line end")
    return {"line": len(before) - 1, "character": units(before[-1], encoding)}


def error_code(client, method, params):
    """The error code that a request is answered with; None for a result."""
    return client.wait(client.request(method, params)).get("error", {}).get("code")
