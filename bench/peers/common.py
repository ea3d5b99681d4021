# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the peers share: the protocol, the problem, and the comparison.

A peer is a process that first says what it is, or why it is missing, and then
answers requests, one JSON object per line: prepare, time, finish.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Protocol

# Libraries print what they like; only answers go to the driver.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(content: dict[str, Any]) -> None:
    ANSWERS.write(json.dumps(content) + "\n")
    ANSWERS.flush()


def missing(why: str) -> None:
    """Says why there is no such peer, and ends."""
    answer({"missing": why})
    sys.exit(0)


try:
    import numpy as np
except ImportError:
    missing("no module 'numpy' in this Python")


def load(path: Path) -> Any:
    """An array; bf16, which numpy does not know, comes as f32."""
    array = np.load(path)
    if array.dtype.itemsize == 2 and array.dtype.kind == "V":
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array


@dataclass
class Problem:
    """What Heddle was given, and what it answered."""

    pattern: str
    dtype: str
    threads: int
    batch: int
    heads: int
    key_heads: int
    queries: int
    keys: int
    origin: int
    scale: float
    numbers: dict[str, int]
    q: Any
    k: Any
    v: Any
    o: Any
    operands: dict[str, Any] = field(default_factory=dict)  # sets as maps

    @staticmethod
    def read(request: dict[str, Any]) -> "Problem":
        folder, shape = Path(request["directory"]), request["shape"]
        tensors = {name: load(folder / f"{name}.npy") for name in "qkvo"}
        operands = {path.stem.removeprefix("set-"): load(path)
                    for path in folder.glob("set-*.npy")}
        # A set may end at its largest member; what lies beyond is none.
        for name, array in operands.items():
            if array.dtype == bool and array.shape[-1] < shape["sk"]:
                more = [(0, 0)] * (array.ndim - 1) + [(0, shape["sk"] - array.shape[-1])]
                operands[name] = np.pad(array, more)
        return Problem(
            pattern=request["pattern"], dtype=request["dtype"], threads=request["threads"],
            batch=shape["b"], heads=shape["hq"], key_heads=shape["hkv"], queries=shape["sq"],
            keys=shape["sk"], origin=request["origin"], scale=shape["d"] ** -0.5,
            numbers={name: int(value) for name, value in request["numbers"].items()},
            operands=operands, **tensors)

    def largest_difference(self, output: Any) -> float:
        """Of an output (batch, heads, queries, dv), relative to the largest
        magnitude of each row."""
        want = np.asarray(self.o, dtype=np.float32)
        got = np.asarray(output, dtype=np.float32).reshape(want.shape)
        size = np.maximum(np.abs(want).max(axis=-1), np.finfo(np.float32).tiny)
        return float((np.abs(got - want).max(axis=-1) / size).max())


class Attempt(Protocol):
    """A problem, ready to be launched. `prepare`, where there is one, makes what
    depends on the pattern but not on q, k and v."""

    prepare: Callable[[], None] | None

    def run(self) -> None: ...

    def output(self) -> Any: ...


def milliseconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def prepare(make: Callable[[str, Problem], Attempt],
            request: dict[str, Any]) -> tuple[Attempt, dict[str, Any]]:
    problem = Problem.read(request)
    start = time.perf_counter()
    attempt = make(request["contender"], problem)
    if attempt.prepare:
        attempt.prepare()
    attempt.run()
    first = (time.perf_counter() - start) * 1e3
    found = {"first_ms": first, "largest": str(problem.largest_difference(attempt.output())),
             "threads": problem.threads}
    note = getattr(attempt, "note", "")
    return attempt, {**found, **({"note": note} if note else {})}


def time_attempt(attempt: Attempt, at_least_ms: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if attempt.prepare:
        found["mask_ms"] = milliseconds(attempt.prepare)
    start, launches, spent = time.perf_counter(), 0, 0.0
    while launches == 0 or spent < at_least_ms:
        attempt.run()
        launches += 1
        spent = (time.perf_counter() - start) * 1e3
    return {**found, "ms": spent / launches, "launches": launches}


def serve(hello: dict[str, Any], make: Callable[[str, Problem], Attempt]) -> None:
    """Answers requests until nobody asks any more."""
    answer(hello)
    attempts: dict[str, Attempt] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                attempts[request["contender"]], found = prepare(make, request)
            elif request["do"] == "time":
                found = time_attempt(attempts[request["contender"]], request["at_least_ms"])
            else:
                attempts.pop(request["contender"], None)
                found = {}
        except Exception as why:  # whatever a library throws is the row's result
            traceback.print_exc()
            first = next(iter(str(why).strip().splitlines()), "")
            found = {"error": f"{type(why).__name__}: {first}"}
        answer(found)
