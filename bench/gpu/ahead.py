# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles what FlexAttention needs for all rows before anything is timed, in
several processes: PyTorch keeps compiled kernels in files, where the process that
times finds them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

from rows import Row

MOST_PROCESSES = 8


class Ahead:
    """Processes that compile for every n-th row each."""

    def __init__(self, script: Path, arguments: list[str]):
        count = min(MOST_PROCESSES, len(os.sched_getaffinity(0)) // 2)
        self._children = [
            subprocess.Popen([sys.executable, str(script), *arguments, "--compile", f"{i}/{count}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for i in range(count if count > 1 else 0)]

    def wait(self, seconds: float) -> None:
        """Ends those that take longer: what they lack is compiled later, or
        not."""
        end = time.monotonic() + seconds
        for child in self._children:
            try:
                child.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def compile_share(rows: list[Row], share: str, torch_device: str,
                  compile_row: Callable[[Row, str], None]) -> None:
    """In such a process: the rows of share i/n, those with the same code once."""
    number, count = map(int, share.split("/"))
    different = list({(row.kernel, row.shape): row for row in rows if "flex" in row.peers}.values())
    for row in different[number::count]:
        try:
            compile_row(row, torch_device)
        except Exception as why:  # the process that times will say so
            print(f"{row.name}: {why}", file=sys.stderr)
