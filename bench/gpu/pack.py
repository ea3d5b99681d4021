#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a folder with all that bench/gpu/run.py needs on a machine with a device:
bundles, heddle-run, the runtime and its libraries, and the scripts. Needs no
device itself."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent
SOURCE = BENCH.parent
sys.path += [str(BENCH), str(BENCH / "peers")]

from rows import KERNELS, SHORT_QUERIES, Kernel  # noqa: E402  after the path to what it imports
from suite.machine import revision  # noqa: E402

PATTERNS = (BENCH / "patterns", SOURCE / "examples")
SCRIPTS = ("run.py", "rows.py", "heddle.py", "problem.py", "recurrence.py", "contenders.py", "ahead.py", "clocks.py",
           "driver.py", "measure.py", "session.py", "tool.py", "report.py",
           "worker.py")
SHARED = {"peers/masks.py": "masks.py", "peers/torch_linear.py": "torch_linear.py", "suite/__init__.py": "suite/__init__.py",
          "suite/rows.py": "suite/rows.py", "suite/process.py": "suite/process.py"}
# Part of the C library, which every machine has its own of.
OF_THE_SYSTEM = re.compile(r"^(linux-vdso|ld-linux|lib(c|m|dl|rt|pthread)\.so)")
# Machines have these too; they are taken from the folder where theirs are too old.
FALLBACK = ("libstdc++.so.6", "libgcc_s.so.1")


class Refused(Exception):
    """What cannot be packed, and why."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/gpu/pack.py", description="Makes a folder that checks and times Heddle on a device.")
    parser.add_argument("--build", type=Path, default=SOURCE / "build",
                        help="build directory (default: build)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR",
                        help="the folder; it must not exist, or be one that this program made")
    parser.add_argument("--target", default="sm_80,sm_90,cpu", metavar="LEVELS",
                        help="targets and levels to compile for; with cpu, for the checks "
                             "(default sm_80,sm_90,cpu)")
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="only kernels whose name contains this")
    parser.add_argument("--limit-mb", type=float, default=60, help="fail above this size (default 60)")
    return parser.parse_args(arguments)


def run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as why:
        raise Refused(str(why)) from None
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Refused(f"'{' '.join(command[:3])} …' failed: {said[0] if said else done.returncode}")
    return done.stdout


def pattern_file(pattern: str) -> Path:
    return next(path for folder in PATTERNS if (path := folder / f"{pattern}.mlir").exists())


def compile_kernel(build: Path, kernel: Kernel, target: str, folder: Path) -> None:
    run([str(build / "bin" / "heddle"), "compile", str(pattern_file(kernel.pattern)),
         "--target", target, "--dtype", kernel.dtype, "--head-dim", str(kernel.head_dim),
         "--name", kernel.name, "-o", str(folder / f"{kernel.name}.so"),
         *(["--short-queries"] if kernel.pattern in SHORT_QUERIES else [])])


def libraries_of(program: Path) -> dict[str, Path]:
    """What it is linked with, beside the C library."""
    found = {}
    for line in run(["ldd", str(program)]).splitlines():
        name, _, rest = line.strip().partition(" => ")
        if not rest or OF_THE_SYSTEM.match(name):
            continue
        path = Path(rest.rsplit(" (", 1)[0])
        if not path.is_absolute():
            raise Refused(f"'{program}' needs '{name}', which is not found")
        found[name] = path
    return found


def glibc_needed(path: Path) -> tuple[int, ...]:
    """The newest version of the C library that a file asks for."""
    versions = re.findall(rb"\bGLIBC_(\d+)\.(\d+)", path.read_bytes())
    return max(((int(a), int(b)) for a, b in versions), default=(0, 0))


def make_place(out: Path) -> None:
    if out.exists():
        if not (out / "pack.json").exists() and (not out.is_dir() or any(out.iterdir())):
            raise Refused(f"'{out}' exists and was not made by this program")
        shutil.rmtree(out)
    for name in ("bin", "lib/fallback", "kernels", "suite"):
        (out / name).mkdir(parents=True)
    # From now on it is known as one that this program made.
    (out / "pack.json").write_text("{}\n")


def copy_programs(build: Path, out: Path) -> tuple[int, ...]:
    """Returns the version of the C library that they need."""
    program, runtime = build / "bin" / "heddle-run", build / "lib" / "libheddle_runtime.so"
    for path in (program, runtime, build / "bin" / "heddle"):
        if not path.exists():
            raise Refused(f"'{path}' does not exist; build it, or name another build directory with "
                          "--build")
    shutil.copy2(program, out / "bin")
    shutil.copy2(runtime, out / "lib")
    for name, path in libraries_of(program).items():
        shutil.copy2(path, out / "lib" / ("fallback" if name in FALLBACK else "") / name)
    return max(map(glibc_needed, [out / "bin" / "heddle-run", *(out / "lib").glob("*.so*")]))


def copy_scripts(out: Path) -> None:
    for name in SCRIPTS:
        shutil.copy2(Path(__file__).resolve().parent / name, out)
    for name, to in SHARED.items():
        shutil.copy2(BENCH / name, out / to)
    shutil.copy2(SOURCE / "LICENSE", out)


def compile_all(build: Path, kernels: list[Kernel], target: str, out: Path) -> None:
    """All that fail are named, not the first alone."""

    def attempt(kernel: Kernel) -> str:
        try:
            compile_kernel(build, kernel, target, out / "kernels")
        except Refused as why:
            return f"{kernel.name}: {why}"
        return ""

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        failures = [text for text in threads.map(attempt, kernels) if text]
    if failures:
        raise Refused(f"{len(failures)} of {len(kernels)} kernels cannot be compiled: "
                      + "; ".join(failures))


def pack(options: argparse.Namespace) -> dict[str, Any]:
    kernels = [kernel for kernel in KERNELS if options.only in kernel.name]
    if not kernels:
        raise Refused(f"no kernel has '{options.only}' in its name")
    build, out = options.build.resolve(), options.out.resolve()
    make_place(out)
    glibc = copy_programs(build, out)
    copy_scripts(out)
    compile_all(build, kernels, options.target, out)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    facts = {"revision": revision(SOURCE), "target": options.target,
             "kernels": [kernel.name for kernel in kernels], "bytes": size,
             "glibc": ".".join(map(str, glibc))}
    (out / "pack.json").write_text(json.dumps(facts, indent=1) + "\n")
    if size > options.limit_mb * 1e6:
        raise Refused(f"'{out}' has {size / 1e6:.1f} MB, at most {options.limit_mb:g} MB are allowed")
    return facts


def main() -> int:
    options = parse(sys.argv[1:])
    try:
        facts = pack(options)
    except (Refused, OSError) as why:
        print(f"bench/gpu/pack.py: error: {why}", file=sys.stderr)
        return 1
    print(f"{options.out}: {len(facts['kernels'])} kernels for {facts['target']}, "
          f"{facts['bytes'] / 1e6:.1f} MB; needs glibc {facts['glibc']} or newer; run {options.out}/run.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
