# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lowers patterns for devices within limits on shared memory, and says which
kernels take more.

usage: budgets.py EXAMPLES NAME ...

By default every limit meets every head dim once, with the dtypes and patterns
in turn; with HEDDLE_DEVICE_ALL in the environment, all with all.
"""

import itertools
import os
import re
import subprocess
import sys

LIMITS = (48, 64, 100, 164, 228)
WIDTHS = (2, 40, 128, 200, 256, 360, 512)
DTYPES = ("f16", "bf16", "f32")


def main():
    examples, *names = sys.argv[1:]
    cases = list(itertools.product(LIMITS, WIDTHS))
    if "HEDDLE_DEVICE_ALL" in os.environ:
        cases = list(itertools.product(cases, DTYPES, names))
    else:
        cases = [
            (case, DTYPES[turn % len(DTYPES)], names[turn % len(names)])
            for turn, case in enumerate(cases)
        ]
    kernels = 0
    for (limit, width), dtype, name in cases:
        level = "sm_90" if limit > 164 else "sm_80"
        command = ["heddle", "compile", f"{examples}/{name}.mlir", "--emit=nv"]
        command += ["--target", level, "--dtype", dtype, "--head-dim", str(width)]
        command += ["--shared-memory", str(limit)]
        done = subprocess.run(command, capture_output=True, text=True)
        what = f"{name} {dtype} d={width} in {limit} KB"
        if done.returncode:
            sys.exit(f"{what}: {done.stderr}")
        for taken in re.findall(r"nv\.shared_bytes = (\d+)", done.stdout):
            kernels += 1
            if int(taken) > limit * 1024:
                sys.exit(f"{what}: takes {taken} bytes")
    print(f"{kernels} kernels, all within their limits")


if __name__ == "__main__":
    main()
