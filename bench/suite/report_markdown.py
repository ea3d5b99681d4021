# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The report as Markdown."""

from __future__ import annotations

from typing import Any

from suite.judge import ENOUGH, QUIET
from suite.session import PEER_NAMES, plural

MEASURES = {
    "peak": "fraction of the multiply-add peak",
    "useful": "useful rate over {than}",
    "computed": "rate of computed pairs over {than}",
    "speedup": "times faster than {than}",
    "faster": "times faster than {than}, preparation counted",
    "read": "reading k and v over launch time",
    "index": "preparing tables and sets over launch time",
    "warm": "ms from text to function, warm process",
    "cold": "ms from text to function, new process",
    "exponent": "exponent of time / log n over n",
    "growth": "exponent of time over n",
    "geomean": "times faster than {than}, geometric mean",
}


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
                    for row in rows] + [""]


def number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return ""
    if value != 0 and (abs(value) >= 10000 or abs(value) < 1e-3):
        return f"{value:.2e}"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.0f}"


def what(figure: dict[str, Any]) -> str:
    than = PEER_NAMES.get(figure["than"], figure["than"])
    return MEASURES[figure["measure"]].format(than=than)


def bound(figure: dict[str, Any]) -> str:
    if figure["bound"] is None:
        return "reported"
    return f"{'≤' if figure['at_most'] else '≥'} {figure['bound']:g}"


def outcome(figure: dict[str, Any]) -> str:
    if "void" in figure:
        why = figure["void"]
        return f"void ({why if len(why) < 90 else why[:88] + '…'})"
    if "met" not in figure:
        return ""
    return ("met" if figure["met"] else "**not met**") + ("" if figure["judged_quiet"] else ", noisy")


def figure_row(name: str, figure: dict[str, Any]) -> list[str]:
    spread = figure.get("spread")
    return [name, figure["of"], what(figure), bound(figure), number(figure.get("value")),
            f"{number(spread['min'])} … {number(spread['max'])}" if spread else "",
            f"{figure['quiet']} of {figure['rounds']}" if "rounds" in figure else "",
            outcome(figure)]


def contender_row(name: str, contender: dict[str, Any]) -> list[str]:
    label = PEER_NAMES.get(contender["label"], contender["label"])
    if "time" not in contender:
        return [name, label, contender.get("void", "not timed")] + [""] * 8
    time, rates = contender["time"], contender.get("rates", {})
    facts = contender.get("facts", {})
    first = contender["samples"][0]
    extra = [f"{key.removesuffix('_ms')} {number(first[key])}" for key in ("plan_ms", "mask_ms")
             if first.get(key)]
    if contender["kind"] == "peer" and "first_ms" in facts:
        extra.append(f"first call {number(facts['first_ms'])}")
    error = (facts["check"]["largest_o"] if contender["kind"] == "heddle" and "check" in facts
             else facts.get("largest") if contender["kind"] == "peer" else None)
    return [
        name, label, number(time["judged"], 4) + (" (void)" if "void" in contender else ""),
        f"{number(time['min'], 4)} … {number(time['max'], 4)}", f"{time['quiet']} of {time['samples']}",
        ", ".join(extra), number(rates.get("useful_gflops")), number(rates.get("executed_gflops")),
        number(rates.get("useful_over_executed")),
        f"{number(rates['roof_fraction'])} of {rates['roof_of']}" if "roof_fraction" in rates else "",
        number(float(error)) if error is not None else "",
    ]


def suite_section(name: str, suite: dict[str, Any]) -> list[str]:
    lines = [f"## {name}", "", suite["about"][0].upper() + suite["about"][1:] + ".", ""]
    figures = [figure_row(group["name"], figure) for group in suite["groups"]
               for figure in group["figures"]]
    figures += [figure_row("all rows", figure) for figure in suite["figures"]]
    if figures:
        lines += table(["row", "of", "figure", "goal", "measured", "spread of all rounds",
                        "quiet rounds", ""], figures)
    lines += table(["row", "contender", "ms", "spread", "quiet samples", "also, ms", "useful GFLOP/s",
                    "executed GFLOP/s", "useful / executed", "roof", "error"],
                   [contender_row(group["name"], contender) for group in suite["groups"]
                    for contender in group["contenders"]])
    commands = [f"{c['label']}: `{c['command']}`" for group in suite["groups"]
                for c in group["contenders"] if c["kind"] == "heddle"]
    if commands:
        lines += ["<details><summary>single rows by hand</summary>", ""]
        lines += [f"- {text}" for text in dict.fromkeys(commands)] + ["", "</details>", ""]
    return lines


def machine_section(report: dict[str, Any]) -> list[str]:
    facts = report["machine"]
    rows = [["processor", f"{facts['cpu']} ({facts['generation']}), {facts['architecture']}, "
             f"{facts['cores']} cores"
             + (", virtual machine" if facts["virtual"] else "")],
            ["caches, memory", f"{facts['caches']}; {facts['memory']}"],
            ["governor, huge pages", f"{facts['governor']}; {facts['huge_pages']}"],
            ["system", f"{facts['kernel']}, load {facts['load_before']} before, "
                       f"{facts['load_after']} after"],
            ["compiler", f"{facts['compiler']}, {facts['build_type']}"],
            ["Heddle", f"{report['heddle']}, revision {facts['revision']}"]]
    rows += [[f"multiply-add peak, {key}", f"{value:.1f} GFLOP/s, the best of the run"]
             for key, value in report["fma_peak_gflops"].items()]
    rows += [[f"reading memory, {plural(int(key))}", f"{value:.1f} GB/s"]
             for key, value in report["read_gb_per_s"].items()]
    for name, peer in report["peers"].items():
        rows.append([PEER_NAMES[name], f"missing: {peer['missing']}" if "missing" in peer
                     else peer["version"]])
    return table(["", ""], rows)


def render(report: dict[str, Any], picture: str) -> str:
    figures = [f for suite in report["suites"].values()
               for f in [*suite["figures"], *(f for g in suite["groups"] for f in g["figures"])]]
    goals = [f for f in figures if f["bound"] is not None]
    met = sum(1 for f in goals if f.get("met"))
    void = sum(1 for f in goals if "void" in f)
    lines = [
        "# Measurements", "",
        f"Written {report['started']} by", "", "```sh", report["command"], "```", "",
        *(["The run was interrupted: suites and rows that come later are missing.", ""]
          if report.get("interrupted") else []),
        f"{met} of {len(goals)} goals met, {len(goals) - met - void} not met, {void} void.", "",
        f"![figures over their goals, and the roofline]({picture})", "",
        *machine_section(report),
        "Contenders of a row run in turn, one at a time, "
        f"in at most {report['rounds']} round{'s' if report['rounds'] > 1 else ''} of at least "
        f"{report['sample_ms']:g} ms each after one that does not count. "
        "A sample is quiet when the multiply-add peak right before and after it is within "
        f"{QUIET:.1%} of the best of the run and its threads waited for a core no longer than "
        f"{QUIET:.1%} of the time; medians are over quiet samples, or, marked `noisy`, over "
        f"all where fewer than {ENOUGH} are quiet. Ratios are taken round by round. A contender whose "
        "output is wrong is void and not timed: Heddle is compared with its interpreter in double "
        "precision, peers with Heddle. `useful` FLOP are 2 (d + dv) per kept pair, `executed` those "
        "of whole tiles. The roof of a row is the lesser of the peak times useful / executed, and of "
        "memory's rate times useful FLOP per byte, each tensor moved once.", "",
    ]
    for name, suite in report["suites"].items():
        lines += suite_section(name, suite)
    return "\n".join(lines).rstrip() + "\n"
