#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the plugin adds to a start of Neovim, by Neovim's own clock (--startuptime).

    startup.py [--runs 100] [--csv FILE] NVIM...

Each NVIM starts in turns with the plugin where `./bootstrap install` puts it and without it, with a
home of its own; no file is opened.  Told: the milliseconds of the plugin's own file, and the
difference of the whole starts, whose median is what must stay under LIMIT_MS.
"""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

PLUGIN = pathlib.Path(__file__).resolve().parents[3] / "editors/nvim"
LIMIT_MS = 3.0


def start(nvim, home):
    """(ms of the whole start, ms of the plugin's file) of one start."""
    log = home / "startup.log"
    log.unlink(missing_ok=True)
    env = {**os.environ, **{f"XDG_{name}_HOME": str(home / name.lower())
                            for name in ("CONFIG", "DATA", "STATE", "CACHE")}}
    subprocess.run([nvim, "--headless", "-i", "NONE", "--startuptime", log, "+qall"], env=env,
                   check=True, capture_output=True, timeout=60)
    text = log.read_text(encoding="utf-8")
    whole = max(float(t) for t in re.findall(r"(?m)^(\d+\.\d+)  .*NVIM STARTED", text))
    own = re.search(r"(?m)^\d+\.\d+  (\d+\.\d+)  \d+\.\d+: sourcing .*/plugin/inlined.lua", text)
    return whole, float(own.group(1)) if own else 0.0


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(nvim, runs, rows):
    name = subprocess.run([nvim, "--version"], capture_output=True, text=True, check=True,
                          timeout=60).stdout.split("\n")[0]
    with tempfile.TemporaryDirectory() as folder:
        homes = {way: pathlib.Path(folder) / way for way in ("without", "with")}
        for home in homes.values():
            (home / "config/nvim").mkdir(parents=True)
        place = homes["with"] / "data/nvim/site/pack/inlined/start/inlined"
        shutil.copytree(PLUGIN, place)
        for home in homes.values():
            start(nvim, home)  # the first one fills the caches
        found = {"without": [], "with": []}
        for run in range(runs):
            for way, home in homes.items():
                whole, own = start(nvim, home)
                found[way].append((whole, own))
                rows.append(f"{name},{way},{run},{whole},{own}")
    own = [o for _, o in found["with"]]
    added = [w[0] - wo[0] for w, wo in zip(found["with"], found["without"])]
    base = [w for w, _ in found["without"]]
    print(f"{name}: the plugin's file p50 {statistics.median(own):.2f} ms, p95 "
          f"{percentile(own, 0.95):.2f} ms; the whole start {statistics.median(base):.1f} ms, "
          f"with it p50 {statistics.median(added):+.2f} ms; {runs} starts each")
    return statistics.median(added) < LIMIT_MS


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    args.add_argument("--runs", type=int, default=100)
    args.add_argument("--csv")
    args.add_argument("nvim", nargs="+")
    o = args.parse_args()
    rows = ["editor,plugin,run,start_ms,plugin_file_ms"]
    fine = [measure(nvim, o.runs, rows) for nvim in o.nvim]
    if o.csv:
        pathlib.Path(o.csv).write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"under {LIMIT_MS} ms: {'yes' if all(fine) else 'NO'}")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    raise SystemExit(main())
