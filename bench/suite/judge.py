# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From samples to figures: which samples are quiet, ratios, and goals."""

from __future__ import annotations

import math
import statistics
from typing import Any

from suite.rows import Goal, Suite, SuiteGoal
from suite.session import Session

# A sample is quiet when the peaks before and after it are within this much of
# the best of the run, and its threads waited for a core no longer than this part
# of the time: the peak is a best of several and does not see other processes.
QUIET = 0.015
# With fewer quiet samples than these all samples are judged, and the report
# says so.
ENOUGH = 3

Contender = dict[str, Any]


def spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def mark_quiet(session: Session, contender: Contender) -> None:
    """Adds `quiet` to each sample and the summary of all to the contender."""
    best = session.best_peak(contender["level"], contender["threads"])
    for sample in contender["samples"]:
        peak = min(sample["peak_before"], sample["peak_after"])
        sample["quiet"] = peak >= best * (1 - QUIET) and sample["waited"] <= QUIET
    if not contender["samples"]:
        return
    quiet = [sample["ms"] for sample in contender["samples"] if sample["quiet"]]
    everything = [sample["ms"] for sample in contender["samples"]]
    contender["time"] = {
        **spread(everything), "quiet": len(quiet), "samples": len(everything),
        "judged": statistics.median(quiet if len(quiet) >= ENOUGH else everything),
    }


def rates(session: Session, contender: Contender, bandwidth: dict[str, float]) -> None:
    """Rates at the judged time, and the roof over them: what whole tiles leave of
    the peak, or what memory can bring, each tensor once."""
    facts = contender.get("facts", {})
    if contender["kind"] != "heddle" or "time" not in contender:
        return
    seconds = contender["time"]["judged"] * 1e-3
    threads = contender["threads"]
    peak = session.best_peak(contender["level"], threads)
    useful, executed = facts["useful_flop"], facts["executed_flop"]
    found = {
        "useful_gflops": useful / seconds * 1e-9,
        "executed_gflops": executed / seconds * 1e-9,
        "useful_over_executed": useful / executed if executed else 0.0,
        "intensity": useful / facts["bytes"],
        "gb_per_s": facts["bytes"] / seconds * 1e-9,
    }
    if peak > 0:
        compute = peak * found["useful_over_executed"]
        memory = bandwidth.get(str(threads), math.inf) * found["intensity"]
        found["peak_gflops"] = peak
        found["roof_gflops"] = min(compute, memory)
        found["roof_of"] = "compute" if compute <= memory else "memory"
        found["roof_fraction"] = found["useful_gflops"] / found["roof_gflops"] if found["roof_gflops"] else 0.0
    contender["rates"] = found


def prepared_ms(sample: dict[str, Any]) -> float:
    """Time with the preparation of plan or mask."""
    return sample["ms"] + sample.get("plan_ms", 0.0) + sample.get("mask_ms", 0.0)


def value_of(goal: Goal, of: Contender, sample: dict[str, Any], than: Contender | None,
             other: dict[str, Any] | None) -> float:
    """The figure of one round."""
    facts = of.get("facts", {})
    if goal.measure in ("warm", "cold"):
        return float(sample["ms"])
    if goal.measure == "peak":
        peak = (sample["peak_before"] + sample["peak_after"]) / 2
        return facts["useful_flop"] / sample["ms"] * 1e-6 / peak
    if goal.measure == "index":
        return facts["index_ms"] / sample["ms"]
    assert than and other
    if goal.measure in ("useful", "computed"):
        mine = facts["useful_flop" if goal.measure == "useful" else "executed_flop"] / sample["ms"]
        return mine / (than["facts"]["useful_flop"] / other["ms"])
    if goal.measure in ("speedup", "read"):
        return other["ms"] / sample["ms"]
    if goal.measure == "faster":
        return prepared_ms(other) / prepared_ms(sample)
    raise ValueError(f"no measure is called '{goal.measure}'")


def verdict(figure: dict[str, Any]) -> None:
    bound, value = figure["bound"], figure.get("value")
    if bound is not None and value is not None:
        figure["met"] = value <= bound if figure["at_most"] else value >= bound


def judge_goal(goal: Goal, contenders: dict[str, Contender]) -> dict[str, Any]:
    figure: dict[str, Any] = {"measure": goal.measure, "of": goal.of, "than": goal.than,
                              "bound": goal.bound, "at_most": goal.at_most}
    of = contenders[goal.of]
    than_label = "read" if goal.measure == "read" else goal.than
    than = contenders[than_label] if than_label else None
    for party in (of, than):
        if party is not None and ("void" in party or not party["samples"]):
            figure["void"] = f"'{party['label']}': {party.get('void', 'no samples')}"
            return figure
    others = {sample["round"]: sample for sample in than["samples"]} if than else {}
    every, quiet = [], []
    for sample in of["samples"]:
        other = others.get(sample["round"])
        if than is not None and other is None:
            continue
        value = value_of(goal, of, sample, than, other)
        every.append(value)
        if sample["quiet"] and (other is None or other["quiet"]):
            quiet.append(value)
    figure["rounds"], figure["quiet"] = len(every), len(quiet)
    figure["spread"] = spread(every)
    figure["value"] = statistics.median(quiet if len(quiet) >= ENOUGH else every)
    figure["judged_quiet"] = len(quiet) >= ENOUGH
    verdict(figure)
    return figure


def slope(points: list[tuple[float, float]]) -> float:
    """Of the least-squares line."""
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    return (sum((x - mean_x) * (y - mean_y) for x, y in points)
            / sum((x - mean_x) ** 2 for x, _ in points))


def judge_suite_goal(goal: SuiteGoal, groups: list[dict[str, Any]]) -> dict[str, Any]:
    figure: dict[str, Any] = {"measure": goal.measure, "of": goal.of, "than": goal.than,
                              "bound": goal.bound, "at_most": goal.at_most}
    if goal.measure in ("exponent", "growth"):
        group = next(group for group in groups if group["name"] == goal.of)
        bad = [c["label"] for c in group["contenders"] if "void" in c or "time" not in c]
        if bad:
            figure["void"] = f"void: {', '.join(bad)}"
            return figure
        points = []
        for contender in group["contenders"]:
            keys = contender["facts"]["shape"]["sk"]
            expected = math.log(keys) if goal.measure == "exponent" else 1.0
            points.append((math.log(keys), math.log(contender["time"]["judged"] / expected)))
        figure["value"] = slope(points)
        figure["judged_quiet"] = all(c["time"]["quiet"] >= ENOUGH for c in group["contenders"])
    elif goal.measure == "geomean":
        found = [f for group in groups for f in group["figures"]
                 if f["measure"] == "faster" and f["than"] == goal.than]
        values = [f["value"] for f in found if "value" in f]
        if not values or len(values) < len(found):
            void_rows = len(found) - len(values)
            figure["void"] = f"{void_rows} of {len(found)} rows are void"
            return figure
        figure["value"] = statistics.geometric_mean(values)
        figure["judged_quiet"] = all(f["judged_quiet"] for f in found)
    verdict(figure)
    return figure


def judge(session: Session, suite: Suite, groups: list[dict[str, Any]],
          bandwidth: dict[str, float]) -> dict[str, Any]:
    """Completes what `measure` collected for a suite."""
    for group, asked in zip(groups, suite.groups):
        for contender in group["contenders"]:
            mark_quiet(session, contender)
            rates(session, contender, bandwidth)
        by_label = {contender["label"]: contender for contender in group["contenders"]}
        group["figures"] = [judge_goal(goal, by_label) for goal in asked.goals]
    return {"about": suite.about, "groups": groups,
            "figures": [judge_suite_goal(goal, groups) for goal in suite.goals]}
