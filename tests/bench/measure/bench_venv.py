# SPDX-License-Identifier: Apache-2.0
"""A Python with what the benches need (requirements.txt here), made once in the cache.

    import bench_venv; bench_venv.enter()        # runs this very program again inside it, once
"""
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REQUIREMENTS = os.path.join(HERE, "requirements.txt")


def folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    with open(REQUIREMENTS, "rb") as f:
        key = hashlib.sha256(f.read() + sys.version.encode()).hexdigest()[:16]
    return os.path.join(base, "inlined", "bench", "venv-" + key)


def enter():
    """Goes on in the venv's Python; makes the venv when it is not there."""
    at = folder()
    python = os.path.join(at, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(at):
        return
    if not os.path.exists(os.path.join(at, ".ok")):
        subprocess.run([sys.executable, "-m", "venv", "--clear", at], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                        "--no-deps", "-r", REQUIREMENTS], check=True)
        open(os.path.join(at, ".ok"), "w").close()
    os.execv(python, [python, *sys.argv])
