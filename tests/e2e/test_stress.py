#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sixteen clients typing on one daemon, two of them on another tier, one loading and unloading a
third, clients coming and going: every request is answered once, and in the end no descriptor, no
child and no memory is left over.  INLINED_STRESS_SECONDS makes it longer (10)."""
import os
import random
import shutil
import threading
import time

import lsp_case
import test_lsp_listen

SECONDS = float(os.environ.get("INLINED_STRESS_SECONDS", "10"))
CLIENTS = 16
LINES = "def add(first, second):\n    return first + second\n\n\n"


class Stress(test_lsp_listen.Daemon):
    def setUp(self):
        super().setUp()
        small, why = lsp_case.find_model()
        if not small:
            self.skipTest(why)
        self.files = [small] + [os.path.join(self.folder, f"{n}.gguf") for n in range(2)]
        for path in self.files[1:]:
            shutil.copyfile(small, path)
        self.settings = {
            "tiers": {tier: {"model": path, "contextTokens": 1024}
                      for tier, path in zip(("small", "medium", "large"), self.files)},
            **lsp_case.QUICK}
        self.settings["completion"] = {**self.settings["completion"], "maxTokens": 8}

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def resident(self):
        with open(f"/proc/{self.daemon.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * 4096

    def children(self):
        with open(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children",
                  encoding="ascii") as f:
            return f.read().split()

    def type_away(self, number, until, waits):
        """One editor: types, asks at each key, sometimes takes a request back or leaves at once."""
        rng = random.Random(number)
        settings = dict(self.settings, roles={"completion": "large" if number < 2 else "small"})
        while time.monotonic() < until:
            client, keys, version = self.editor(settings), [], 1
            client.open("file:///a.py", LINES)
            line = ""
            for _ in range(rng.randrange(5, 40)):
                if time.monotonic() > until:
                    break
                line = line + rng.choice("abc =()") if len(line) < 30 else ""
                version += 1
                client.change("file:///a.py", version, {"text": LINES + line})
                start = time.monotonic()
                key = client.request("textDocument/inlineCompletion", client.completion_params(
                    "file:///a.py", {"line": 4, "character": len(line)}, 2))
                keys.append(key)
                if rng.random() < 0.2:
                    client.notify("$/cancelRequest", {"id": key})
                elif rng.random() < 0.7:
                    client.wait(key)
                    waits.append(time.monotonic() - start)
            for key in keys:
                answer = client.wait(key)
                assert "result" in answer or answer["error"]["code"] in (-32800, -32801), answer
            assert {client.answer_counts[k] for k in keys} <= {1}
            if rng.random() < 0.7:
                client.close()
            else:
                client.kill()

    def load_and_unload(self, until):
        client = self.editor(self.settings)
        while time.monotonic() < until:
            client.call("inlined/models", {"action": "load", "tier": "medium"})
            time.sleep(random.random() / 2)
            client.request("inlined/models", {"action": "unload", "tier": "medium"})
            time.sleep(random.random() / 5)
        client.close()

    def round(self, seconds):
        until, waits, errors = time.monotonic() + seconds, [], []

        def guarded(work, *arguments):
            try:
                work(*arguments)
            except BaseException as error:  # shown by the test, not by the thread
                errors.append(error)

        work = [threading.Thread(target=guarded, args=(self.type_away, n, until, waits))
                for n in range(CLIENTS)]
        work.append(threading.Thread(target=guarded, args=(self.load_and_unload, until)))
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        if errors:
            raise errors[0]
        return sorted(waits)

    def settled(self):
        """Memory when only this connection is left and the third model is out."""
        client = self.editor(self.settings)
        client.request("inlined/models", {"action": "unload", "tier": "medium"})
        end = time.monotonic() + 30
        while True:
            state = client.call("inlined/daemon")
            busy = sum(m.get("queue", 0) for m in state["models"])
            if state["clients"] == 1 and not busy:
                break
            self.assertLess(time.monotonic(), end, state)
            time.sleep(0.1)
        self.assertEqual([m["failed"] for m in state["models"] if m["state"] == "ready"],
                         [0] * sum(m["state"] == "ready" for m in state["models"]))
        client.close()
        time.sleep(0.3)
        return self.descriptors(), self.resident()

    def test_many_clients(self):
        self.listen(self.settings)
        self.round(SECONDS / 2)
        descriptors, memory = self.settled()
        waits = self.round(SECONDS / 2)
        after, resident = self.settled()
        print(f"\n{len(waits)} answers waited for, p50 {waits[len(waits) // 2] * 1e3:.0f} ms, "
              f"p95 {waits[len(waits) * 95 // 100] * 1e3:.0f} ms; "
              f"{memory >> 20} MB, then {resident >> 20} MB")
        self.assertEqual(after, descriptors)
        self.assertEqual(self.children(), [])
        # Half of a short run is too little for the allocator to have seen everything.
        self.assertLess(resident, memory * 1.01 if SECONDS >= 600 else memory * 1.05 + (8 << 20))
        self.stop()


if __name__ == "__main__":
    lsp_case.main()
