# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that the numbers of a run's report agree with each other.

usage: report.py REPORT.json [check] [compile]
"""

import json
import math
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
shape, tiles = report["shape"], report["tiles"]


def expect(what, found, wanted):
    if not math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-9):
        sys.exit(f"{what} is {found}, expected {wanted}")


pairs = shape["b"] * shape["hq"] * shape["sq"] * shape["sk"]
expect("density", report["density"], report["kept_pairs"] / pairs)
expect("kept_pairs", report["kept_pairs"], 40400)
heads = shape["b"] * shape["hq"]
grid = heads * -(-shape["sq"] // tiles["queries"]) * -(-shape["sk"] // tiles["keys"])
expect("tiles", tiles["full"] + tiles["partial"] + tiles["empty"], grid)
per_pair = 2 * (shape["d"] + shape["dv"])
expect("useful_flop", report["useful_flop"], per_pair * report["kept_pairs"])
visited = tiles["full"] + tiles["partial"]
executed = per_pair * visited * tiles["queries"] * tiles["keys"]
expect("executed_flop", report["executed_flop"], executed)
rate = report["useful_flop"] / report["median_ms"] * 1e-6
expect("gflops_useful", report["gflops_useful"], rate)
peak = report["fma_peak_gflops"]
expect("fraction", report["fma_peak_fraction_useful"], report["gflops_useful"] / peak)
expect("threads", report["threads"], 2)
expect("repeat", report["repeat"], 3)
if "compile" in sys.argv:
    expect("compile_ms", report["compile_ms"], sum(report["compile_parts_ms"].values()))
if "check" in sys.argv:
    result = report["check"]
    if not result["passed"] or result["largest_o"] > result["tolerance"]:
        sys.exit("the check did not pass")
    if result["largest_o"] == 0:
        sys.exit("no rounding at all: nothing was compared")
print("consistent")
