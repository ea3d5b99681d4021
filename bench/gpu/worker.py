# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The process that has the device and PyTorch: first it says what it found, then
it answers requests, one JSON object per line: {"row": NAME, …} with the row's
record. A kernel that faults or hangs takes this process with it, and no more."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

# Libraries print what they like; only answers go to the driver.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(content: dict[str, Any]) -> None:
    ANSWERS.write(json.dumps(content) + "\n")
    ANSWERS.flush()


def find_torch(on_device: bool) -> str:
    """Why there is no use of PyTorch."""
    try:
        import torch
    except ImportError as why:
        return f"PyTorch: {why}"
    if on_device and not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} sees no CUDA device"
    return ""


def serve(ordinal: int | None, is_small: bool) -> None:
    import torch

    import heddle
    from clocks import Clocks
    from contenders import Place
    from measure import Options, first_line
    from rows import describe, rows_for
    from session import run_row

    library = heddle.Library(HERE / "lib" / "libheddle_runtime.so")
    device = None if ordinal is None else heddle.Device(library, ordinal)
    clocks = Clocks(ordinal or 0, device.describe()["name"]) if device else None
    place = Place(library, HERE / "kernels", device, heddle.Pool(library), clocks)
    packed = set(json.loads((HERE / "pack.json").read_text())["kernels"])
    rows = {row.name: row for row in rows_for(packed, "", is_small)}
    answer({"torch": str(torch.__version__)})
    for line in sys.stdin:
        request = json.loads(line)
        row, end = rows[request["row"]], time.monotonic() + request["time"]
        try:
            record = run_row(place, row, request["peers"], request["bad"],
                             Options(request["samples"], request["sample_ms"]),
                             lambda: time.monotonic() < end)
            place.forget()
        except Exception as why:  # whatever a library throws is the row's result
            record = {**describe(row), "failed": first_line(why)}
        try:
            place.synchronize()
        except Exception as why:  # a context that has seen a fault answers nothing any more
            record["ended"] = first_line(why)
        answer(record)
        if "ended" in record:
            break
    # Nothing is given back one by one: the process ends.
    ANSWERS.flush()
    os._exit(0)


def main() -> None:
    ordinal = None if sys.argv[1] == "cpu" else int(sys.argv[1])
    why = find_torch(ordinal is not None)
    if why:
        answer({"missing": why})
    else:
        serve(ordinal, sys.argv[2:] == ["small"])


if __name__ == "__main__":
    main()
