# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs examples on devices in the emulation, with the operands of their own tests.

usage: emulated_examples.py EXAMPLES TESTS PART PARTS

Every example of part PART of PARTS takes one of the checked runs of its test, with
one of the head dims and dtypes, by turns; where there is no code for the head dim,
whatever the target, with that of the test. With HEDDLE_DEVICE_ALL in the environment:
every checked run, with all head dims and dtypes.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

DIMS = (40, 64, 80, 128, 256)
DTYPES = ("f16", "bf16")
# What some examples have no code for, whatever the target.
REFUSED = "choose a smaller power or head dim"


def checked_runs(test):
    """Commands of a test that compare with the interpreter, as lists of words."""
    text = re.sub(r"\\\nRUN: +", "", test.read_text())
    for line in re.findall(r"^RUN: (heddle run .*--check.*)$", text, re.MULTILINE):
        yield shlex.split(line.split("|")[0])


def on_device(words, examples, scratch, dim, dtype):
    """The command for a device; with its own head dim if `dim` is None."""
    command = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("--dtype", "--schedule"):
            skip = True
        else:
            if dim:
                word = re.sub(r"\bd=\d+", f"d={dim}", re.sub(r",dv=\d+", "", word))
            # Learned maps that keep the size of rows. Of unit variance they make exponents
            # of tens, and what rounds them in f32 is past the tolerance on any target.
            word = word.replace("=normal@hxdxd", "=random:-0.1..0.1@hxdxd")
            command.append(word.replace("%examples", examples).replace("%t", scratch))
    return command + ["--dtype", dtype, "--target", "sm_80", "--emulate", "--repeat", "1"]


def execute(command):
    environment = {**os.environ, "HEDDLE_PTXAS": "none"}
    return subprocess.run(command, capture_output=True, text=True, env=environment), command


def main():
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run_all(f"{folder}/out"))


def run_all(scratch):
    examples, tests, part, parts = sys.argv[1], pathlib.Path(sys.argv[2]), *map(int, sys.argv[3:])
    everything = "HEDDLE_DEVICE_ALL" in os.environ
    passed = failed = 0
    names = sorted(path.stem for path in pathlib.Path(examples).glob("*.mlir"))
    for turn, name in enumerate(names):
        if turn % parts != part:
            continue
        runs = list(checked_runs(tests / f"{name}.test"))
        if not runs:
            sys.exit(f"{name}.test has no checked run")
        cases = [(run, dim, dtype) for run in runs for dim in DIMS for dtype in DTYPES]
        if not everything:
            cases = cases[turn * 7 % len(cases):][:1]
        for run, dim, dtype in cases:
            done, command = execute(on_device(run, examples, scratch, dim, dtype))
            if done.returncode and REFUSED in done.stderr:
                done, command = execute(on_device(run, examples, scratch, None, dtype))
            if done.returncode or not re.search("^check +passed", done.stdout, re.MULTILINE):
                failed += 1
                print(shlex.join(command), done.stdout, done.stderr, sep="\n")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    main()
