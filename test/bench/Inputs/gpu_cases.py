# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases for bench/gpu/measure.py and report.py on made-up contenders: the order of
samples, voids, ratios, the table."""

import math
import re
import sys

sys.path[:0] = [sys.argv[1] + "/gpu", sys.argv[1]]

from measure import Options, alternate, attempt, judge, new_record
from report import failures, render_markdown, render_text
from rows import CHECKS, KERNELS, ROWS, describe, rows_for

LOG = []


class Made:
    """A contender whose launches take a number of milliseconds."""

    def __init__(self, name, ms, kind="peer", preparation=0.0, fails_at=None):
        self.name, self.kind, self.ms, self.preparation = name, kind, ms, preparation
        self.has_preparation = preparation > 0
        self.launched, self.fails_at, self.prepared = 0, fails_at, 0

    def prepare(self):
        self.prepared += 1
        LOG.append("prepare " + self.name)

    def settle(self):
        LOG.append("settle " + self.name)

    def run(self):
        self.launched += 1
        if self.fails_at is not None and self.launched >= self.fails_at:
            raise RuntimeError("the device is on fire\nat line 7")
        LOG.append(self.name)


class Watch:
    """Times by what contenders say; every second round is three times slower."""

    def __init__(self, contenders):
        self.contenders, self.counts = {c.name: c for c in contenders}, {}

    def time(self, run, launches):
        of = run.__self__
        for _ in range(launches):
            run()
        count = self.counts[of.name] = self.counts.get(of.name, -1) + 1
        return {"ms": of.ms * (3 if count % 2 else 1), "sm_mhz": 1000 + count}

    def wall(self, call):
        before = {name: c.launched for name, c in self.contenders.items()}
        call()
        of = next(c for name, c in self.contenders.items() if c.launched > before[name])
        return of.ms + of.preparation


def near(value, wanted):
    assert math.isclose(value, wanted, rel_tol=1e-9), (value, wanted)


def timed(contenders, samples=4, rounds_in_time=99):
    LOG.clear()
    asked = iter(range(100))
    entries = [(new_record(c.name, c.kind), c) for c in contenders]
    alternate(entries, Watch(contenders), Options(samples, 2.0), lambda: next(asked) < rounds_in_time)
    return [record for record, _ in entries]


# In turn, after a warm-up of each: two launches of 1 ms make a sample of 2 ms.
mine, flex, late = Made("heddle", 1.0, "heddle", 0.5), Made("flex", 2.0, preparation=4.0), \
    Made("sdpa flash", 0.5, fails_at=11)
records = timed([mine, flex, late])
words = " ".join(LOG)
assert words.startswith(" ".join(["heddle"] * 6 + ["flex"] * 6 + ["sdpa flash"] * 6)), words
body = LOG[18:]
launches = [record["samples"][0]["launches"] if record["samples"] else 0 for record in records]
assert launches[:2] == [1, 1], launches  # the second warm-up took three times as long
assert body[:4] == ["heddle", "prepare heddle", "heddle", "settle heddle"], body
assert body[4:8] == ["flex", "prepare flex", "flex", "settle flex"], body
# Whoever fails is void from then on, and the others go on.
assert records[2]["void"] == "failed while it was timed: RuntimeError: the device is on fire", records[2]
assert [len(record["samples"]) for record in records[:2]] == [4, 4]
# No round is begun after the time is up; only the first five are counted with preparation.
assert [len(r["samples"]) for r in timed([Made("heddle", 1.0, "heddle")], 9, 2)] == [2]
counted = Made("heddle", 1.0, "heddle", 0.5)
assert ["counted_ms" in sample for sample in timed([counted], 8)[0]["samples"]] == [True] * 5 + [False] * 3

# A throw is a void once, and nothing is called afterwards.
record = new_record("x", "peer")
assert attempt(record, "failed", lambda: 1 / 0) is None
assert attempt(record, "failed", lambda: 5) is None and record["void"].startswith("failed: ZeroDivisionError")

# Medians, rates and ratios: of common rounds, kernels alone and preparation counted.
row = {**describe(ROWS[2]), "useful_flop": 10_000_000_000, "dense_flop": 100_000_000_000,
       "kept_pairs": 10_000_000_000 // (4 * 128)}
dense = Made("own dense", 8.0, "heddle")
row["contenders"] = timed([mine, dense, flex, Made("sdpa flash", 1.0, fails_at=1)], 5)
judge(row)
by_name = {record["name"]: record for record in row["contenders"]}
# Two warm-ups, then times 1 3 1 3 1.
near(by_name["heddle"]["median_ms"], 1.0)
near(by_name["heddle"]["median_counted_ms"], 1.5)
near(by_name["heddle"]["tflops"], 10.0)
near(by_name["own dense"]["tflops"], 12.5)
near(row["ratios"]["flex"]["kernel"], 2.0)
near(row["ratios"]["flex"]["counted"], 6.0 / 1.5)
assert row["ratios"]["sdpa flash"] == {}
near(row["sparse_efficiency"], 0.8)
assert by_name["heddle"]["sm_mhz"] == 1004

# Void Heddle: no ratio is left.
wrong = {**row, "contenders": [{**by_name["heddle"], "void": "wrong: differs"}, by_name["own dense"],
                               by_name["flex"]]}
wrong.pop("sparse_efficiency")
wrong.pop("ratios")
judge(wrong)
assert wrong["ratios"] == {"flex": {}} and "sparse_efficiency" not in wrong

# The table, and what is said beside it.
report = {"command": "run.py", "started": "now", "heddle": "0.1.0", "revision": "abc", "seconds": 12.3,
          "device": {"name": "Made-up", "arch": "sm_80", "multiprocessors": 4, "driver": "libmade",
                     "driver_version": "12.0"},
          "clocks": {"most_sm_mhz": 1500, "power_limit_w": 300}, "samples": 5, "torch": "9.9",
          "checks": [{"kernel": "a", "passed": True, "largest_o": "0.001"},
                     {"kernel": "b", "failed": "no such file"}],
          "rows": [row], "missing": [], "not_begun": ["power: 32k, bf16 d=128"]}
text = render_text(report)
print(text)
assert failures(report) == ["check of b: no such file"]
assert len(failures({**report, "rows": [row, wrong]})) == 2
markdown = render_markdown(report)
assert all(line.count("|") == markdown.split("| row |")[1].splitlines()[0].count("|") + 2
           for line in re.findall(r"^\| blocks.*$", markdown, re.M)), markdown

# The data: names are unique, and every row has a kernel that is checked.
assert len({row.name for row in ROWS}) == len(ROWS)
assert {row.kernel for row in ROWS} <= set(KERNELS) and {k.pattern for k in KERNELS} == set(CHECKS)
names = {kernel.name for kernel in KERNELS}
assert rows_for(names, "", False) == list(ROWS)
rehearsed = rows_for(names, "", True)
assert len({row.name for row in rehearsed}) == len(rehearsed)
assert all(row.shape.queries < 1000 for row in rehearsed)
only = rows_for({"blocks_64_bf16_128"}, "90 %", False)
assert [(row.kernel.name, row.beside_dense) for row in only] == [("blocks_64_bf16_128", False)]
