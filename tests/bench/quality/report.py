#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays the answers that run.py kept, with every rule, and writes tables.

    tests/bench/quality/report.py DIR [--csv FILE]

Rates: `saved` is keys saved of all keys of the lines (each key taken costs one, each text that was
shown and never taken half a key); `gross` is that without the cost of reading; `precision` is
taken of shown; `shown` is texts of places asked.  Intervals are 95 %: the bootstrap over files for
saved and gross, Wilson for shares.  Differences are paired: the same lines, files drawn together.
"""
import argparse
import csv
import json
import math
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "measure")]
import replay  # noqa: E402
from intervals import bootstrap, wilson  # noqa: E402

FILTERS = ("marker", "indent", "repeat", "duplicate", "suffix", "bracket", "known",
           "syntax")
PERCENTS = (0, 40, 60, 70, 75, 80, 85, 90)
CUTS = (0, 20, 30, 40, 50, 60)
KEPT_BYTES_MIN = 10


def load(folder):
    """{configuration: {line number: row}}"""
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".jsonl"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                rows = [json.loads(line) for line in f]
            found[name[:-6]] = {row["line"]: row for row in rows}
    return found


def logarithm(percent):
    return math.log(percent / 100) if percent else -math.inf


def before_doubt(text, tokens, least):
    """What context/filter_doubt.c keeps: (text or None, mean log-probability)."""
    data = text.encode()
    end = next((at for at, p in tokens if at < len(data) and p < least), len(data))
    if end < len(data):
        kept = data[:end]
        if re.match(rb"[\w\x80-\xff]", data[end:]):
            kept = re.sub(rb"[\w\x80-\xff]+$", b"", kept)
        data = kept.rstrip(b" \t")
        if len(data) < KEPT_BYTES_MIN:
            return None, 0
    known = [p for at, p in tokens if at < len(data)]
    return data.decode("utf-8", "ignore"), sum(known) / len(known) if known else 0


def policy(variant="all", limits=(0, 0)):
    """The text that is shown of an answer: filters by `variant`; `limits` in percent: least mean,
    and the token before which a text ends."""
    show, cut = logarithm(limits[0]), logarithm(limits[1])

    def choose(answer):
        shown = answer.get("with", {}).get(variant)
        if not shown or not shown["shown"]:
            return None
        text, mean = shown["text"], answer.get("logprob_mean", 0)
        if limits[1]:
            text, mean = before_doubt(text, answer["tokens"], cut)
        return text if text and mean >= show else None
    return choose


def tallies(rows, choose):
    return {line: replay.play(row["text"], row["answers"], choose) for line, row in rows.items()}


def total(items):
    t = replay.Tally()
    for item in items:
        t.add(item)
    return t


def by_file(rows, values):
    groups = {}
    for line, row in rows.items():
        groups.setdefault((row["package"], row["path"]), []).append(values[line])
    return list(groups.values())


def share_saved(items):
    t = total(items)
    return t.net_saved / max(t.keys, 1)


def share_gross(items):
    t = total(items)
    return t.saved / max(t.keys, 1)


def interval(low_high):
    return f"[{100 * low_high[0]:.1f}, {100 * low_high[1]:.1f}]"


def describe(name, rows, choose):
    """One row of the table."""
    played = tallies(rows, choose)
    t = total(played.values())
    groups = by_file(rows, played)
    return {"configuration": name, "lines": len(rows), "files": len(groups), "asked": t.asked,
            "saved %": f"{100 * t.net_saved / max(t.keys, 1):.1f}",
            "interval": interval(bootstrap(groups, share_saved)),
            "gross %": f"{100 * t.saved / max(t.keys, 1):.1f}",
            "shown": t.shown,
            "precision %": f"{100 * t.accepted / max(t.shown, 1):.1f}",
            "precision interval": interval(wilson(t.accepted, t.shown)),
            "shown rate %": f"{100 * t.shown / max(t.asked, 1):.1f}"}


def difference(rows_a, rows_b, choose_a, choose_b):
    """Paired difference in keys saved, with its interval."""
    both = {line: rows_a[line] for line in rows_a if line in rows_b}
    a, b = tallies(both, choose_a), tallies({k: rows_b[k] for k in both}, choose_b)
    pairs = {line: (a[line], b[line]) for line in both}

    def gain(items):
        return share_saved(x for x, _ in items) - share_saved(y for _, y in items)
    groups = by_file(both, pairs)
    return len(both), gain(list(pairs.values())), bootstrap(groups, gain)


def print_table(table):
    names = list(table[0])
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for row in table:
        print("| " + " | ".join(str(row.get(n, "")) for n in names) + " |")
    print()


def fit(rows):
    """(limits, tally) of every pair, and the pair to take: the most keys saved among those with a
    precision of 50 % at least; where none has it, the most precise."""
    known = all("tokens" in a for r in rows.values() for a in r["answers"] if "raw" in a)
    curve = [((show, cut), total(tallies(rows, policy(limits=(show, cut))).values()))
             for cut in (CUTS if known else (0,)) for show in PERCENTS]
    good = [(t.net_saved, x) for x, t in curve if t.shown and t.accepted / t.shown >= 0.5]
    best = max(good)[1] if good else \
        max(curve, key=lambda x: x[1].accepted / max(x[1].shown, 1))[0]
    return curve, best


def print_fit(name, rows):
    curve, best = fit(rows)
    print(f"Confidence of {name} ({len(rows)} lines); taken: at least {best[0]} %, "
          f"cut below {best[1]} %\n")
    print_table([{"show %": show, "cut %": cut, "saved %": f"{100 * t.net_saved / t.keys:.1f}",
                  "gross %": f"{100 * t.saved / t.keys:.1f}", "shown": t.shown,
                  "precision %": f"{100 * t.accepted / max(t.shown, 1):.1f}",
                  "interval": interval(wilson(t.accepted, t.shown))}
                 for (show, cut), t in curve])
    return best


def common(found, names):
    """The rows of `names` on the lines that all of them have."""
    lines = set.intersection(*(set(found[n]) for n in names))
    return {n: {line: found[n][line] for line in sorted(lines)} for n in names}


def compare(title, found, names, limits):
    rows = common(found, names)
    first = names[0]
    print(f"{title}\n")
    table = []
    for name in names:
        mine = policy(limits=limits.get(name, (0, 0)))
        row = describe(name, rows[name], mine)
        n, gain, ends = difference(rows[name], rows[first], mine,
                                   policy(limits=limits.get(first, (0, 0))))
        row[f"against {first}"] = "" if name == first else f"{100 * gain:+.1f} {interval(ends)}"
        table.append(row)
    print_table(table)


def print_filters(name, rows, limits):
    print(f"Filters of {name}: what is lost without each ({len(rows)} lines)\n")
    table = [describe("all", rows, policy("all", limits))]
    for one in FILTERS:
        row = describe("without " + one, rows, policy(one, limits))
        _, gain, ends = difference(rows, rows, policy("all", limits), policy(one, limits))
        table.append({**row, "paired gain": f"{100 * gain:+.2f} {interval(ends)}"})
    table[0]["paired gain"] = ""
    table.append(describe("without all of them", rows, policy("raw", limits)))
    table.append(describe("without doubt", rows, policy("all", (limits[0], 0))))
    table.append(describe("without doubt and confidence", rows, policy("all")))
    print_table(table)


def parse_rate(rows):
    """Share of the raw texts that were asked for and that the syntax filter did not drop."""
    asked = dropped = 0
    for row in rows.values():
        for answer in row["answers"]:
            if answer.get("with", {}).get("syntax", {}).get("shown"):
                asked += 1
                dropped += not answer["with"]["all"]["shown"]
    return asked - dropped, asked


def write_csv(path, found):
    with open(path, "w", newline="", encoding="utf-8") as f:
        sheet = csv.writer(f)
        sheet.writerow(["configuration", "line", "package", "version", "path", "at", "rest_chars",
                        "shown_chars", "right_chars", "reason", "logprob_mean", "logprob_min",
                        "taken"])  # lengths only: the packages' text stays out
        for name, rows in found.items():
            for line, row in rows.items():
                for a in row["answers"]:
                    s, rest = a.get("with", {}).get("all", {}), row["text"][a["at"]:]
                    text = s.get("text", "") if s.get("shown") else ""
                    sheet.writerow([
                        name, line, row["package"], row["version"], row["path"], a["at"],
                        len(rest), len(text), len(os.path.commonprefix([rest, text])),
                        s.get("reason", a.get("reason", "")),
                        round(a.get("logprob_mean", 0), 4), round(a.get("logprob_min", 0), 4),
                        int(replay.is_accepted(text, rest))])


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("folder")
    p.add_argument("--csv")
    p.add_argument("--limits", default="", help="show/cut, as fim=80/50,base=0/0; else fitted")
    args = p.parse_args()
    found = load(args.folder)
    limits = {n: print_fit(n, found[n]) for n in ("fim", "base")}
    for item in filter(None, args.limits.split(",")):
        name, pair = item.split("=")
        limits[name] = tuple(map(int, pair.split("/")))
    for name in found:  # who was asked as an editor asks has judged already
        done = name == "peer" or name.endswith("-lsp")
        limits.setdefault(name, (0, 0) if done else limits.get(name.split("-")[0]))
    compare("Side by side, with confidence", found, ["fim", "base"], limits)
    compare("Side by side, everything shown", found, ["fim", "base"], {})
    if "peer" in found:
        compare("Against llama.vim's rules on the same model", found, ["peer", "fim"], limits)
        if "fim-lsp" in found:
            compare("The same, over LSP", found, ["peer", "fim-lsp"], limits)
        compare("The same, without confidence", found, ["peer", "fim"], {})
    for name in found:
        if "-" in name and name.split("-")[0] in found:
            compare(f"Lever: {name}", found, [name.split("-")[0], name], limits)
            compare(f"Lever: {name}, everything shown", found, [name.split("-")[0], name], {})
    for name in ("fim", "base"):
        print_filters(name, found[name], limits[name])
        good, asked = parse_rate(found[name])
        print(f"{name}: {good} of {asked} texts parse ({100 * good / max(asked, 1):.1f} % "
              f"{interval(wilson(good, asked))}); the others are not shown\n")
    for package in sorted({r["package"] for r in found["fim"].values()}):
        mine = {n: {k: r for k, r in found[n].items() if r["package"] == package}
                for n in ("fim", "base")}
        compare(f"Package {package}", mine, ["fim", "base"], limits)
    if args.csv:
        write_csv(args.csv, found)


if __name__ == "__main__":
    main()
