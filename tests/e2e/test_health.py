#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`inlined health` and the pages that --health offers: what they say while all is well, when a
model is missing, and to whom they say nothing."""
import http.client
import json
import os
import re
import socket
import stat
import subprocess
import time
from unittest import mock

import lsp_case
import test_lsp_listen

SAMPLE = re.compile(r'^inlined_[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? -?\d+(\.\d+)?$')


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Health(test_lsp_listen.Daemon):
    def serve(self, settings, where):
        config = self.path("config.json", json.dumps(settings).encode())
        log = os.path.join(self.folder, "log")
        self.daemon = subprocess.Popen(
            [lsp_case.PROGRAM, "--listen", self.socket_path, "--config", config, "--health", where,
             "--log-file", log, "--log-level", "info"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        end = time.monotonic() + 20
        while True:
            self.assertIsNone(self.daemon.poll(), "the daemon ended")
            self.assertLess(time.monotonic(), end)
            found = os.path.exists(log) and re.search(r"health at (\S+)", open(log).read())
            if found:
                return found[1]
            time.sleep(0.02)

    def get(self, connection, path, method="GET", headers=None):
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def ask(self, *words):
        return subprocess.run([lsp_case.PROGRAM, *words, "--socket", self.socket_path],
                              capture_output=True, text=True, timeout=60, check=False)

    def samples(self, text):
        found = {}
        kinds = set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name = line.split()[2]
                self.assertNotIn(name, kinds, "a metric is described once")
                kinds.add(name)
            elif not line.startswith("# HELP "):
                self.assertRegex(line, SAMPLE)
                name = re.match(r"[a-z_]+", line)[0]
                self.assertTrue({name, re.sub("_(bucket|sum|count)$", "", name)} & kinds, line)
                key, value = line.rsplit(" ", 1)
                self.assertNotIn(key, found)
                found[key] = float(value)
        return found

    def test_all_is_well(self):
        model, why = lsp_case.find_model()
        if not model:
            self.skipTest(why)
        settings = {"model": model, **lsp_case.QUICK}
        url = self.serve(settings, "0")
        port = int(re.search(r":(\d+)/", url)[1])
        client = self.editor(settings)
        lsp_case.wait_ready(client)
        client.open("file:///a.py", test_lsp_listen.TEXT)
        client.complete("file:///a.py", test_lsp_listen.END)
        http_client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.assertEqual(self.get(http_client, "/healthz"), (200, "ok\n"))
        status, body = self.get(http_client, "/status")
        self.assertEqual((status, json.loads(body)["pid"]), (200, self.daemon.pid))
        status, body = self.get(http_client, "/metrics")
        self.assertEqual(status, 200)
        found = self.samples(body)
        self.assertEqual(found["inlined_clients"], 1)
        self.assertGreaterEqual(found["inlined_suggestions_total"], 1)
        self.assertEqual(found['inlined_models{state="ready"}'], 1)
        self.assertGreater(next(v for k, v in found.items() if 'kind="weights"' in k), 1e7)
        self.assertGreater(next(v for k, v in found.items() if 'kind="written"' in k), 0)
        self.assertEqual(self.get(http_client, "/nothing")[0], 404)
        self.assertEqual(self.get(http_client, "/healthz", "POST")[0], 405)
        self.assertEqual(self.get(http_client, "/healthz", "HEAD"), (200, ""))
        self.assertEqual(self.get(http_client, "/status", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(self.get(http_client, "/status",
                                  headers={"Origin": "http://evil.example"})[0], 403)
        done = self.ask("health")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.split()[:2] for line in done.stdout.splitlines()],
                         [["ok", n] for n in ("daemon", "device", "models", "queue", "mcp")])
        http_client.close()
        client.close()
        self.stop()

    def test_servers_by_name(self):
        """MCP servers have numbers of their own, whatever their names are."""
        project = os.path.join(self.folder, "project")
        os.makedirs(project)
        with open(os.path.join(project, ".mcp.json"), "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {'an "odd"\\one': {"command": "/bin/cat"}}}, f)
        places = {n: os.path.join(self.folder, n)
                  for n in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
        with mock.patch.dict(os.environ, places):
            path = os.path.join(self.folder, "health")
            self.serve({"model": self.folder + "/absent.gguf"}, path)
        for n in (1, 2):
            client = test_lsp_listen.SocketClient(self.socket_path, model=lsp_case.PROTOCOL)
            self.clients.append(client)
            client.initialize(workspaceFolders=[{"uri": "file://" + project, "name": "p"}])
            end = time.monotonic() + 60
            while not client.call("inlined/tools")["servers"]:  # its settings come first
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            pages = Unix(path)
            found = self.samples(self.get(pages, "/metrics")[1])
            self.assertNotIn("odd", self.get(pages, "/status")[1])
            pages.close()
            label = 'server="an \\"odd\\"\\\\one"'
            self.assertEqual(found[f'inlined_mcp_server_state{{{label},state="untrusted"}}'], n)
            self.assertEqual(found[f'inlined_mcp_calls_total{{{label}}}'], 0)
            self.assertEqual(found[f'inlined_mcp_call_seconds_bucket{{{label},le="+Inf"}}'], 0)
        for client in self.clients:
            client.close()
        self.stop()

    def test_a_model_is_missing(self):
        path = os.path.join(self.folder, "health")
        settings = {"model": self.folder + "/absent.gguf"}
        self.assertEqual(self.serve(settings, path), path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        client = self.editor(settings)
        client.wait_notification("inlined/status", lambda p: p["state"] == "error")
        status, body = self.get(Unix(path), "/healthz", headers={"Host": "whatever"})
        self.assertEqual(status, 503)
        self.assertIn("absent.gguf", body)
        done = self.ask("health", "--json")
        self.assertEqual(done.returncode, 1)
        said = json.loads(done.stdout)
        self.assertFalse(said["ok"])
        self.assertEqual([c["name"] for c in said["checks"] if not c["ok"]], ["models"])
        self.assert_sentence(done.stderr.strip())
        client.close()
        self.stop()
        self.assertFalse(os.path.exists(path), "the socket of the pages stays behind")

    def test_garbage_does_no_harm(self):
        path = os.path.join(self.folder, "health")
        self.serve({"model": self.folder + "/absent.gguf"}, path)
        for bad in (b"\0" * 70000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"A" * 200000 + b"\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(path)
                try:
                    s.sendall(bad)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(4096):
                        pass
                except OSError:
                    pass
        slow = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        for s in slow:
            s.connect(path)
            s.sendall(b"GET /healthz HTT")
        self.assertEqual(self.get(Unix(path), "/healthz")[0], 200)
        for s in slow:
            s.close()
        self.stop()

    def test_wrong_places(self):
        for where in ("70000", "here", "/nowhere/at/all", "/" + "x" * 200):
            done = subprocess.run([lsp_case.PROGRAM, "--listen", self.socket_path, "--health",
                                   where],
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertNotEqual(done.returncode, 0, where)
            self.assert_sentence(done.stderr.strip().splitlines()[-1])
        done = self.ask("health")
        self.assertEqual(done.returncode, 1)
        self.assert_sentence(done.stderr.strip())


if __name__ == "__main__":
    lsp_case.main()
