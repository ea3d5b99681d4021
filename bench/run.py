#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures Heddle beside its peers and writes a report; see bench/README.md."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite import machine, report_json, report_markdown, report_svg
from suite.judge import judge
from suite.measure import run_compile_group, run_group
from suite.process import Refused, check_writable
from suite.rows import PARTIAL, SUITES, CompileGroup, Suite
from suite.session import PEER_NAMES, PEER_SCRIPTS, Options, Session

SOURCE = Path(__file__).resolve().parent.parent
INTERRUPTED = 130  # the exit code of a shell


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run.py", description="Measures Heddle beside its peers and writes a report.")
    parser.add_argument("--suite", action="append", default=[], metavar="NAME",
                        help="what to measure, or all; may be repeated (default: quick)")
    parser.add_argument("--only", metavar="TEXT", default="",
                        help="only rows whose name contains this; figures over all rows fall away")
    parser.add_argument("--list", action="store_true", help="list the suites")
    parser.add_argument("--build", type=Path, default=SOURCE / "build",
                        help="build directory (default: build)")
    parser.add_argument("--out", metavar="PREFIX",
                        help="write PREFIX.json, .md and .svg (default: in the build directory)")
    parser.add_argument("--publish", action="store_true",
                        help="write to bench/results, under the machine's name")
    parser.add_argument("--python", default=os.environ.get("HEDDLE_BENCH_PYTHON", sys.executable),
                        help="interpreter that has torch, onnxruntime and numpy (default: "
                             "$HEDDLE_BENCH_PYTHON, or this one)")
    parser.add_argument("--ggml", default=os.environ.get("HEDDLE_BENCH_GGML", ""), metavar="DIR",
                        help="where ggml's shared libraries are (default: $HEDDLE_BENCH_GGML, or "
                             "where the system looks)")
    parser.add_argument("--peers", metavar="NAMES",
                        help=f"comma-separated peers of {', '.join(PEER_NAMES)}; none for no peer "
                             "(default: all that are found)")
    parser.add_argument("--rounds", type=int, default=20, help="samples per row (default 20)")
    parser.add_argument("--sample-ms", type=float, default=60,
                        help="launches of a sample go on for so long (default 60)")
    parser.add_argument("--group-seconds", type=float, default=180,
                        help="no new round after so long, 3 apart (default 180)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="what `all threads` means (default: one per core)")
    parser.add_argument("--tolerance", type=float,
                        help="void every row that differs by more, beside the check's own tolerance")
    options = parser.parse_args(arguments)
    for name in options.suite:
        if name != "all" and name not in SUITES:
            parser.error(f"no suite is called '{name}', expected all or one of {', '.join(SUITES)}")
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads are positive")
    for name in (options.peers or "none").split(","):
        if name != "none" and name not in PEER_NAMES:
            parser.error(f"no peer is called '{name}', expected none or one of {', '.join(PEER_NAMES)}")
    if options.out and options.publish:
        parser.error("--out and --publish both say where the report goes")
    return options


def chosen(names: list[str]) -> list[str]:
    names = names or ["quick"]
    if "all" in names:
        names = [name for name in SUITES if name not in PARTIAL or name in names]
    return list(dict.fromkeys(names))


def session_options(options: argparse.Namespace, scratch: Path) -> Options:
    peers = None
    if options.peers is not None:
        peers = tuple(name for name in options.peers.split(",") if name != "none")
    return Options(build=options.build.resolve(), scratch=scratch, python=options.python,
                   threads=options.threads, rounds=options.rounds, sample_ms=options.sample_ms,
                   group_seconds=options.group_seconds, tolerance=options.tolerance, peers=peers,
                   ggml=options.ggml)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def suites_of(options: argparse.Namespace) -> dict[str, Suite]:
    """What is to be measured."""
    found = {name: SUITES[name] for name in chosen(options.suite)}
    if options.only:
        found = {name: replace(suite, goals=(),
                               groups=tuple(g for g in suite.groups if options.only in g.name))
                 for name, suite in found.items()}
    return found


def measure(session: Session, suites: dict[str, Suite]) -> tuple[dict[str, Any], bool]:
    """What was found, and whether it is all. An interruption ends the measuring:
    `suites` shrinks to what was measured, without figures over all rows of the
    suite that it came in."""
    found: dict[str, Any] = {}
    for name, suite in suites.items():
        groups: list[Any] = []
        try:
            for group in suite.groups:
                say(f"{name}: {group.name}")
                groups.append(run_compile_group(session, group) if isinstance(group, CompileGroup)
                              else run_group(session, group))
        except KeyboardInterrupt:
            if groups:
                found[name] = groups
                suites[name] = replace(suite, goals=(), groups=suite.groups[:len(groups)])
            if not found:
                raise Refused("interrupted before anything was measured") from None
            say("interrupted: the report has what was measured before")
            return found, False
        found[name] = groups
    return found, True


def describe_peers(session: Session) -> dict[str, Any]:
    """All peers, those too that no row of the suites asked for."""
    found: dict[str, Any] = {}
    for contenders in PEER_SCRIPTS.values():
        for name in contenders:
            peer = session.peers.get(name)
            found[name] = ({"missing": peer.missing} if peer and peer.missing
                           else {"version": peer.version, **peer.facts} if peer
                           else {"missing": "no row asked for it"})
    return found


def wrong_rows(suites: dict[str, Any]) -> list[str]:
    """Rows of Heddle that do not count; a peer's failure is the peer's."""
    return [f"{suite}: {group['name']}: {contender['label']}: {contender['void']}"
            for suite, result in suites.items() for group in result["groups"]
            for contender in group["contenders"]
            if contender["kind"] != "peer" and "void" in contender]


def run(options: argparse.Namespace, command: str) -> int:
    build = options.build.resolve()
    asked = suites_of(options)
    if not any(suite.groups for suite in asked.values()):
        raise Refused(f"no row has '{options.only}' in its name")
    with tempfile.TemporaryDirectory(prefix="heddle-bench-") as scratch:
        facts = machine.facts(build, SOURCE)
        session = Session(session_options(options, Path(scratch)))
        facts["generation"] = session.hello["processor"]
        try:
            check_writable(prefix_of(options, build, list(asked), facts))
            counts = sorted({1, 2, options.threads})
            bandwidth = {str(n): session.worker("").ask(do="bandwidth", threads=n)["gb_per_s"]
                         for n in counts}
            started = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
            collected, is_all = measure(session, asked)
            suites = {name: judge(session, asked[name], groups, bandwidth)
                      for name, groups in collected.items()}
            facts["load_after"] = round(os.getloadavg()[0], 2)
            report: dict[str, Any] = {
                "command": command, "started": started, "machine": facts,
                "heddle": session.hello["version"], "read_gb_per_s": bandwidth,
                "fma_peak_gflops": session.peaks, "peers": describe_peers(session),
                "threads": options.threads, "rounds": options.rounds,
                "sample_ms": options.sample_ms, "interrupted": not is_all, "suites": suites,
            }
        finally:
            session.close()
    # A page of bench/results stays until a whole one replaces it.
    options.publish &= is_all
    write(report, prefix_of(options, build, list(asked), facts))
    wrong = wrong_rows(suites)
    for text in wrong:
        print(f"bench/run.py: error: {text}", file=sys.stderr)
    return 1 if wrong else 0 if is_all else INTERRUPTED


def prefix_of(options: argparse.Namespace, build: Path, names: list[str], facts: dict[str, Any]) -> Path:
    if options.publish:
        return SOURCE / "bench" / "results" / machine.slug(facts)
    if options.out:
        return Path(options.out)
    return build / "bench" / "results" / "-".join(names)


def write(report: dict[str, Any], prefix: Path) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    svg = prefix.with_name(prefix.name + ".svg")
    for path, text in ((prefix.with_name(prefix.name + ".json"), report_json.render(report)),
                       (prefix.with_name(prefix.name + ".md"), report_markdown.render(report, svg.name)),
                       (svg, report_svg.render(report))):
        path.write_text(text)
        print(path)


def main() -> int:
    options = parse(sys.argv[1:])
    if options.list:
        for name, suite in SUITES.items():
            print(f"{name:16} {suite.about}")
        return 0
    try:
        return run(options, shlex.join(["bench/run.py", *sys.argv[1:]]))
    except (Refused, OSError) as why:
        print(f"bench/run.py: error: {why}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
