#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks Heddle's kernels on a device and times them beside PyTorch's attention.
Runs in a folder that pack.py made; needs Python 3.9 or newer and a driver, and
takes PyTorch where it finds it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = ("sdpa cudnn", "sdpa flash", "flex", "torch chunks")


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
                        help=f"of {', '.join(PEERS)}, with commas; none for none (default: all)")
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


def fail(text: str) -> int:
    print(f"run.py: error: {text}", file=sys.stderr)
    return 1


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
    from driver import Session
    from heddle import HeddleError
    from report import failures
    from rows import ROWS
    from suite.process import check_writable
    from tool import Failed
    if options.list:
        print("\n".join(row.name for row in ROWS))
        return 0
    if not any(options.only in row.name for row in ROWS):
        return fail(f"no row has '{options.only}' in its name; --list lists them")
    if options.compile:
        return compile_only(options)
    try:
        check_writable(options.out)
        session = Session(options, HERE)
    except (HeddleError, Failed, OSError) as why:
        return fail(str(why))
    report = session.run()
    write(report, options.out)
    wrong = failures(report)
    if wrong:
        return fail(f"{len(wrong)} failed, first {wrong[0]}")
    return 130 if report["interrupted"] else 0  # as a shell has it


if __name__ == "__main__":
    sys.exit(main())
