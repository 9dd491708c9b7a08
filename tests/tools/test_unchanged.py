#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What unchanged.py leaves out, and above all what it does not: a small tree with a store of its
own, whose tests are run by ctest as bootstrap runs them."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import programs_of
import unchanged

HERE = pathlib.Path(__file__).resolve().parent
SLOW = "#!/bin/sh\nsleep 0.3\ncat {top}/tests/data/word\n"
TESTS = """
add_test(slow "{top}/tests/lsp/slow.sh")
add_test(fast "{top}/tests/lsp/fast.sh")
add_test(broken "{top}/tests/lsp/broken.sh")
add_test(absent "{top}/tests/lsp/absent.sh")
set_tests_properties(absent PROPERTIES SKIP_RETURN_CODE 77)
add_test(program "{build}/program")
"""


class Unchanged(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name) / "tree"
        self.build, self.store = self.top / "build", pathlib.Path(folder.name) / "store"
        self.data = pathlib.Path(folder.name) / "share"
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("INLINED_", "CI", "XDG_"))}
        self.env.update(XDG_DATA_HOME=str(self.data), HOME=folder.name)
        text = (HERE / "unchanged.py").read_text(encoding="utf-8")
        self.assertIn("\nSLOW_S = 1.0\n", text)
        self.put("tests/tools/unchanged.py", text.replace("SLOW_S = 1.0", "SLOW_S = 0.2"))
        self.put("tests/lsp/slow.sh", SLOW.format(top=self.top))
        self.put("tests/lsp/fast.sh", "#!/bin/sh\n")
        self.put("tests/lsp/broken.sh", "#!/bin/sh\nsleep 0.3\nexit 1\n")
        self.put("tests/lsp/absent.sh", "#!/bin/sh\nsleep 0.3\nexit 77\n")
        self.put("tests/data/word", "hello\n")
        self.put("tests/mcp/other.py", "pass\n")
        self.put("lsp/a.c", "int a;\n")
        self.put("build/program", "#!/bin/sh\nsleep 0.3\n")
        self.put("build/inlined", "#!/bin/sh\n")
        self.put("build/CTestTestfile.cmake", TESTS.format(top=self.top, build=self.build))
        self.put(".gitignore", "build/\n")
        subprocess.run(["git", "init", "-q", self.top], check=True, env=self.env)

    def put(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def tool(self, *args, code=0):
        done = subprocess.run([sys.executable, self.top / "tests/tools/unchanged.py", *args],
                              env=self.env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def plan(self):
        """The names that would be left out."""
        said = self.tool("plan", self.store, self.build)
        exclude = (self.build / "unchanged/exclude").read_text(encoding="utf-8")
        names = exclude[2:-2].split("|") if exclude else []
        for name in names:
            self.assertRegex(said, r"unchanged since it passed on \d{4}-.* \([0-9a-f]{16}\): "
                             + name + "\n")
        return names

    def run_tests(self, meanwhile=lambda: None):
        names = self.plan()
        but = ["-E", "^(" + "|".join(names) + ")$"] if names else []
        done = subprocess.run(
            ["ctest", "--test-dir", self.build, "-j", "5", "--output-junit",
             self.build / "unchanged/junit.xml", *but],
            env=self.env, capture_output=True, text=True, check=False)
        meanwhile()
        self.tool("passed", self.store, self.build)
        return done.stdout

    def test_only_slow_tests_that_passed_are_left_out(self):
        self.assertEqual(self.plan(), [])
        self.run_tests()
        self.assertEqual(self.plan(), ["program", "slow"])
        ran = self.run_tests()
        for name, runs in (("slow", False), ("program", False), ("fast", True), ("broken", True),
                           ("absent", True)):
            self.assertEqual(f": {name} " in ran, runs, ran)
        self.assertEqual(self.plan(), ["program", "slow"])

    def test_every_input_counts(self):
        self.run_tests()
        both = ["program", "slow"]

        def change(what, left, do, undo):
            with self.subTest(what):
                do()
                self.assertEqual(self.plan(), left)
                undo()
                self.assertEqual(self.plan(), both)

        def file(name, left):
            path = self.top / name
            before = path.read_text(encoding="utf-8") if path.exists() else None
            change(name, left, lambda: self.put(name, (before or "") + "\n# changed\n"),
                   lambda: path.unlink() if before is None else self.put(name, before))

        file("tests/lsp/slow.sh", ["program"])
        file("tests/data/word", ["program"])
        file("tests/data/new-and-not-yet-in-git", ["program"])
        file("tests/lsp/new.json", ["program"])
        file("build/inlined", ["program"])
        file("build/program", ["slow"])
        file("tests/mcp/other.py", both)   # another group's
        file("lsp/a.c", both)              # counts by the program that is made from it
        file("docs/A.md", both)
        file("build/Testing/output", both)
        listing = "build/CTestTestfile.cmake"
        before = (self.top / listing).read_text(encoding="utf-8")
        change("an argument", ["program"],
               lambda: self.put(listing, before.replace('slow.sh"', 'slow.sh" "1"')),
               lambda: self.put(listing, before))
        change("a property", ["program"],
               lambda: self.put(listing, before + 'set_tests_properties(slow PROPERTIES '
                                'ENVIRONMENT "A=1")\n'),
               lambda: self.put(listing, before))
        change("the environment", [], lambda: self.env.update(INLINED_SEED="7"),
               lambda: self.env.pop("INLINED_SEED"))
        model = self.data / "inlined/models/a.gguf"
        model.parent.mkdir(parents=True)
        change("a model", [], lambda: model.write_bytes(bytes(2 << 20)), model.unlink)
        for name in ("INLINED_FORCE", "CI"):
            change(name, [], lambda name=name: self.env.update({name: "1"}),
                   lambda name=name: self.env.pop(name))

    def test_a_fetched_folder_that_came_anew(self):
        fetched = self.data / "tool"
        fetched.mkdir(parents=True)
        (fetched / ".ok").touch()
        self.put("build/CTestTestfile.cmake",
                 f'add_test(slow "{self.top}/tests/lsp/slow.sh" "{fetched}/bin/tool")\n')
        self.run_tests()
        self.assertEqual(self.plan(), ["slow"])
        os.utime(fetched / ".ok", (1, 1))
        self.assertEqual(self.plan(), [])

    def test_an_input_that_changed_during_the_run(self):
        self.run_tests(meanwhile=lambda: self.put("tests/data/word", "changed\n"))
        self.assertEqual(self.plan(), ["program"])

    def test_nothing_is_believed_for_ever(self):
        self.run_tests()
        week = time.time() - 8 * 86400
        for path in self.store.iterdir():
            os.utime(path, (week, week))
        self.assertEqual(self.plan(), [])
        self.tool("passed", self.store, self.build)
        self.assertEqual(len(list(self.store.iterdir())), 0 + 2)  # noted anew, the old are gone

    def test_a_store_that_is_damaged(self):
        self.run_tests()
        for path in self.store.iterdir():
            path.write_text("{", encoding="utf-8")
        self.assertEqual(self.plan(), [])

    def test_which_others_were_chosen_is_no_input(self):
        """A pass of `bootstrap test --only` counts for the whole run, and the other way round."""
        self.run_tests()
        self.put("build/CTestTestfile.cmake", TESTS.format(top=self.top, build=self.build)
                 + f'add_test(started "{self.build}/tests/started")\n')
        self.put("build/tests/started", "#!/bin/sh\n")
        keys = {}
        for args in ((), ("-R", "^slow$")):
            self.tool("plan", self.store, self.build, *args)
            plan = json.loads((self.build / "unchanged/plan.json").read_text(encoding="utf-8"))
            keys[args] = plan["keys"]["slow"]
        self.assertEqual(keys[()], keys["-R", "^slow$"])

    @unittest.skipIf(not shutil.which("ninja"), "no ninja")
    def test_what_chosen_tests_need(self):
        link = "C_EXECUTABLE_LINKER__x_Release"
        outputs = ("inlined", "tests/test_a", "tests/test_b", "tests/helper", "fuzz/fuzz_a")
        self.put("build/build.ninja", f"rule {link}\n  command = true\n"
                 + "".join(f"build {name}: {link}\n" for name in outputs) + "build other: phony\n")
        at = self.build.resolve()
        self.put("build/CTestTestfile.cmake",
                 f'add_test([=[test_a]=] "{at}/tests/test_a")\n'
                 f'add_test([=[test_b]=] "{at}/tests/test_b" "x y")\n'
                 f'add_test([=[corpus]=] "{at}/fuzz/fuzz_a" "{self.top}/tests")\n'
                 f'add_test([=[e2e_x]=] "{sys.executable}" "{self.top}/x.py")\n')

        def needs(regex):
            return programs_of.programs_of(str(at), regex)
        self.assertEqual(needs("^test_a$"), ["inlined", "tests/helper", "tests/test_a"])
        self.assertEqual(needs("e2e"), ["inlined", "tests/helper"])
        self.assertEqual(needs("corpus|_b"),
                         ["fuzz/fuzz_a", "inlined", "tests/helper", "tests/test_b"])
        self.assertEqual(needs("nothing-has-this-name"), [])

    @unittest.skipIf(not shutil.which("gcc") or not shutil.which("objcopy"), "no gcc")
    def test_debug_information_is_no_input(self):
        def compile_it(source, *flags):
            path = self.top / "lsp/a.c"
            path.write_text(source, encoding="utf-8")
            subprocess.run(["gcc", *flags, "-o", self.build / "program", path], check=True)
        main = "#include <unistd.h>\nint main(void) { usleep(300000); return %s; }\n"
        compile_it(main % 0, "-g")
        self.run_tests()
        self.assertIn("program", self.plan())
        compile_it("/* a comment */\n\n" + main % 0, "-g")
        self.assertIn("program", self.plan())
        compile_it(main % 1, "-g")
        self.assertNotIn("program", self.plan())

    def test_a_program_of_another_processor(self):
        path = self.top / "other"
        path.write_bytes(b"\x7fELF and what no tool here can read")
        self.assertEqual(unchanged.Files.content(str(path)), path.read_bytes())

    def test_a_job_by_its_sources(self):
        job = ("sources", self.store, "arm", "lsp", "tests/lsp/slow.sh")
        self.tool(*job, code=1)
        self.tool(*job, "--passed")
        self.assertIn(": arm\n", self.tool(*job))
        self.put("lsp/b.h", "int b;\n")
        self.tool(*job, code=1)

    def test_fuzz_targets(self):
        for name in ("fuzz_a", "fuzz_b"):
            self.put(f"build/fuzz/{name}", f"#!/bin/sh\n# {name}\n")
            self.put(f"tests/fuzz/corpus/{name}/seed", "seed")
        self.put("build/log", "fuzz ok fuzz_a: 10 runs\nfuzz FAILED fuzz_b: input\n")

        def targets(seconds="30"):
            self.tool("fuzz", self.store, self.build, seconds)
            return (self.build / "unchanged/targets").read_text(encoding="utf-8").split()
        self.assertEqual(targets(), ["fuzz_a", "fuzz_b"])
        self.tool("fuzzed", self.store, self.build, self.build / "log")
        self.assertEqual(targets(), ["fuzz_b"])
        self.assertEqual(targets("60"), ["fuzz_a", "fuzz_b"])
        self.put("tests/fuzz/corpus/fuzz_a/seed", "another")
        self.assertEqual(targets(), ["fuzz_a", "fuzz_b"])
        self.put("tests/fuzz/corpus/fuzz_a/seed", "seed")
        self.put("build/fuzz/fuzz_a", "#!/bin/sh\n# another\n")
        self.assertEqual(targets(), ["fuzz_a", "fuzz_b"])


if __name__ == "__main__":
    unittest.main()
