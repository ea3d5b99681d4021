#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks Heddle's kernels on a device and times them beside PyTorch's attention.
Runs in a folder that pack.py made; needs Python 3.9 or newer and a driver, and
takes PyTorch where it finds it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = ("sdpa cudnn", "sdpa flash", "flex")
# Parts of the time after which nothing is compiled ahead, no FlexAttention begun,
# and no round.
AHEAD_UNTIL, FLEX_UNTIL, ROUNDS_UNTIL = 0.35, 0.8, 1.0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py", description="Checks Heddle's kernels on a device and times them beside PyTorch.")
    parser.add_argument("--seconds", type=float, default=240,
                        help="the time for all: no row is begun afterwards (default 240)")
    parser.add_argument("--samples", type=int, default=20, help="samples per row (default 20)")
    parser.add_argument("--sample-ms", type=float, default=5,
                        help="launches of a sample take so long (default 5)")
    parser.add_argument("--device", default="0", metavar="N",
                        help="device number, or cpu to try all on this machine's threads (default 0)")
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="only rows whose name contains this, and checks of their kernels")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="NAMES",
                        help="of sdpa cudnn, sdpa flash, flex, with commas; none for none (default: all)")
    parser.add_argument("--no-checks", action="store_true", help="leave out the small checks")
    parser.add_argument("--list", action="store_true", help="list the rows")
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="PREFIX",
                        help="write PREFIX.json and PREFIX.md (default: results, here)")
    parser.add_argument("--show", type=Path, metavar="FILE",
                        help="print the table of an earlier run's JSON, and run nothing")
    parser.add_argument("--small", action="store_true",
                        help="make every row small: says whether all works, nothing about speed")
    parser.add_argument("--compile", default="", help=argparse.SUPPRESS)  # see ahead.py
    options = parser.parse_args(arguments)
    if options.samples < 1 or options.seconds <= 0:
        parser.error("--samples and --seconds are positive")
    if options.device != "cpu" and not options.device.isdigit():
        parser.error(f"--device is '{options.device}', expected a number or cpu")
    options.ordinal = None if options.device == "cpu" else int(options.device)
    options.peer_names = tuple(name for name in options.peers.split(",") if name != "none")
    for name in options.peer_names:
        if name not in PEERS:
            parser.error(f"no peer is called '{name}', expected none or of {', '.join(PEERS)}")
    return options


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def fail(text: str) -> int:
    print(f"run.py: error: {text}", file=sys.stderr)
    return 1


def find_torch(on_device: bool) -> tuple[str, str]:
    """Its version, or why it is missing."""
    try:
        import torch
    except ImportError as why:
        return "", f"PyTorch: {why}; only Heddle is timed"
    if on_device and not torch.cuda.is_available():
        return "", f"PyTorch {torch.__version__} sees no CUDA device; only Heddle is timed"
    return str(torch.__version__), ""


class Session:
    """One run: what was opened, and what was found."""

    def __init__(self, options: argparse.Namespace):
        import heddle
        from clocks import Clocks
        from tool import Tool, find_libraries

        self.options, self.start = options, time.monotonic()
        self.facts = json.loads((HERE / "pack.json").read_text())
        self.library = heddle.Library(HERE / "lib" / "libheddle_runtime.so")
        self.device = (None if options.ordinal is None
                       else heddle.Device(self.library, options.ordinal))
        self.clocks = (Clocks(options.ordinal, self.device.describe()["name"]) if self.device
                       else None)
        program = HERE / "bin" / "heddle-run"
        self.tool = Tool(program, HERE / "kernels", find_libraries(program, HERE / "lib"),
                         ["--device", f"cuda:{options.ordinal}"] if self.device else [])
        self.pool = heddle.Pool(self.library)
        self.report: dict[str, Any] = {
            "command": shlex.join(["run.py", *sys.argv[1:]]),
            "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "heddle": self.library.version, "revision": self.facts["revision"],
            "device": self.device.describe() if self.device else None,
            "clocks": self.clocks.facts() if self.clocks else {},
            "samples": options.samples, "checks": [], "rows": [], "missing": [], "not_begun": []}

    def spent(self) -> float:
        return time.monotonic() - self.start

    def left(self, part: float = 1.0) -> bool:
        return self.spent() < part * self.options.seconds

    def run(self) -> dict[str, Any]:
        from ahead import Ahead
        from rows import ROWS, rows_for
        from tool import check_all

        version, missing = find_torch(self.device is not None)
        self.report["torch"] = version or "missing"
        if missing:
            self.report["missing"].append(missing)
        packed = set(self.facts["kernels"])
        rows = rows_for(packed, self.options.only, self.options.small)
        ahead = (Ahead(Path(__file__), sys.argv[1:])
                 if version and self.device and "flex" in self.options.peer_names else None)
        absent = {row.kernel.name for row in ROWS if self.options.only in row.name} - packed
        self.report["missing"] += [f"kernel '{name}' is not in this folder" for name in sorted(absent)]
        if not self.options.no_checks:
            say("checks")
            wanted = {row.kernel.name for row in rows} if self.options.only else packed
            jobs = max(1, min(4, len(os.sched_getaffinity(0))))
            self.report["checks"] = check_all(self.tool, wanted, jobs,
                                              max(1.0, self.options.seconds - self.spent()))
        if ahead:
            say("compiling FlexAttention")
            ahead.wait(AHEAD_UNTIL * self.options.seconds - self.spent())
        for row in rows:
            if not self.left():
                self.report["not_begun"].append(row.name)
                continue
            say(row.name)
            self.report["rows"].append(self.row(row, bool(version)))
        self.report["seconds"] = round(self.spent(), 1)
        return self.report

    def row(self, row: Any, with_torch: bool) -> dict[str, Any]:
        """Whatever goes wrong is this row's result."""
        from measure import Options, first_line
        from rows import describe
        from tool import time_row
        try:
            if not with_torch:
                record = describe(row)
                time_row(self.tool, row, record, self.options.samples,
                         max(1.0, self.options.seconds - self.spent()))
                return record
            from contenders import Place
            from session import run_row
            place = Place(self.library, HERE / "kernels", self.device, self.pool, self.clocks)
            record = run_row(place, row, self.options.peer_names,
                             Options(self.options.samples, self.options.sample_ms),
                             lambda: self.left(ROUNDS_UNTIL), lambda: self.left(FLEX_UNTIL))
            place.forget()
            return record
        except Exception as why:
            return {**describe(row), "failed": first_line(why)}


def write(report: dict[str, Any], prefix: Path) -> None:
    from report import render_json, render_markdown, render_text
    print(render_text(report))
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".json", render_json(report)), (".md", render_markdown(report))):
        path = prefix.with_name(prefix.name + suffix)
        path.write_text(text)
        print(path, flush=True)


def compile_only(options: argparse.Namespace) -> int:
    from ahead import compile_share
    from contenders import compile_flex, torch_device
    from rows import rows_for
    packed = set(json.loads((HERE / "pack.json").read_text())["kernels"])
    compile_share(rows_for(packed, options.only, options.small), options.compile,
                  torch_device(options.ordinal), compile_flex)
    return 0


def main() -> int:
    options = parse(sys.argv[1:])
    if options.show:
        from report import render_text
        try:
            print(render_text(json.loads(options.show.read_text())), end="")
        except (OSError, ValueError, LookupError) as why:
            return fail(f"'{options.show}' is no report: {why}")
        return 0
    if not (HERE / "pack.json").exists():
        return fail(f"'{HERE}' holds no kernels; make a folder that does with pack.py")
    from heddle import HeddleError
    from report import failures
    from rows import ROWS
    from tool import Failed
    if options.list:
        print("\n".join(row.name for row in ROWS))
        return 0
    if not any(options.only in row.name for row in ROWS):
        return fail(f"no row has '{options.only}' in its name; --list lists them")
    if options.compile:
        return compile_only(options)
    try:
        session = Session(options)
    except (HeddleError, Failed, OSError) as why:
        return fail(str(why))
    report = session.run()
    write(report, options.out)
    wrong = failures(report)
    return fail(f"{len(wrong)} failed, first {wrong[0]}") if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
