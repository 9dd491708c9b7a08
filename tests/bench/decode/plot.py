# SPDX-License-Identifier: Apache-2.0
"""Bars as SVG, without a library: what decode.py draws."""
import collections
import html

Bar = collections.namedtuple("Bar", "name value text")
Group = collections.namedtuple("Group", "title bars")

WIDTH, LEFT, BAR, GAP, TOP = 760, 250, 18, 16, 44
COLOURS = ("#2b6cb0", "#a0aec0", "#718096")


def bars(title, groups):
    """Horizontal bars from zero, all on one scale."""
    most = max(bar.value for group in groups for bar in group.bars)
    scale = (WIDTH - LEFT - 150) / most
    out, y = [], TOP
    for group in groups:
        out.append(text(LEFT - 10, y + BAR, group.title, "end"))
        for i, bar in enumerate(group.bars):
            width = bar.value * scale
            out.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" '
                       f'fill="{COLOURS[i % len(COLOURS)]}"/>')
            out.append(text(LEFT + width + 6, y + BAR - 5, f"{bar.name} {bar.text}", "start"))
            y += BAR
        y += GAP
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
            f'font-family="sans-serif" font-size="12">')
    frame = f'<rect width="{WIDTH}" height="{y}" fill="white"/>'
    return "\n".join([head, frame, text(WIDTH / 2, 24, title, "middle", 15), *out, "</svg>", ""])


def text(x, y, words, anchor, size=12):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}">'
            f"{html.escape(words)}</text>")
