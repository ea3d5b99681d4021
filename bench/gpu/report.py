# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table, as text for terminals and as Markdown, and the JSON of a run."""

from __future__ import annotations

import json
from typing import Any

Record = dict[str, Any]

# Column title, and what it shows of a row.
PEERS = {"sdpa cudnn": "cuDNN", "sdpa flash": "flash", "flex": "flex", "torch chunks": "chunks"}
HEADINGS = ("row", "density", "heddle ms", "TFLOP/s", "GB/s", "of own dense",
            *(f"{title} ms" for title in PEERS.values()),
            *(f"over {title}" for title in PEERS.values()), "over flex, masks counted", "SM MHz")
NOTE = ("TFLOP/s are useful ones: 4 d for every pair of query and key that is kept, 4 d^2 for every "
        "token and head of a recurrence (6 d^2 with a delta rule). GB/s, of decoding, count q, k, v and o once. `of own dense` is "
        "that rate over Heddle's own dense kernel on the same shape, timed in turn (without "
        "PyTorch, after it). `over` is how many "
        "times longer the peer takes, the median over rounds; `masks counted` adds the block mask of "
        "FlexAttention and the plan of Heddle to both, in the time of the wall.")


def number(value: Any, digits: int = 2) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}f}" if abs(value) >= 10 ** -digits else f"{value:.2g}"


def cells(row: Record) -> list[str]:
    records = {record["name"]: record for record in row["contenders"]}
    mine = records.get("heddle", {})

    def time(record: Record | None) -> str:
        if record is None:
            return ""
        return "void" if "void" in record else number(record.get("median_ms"), 3)

    pairs = row.get("kept_pairs")
    density = pairs * 4 * row["head_dim"] / row["dense_flop"] if pairs is not None else None
    # Of a few queries memory is the limit.
    rate = (row["bytes"] / mine["median_ms"] * 1e-6
            if row["family"] == "decode" and "median_ms" in mine and "void" not in mine else None)
    ratios = row.get("ratios", {})
    return [row["name"], "" if density is None else f"{density:.3g}", time(mine),
            number(mine.get("tflops"), 1) if "void" not in mine else "",
            number(rate, 0), number(row.get("sparse_efficiency")),
            *(time(records.get(name)) for name in PEERS),
            *(number(ratios.get(name, {}).get("kernel")) for name in PEERS),
            number(ratios.get("flex", {}).get("counted")), number(mine.get("sm_mhz"), 0)]


def table(report: Record) -> list[list[str]]:
    """Without columns in which nothing stands."""
    lines = [list(HEADINGS), *(cells(row) for row in report["rows"])]
    kept = [i for i in range(len(HEADINGS)) if any(line[i] for line in lines[1:])]
    return [[line[i] for i in kept] for line in lines]


def aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                      for i, (text, width) in enumerate(zip(line, widths))).rstrip()
            for line in lines]


def failures(report: Record) -> list[str]:
    """What Heddle got wrong or could not do: the run fails when there is any."""
    return [*(f"check of {item['kernel']}: {item.get('failed') or 'the outputs differ'}"
              for item in report["checks"] if item.get("failed") or not item.get("passed")),
            *(f"{row['name']}: {record['name']}: {record['void']}"
              for row in report["rows"] for record in row["contenders"]
              if record["kind"] == "heddle" and "void" in record),
            *(f"{row['name']}: {row['failed']}" for row in report["rows"] if "failed" in row)]


def absences(report: Record) -> list[str]:
    """What is missing through no fault of Heddle."""
    voids = [f"{row['name']}: {record['name']}: {record['void']}" for row in report["rows"]
             for record in row["contenders"] if record["kind"] == "peer" and "void" in record]
    notes = [f"{row['name']}: {record['name']}: {record['note']}" for row in report["rows"]
             for record in row["contenders"] if record.get("note")]
    why = "interrupted" if report.get("interrupted") else "not begun, time was up"
    late = [f"{name}: {why}" for name in report["not_begun"]]
    return [*report["missing"], *voids, *notes, *late]


def check_line(report: Record) -> str:
    checks = report["checks"]
    passed = [item for item in checks if item.get("passed") and not item.get("failed")]
    if not checks:
        return "no kernel was checked"
    worst = max((float(item["largest_o"]) for item in passed), default=0.0)
    kernels = {item["kernel"] for item in checks}
    right = kernels - {item["kernel"] for item in checks if item not in passed}
    return (f"{len(right)} of {len(kernels)} kernels agree with the CPU code of their bundle on small, "
            f"odd shapes" + (f"; the largest difference is {worst:.2g}" if passed else ""))


def facts(report: Record) -> list[tuple[str, str]]:
    device, clocks = report["device"], report["clocks"]
    found = [("device", f"{device['name']}, {device['arch']}, {device['multiprocessors']} "
                        "multiprocessors" if device else "none: tried on this machine's threads")]
    if device:
        found.append(("driver", f"{device['driver_version']} ({device['driver']})"))
    if "missing" in clocks:
        found.append(("clocks", f"missing: {clocks['missing']}"))
    elif clocks:
        found.append(("clocks", f"SM {clocks.get('most_sm_mhz', '?')} MHz at most, power limit "
                                f"{clocks.get('power_limit_w', '?')} W"))
    found += [("PyTorch", report["torch"]), ("Heddle", f"{report['heddle']}, {report['revision']}"),
              ("command", report["command"]), ("started", report["started"]),
              ("took", f"{report['seconds']:.0f} s"), ("samples", f"{report['samples']} per row")]
    return found


def render_text(report: Record) -> str:
    lines = [f"{name:<9}{value}" for name, value in facts(report)]
    lines += ["", check_line(report), "", *aligned(table(report))]
    for title, items in (("failed", failures(report)), ("missing", absences(report))):
        if items:
            lines += ["", f"{title}:", *(f"  {item}" for item in items)]
    return "\n".join(lines) + "\n"


def render_markdown(report: Record) -> str:
    lines = ["# On a device", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts(report)]
    lines += ["", check_line(report) + ".", "", NOTE, ""]
    head, *body = table(report)
    lines += ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(line) + " |" for line in body]
    for title, items in (("Failed", failures(report)), ("Missing", absences(report))):
        if items:
            lines += ["", f"## {title}", "", *(f"- {item}" for item in items)]
    return "\n".join(lines) + "\n"


def render_json(report: Record) -> str:
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"
