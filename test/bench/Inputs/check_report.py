# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fails unless PREFIX.json holds what the report of the suite `smoke` must."""

import json
import sys
import xml.etree.ElementTree as xml

prefix, all_void = sys.argv[1], sys.argv[2:] == ["--all-void"]
xml.parse(prefix + ".svg")
with open(prefix + ".json", encoding="utf-8") as file:
    report = json.load(file)

for key in ("command", "started", "machine", "heddle", "read_gb_per_s", "fma_peak_gflops", "peers",
            "threads", "rounds", "sample_ms", "suites"):
    assert key in report, key
for key in ("cpu", "generation", "cores", "caches", "memory", "governor", "kernel", "compiler", "revision"):
    assert report["machine"][key], key
assert all(value > 0 for value in report["fma_peak_gflops"].values())

groups = {group["name"]: group for group in report["suites"]["smoke"]["groups"]}
assert list(groups) == ["sparse", "decode", "growth", "dense d=16", "peers"], list(groups)
contenders = [c for group in groups.values() for c in group["contenders"]]
for contender in contenders:
    if contender["kind"] == "heddle":
        facts = contender["facts"]
        assert facts["useful_flop"] > 0 and facts["executed_flop"] >= facts["useful_flop"], facts
        assert facts["check"]["rows"] > 0 and facts["check"]["passed"], facts["check"]
        assert ("void" in contender) == all_void, contender
        # What is wrong is not timed.
        assert len(contender["samples"]) == (0 if all_void else report["rounds"]), contender
        for sample in contender["samples"]:
            assert sample["ms"] > 0 and sample["launches"] >= 1
            assert sample["peak_before"] > 0 and sample["peak_after"] > 0
            assert 0 <= sample["waited"] and isinstance(sample["quiet"], bool)
    if contender["kind"] == "peer":
        assert "void" in contender and not contender["samples"], contender

# Small problems are compared completely, the others by rows.
assert groups["sparse"]["contenders"][0]["facts"]["check"]["complete"]
assert not groups["sparse"]["contenders"][1]["facts"]["check"]["complete"]

# (row, query, key) counts that are known: 200 x 200 pairs of two heads.
dense = groups["sparse"]["contenders"][2]["facts"]
assert dense["kept_pairs"] == 2 * 200 * 200 and dense["useful_flop"] == 4 * 16 * dense["kept_pairs"]

figures = groups["sparse"]["figures"]
assert [figure["measure"] for figure in figures] == ["useful", "index", "peak"]
for figure in figures:
    assert ("void" in figure) == all_void, figure
    if not all_void:
        assert figure["value"] > 0 and figure["rounds"] == report["rounds"], figure
if not all_void:
    blocks, other = (c["samples"][0]["ms"] for c in groups["sparse"]["contenders"][::2])
    useful = groups["sparse"]["contenders"][0]["facts"]["useful_flop"] / dense["useful_flop"]
    assert abs(figures[0]["value"] - useful * other / blocks) < 1e-5 * figures[0]["value"]
    warm, cold = groups["dense d=16"]["contenders"]
    assert 0 < warm["samples"][0]["ms"] and 0 < cold["samples"][0]["ms"]
