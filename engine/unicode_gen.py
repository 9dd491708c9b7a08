#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the class tables:  engine/unicode_gen.py > engine/unicode_tables.c

Needs PyPI unicodedata2 16.0.0, because the Unicode of Python's own module depends on its version.

Each range is one number: first code point << 8 | class bits (engine/unicode.h); it ends where the
next begins.  White_Space is a property and no general category, so it is listed here.
"""
import sys

import unicodedata2 as unicodedata

UPPER, LOWER, OTHER_LETTER, MARK, NUMBER, PUNCT, SYMBOL, SPACE = (1 << i for i in range(8))
WHITE_SPACE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
               0x202F, 0x205F, 0x3000}


def bits_of(cp):
    if cp in WHITE_SPACE:
        return SPACE
    cat = unicodedata.category(chr(cp))
    if cat in ("Lu", "Lt"):
        return UPPER
    if cat == "Ll":
        return LOWER
    return {"L": OTHER_LETTER, "M": MARK, "N": NUMBER, "P": PUNCT, "S": SYMBOL}.get(cat[0], 0)


def ranges():
    last = None
    for cp in range(0x110000):
        bits = bits_of(cp)
        if bits != last:
            yield cp << 8 | bits
            last = bits


def fold(cp):
    """The simple form of a code point (0: a mark that goes away), None where there is none."""
    if unicodedata.category(chr(cp)) == "Mn":
        return 0
    if 0xAC00 <= cp <= 0xD7A3 or 0xD800 <= cp <= 0xDFFF or 0xF900 <= cp <= 0xFAFF or cp >= 0x2F800:
        return None  # Hangul is computed; compatibility ideographs stay
    for step in ("NFD", "lower", "NFD"):
        text = chr(cp).lower() if step == "lower" else unicodedata.normalize(step, chr(cp))
        text = [c for c in text if unicodedata.category(c) != "Mn"]
        if len(text) != 1:
            return None
        cp = ord(text[0])
    return cp


def fold_runs():
    """[first, step, count, difference]: the longest runs of equal difference and step 1 or 2."""
    folds = [(cp, fold(cp)) for cp in range(0x80, 0x30000)]
    pairs = [(cp, to - cp if to else 0) for cp, to in folds if to not in (None, cp)]
    while pairs:
        best = []
        for step in (1, 2):
            run = []
            for cp, delta in pairs:
                if delta != pairs[0][1] or cp != pairs[0][0] + step * len(run) or len(run) == 255:
                    break
                run.append(cp)
            best = max(best, [len(run), -step])
        yield pairs[0][0], -best[1], best[0], pairs[0][1]
        pairs = pairs[best[0]:]


def table(name, numbers, per_line):
    print(f"const {name}[{len(numbers)}] = {{")
    for i in range(0, len(numbers), per_line):
        print("    " + " ".join(numbers[i:i + per_line]))
    print("};")


def main():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    version = unicodedata.unidata_version
    print(f"""/* Written by engine/unicode_gen.py from Unicode {version}; do not edit.
 *
 * unicode_ascii has the class bits (unicode.h) of the first 128 code points; unicode_ranges has all
 * ranges, first code point << 8 | class bits, in ascending order; each ends where the next begins;
 * unicode_folds has the lower-case forms without accents (NFD, Mn dropped) that are one code
 * point, with difference 0 for a mark that goes away.
 * Constant, so any thread may read it. */""")
    print('#include "engine/unicode_tables.h"\n')
    print("/* clang-format off */")
    table("uint8_t unicode_ascii", [f"{bits_of(cp):3d}," for cp in range(128)], 16)
    table("uint32_t unicode_ranges", [f"0x{n:08X}," for n in ranges()], 8)
    runs = [f"{{0x{a:04X},{b},{n},{d}}}," for a, b, n, d in fold_runs()]
    table("unicode_fold_run unicode_folds", runs, 4)
    print("/* clang-format on */")


if __name__ == "__main__":
    sys.exit(main())
