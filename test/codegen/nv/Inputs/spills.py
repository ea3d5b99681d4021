# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles patterns for devices and says which kernels spill registers.

usage: spills.py EXAMPLES SCRATCH [NAME:HEADDIM:DTYPE:LEVELS ...]

With HEDDLE_DEVICE_ALL in the environment: every attention example
instead, at head dims 64 and 128, in f16 and bf16, for every level.
"""

import os
import pathlib
import subprocess
import sys

LEVELS = "sm_80,sm_86,sm_89,sm_90,sm_120"


def main():
    examples, scratch, *cases = sys.argv[1:]
    everything = "HEDDLE_DEVICE_ALL" in os.environ
    if everything:
        files = sorted(pathlib.Path(examples).glob("*.mlir"))
        names = [f.stem for f in files if "attn.recurrence" not in f.read_text()]
        cases = [
            f"{name}:{width}:{dtype}:{LEVELS}"
            for name in names
            for width in (64, 128)
            for dtype in ("f16", "bf16")
        ]
    kernels = spilling = 0
    for case in cases:
        name, width, dtype, levels = case.split(":")
        command = ["heddle", "compile", f"{examples}/{name}.mlir"]
        command += ["--dtype", dtype, "--head-dim", width, "--target", levels]
        command += ["--report", "-o", f"{scratch}/{name}.so"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{case}: {done.stderr}")
        rows = [line.split() for line in done.stdout.splitlines() if "_sm_" in line]
        if len(rows) < len(levels.split(",")):
            sys.exit(f"{case}: a kernel is not in the report\n{done.stdout}")
        for kernel, _, _, _, _, registers, stores, loads, *_ in rows:
            kernels += 1
            if (stores, loads) != ("0", "0"):
                spilling += 1
                print(f"{case}: {kernel} has {registers} registers and spills", stores, loads)
    print(f"{kernels} kernels, {spilling} of them spill")


if __name__ == "__main__":
    main()
