# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One row with PyTorch beside Heddle: tensors, checks, times."""

from __future__ import annotations

import time
from typing import Any, Callable

from contenders import Heddle, Place, Unserved, make_peer
from measure import (PEER_TOLERANCE, TOLERANCE, Contender, Options, Record, alternate, attempt,
                     first_line, judge, new_record, void)
from problem import Problem, Reference, difference
from recurrence import RecurrentReference
from rows import RECURRENCES, Kernel, Row, dense_of, describe


class RowRun:
    """The contenders of a row: each is made, checked, and kept where it counts."""

    def __init__(self, place: Place, row: Row):
        self.place, self.row = place, row
        self.record: Record = describe(row)
        self.entries: list[tuple[Record, Contender]] = []
        self.problem = Problem(row, place.torch_device)
        self.is_recurrence = row.kernel.pattern in RECURRENCES
        self.reference = (RecurrentReference if self.is_recurrence else Reference)(self.problem)

    def add(self, name: str, kind: str, make: Callable[[], Contender], reference: Reference,
            tolerance: float) -> Contender | None:
        record = new_record(name, kind)
        self.record["contenders"].append(record)
        start = time.monotonic()
        try:
            contender = make()
        except Unserved as why:
            void(record, str(why))
            return None
        except Exception as why:  # whatever a library throws is the row's result
            void(record, f"could not be prepared: {first_line(why)}")
            return None
        self.entries.append((record, contender))

        def launch() -> float:
            contender.run()
            self.place.synchronize()
            return reference.difference(contender.output())

        largest = attempt(record, "failed", launch)
        record["first_s"] = round(time.monotonic() - start, 2)
        record.update({key: value for key, value in
                       (("level", contender.level), ("note", contender.note)) if value})
        if largest is None:
            return contender
        # What is not a number, which JSON has not, fails as well.
        record["largest"] = str(largest)
        if not largest <= tolerance:
            void(record, f"wrong: differs by {largest:.3g} from f32, tolerance {tolerance:g}")
        return contender

    def compare(self) -> None:
        """The whole of Heddle's output with that of the first peer that is right."""
        rights = [(record, contender) for record, contender in self.entries if "void" not in record]
        mine = next((entry for entry in rights if entry[0]["name"] == "heddle"), None)
        peer = next((entry for entry in rights if entry[0]["kind"] == "peer"), None)
        if not mine or not peer:
            return
        tolerance = PEER_TOLERANCE[self.row.kernel.dtype]
        largest = difference(mine[1].output(), peer[1].output().nan_to_num(0))
        mine[0]["compared"] = {"with": peer[0]["name"], "largest": str(largest)}
        if not largest <= tolerance:
            void(mine[0], f"wrong: differs by {largest:.3g} from {peer[0]['name']}, tolerance "
                          f"{tolerance:g}")

    def finish(self) -> None:
        for record, contender in self.entries:
            attempt(record, "failed at the end", contender.close)


def run_row(place: Place, row: Row, peers: list[str], bad: list[str], options: Options,
            in_time: Callable[[], bool]) -> Record:
    """`bad` kernels are known to fail and not launched."""
    run = RowRun(place, row)
    tolerance = TOLERANCE[row.kernel.dtype]
    try:
        heddle = run.add("heddle", "heddle",
                         lambda: Heddle(place, run.problem, sound(row.kernel, bad)),
                         run.reference, tolerance)
        if isinstance(heddle, Heddle) and not run.is_recurrence:
            pairs = heddle.kept_pairs()
            run.record["kept_pairs"] = pairs
            run.record["useful_flop"] = 4 * row.kernel.head_dim * pairs
        if row.beside_dense:
            run.add("own dense", "heddle",
                    lambda: Heddle(place, run.problem, sound(dense_of(row.kernel), bad), True),
                    Reference(run.problem, every_pair=True), tolerance)
        for name in (name for name in row.peers if name in peers):
            run.add(name, "peer", lambda: make_peer(name, run.problem), run.reference,
                    PEER_TOLERANCE[row.kernel.dtype])
        run.compare()
        before = {record["name"]: contender.output().clone() for record, contender in run.entries
                  if record["kind"] == "heddle" and "void" not in record}
        alternate(run.entries, place, options, in_time)
        for record, contender in run.entries:
            if record["name"] in before and not same(before[record["name"]], contender.output()):
                void(record, "wrong: the output changed from launch to launch")
    finally:
        run.finish()
    judge(run.record)
    return run.record


def sound(kernel: Kernel, bad: list[str]) -> str:
    if kernel.name in bad:
        raise Unserved("its check failed")
    return kernel.name


def same(one: Any, other: Any) -> bool:
    """Bit by bit."""
    import torch
    return torch.equal(one.view(torch.int16) if one.element_size() == 2 else one,
                       other.view(torch.int16) if other.element_size() == 2 else other)
