# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""heddle-run as a process: checks of a device's code against the CPU code of the
same bundle, and times where there is no PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from measure import Record
from rows import (CHECKS, DECODE_CHECKS, KERNELS, RECURRENCES, Kernel, Operands, Row, Shape,
                  dense_of)


class Failed(Exception):
    """What heddle-run says."""


@dataclass
class Tool:
    program: Path
    kernels: Path
    libraries: str  # for LD_LIBRARY_PATH
    device: list[str]  # options that choose it

    def command(self, kernel: Kernel, shape: Shape, operands: Operands, *more: str) -> list[str]:
        words = [str(self.program), str(self.kernels / f"{kernel.name}.so"), *self.device,
                 "--shape", shape.text(kernel.head_dim), "--json", *more]
        if shape.origin:
            words += ["--origin", str(shape.origin)]
        if operands:
            words += ["--set", *(f"{name}={value.text()}" for name, value in operands.items())]
        return words

    def run(self, command: list[str], seconds: float) -> Record:
        env = {**os.environ, "LD_LIBRARY_PATH": self.libraries}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds,
                                  check=False, env=env)
        except (OSError, subprocess.TimeoutExpired) as why:
            raise Failed(str(why)) from None
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
            raise Failed(said[0].removeprefix("heddle-run: error: "))
        try:
            found: Record = json.loads(done.stdout)
        except ValueError:
            raise Failed(f"heddle-run printed '{done.stdout[:100]}', expected JSON") from None
        return found


def find_libraries(program: Path, folder: Path) -> str:
    """A LD_LIBRARY_PATH under which the program starts: the machine's own C++
    library where it will do, else the one of the folder."""
    said = ""
    for libraries in (folder, f"{folder}:{folder / 'fallback'}"):
        try:
            done = subprocess.run([str(program), "--version"], capture_output=True, text=True,
                                  timeout=30, check=False,
                                  env={**os.environ, "LD_LIBRARY_PATH": str(libraries)})
        except (OSError, subprocess.TimeoutExpired) as why:
            raise Failed(str(why)) from None
        if done.returncode == 0:
            return str(libraries)
        said = (done.stderr.strip().splitlines() or ["nothing"])[0]
    raise Failed(f"'{program}' does not start: {said}")


def check(tool: Tool, kernel: Kernel, shape: Shape, operands: Operands, seconds: float) -> Record:
    record: Record = {"kernel": kernel.name, "shape": shape.text(kernel.head_dim)}
    try:
        found = tool.run(tool.command(kernel, shape, operands, "--check", "--repeat", "1"), seconds)
    except Failed as why:
        return {**record, "failed": str(why)}
    record["level"] = found["level"]
    if kernel.pattern not in RECURRENCES:
        record.update({name: found["tiles"][name] for name in ("packed_heads", "splits")})
    return {**record, **found["check"]}


def checks_of(kernel: Kernel) -> list[tuple[Shape, Operands]]:
    """The shapes that a kernel is checked on, few queries among them where it has
    code for them."""
    short = [(shape, CHECKS[kernel.pattern][1]) for shape in DECODE_CHECKS.get(kernel.pattern, ())]
    return [CHECKS[kernel.pattern], *short]


def check_all(tool: Tool, wanted: set[str], jobs: int, seconds: float) -> list[Record]:
    """The kernels of these names, some at a time: nothing is timed here."""
    chosen = [(kernel, *problem) for kernel in KERNELS if kernel.name in wanted
              for problem in checks_of(kernel)]
    with ThreadPoolExecutor(jobs) as threads:
        return list(threads.map(lambda item: check(tool, *item, seconds), chosen))


def time_row(tool: Tool, row: Row, bad: list[str], record: Record, samples: int,
             seconds: float) -> None:
    """Fills a record with Heddle's own times: of the row, and of the dense kernel
    after it. `bad` kernels are known to fail and not launched."""
    runs: list[tuple[str, Kernel, Shape, Operands]] = [("heddle", row.kernel, row.shape, row.operands)]
    if row.beside_dense:
        runs.append(("own dense", dense_of(row.kernel), replace(row.shape, origin=0), {}))
    for name, kernel, shape, operands in runs:
        contender: dict[str, Any] = {"name": name, "kind": "heddle", "samples": []}
        record["contenders"].append(contender)
        try:
            if kernel.name in bad:
                raise Failed("its check failed")
            found = tool.run(tool.command(kernel, shape, operands, "--repeat", str(samples)), seconds)
        except Failed as why:
            contender["void"] = str(why)
            continue
        flop = record["useful_flop"] if kernel.pattern in RECURRENCES else found["useful_flop"]
        contender.update(level=found["level"], median_ms=found["median_ms"],
                         tflops=flop / found["median_ms"] * 1e-9)
        if name == "heddle" and kernel.pattern not in RECURRENCES:
            record.update(kept_pairs=found["kept_pairs"], useful_flop=flop)
    rates = [contender.get("tflops") for contender in record["contenders"]]
    if len(rates) == 2 and all(rates):
        record["sparse_efficiency"] = rates[0] / rates[1]
