# SPDX-License-Identifier: Apache-2.0
"""Lines of styled text: to the terminal in colour, and the same lines as an SVG picture."""
import os
import sys
from xml.sax.saxutils import escape

# Style: ANSI code, SVG colour, further SVG attributes.
STYLES = {
    "title": ("1;33", "#e5c07b", 'font-weight="bold"'),
    "code": ("", "#d7dae0", ""),
    "ghost": ("3;36", "#56b6c2", 'font-style="italic"'),
    "cursor": ("1;35", "#c678dd", ""),
    "number": ("90", "#5c6370", ""),
    "label": ("90", "#828997", ""),
    "text": ("", "#abb2bf", ""),
    "value": ("1;32", "#98c379", ""),
    "warn": ("31", "#e06c75", ""),
}
CHAR_PX, LINE_PX, PAD_PX = 8.4, 20, 16


class Screen:
    def __init__(self, colour):
        self.lines = []
        self.colour = colour == "always" or (
            colour == "auto" and sys.stdout.isatty() and "NO_COLOR" not in os.environ)
        self.passed = ""

    def line(self, *spans):
        """Prints and keeps one line of (style, text) spans; without colour ghost text is marked."""
        self.lines.append(spans)
        out = []
        for style, text in spans:
            code = STYLES[style][0]
            if self.colour and code and text:
                out.append(f"\033[{code}m{text}\033[0m")
            elif style == "ghost" and text:
                out.append(f"«{text}»")
            else:
                out.append(text)
        clear = "\033[K" if sys.stdout.isatty() else ""
        print(clear + "".join(out).rstrip(), flush=True)

    def passing(self, text):
        """A sign of life that is no part of the picture: overwritten on a terminal, else once for
        each kind of work."""
        if sys.stdout.isatty():
            print(f"\r\033[K     {text}\r", end="", flush=True)
            return
        work = text.rstrip("0123456789 %")
        if work != self.passed:
            self.passed = work
            print(f"     {work}", flush=True)

    def write_svg(self, path, title):
        columns = max(sum(len(t) for _, t in spans) for spans in self.lines)
        width = int(columns * CHAR_PX + 2 * PAD_PX)
        height = len(self.lines) * LINE_PX + 2 * PAD_PX + 24
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
               f'viewBox="0 0 {width} {height}">',
               f"<title>{escape(title)}</title>",
               f'<rect width="{width}" height="{height}" rx="8" fill="#21252b"/>']
        for i, shade in enumerate(("#e06c75", "#e5c07b", "#98c379")):
            out.append(f'<circle cx="{PAD_PX + 6 + 18 * i}" cy="16" r="5" fill="{shade}"/>')
        out.append('<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">')
        y = PAD_PX + 24 + 12
        for spans in self.lines:
            x, parts = float(PAD_PX), []
            for style, text in spans:
                _, fill, more = STYLES[style]
                if text.strip():
                    parts.append(f'<text x="{x:.1f}" y="{y}" fill="{fill}" {more} '
                                 f'xml:space="preserve" textLength="{len(text) * CHAR_PX:.1f}">'
                                 f"{escape(text)}</text>")
                x += len(text) * CHAR_PX
            out += parts
            y += LINE_PX
        out += ["</g>", "</svg>", ""]
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(out))
