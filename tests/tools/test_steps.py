#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bootstrap's manners: what it prints, when it stops, what it leaves running, what it refuses."""
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

# A locale that is not installed makes bash say so on stderr, which is not what is tested here.
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PRELUDE = f"""set -eu
TOP=$1 CACHE=$1/cache
usage() {{ :; }}
. {HERE}/steps.sh
steps_begin test
"""


def plain_signals():
    """Undoes what the test's own caller ignores or blocks: a shell that starts with SIGTERM ignored
    cannot trap it, and some runners start their jobs so."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in ends:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)


class Steps(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def script(self, body):
        return ["bash", "-c", PRELUDE + body, "bash", self.folder.name]

    def run_script(self, body):
        p = subprocess.run(self.script(body), capture_output=True, text=True, check=False,
                           env=ENVIRONMENT, timeout=60)
        return p.returncode, p.stdout + p.stderr

    def test_a_step_is_one_line_with_its_seconds(self):
        rc, out = self.run_script('step "do it" "no hint" true\necho end')
        self.assertEqual(rc, 0)
        self.assertRegex(out, r"(?m)^\[ 1\] do it +\d+\.\d s$")
        self.assertIn("end", out)

    def test_a_failed_step_tells_what_why_and_what_to_do(self):
        body = 'f() { for i in $(seq 40); do echo "line $i"; done; return 3; }\n'
        rc, out = self.run_script(body + 'step "break it" "mend it" f\necho NOT REACHED')
        self.assertEqual(rc, 1)
        self.assertIn("break it: FAILED", out)
        self.assertIn("exit 3", out)
        self.assertIn("line 40", out)
        self.assertEqual(len(re.findall(r"\| line ", out)), 20)
        self.assertIn("what to do: mend it", out)
        self.assertNotIn("NOT REACHED", out)

    def test_a_command_that_fails_inside_a_step_ends_the_step(self):
        rc, out = self.run_script('f() { false; echo NOT REACHED; }\nstep "x" "y" f')
        self.assertEqual(rc, 1)
        self.assertNotIn("NOT REACHED", out)

    def test_a_soft_step_returns_its_failure(self):
        rc, out = self.run_script('rc=0; STEP_SOFT=1 step "x" "y" false || rc=$?; echo "rc $rc"')
        self.assertEqual(rc, 0)
        self.assertIn("rc 1", out)

    def test_a_soft_step_does_not_make_what_it_runs_soft(self):
        rc, out = self.run_script('STEP_SOFT=1 step "x" "y" sh -c "echo soft=\\$STEP_SOFT >&2"\n'
                                  'cat "$STEP_LOG"')
        self.assertEqual(rc, 0)
        self.assertRegex(out, r"(?m)^soft=$")

    def test_an_interrupt_ends_what_the_step_started(self):
        mark = os.path.join(self.folder.name, "pid")
        body = f'f() {{ sh -c \'echo $$ > {mark}; exec sleep 60\'; }}\nstep "wait" "y" f'
        p = subprocess.Popen(self.script(body), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=ENVIRONMENT, preexec_fn=plain_signals)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        end = time.monotonic() + 20
        while not (os.path.exists(mark) and os.path.getsize(mark)) and time.monotonic() < end:
            time.sleep(0.05)
        with open(mark, encoding="ascii") as f:
            child = int(f.read())
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=20)
        self.assertEqual(p.returncode, 143)
        self.assert_ends(child)

    def assert_ends(self, pid):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                    if f.read().rpartition(")")[2].split()[0] == "Z":
                        return
            except OSError:
                return
            time.sleep(0.05)
        self.fail(f"process {pid} still runs")

    def test_two_at_once_wait_for_each_other(self):
        first = subprocess.Popen(self.script("echo has it; read -r line"), stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        while "has it" not in first.stdout.readline():
            pass
        second = subprocess.Popen(self.script("echo has it too"), stdout=subprocess.PIPE, text=True)
        self.assertIn("bootstrap test", second.stdout.readline())
        self.assertIn("waiting", second.stdout.readline())
        first.communicate("go\n", timeout=20)
        out, _ = second.communicate(timeout=20)
        self.assertIn("has it too", out)


class Arguments(unittest.TestCase):
    def bootstrap(self, *args):
        p = subprocess.run([os.path.join(TOP, "bootstrap"), *args], capture_output=True, text=True,
                           check=False, env=ENVIRONMENT, timeout=60)
        return p.returncode, p.stdout, p.stderr

    def test_help(self):
        rc, out, err = self.bootstrap("help")
        self.assertEqual((rc, err), (0, ""))
        for job in ("demo", "test", "install"):
            self.assertIn(job, out)

    def test_an_unknown_job_is_wrong_usage(self):
        rc, out, err = self.bootstrap("dmeo")
        self.assertEqual((rc, out), (2, ""))
        self.assertIn("dmeo", err)

    def test_only_wants_names(self):
        for args in (["--only"], ["--only", ""], ["--only="], ["editors"]):
            rc, out, err = self.bootstrap("test", *args)
            self.assertEqual((rc, out), (2, ""), args)
            self.assertRegex(err, "--only wants|test does not know")

    def test_nothing_fetched_is_named_by_host(self):
        """Packages come by name through apt, pip and npm, from wherever the user's settings say."""
        files = [os.path.join(TOP, "bootstrap")]
        for folder in ("tests/tools", "tests/editors", "tests/peers", "context/grammars"):
            where = os.path.join(TOP, folder)
            files += [os.path.join(where, n) for n in os.listdir(where)
                      if n.endswith((".sh", ".json"))]
        for path in files:
            with open(path, encoding="utf-8") as f:
                self.assertNotRegex(f.read(), r'"resolved"|https?://[a-z]+\.(npm|deb|ubuntu|py)',
                                    path)


if __name__ == "__main__":
    unittest.main()
