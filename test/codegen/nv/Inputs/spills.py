# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles examples for devices and says which kernels spill registers.

usage: spills.py EXAMPLES SCRATCH [NAME:HEADDIM:DTYPE:LEVELS[:KIND] ...]

KIND is 'short' for packed code and its merge beside the ordinary code,
'columns' for the sums of columns too. With HEDDLE_DEVICE_ALL in the
environment: every example instead, of every kind that it has, at head dims 64
and 128, in all dtypes, for every level, and the most that kernels take is
printed per level and dtype. In f32 outputs alone are half of the registers, so
that what spills there is told but not counted.
"""

import collections
import os
import pathlib
import subprocess
import sys

LEVELS = "sm_80,sm_86,sm_89,sm_90,sm_120"
KINDS = {
    "": [],
    "short": ["--short-queries"],
    "columns": ["--outputs", "column_sums"],
}
# What some examples have no code for, whatever the level.
REFUSED = ("choose a smaller power or head dim", "no code for short queries", "column_sums")


def main():
    examples, scratch, *cases = sys.argv[1:]
    everything = "HEDDLE_DEVICE_ALL" in os.environ
    if everything:
        files = sorted(pathlib.Path(examples).glob("*.mlir"))
        cases = [
            f"{f.stem}:{width}:{dtype}:{LEVELS}:{kind}"
            for f in files
            for kind in (("",) if "attn.recurrence" in f.read_text() else KINDS)
            for width in (64, 128)
            for dtype in ("f16", "bf16", "f32")
        ]
    kernels = spilling = told = refused = 0
    most = collections.defaultdict(int)
    for case in cases:
        name, width, dtype, levels, *kind = case.split(":")
        command = ["heddle", "compile", f"{examples}/{name}.mlir"]
        command += ["--dtype", dtype, "--head-dim", width, "--target", levels]
        command += ["--report", "-o", f"{scratch}/{name}.so"]
        command += KINDS["".join(kind)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode and everything and any(why in done.stderr for why in REFUSED):
            refused += 1
            continue
        if done.returncode:
            sys.exit(f"{case}: {done.stderr}")
        rows = [line.split() for line in done.stdout.splitlines() if "_sm_" in line]
        if len(rows) < len(levels.split(",")):
            sys.exit(f"{case}: a kernel is not in the report\n{done.stdout}")
        for kernel, level, _, _, _, registers, stores, loads, *_ in rows:
            kernels += 1
            most[level, dtype] = max(most[level, dtype], int(registers))
            if (stores, loads) == ("0", "0"):
                continue
            if dtype == "f32" and everything:
                told += 1
                print(f"{case}: {kernel} stores {stores} bytes of registers")
                continue
            spilling += 1
            print(f"{case}: {kernel} has {registers} registers and spills", stores, loads)
    if everything:
        for (level, dtype), registers in sorted(most.items()):
            print(f"{level} {dtype}: {registers} registers at most")
        print(f"{refused} cases have no such code, {told} kernels of f32 spill")
    print(f"{kernels} kernels, {spilling} of them spill")


if __name__ == "__main__":
    main()
