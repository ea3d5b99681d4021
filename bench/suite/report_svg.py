# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The report as one picture: figures over their goals, and the roofline."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from suite.report_markdown import bound, number
from suite.session import PEER_NAMES, plural

WIDTH = 860
LABEL = 400  # of the bars' texts
ROW = 18
CHART = 320  # height of the roofline
STYLE = """<style>
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-weight: bold; font-size: 14px; }
.small { font-size: 10px; fill: #57606a; }
.paper { fill: #ffffff; }
.met { fill: #2f7d4f; } .unmet { fill: #c4622d; } .plain { fill: #8c959f; }
.goal, .roof { stroke: #24292f; fill: none; } .roof1 { stroke-dasharray: 5 3; }
.grid { stroke: #d0d7de; fill: none; }
.dot { fill: #1f5fa8; } .dot1 { fill: #e6a33a; } .own { stroke: #8c959f; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .small { fill: #9198a1; } .paper { fill: #0d1117; }
.met { fill: #3fb950; } .unmet { fill: #f0883e; } .plain { fill: #6e7681; }
.goal, .roof { stroke: #e6edf3; } .grid { stroke: #30363d; }
.dot { fill: #79c0ff; } .dot1 { fill: #d29922; } .own { stroke: #6e7681; }
}
</style>"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            + (f' class="{kind}"' if kind else "") + f">{escape(words)}</text>")


def bars(report: dict[str, Any], y: float) -> tuple[list[str], float]:
    """Each figure with a bound as a multiple of it; to the right of the line is
    better, whatever the direction of the goal."""
    out: list[str] = []
    scale = (WIDTH - LABEL - 120) / 2  # the line is in the middle
    for name, suite in report["suites"].items():
        figures = [(group["name"], figure) for group in suite["groups"] for figure in group["figures"]]
        figures += [("all rows", figure) for figure in suite["figures"]]
        figures = [(row, figure) for row, figure in figures if figure["bound"] is not None]
        if not figures:
            continue
        out.append(text(12, y + 14, name, "title"))
        top = y + 20
        y = top
        for row, figure in figures:
            than = PEER_NAMES.get(figure["than"], figure["than"])
            label = f"{row}: {figure['of']}" + (f" / {than}" if than else "")
            out.append(text(LABEL - 8, y + 13, label if len(label) < 64 else label[:62] + "…", "", "end"))
            if "value" not in figure:
                out.append(text(LABEL + 4, y + 13, "void", "small"))
            else:
                times = figure["value"] / figure["bound"] if figure["bound"] else 0
                if figure["at_most"]:
                    times = 1 / times if times > 0 else 2
                kind = "met" if figure["met"] else "unmet"
                out.append(f'<rect x="{LABEL}" y="{y + 3:.1f}" width="{min(max(times, 0), 2) * scale:.1f}" '
                           f'height="{ROW - 6}" class="{kind}"/>')
                out.append(text(LABEL + 2 * scale + 6, y + 13,
                                f"{number(figure['value'])} ({bound(figure)})", "small"))
            y += ROW
        out.append(f'<path d="M{LABEL + scale:.1f} {top:.1f}V{y:.1f}" class="goal"/>')
        y += 10
    return out, y


def points(report: dict[str, Any]) -> list[tuple[str, int, dict[str, float]]]:
    return [(f"{name}, {group['name']}: {c['label']}", c["threads"], c["rates"])
            for name, suite in report["suites"].items() for group in suite["groups"]
            for c in group["contenders"] if "roof_gflops" in c.get("rates", {}) and "void" not in c]


def roofline(report: dict[str, Any], y: float) -> tuple[list[str], float]:
    """Useful GFLOP/s over useful FLOP per byte, both logarithmic, under the roof of
    one thread and of all; a tick over each dot is its own roof."""
    found = points(report)
    if not found:
        return [], y
    out = [text(12, y + 14, "useful GFLOP/s over useful FLOP per byte", "title")]
    left, right, top, bottom = 60.0, WIDTH - 20.0, y + 40, y + 40 + CHART
    roofs = []
    for threads in sorted({threads for _, threads, _ in found}):
        peak = max(rates["peak_gflops"] for _, other, rates in found if other == threads)
        roofs.append((threads, peak, report["read_gb_per_s"].get(str(threads))))
    low_x = math.floor(math.log10(min(max(r["intensity"], 1e-3) for _, _, r in found)))
    high_x = math.ceil(math.log10(max(r["intensity"] for _, _, r in found))) or 1
    low_y = math.floor(math.log10(min(r["useful_gflops"] for _, _, r in found)))
    high_y = math.ceil(math.log10(max(peak for _, peak, _ in roofs)))

    def at(intensity: float, rate: float) -> tuple[float, float]:
        x = (math.log10(intensity) - low_x) / max(high_x - low_x, 1)
        z = (math.log10(rate) - low_y) / max(high_y - low_y, 1)
        return left + x * (right - left), bottom - z * (bottom - top)

    for power in range(low_x, high_x + 1):
        x, _ = at(10.0**power, 10.0**low_y)
        out += [f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" class="grid"/>',
                text(x, bottom + 14, f"{10.0**power:g}", "small", "middle")]
    for power in range(low_y, high_y + 1):
        _, z = at(10.0**low_x, 10.0**power)
        out += [f'<path d="M{left:.1f} {z:.1f}H{right:.1f}" class="grid"/>',
                text(left - 6, z + 4, f"{10.0**power:g}", "small", "end")]
    for threads, peak, bandwidth in roofs:
        start, end = 10.0**low_x, 10.0**high_x
        ridge = peak / bandwidth if bandwidth else start
        corners = [(x, min(peak, bandwidth * x if bandwidth else peak))
                   for x in sorted({start, min(max(ridge, start), end), end})]
        path = "L".join(f"{x:.1f} {z:.1f}" for x, z in
                        (at(x, max(rate, 10.0**low_y)) for x, rate in corners))
        out.append(f'<path d="M{path}" class="roof{" roof1" if threads == 1 else ""}"/>')
        _, z = at(end, peak)
        out.append(text(right, z - 4, f"{plural(threads)}: {peak:.0f} GFLOP/s"
                        + (f", {bandwidth:.0f} GB/s" if bandwidth else ""), "small", "end"))
    for label, threads, rates in found:
        x, z = at(max(rates["intensity"], 10.0**low_x), rates["useful_gflops"])
        _, roof = at(1, max(rates["roof_gflops"], 10.0**low_y))
        out.append(f'<path d="M{x - 4:.1f} {roof:.1f}h8M{x:.1f} {roof:.1f}V{z:.1f}" class="own"/>')
        out.append(f'<circle cx="{x:.1f}" cy="{z:.1f}" r="4" class="dot{"1" if threads == 1 else ""}">'
                   f"<title>{escape(label)}: {number(rates['useful_gflops'])} GFLOP/s, "
                   f"{number(rates['roof_fraction'])} of its roof</title></circle>")
    out.append(text(left, bottom + 30, "a tick is the roof of one row: the peak times useful / executed "
                    "FLOP, or memory; orange: one thread", "small"))
    return out, bottom + 40


def render(report: dict[str, Any]) -> str:
    body, y = bars(report, 34)
    if body:
        body.insert(0, text(12, 20, "measured over goal: the line is the goal, right of it is better", "small"))
    else:
        y = 6
    chart, y = roofline(report, y + 6)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 10:.0f}" '
        f'viewBox="0 0 {WIDTH} {y + 10:.0f}" role="img">',
        "<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception -->", STYLE,
        '<rect width="100%" height="100%" class="paper"/>', *body, *chart, "</svg>", ""])
