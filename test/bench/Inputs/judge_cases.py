# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases for bench/suite/judge.py on made-up samples."""

import math
import sys

sys.path.insert(0, sys.argv[1])

from suite.judge import judge_goal, judge_suite_goal, mark_quiet, rates
from suite.rows import Goal, SuiteGoal


class Peaks:
    """A session whose best peak is 100 GFLOP/s."""

    @staticmethod
    def best_peak(level, threads):
        return 100.0 * threads


def contender(label, times, peaks=None, waited=0.0, **more):
    peaks = peaks or [100.0] * len(times)
    made = {"label": label, "kind": "heddle", "level": "", "threads": 1,
            "facts": {"useful_flop": 1e9, "executed_flop": 2e9, "bytes": 1e7, "index_ms": 0.5,
                      "shape": {"sk": 1000}},
            "samples": [{"round": i, "ms": ms, "peak_before": peak, "peak_after": 100.0,
                         "waited": waited} for i, (ms, peak) in enumerate(zip(times, peaks))],
            **more}
    mark_quiet(Peaks, made)
    return made


def near(value, wanted):
    assert math.isclose(value, wanted, rel_tol=1e-9), (value, wanted)


# Quiet: both peaks within 1.5 % of the best, and hardly any waiting.
a = contender("a", [10, 10, 10, 99, 99], [100, 98.6, 99, 98.4, 50])
assert [sample["quiet"] for sample in a["samples"]] == [True, True, True, False, False]
assert a["time"]["quiet"] == 3 and a["time"]["samples"] == 5
near(a["time"]["judged"], 10)
near(a["time"]["max"], 99)
assert not any(sample["quiet"] for sample in contender("w", [1, 1, 1], waited=0.02)["samples"])

# Fewer than three quiet samples: all are judged.
few = contender("few", [10, 10, 40, 40, 40], [100, 100, 50, 50, 50])
near(few["time"]["judged"], 40)

# Ratios are taken round by round, over rounds in which both are quiet.
b = contender("b", [20, 30, 40, 1, 1])
pair = {"a": a, "b": b}
figure = judge_goal(Goal("speedup", "a", "b", 2.9), pair)
near(figure["value"], 3)
assert figure["met"] and figure["judged_quiet"] and figure["quiet"] == 3 and figure["rounds"] == 5
near(figure["spread"]["min"], 1 / 99)
assert not judge_goal(Goal("speedup", "a", "b", 3.1), pair)["met"]
noisy = judge_goal(Goal("speedup", "few", "b", 0.1), {"few": few, "b": b})
assert not noisy["judged_quiet"] and noisy["quiet"] == 2
near(noisy["value"], 1)
near(judge_goal(Goal("useful", "a", "b"), pair)["value"], 3)
near(judge_goal(Goal("computed", "a", "b"), pair)["value"], 6)
assert "met" not in judge_goal(Goal("useful", "a", "b"), pair)

# 1e9 FLOP in 10 ms are 100 GFLOP/s; at most bounds turn round.
near(judge_goal(Goal("peak", "c"), {"c": contender("c", [20, 20, 20])})["value"], 0.5)
index = judge_goal(Goal("index", "c", bound=0.03, at_most=True), {"c": contender("c", [20, 20, 20])})
near(index["value"], 0.025)
assert index["met"]

# Plans and masks count where peers are compared; reading is a contender.
plan = contender("heddle", [10, 10, 10])
mask = contender("flex", [30, 30, 30], kind="peer")
for sample in plan["samples"]:
    sample["plan_ms"] = 5.0
for sample in mask["samples"]:
    sample["mask_ms"] = 15.0
near(judge_goal(Goal("faster", "heddle", "flex"), {"heddle": plan, "flex": mask})["value"], 3)
near(judge_goal(Goal("read", "c"), {"c": contender("c", [20, 20, 20]),
                                    "read": contender("read", [18, 18, 18])})["value"], 0.9)

# What is void makes void what rests on it.
wrong = contender("wrong", [1, 1, 1], void="wrong: row 3")
for goal in (Goal("speedup", "wrong", "b", 1), Goal("speedup", "b", "wrong", 1)):
    figure = judge_goal(goal, {"b": b, "wrong": wrong})
    assert figure["void"] == "'wrong': wrong: row 3" and "value" not in figure and "met" not in figure

# Time n log n has exponent 1 after dividing by log n.
sizes = [contender(str(n), [1e-3 * n * math.log(n)] * 3) for n in (1000, 4000, 16000)]
for made, n in zip(sizes, (1000, 4000, 16000)):
    made["facts"] = {**made["facts"], "shape": {"sk": n}}
growth = judge_suite_goal(SuiteGoal("exponent", "growth", bound=1.04, at_most=True),
                          [{"name": "growth", "contenders": sizes, "figures": []}])
near(growth["value"], 1)
assert growth["met"]

# A geometric mean stands only when every row does.
rows = [{"name": str(v), "contenders": [], "figures": [
    {"measure": "faster", "than": "flex", "value": v, "judged_quiet": True}]} for v in (2.0, 8.0)]
near(judge_suite_goal(SuiteGoal("geomean", "heddle", "flex", 3), rows)["value"], 4)
rows.append({"name": "x", "contenders": [], "figures": [
    {"measure": "faster", "than": "flex", "void": "'flex': failed"}]})
assert judge_suite_goal(SuiteGoal("geomean", "heddle", "flex", 3), rows)["void"] == "1 of 3 rows are void"

# The roof: the peak times useful over executed, or memory.
compute = contender("c", [20, 20, 20])
rates(Peaks, compute, {"1": 10.0})
near(compute["rates"]["roof_gflops"], 50)
near(compute["rates"]["roof_fraction"], 1)
assert compute["rates"]["roof_of"] == "compute"
memory = contender("m", [200, 200, 200])
rates(Peaks, memory, {"1": 0.1})
near(memory["rates"]["roof_gflops"], 10)
near(memory["rates"]["roof_fraction"], 0.5)
assert memory["rates"]["roof_of"] == "memory"
