# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that the JSON of `heddle explain` agrees with itself.

explain.py PREDICTED.json MEASURED.json
"""

import json
import sys

predicted, measured = (json.load(open(path)) for path in sys.argv[1:])

for report in predicted, measured:
    schedule = report["schedule"]
    tiles = report["tiles"]
    live = tiles["full"] + tiles["partial"] + tiles["gathered"]
    assert report["executed_pairs"] == live * schedule["query_tile"] * schedule["key_tile"]
    assert abs(report["quantisation"] - report["kept_pairs"] / report["executed_pairs"]) < 1e-9
    assert report["kept_pairs"] == 8 * 192 * 193 // 2
    assert report["runs"] == report["tasks"] and report["most_runs"] == 1
    chosen = [c for c in report["choices"] if c["chosen"]]
    assert len(chosen) == 1 and chosen[0]["query_tile"] == schedule["query_tile"]
    assert all(0 < c["of_peak"] < 1 and c["reason"] for c in report["choices"])
    expected = report["predicted"]
    assert abs(sum(expected["shares"].values()) - 1) < 1e-9
    assert 0 < expected["longest_task_slots"] <= expected["slots"]
    assert 0 < expected["of_peak_useful"] < 1
    # q and o have twice as many heads as k and v.
    assert report["bytes"] == (2 * 4 + 2 * 2) * 2 * 192 * 40 * 4
    assert report["bound"] and isinstance(report["suggestion"], str)

assert "measured" not in predicted and "ms" not in predicted["predicted"]
found = measured["measured"]
for key in "ms", "median_ms", "fma_peak_gflops", "read_bandwidth_gb", "arithmetic_ms", "memory_ms":
    assert found[key] > 0, key
assert found["repeat"] == 2 and found["ms"] <= found["median_ms"]
ratio = measured["predicted"]["ms"] / found["ms"]
assert abs(found["predicted_over_measured"] - ratio) < 1e-6 * ratio
print("consistent")
