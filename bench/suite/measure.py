# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times the contenders of a group in turn: A B C A B C …, one at a time.

A contender whose output is wrong is void and not timed. Every sample lies
between two measurements of the machine's multiply-add peak.
"""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable

from suite.process import Process, Refused, run_once
from suite.rows import Case, CompileGroup, Group
from suite.session import BENCH, Options, Session, pattern_file

MIN_ROUNDS = 3
# Relative to the largest magnitude of a row: peers approximate exponentials and
# accumulate in other orders.
PEER_TOLERANCE = {"f32": 1e-3, "f16": 1e-2, "bf16": 3e-2}

Contender = dict[str, Any]
Sample = Callable[[], dict[str, Any]]


def void(contender: Contender, why: str) -> None:
    contender.setdefault("void", why)


def prepare_case(session: Session, label: str, case: Case) -> Contender:
    contender: Contender = {"label": label, "kind": "heddle", "level": case.level,
                            "threads": session.threads(case.threads),
                            "command": case_command(session, case), "samples": []}
    request = {"file": str(pattern_file(case.pattern)), "shape": case.shape, "set": list(case.set),
               "dtype": case.dtype, "threads": contender["threads"], "origin": case.origin,
               "level": case.level, "layout": case.layout}
    try:
        contender["facts"] = session.worker(case.level).ask(do="prepare", id=label, **request)
    except Refused as why:
        void(contender, f"could not be prepared: {why}")
        return contender
    check = contender["facts"]["check"]
    limit = session.options.tolerance
    if not check["passed"]:
        void(contender, f"wrong: {check['why']}")
    elif limit is not None and float(check["largest_o"]) > limit:
        void(contender, f"wrong: differs by {float(check['largest_o']):.3g} in o, tolerance {limit:g}")
    return contender


def case_command(session: Session, case: Case) -> str:
    """What repeats this row by hand, checks and all."""
    words = ["heddle run", str(pattern_file(case.pattern).relative_to(BENCH.parent)),
             "--shape", case.shape]
    for item in case.set:
        words += ["--set", f"'{item if len(item) < 80 else item[:60] + '…'}'"]
    if case.dtype != "f32":
        words += ["--dtype", case.dtype]
    if case.layout != "bhsd":
        words += ["--layout", case.layout]
    if case.origin:
        words += ["--origin", str(case.origin)]
    if case.level:
        words += ["--target", case.level]
    return " ".join([*words, "--threads", str(session.threads(case.threads)), "--json"])


def prepare_peer(session: Session, name: str, against: Contender, folder: Path) -> Contender:
    contender: Contender = {"label": name, "kind": "peer", "level": "",
                            "threads": against["threads"], "samples": []}
    peer = session.peer(name)
    if peer.missing:
        void(contender, f"missing: {peer.missing}")
        return contender
    if "void" in against:
        void(contender, f"'{against['label']}' is void")
        return contender
    facts = against["facts"]
    assert peer.process
    try:
        answer = peer.process.ask(900, do="prepare", contender=name, directory=str(folder),
                                  **{key: facts[key] for key in
                                     ("pattern", "shape", "numbers", "dtype", "threads", "origin")})
    except Refused as why:
        void(contender, f"failed: {why}")
        return contender
    contender["facts"] = answer
    tolerance = PEER_TOLERANCE[facts["dtype"]]
    # NaN, which is no number in JSON, fails as well.
    if not float(answer["largest"]) <= tolerance:
        void(contender, f"wrong: differs by {float(answer['largest']):.3g}, tolerance {tolerance:g}")
    return contender


def between_peaks(session: Session, contender: Contender, ask: Callable[[], dict[str, Any]],
                  process: Process | None = None) -> dict[str, Any]:
    """A sample with what tells whether the machine was quiet: the peaks before and
    after, and the part of the time that threads waited for a core."""
    level, threads = contender["level"], contender["threads"]
    before = session.peak_before(level, threads)
    waited, start = process.waited() if process else 0.0, time.monotonic()
    taken = ask()
    spent = time.monotonic() - start
    # Of a process that lived for this sample only, the sample says it.
    waited = process.waited() - waited if process else taken.pop("waited_s", 0.0)
    if contender["kind"] == "peer":
        session.settle()
    return {**taken, "peak_before": before, "peak_after": session.peak(level, threads),
            "waited": max(0.0, waited / spent)}


def case_sampler(session: Session, contender: Contender, with_plan: bool) -> Sample:
    def sample() -> dict[str, Any]:
        worker = session.worker(contender["level"])
        return between_peaks(session, contender, lambda: worker.ask(
            do="time", id=contender["label"], at_least_ms=session.options.sample_ms,
            plan=with_plan), worker)

    return sample


def read_sampler(session: Session, contender: Contender, of: str) -> Sample:
    def sample() -> dict[str, Any]:
        worker = session.worker(contender["level"])
        return between_peaks(session, contender, lambda: worker.ask(do="read", id=of), worker)

    return sample


def peer_sampler(session: Session, contender: Contender) -> Sample:
    def sample() -> dict[str, Any]:
        process = session.peers[contender["label"]].process
        if not process:
            raise Refused(session.peers[contender["label"]].missing)
        return between_peaks(session, contender, lambda: process.ask(
            900, do="time", at_least_ms=session.options.sample_ms,
            contender=contender["label"]), process)

    return sample


def alternate(session: Session, contenders: list[tuple[Contender, Sample]], options: Options) -> None:
    """Rounds over all contenders, the first one not counted, until there are
    enough or the time is up."""
    start = time.monotonic()
    for number in range(-1, options.rounds):
        if number >= MIN_ROUNDS and time.monotonic() - start > options.group_seconds:
            break
        for contender, sample in contenders:
            if "void" in contender:
                continue
            try:
                taken = sample()
            except Refused as why:
                void(contender, f"failed while it was timed: {why}")
                continue
            if number >= 0:
                contender["samples"].append({"round": number, **taken})


def run_group(session: Session, group: Group) -> dict[str, Any]:
    session.forget_peak()
    contenders: list[tuple[Contender, Sample]] = []
    for label, case in group.cases.items():
        contender = prepare_case(session, label, case)
        contenders.append((contender, case_sampler(session, contender, bool(group.peers))))
    first, (label, case) = contenders[0][0], next(iter(group.cases.items()))
    if group.read:
        read: Contender = {**first, "label": "read", "kind": "read", "samples": []}
        contenders.append((read, read_sampler(session, read, label)))
    with tempfile.TemporaryDirectory(dir=session.options.scratch) as folder:
        if group.peers and "void" not in first:
            session.worker(case.level).ask(do="save", id=label, directory=folder)
        for name in group.peers:
            peer = prepare_peer(session, name, first, Path(folder))
            contenders.append((peer, peer_sampler(session, peer)))
    session.forget_peak()
    alternate(session, contenders, session.options)
    for contender, _ in contenders:
        finish(session, contender)
    return {"name": group.name, "contenders": [contender for contender, _ in contenders]}


def finish(session: Session, contender: Contender) -> None:
    """Frees what was prepared, and looks whether results were the same to the end."""
    try:
        if contender["kind"] == "heddle" and "facts" in contender:
            answer = session.worker(contender["level"]).ask(do="finish", id=contender["label"])
            if not answer["unchanged"]:
                void(contender, "wrong: the output changed from launch to launch")
        elif contender["kind"] == "peer" and "facts" in contender:
            process = session.peers[contender["label"]].process
            if process:
                process.ask(60, do="finish", contender=contender["label"])
    except Refused as why:
        void(contender, f"failed at the end: {why}")


def run_compile_group(session: Session, group: CompileGroup) -> dict[str, Any]:
    """Compiles anew in the worker, and in a new process."""
    session.forget_peak()
    path = pattern_file(group.pattern)
    command = [str(session.options.build / "bin" / "heddle"), "run", str(path), "--shape",
               f"hq=1,sq=256,d={group.head_dim}", "--repeat", "1", "--threads", "1", "--json"]
    for item in group.set:
        command += ["--set", item]

    def warm() -> dict[str, Any]:
        return session.worker("").ask(do="compile", file=str(path), d=group.head_dim)

    def cold() -> dict[str, Any]:
        output, waited = run_once(command)
        report = json.loads(output)
        return {"ms": report["compile_ms"], "parts": report["compile_parts_ms"],
                "waited_s": waited}

    contenders: list[tuple[Contender, Sample]] = []
    for label, ask, process in (("warm", warm, session.worker("")), ("cold", cold, None)):
        contender = {"label": label, "kind": "compile", "level": "", "threads": 1, "samples": []}
        contenders.append((contender, partial(between_peaks, session, contender, ask, process)))
    alternate(session, contenders, session.options)
    return {"name": group.name, "contenders": [contender for contender, _ in contenders]}

