# SPDX-License-Identifier: Apache-2.0
"""One picture: for each run the share of answers that were there within so many milliseconds."""
import math
from xml.sax.saxutils import escape

COLOURS = ["#0969da", "#cf222e", "#1a7f37", "#8250df", "#bf8700", "#57606a"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 56, 210, 40, 46


def svg(title, runs, marks=(100, 300)):
    """`runs`: {name: [milliseconds, ...]}; the x axis is logarithmic, 0.1 ms to 10 s."""
    low, high = math.log10(0.1), math.log10(10000)
    plot_w, plot_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(ms):
        return LEFT + plot_w * (math.log10(min(max(ms, 0.1), 10000)) - low) / (high - low)

    def y(share):
        return TOP + plot_h * (1 - share)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>']
    for ms in (0.1, 1, 10, 100, 1000, 10000):
        out.append(f'<path d="M{x(ms):.1f} {TOP}V{TOP + plot_h}" stroke="#d0d7de"/>'
                   f'<text x="{x(ms):.1f}" y="{TOP + plot_h + 18}" '
                   f'text-anchor="middle">{ms:g}</text>')
    for share in (0, 0.25, 0.5, 0.75, 0.95, 1):
        out.append(f'<path d="M{LEFT} {y(share):.1f}H{LEFT + plot_w}" stroke="#d0d7de"/>'
                   f'<text x="{LEFT - 6}" y="{y(share) + 4:.1f}" '
                   f'text-anchor="end">{share:.0%}</text>')
    for ms in marks:
        out.append(f'<path d="M{x(ms):.1f} {TOP}V{TOP + plot_h}" stroke="#57606a" '
                   'stroke-dasharray="4 3"/>')
    out.append(f'<text x="{LEFT + plot_w / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
               'milliseconds from request to answer</text>')
    for i, (name, values) in enumerate(runs.items()):
        colour, ordered = COLOURS[i % len(COLOURS)], sorted(values)
        if not ordered:
            continue
        path = f"M{x(ordered[0]):.1f} {y(0):.1f}" + "".join(
            f"H{x(v):.1f}V{y((k + 1) / len(ordered)):.1f}" for k, v in enumerate(ordered))
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
                   f'<text x="{LEFT + plot_w + 12}" y="{TOP + 14 + 18 * i}" fill="{colour}">'
                   f'{escape(name)}</text>')
    return "\n".join(out) + "\n</svg>\n"
