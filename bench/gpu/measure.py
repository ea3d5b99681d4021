# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times the contenders of a row in turn, A B C A B C …, after their outputs are
shown to be right. Knows nothing of devices and libraries."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any, Callable, Protocol

# Relative to the largest magnitude of a row. Of Heddle against f32, and of two
# contenders against each other: peers may round in other places.
TOLERANCE = {"f32": 1e-4, "f16": 2e-3, "bf16": 1e-2}
PEER_TOLERANCE = {"f32": 1e-3, "f16": 1e-2, "bf16": 3e-2}
# The first rounds also time what a pattern needs before its first launch.
COUNTED_ROUNDS = 5
WARM_LAUNCHES = 3

Record = dict[str, Any]


class Contender(Protocol):
    """`prepare` makes what depends on the pattern but not on q, k and v."""

    name: str
    kind: str  # heddle or peer
    level: str
    note: str
    has_preparation: bool

    def prepare(self) -> None: ...
    def settle(self) -> None: ...
    def run(self) -> None: ...
    def output(self) -> Any: ...
    def close(self) -> None: ...


class Timer(Protocol):
    def time(self, run: Callable[[], None], launches: int) -> dict[str, Any]: ...
    def wall(self, call: Callable[[], None]) -> float: ...


@dataclass
class Options:
    samples: int = 20
    sample_ms: float = 5.0


def first_line(why: BaseException) -> str:
    text = next((line for line in str(why).splitlines() if line.strip()), "")
    return f"{type(why).__name__}: {text.strip()}"[:300]


def void(record: Record, why: str) -> None:
    record.setdefault("void", why)


def new_record(name: str, kind: str) -> Record:
    return {"name": name, "kind": kind, "samples": []}


def attempt(record: Record, doing: str, call: Callable[[], Any]) -> Any:
    """What a call gives; what it throws voids the record and stops nobody else."""
    if "void" in record:
        return None
    try:
        return call()
    except Exception as why:
        void(record, f"{doing}: {first_line(why)}")
        return None


def alternate(entries: list[tuple[Record, Contender]], timer: Timer, options: Options,
              in_time: Callable[[], bool]) -> None:
    """Rounds over all contenders. Not one round more is begun after the time is
    up."""
    launches: dict[str, int] = {}

    def warm(contender: Contender) -> None:
        timer.time(contender.run, WARM_LAUNCHES)
        ms = max(1e-3, timer.time(contender.run, WARM_LAUNCHES)["ms"])
        launches[contender.name] = max(1, min(200, math.ceil(options.sample_ms / ms)))

    def again(contender: Contender) -> None:
        contender.prepare()
        contender.run()

    for record, contender in entries:
        attempt(record, "failed when warming up", lambda: warm(contender))
    for number in range(options.samples):
        if not in_time():
            break
        for record, contender in entries:
            taken: Record | None = attempt(
                record, "failed while it was timed",
                lambda: timer.time(contender.run, launches[contender.name]))
            if taken is None:
                continue
            sample = {"round": number, "launches": launches[contender.name], **taken}
            if contender.has_preparation and number < COUNTED_ROUNDS:
                counted = attempt(record, "failed while preparing",
                                  lambda: timer.wall(lambda: again(contender)))
                attempt(record, "failed after preparing", contender.settle)
                if counted is None:
                    continue
                sample["counted_ms"] = counted
            record["samples"].append(sample)


def medians(record: Record) -> None:
    """Adds what the samples come to."""
    for key, name in (("ms", "median_ms"), ("counted_ms", "median_counted_ms"), ("sm_mhz", "sm_mhz")):
        found = [sample[key] for sample in record["samples"] if key in sample]
        if found:
            record[name] = statistics.median(found)


def ratio(of: Record, to: Record, key: str) -> float | None:
    """How many times longer the second takes, the median over common rounds."""
    if "void" in of or "void" in to:
        return None
    mine = {sample["round"]: sample[key] for sample in of["samples"] if key in sample}
    found = [sample[key] / mine[sample["round"]] for sample in to["samples"]
             if key in sample and sample["round"] in mine]
    return statistics.median(found) if found else None


def judge(row: Record) -> None:
    """Rates and ratios of a row whose contenders were timed. Each rests on rows
    that count."""
    records = {record["name"]: record for record in row["contenders"]}
    for record in records.values():
        medians(record)
        if "median_ms" in record and "void" not in record:
            flop = row["dense_flop"] if record["name"] == "own dense" else row.get("useful_flop")
            if flop:
                record["tflops"] = flop / record["median_ms"] * 1e-9
    mine = records["heddle"]
    row["ratios"] = {}
    for name, record in records.items():
        if record["kind"] != "peer":
            continue
        found = {"kernel": ratio(mine, record, "ms"), "counted": ratio(mine, record, "counted_ms")}
        row["ratios"][name] = {key: value for key, value in found.items() if value is not None}
    dense = records.get("own dense")
    slower = ratio(mine, dense, "ms") if dense else None
    if slower is not None and row.get("useful_flop"):
        row["sparse_efficiency"] = slower * row["useful_flop"] / row["dense_flop"]
