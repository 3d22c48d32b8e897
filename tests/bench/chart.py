# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the medians of a run as bars, in an SVG for light and dark backgrounds."""
from xml.sax.saxutils import escape

import report
from servers import ALL
from works import FIGURES, MORE_IS_BETTER, WORKS

COLOURS = {"sluice": "#2f81f7", "before": "#79c0ff", "haproxy": "#8b949e", "nginx": "#a371f7",
           "lighttpd": "#d29922", "websockify": "#db6d28"}
TEXT = "#7d8590"
WIDTH, LABEL, BAR, GAP, VALUE = 860, 90, 13, 4, 110
FULL = 3.0  # a bar this many times the longest of the relays' (or ours) is cut


class Canvas:
    def __init__(self):
        self.y = 0
        self.parts = []

    def text(self, x, y, text, size=12, colour=TEXT, weight="normal", anchor="start"):
        self.parts.append(f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" '
                          f'font-weight="{weight}" text-anchor="{anchor}">{escape(text)}</text>')

    def bar(self, y, length, colour, is_cut):
        self.parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" '
                          f'fill="{colour}"/>')
        if is_cut:
            x = LABEL + length - 22
            self.parts.append(f'<path d="M{x:.1f} {y + BAR + 2}l6 -{BAR + 4}h5l-6 {BAR + 4}z" '
                              'fill="#ffffff" fill-opacity="0.75"/>')


def _group(canvas, results, work, figure):
    bars = []
    for kind in ALL:
        middle = report.median(report.values(results, work.key, kind.name, figure))
        if middle is not None:
            bars.append((kind, middle))
    if len(bars) < 2:
        return
    unit, digits = FIGURES[figure]
    near = max(value for kind, value in bars if kind.is_raw or kind.name == "sluice")
    longest = min(max(value for _, value in bars), FULL * near) or 1
    canvas.y += 26
    more = ", more is better" if figure in MORE_IS_BETTER else ""
    canvas.text(0, canvas.y, f"{work.title} ({unit}{more})", 13, weight="bold")
    canvas.y += 8
    for kind, value in bars:
        is_cut = value > longest
        length = (WIDTH - LABEL - VALUE) * min(value / longest, 1)
        is_ours = kind.name == "sluice"
        weight = "bold" if is_ours else "normal"
        canvas.text(LABEL - 8, canvas.y + BAR - 2, kind.title, 12, weight=weight, anchor="end")
        canvas.bar(canvas.y, max(length, 1), COLOURS[kind.name], is_cut)
        canvas.text(LABEL + max(length, 1) + 6, canvas.y + BAR - 2, f"{value:,.{digits}f}", 12,
                    weight=weight)
        canvas.y += BAR + GAP


def svg(results):
    canvas = Canvas()
    canvas.y = 18
    host = results["machine"]
    canvas.text(0, canvas.y, "sluice and its peers: less is better", 16, weight="bold")
    canvas.y += 18
    canvas.text(0, canvas.y, f"{host['processor']}, Linux {host['kernel']}, "
                f"{results['date'][:10]}, commit {results['commit']}, {results['rounds']} rounds, "
                "medians; HAProxy and nginx relay bytes without WebSocket", 11)
    for work in WORKS:
        _group(canvas, results, work, work.figures[0])
    height = canvas.y + 12
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" role="img">'
            f"<title>sluice and its peers</title>\n" + "\n".join(canvas.parts) + "\n</svg>\n")
