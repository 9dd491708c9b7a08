# SPDX-License-Identifier: Apache-2.0
"""A hub on the loopback that behaves as badly as it is told to.

    with Hub(data) as hub:  hub.url is its endpoint, hub.plan how it behaves, hub.log what came

Paths are those of the real one: /OWNER/NAME/resolve/REVISION/FILE answers HEAD and GET with a
redirect that carries X-Linked-Etag and X-Linked-Size, and leads to /storage on another port
(another host, as far as tokens are concerned).
"""
import hashlib
import http.server
import threading
import time


class Plan:
    """One test's wishes.  Lists are used up from the front, one element a request."""

    def __init__(self, **wishes):
        self.linked = True       # X-Linked-* headers
        self.head_code = []      # status codes of HEAD requests before they are answered well
        self.get_code = []       # the same of GETs of the storage
        self.headers = {}        # more headers, with every error
        self.cut = []            # bytes after which a storage answer is cut off; None: whole
        self.stall = []          # seconds that the storage stops in the middle of an answer
        self.rate = 0            # bytes a second; 0: as fast as it goes
        self.ranges = True       # the storage resumes
        self.range_shift = 0     # what Content-Range says is wrong by this much
        self.length_shift = 0    # what Content-Length (and the body) is longer by
        self.size_shift = 0      # what X-Linked-Size is wrong by
        self.chunked = False     # no Content-Length, the connection's end is the body's
        self.flip = None         # this byte of the body is wrong
        self.redirects = 0       # hops within the endpoint before the storage
        self.direct = False      # a mirror: no redirect, the endpoint has the bytes itself
        self.no_head = False     # 405 to HEAD
        self.storage = None      # where redirects lead, instead of our storage
        for key, value in wishes.items():
            assert hasattr(self, key), key
            setattr(self, key, value)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that goes away in the middle is what some tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self):
        self.hub.log.append({
            "method": self.command, "path": self.path, "port": self.server.server_port,
            "token": self.headers.get("Authorization"), "range": self.headers.get("Range")})

    def reply(self, code, headers=()):
        self.send_response(code)
        for key, value in headers:
            self.send_header(key, value)
        if not any(k == "Content-Length" for k, _ in headers):
            self.send_header("Content-Length", "0")
        self.end_headers()

    def error(self, code):
        self.reply(code, list(self.hub.plan.headers.items()))

    def do_HEAD(self):
        self.note()
        plan = self.hub.plan
        if plan.no_head:
            self.error(405)
        elif self.server is self.hub.servers[1]:
            self.reply(200, [("Content-Length", str(len(self.hub.data))), ("ETag", '"5d41"')])
        elif plan.head_code:
            self.error(plan.head_code.pop(0))
        else:
            self.lead_on()

    def do_GET(self):
        self.note()
        storage = self.server is self.hub.servers[1]
        if storage or self.hub.plan.direct:
            self.give()
        else:
            self.lead_on()

    def lead_on(self):
        plan, hub = self.hub.plan, self.hub
        if plan.direct:
            self.reply(200, [("Content-Length", str(len(hub.data)))] + self.linked())
            return
        hops = int(self.path.rsplit("hop=", 1)[1]) if "hop=" in self.path else 0
        if hops < plan.redirects:
            self.reply(307, [("Location", f"{self.path.split('?')[0]}?hop={hops + 1}")])
            return
        target = plan.storage or f"http://localhost:{hub.servers[1].server_port}/storage?signed=1"
        self.reply(302, [("Location", target)] + self.linked())

    def linked(self):
        plan, hub = self.hub.plan, self.hub
        if not plan.linked:
            return [("ETag", '"5d41-nothing-that-is-a-hash"')]
        return [("X-Linked-Etag", f'"{hub.sha256}"'), ("X-Repo-Commit", "c0ffee" * 6 + "abcd"),
                ("X-Linked-Size", str(len(hub.data) + plan.size_shift))]

    def give(self):
        plan = self.hub.plan
        if plan.get_code:
            code = plan.get_code.pop(0)
            if code:
                self.error(code)
                return
        data = bytearray(self.hub.data)
        if plan.flip is not None:
            data[plan.flip] ^= 1
        whole, first, wanted = len(data), 0, self.headers.get("Range")
        if wanted and plan.ranges:
            first = int(wanted.split("=")[1].split("-")[0])
        if first >= whole:
            self.error(416)
            return
        body = bytes(data[first:]) + b"x" * plan.length_shift
        self.send_response(206 if wanted and plan.ranges else 200)
        if wanted and plan.ranges:
            shown = first + plan.range_shift
            self.send_header("Content-Range", f"bytes {shown}-{whole - 1}/{whole}")
        if plan.chunked:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.send(body)

    def send(self, body):
        plan = self.hub.plan
        cut = plan.cut.pop(0) if plan.cut else None
        end = len(body) if cut is None else cut
        piece = max(plan.rate // 10, 1) if plan.rate else 1 << 16
        try:
            for at in range(0, end, piece):
                if self.hub.closing:
                    break
                self.wfile.write(body[at:min(at + piece, end)])
                self.wfile.flush()
                if plan.rate:
                    time.sleep(0.1)
                if plan.stall and at == 0:
                    self.hub.bell.wait(plan.stall.pop(0))
        except OSError:
            pass
        if cut is not None:
            self.close_connection = True


class Hub:
    def __init__(self, data, **wishes):
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.plan = Plan(**wishes)
        self.log = []
        self.closing = False
        self.bell = threading.Event()
        handler = type("Bound", (Handler,), {"hub": self})
        self.servers = [Server(("127.0.0.1", 0), handler) for _ in range(2)]
        self.url = f"http://127.0.0.1:{self.servers[0].server_port}"

    def __enter__(self):
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing = True
        self.bell.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def gets(self):
        """What the storage (or the mirror) was asked for."""
        storage = self.servers[0 if self.plan.direct else 1].server_port
        return [r for r in self.log if r["method"] == "GET" and r["port"] == storage]
