# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One run: checks, rows, and what they come to. Whatever touches the device does
so in processes that may end without ending this one."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import heddle
from ahead import Ahead
from clocks import Clocks
from rows import ROWS, Row, describe, rows_for
from suite.process import Process, Refused
from tool import Tool, check_all, find_libraries, time_row

# Parts of the time after which nothing is compiled ahead, and no FlexAttention
# begun.
AHEAD_UNTIL, FLEX_UNTIL = 0.35, 0.8
# After so long what does not answer is ended: a process that begins, a check, and
# a row, which has as long again while there is time.
HELLO_SECONDS, CHECK_SECONDS, ROW_SECONDS = 120, 60, 60


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Session:
    """One run: what was opened, and what was found."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.folder, self.start = options, folder, time.monotonic()
        self.facts = json.loads((folder / "pack.json").read_text())
        library = heddle.Library(folder / "lib" / "libheddle_runtime.so")
        found = None
        if options.ordinal is not None:
            device = heddle.Device(library, options.ordinal)
            found = device.describe()
            device.close()
        program = folder / "bin" / "heddle-run"
        self.tool = Tool(program, folder / "kernels", find_libraries(program, folder / "lib"),
                         ["--device", f"cuda:{options.ordinal}"] if found else [])
        self.worker: Process | None = None
        self.log = Path(tempfile.mkstemp(prefix="heddle-gpu-", suffix=".log")[1])
        self.report: dict[str, Any] = {
            "command": shlex.join(["run.py", *sys.argv[1:]]),
            "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "heddle": library.version, "revision": self.facts["revision"], "device": found,
            "clocks": Clocks(options.ordinal, found["name"]).facts() if found else {},
            "torch": "missing", "samples": options.samples, "checks": [], "rows": [], "missing": [],
            "not_begun": [], "interrupted": False}

    def left(self, part: float = 1.0) -> float:
        """Seconds until that part of the time is up."""
        return part * self.options.seconds - (time.monotonic() - self.start)

    def start_worker(self) -> bool:
        """Whether there is a process with PyTorch, a new one if need be."""
        if not self.worker or not self.worker.is_alive():
            words = [sys.executable, "-u", str(self.folder / "worker.py"), self.options.device,
                     *(["small"] if self.options.small else [])]
            try:
                self.worker = Process("worker.py", words, self.log)
                hello = self.worker.read(HELLO_SECONDS)
            except (Refused, OSError) as why:
                hello = {"missing": str(why)}
            if "missing" in hello:
                self.worker = None
                self.report["missing"].append(f"{hello['missing']}; only Heddle is timed")
                return False
            self.report["torch"] = hello["torch"]
        return True

    def run(self) -> dict[str, Any]:
        options, report = self.options, self.report
        packed = set(self.facts["kernels"])
        rows = rows_for(packed, options.only, options.small)
        absent = {row.kernel.name for row in ROWS if options.only in row.name} - packed
        report["missing"] += [f"kernel '{name}' is not in this folder" for name in sorted(absent)]
        has_torch = self.start_worker()
        ahead = (Ahead(self.folder / "run.py", sys.argv[1:])
                 if has_torch and report["device"] and "flex" in options.peer_names else None)
        try:
            self.measure(rows, packed, ahead, has_torch)
        except KeyboardInterrupt:
            say("interrupted: the report has what was measured before")
            report["interrupted"] = True
            done = {record["name"] for record in report["rows"]} | set(report["not_begun"])
            report["not_begun"] += [row.name for row in rows if row.name not in done]
        if self.worker:
            self.worker.close()
        self.log.unlink()
        report["seconds"] = round(time.monotonic() - self.start, 1)
        return report

    def measure(self, rows: list[Row], packed: set[str], ahead: Ahead | None, has_torch: bool) -> None:
        options, report = self.options, self.report
        if not options.no_checks:
            say("checks")
            wanted = {row.kernel.name for row in rows} if options.only else packed
            jobs = max(1, min(4, len(os.sched_getaffinity(0))))
            report["checks"] = check_all(self.tool, wanted, jobs, CHECK_SECONDS)
        bad = [item["kernel"] for item in report["checks"] if not item.get("passed")]
        if ahead:
            say("compiling FlexAttention")
            ahead.wait(self.left(AHEAD_UNTIL))
        for row in rows:
            if self.left() <= 0:
                report["not_begun"].append(row.name)
                continue
            say(row.name)
            has_torch = has_torch and self.start_worker()
            report["rows"].append(self.row(row, bad) if has_torch else self.row_alone(row, bad))

    def row(self, row: Row, bad: list[str]) -> dict[str, Any]:
        options = self.options
        peers = [name for name in options.peer_names if name != "flex" or self.left(FLEX_UNTIL) > 0]
        assert self.worker
        try:
            record = self.worker.ask(
                min(self.left(), ROW_SECONDS) + ROW_SECONDS, row=row.name, peers=peers, bad=bad,
                time=self.left(), samples=options.samples, sample_ms=options.sample_ms)
        except Refused as why:  # it has ended, and the next row gets a new one
            return {**describe(row), "failed": str(why)}
        if "flex" in row.peers and "flex" in options.peer_names and "flex" not in peers:
            record["contenders"].append({"name": "flex", "kind": "peer", "samples": [],
                                         "void": "not compiled: time is short"})
        if "ended" in record:
            self.worker.close()
        return record

    def row_alone(self, row: Row, bad: list[str]) -> dict[str, Any]:
        """Without PyTorch."""
        record = describe(row)
        time_row(self.tool, row, bad, record, self.options.samples, self.left() + ROW_SECONDS)
        return record
