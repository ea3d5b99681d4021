# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts what a pattern keeps twice: by the picture and by a checked kernel.

usage: counts.py PATTERN.mlir SHAPE [name=value ...]

SHAPE has b, hq, sq, sk and d. The picture is asked head by head.
"""

import json
import subprocess
import sys


def heddle(command, *arguments):
    line = ["heddle", command, *arguments, "--json"]
    return json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)


pattern, shape, *items = sys.argv[1:]
sizes = dict(item.split("=") for item in shape.split(","))
given = [pattern, "--shape", shape] + (["--set", *items] if items else [])
kernel = heddle("run", *given, "--check", "--repeat", "1")
if not kernel["check"]["passed"]:
    sys.exit("the check did not pass")
kept = 0
for batch in range(int(sizes["b"])):
    for head in range(int(sizes["hq"])):
        kept += heddle("show", *given, "--batch", str(batch), "--head", str(head))["kept_pairs"]
if kept != kernel["kept_pairs"]:
    sys.exit(f"the picture counts {kept} pairs, the kernel {kernel['kept_pairs']}")
print(f"{kept} pairs" if kept else "nothing was kept: nothing was compared")
