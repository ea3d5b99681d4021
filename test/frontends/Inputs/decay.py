# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the decay mask that `heddle show --json` prints, pair by pair.

usage: decay.py REPORT.json FACTOR [CHANNEL_FACTORS]

Without CHANNEL_FACTORS every token has FACTOR; with them, tokens t have the factors
CHANNEL_FACTORS[t % n], lists of one number per channel, and FACTOR is not looked at.
"""

import ast
import json
import math
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
table = ast.literal_eval(sys.argv[3]) if len(sys.argv) > 3 else [[float(sys.argv[2])]]
channels = len(table[0])


def factor(query, key):
    total = 0.0
    for channel in range(channels):
        product = 1.0
        for token in range(key + 1, query + 1):
            product *= table[token % len(table)][channel]
        total += product
    return total / channels


def expect(what, found, wanted):
    if (found is None) != (wanted is None):
        sys.exit(f"{what} is {found}, expected {wanted}")
    if wanted is not None and not math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-30):
        sys.exit(f"{what} is {found}, expected {wanted}")


shift = report["keys"] - report["queries"]
window = report.get("window", 0)
cells = report["cells"]
everything, pairs = 0.0, 0
for row, (q0, q1) in enumerate(zip(cells["query"], cells["query"][1:])):
    for col, (k0, k1) in enumerate(zip(cells["key"], cells["key"][1:])):
        seen = [
            (i + shift, j)
            for i in range(q0, q1)
            for j in range(k0, k1)
            if j <= i + shift or not report["causal"]
        ]
        total = sum(factor(i, j) if report["causal"] else 1.0 for i, j in seen)
        mean = total / len(seen) if seen else None
        expect(f"factor of cell {row}, {col}", cells["factor"][row][col], mean)
        marked = any(0 <= i - j < window for i, j in seen)
        if cells["window"][row][col] != marked:
            sys.exit(f"window of cell {row}, {col} is not {marked}")
        everything += total
        pairs += len(seen)
expect("pairs", report["pairs"], pairs)
expect("mean_factor", report["mean_factor"], everything / pairs)
print("exact", pairs)
