# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The patterns' formulas as others write them: a function of (b, h, q, k) on
arrays of positions. The operations are those that numpy and torch share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:  # bench/gpu has a problem of its own, with the same names
    from common import Problem

Mask = Callable[[Any, Any, Any, Any], Any]


def causal(of: Problem) -> Mask:
    return lambda b, h, q, k: q >= k


def sliding_window(of: Problem) -> Mask:
    window = of.numbers["window"]
    return lambda b, h, q, k: (q >= k) & (q - k < window)


def a_shape(of: Problem) -> Mask:
    sink, window = of.numbers["sink"], of.numbers["window"]
    return lambda b, h, q, k: (q >= k) & ((k < sink) | (q - k < window))


def blocks_64(of: Problem) -> Mask:
    rows = of.operands["rows"]
    return lambda b, h, q, k: rows[b, h, q // 64, k // 64]


def blocks_128(of: Problem) -> Mask:
    rows = of.operands["rows"]
    return lambda b, h, q, k: rows[b, h, q // 128, k // 128]


def documents(of: Problem) -> Mask:
    doc = of.operands["doc"]
    return lambda b, h, q, k: (q >= k) & (doc[b, q] == doc[b, k])


def vertical_slash(of: Problem) -> Mask:
    columns, diagonals = of.operands["cols"], of.operands["diags"]
    return lambda b, h, q, k: (q >= k) & (columns[b, h, k] | diagonals[b, h, (q - k).clip(0)])


def near(q: Any, k: Any, length: int, window: int) -> Any:
    """Along one axis; at the ends the window is shifted."""
    step = k - (q - window // 2).clip(0, length - window)
    return (step >= 0) & (step < window)


def neighborhood_1d(of: Problem) -> Mask:
    length, window = of.keys, min(of.numbers["window"], of.keys)
    return lambda b, h, q, k: near(q, k, length, window)


def natten_2d(of: Problem) -> Mask:
    height, width, wy, wx = (of.numbers[name] for name in ("H", "W", "wy", "wx"))
    return lambda b, h, q, k: (near(q // width, k // width, height, wy)
                               & near(q % width, k % width, width, wx))


def natten_3d(of: Problem) -> Mask:
    height, width, wt, wy, wx = (of.numbers[name] for name in ("H", "W", "wt", "wy", "wx"))

    def keep(b: Any, h: Any, q: Any, k: Any) -> Any:
        frames = q // (height * width) - k // (height * width)
        return ((frames >= 0) & (frames < wt)
                & near(q // width % height, k // width % height, height, wy)
                & near(q % width, k % width, width, wx))

    return keep


def power_block(of: Problem) -> Mask:
    sink, window = of.numbers["sink"], of.numbers["window"]

    def keep(b: Any, h: Any, q: Any, k: Any) -> Any:
        blocks = q // 64 - k // 64
        power = (blocks > 0) & ((blocks & (blocks - 1)) == 0)
        return (q >= k) & (power | (q - k < window) | (k < sink))

    return keep


FORMULAS: dict[str, Callable[[Problem], Mask]] = {
    function.__name__: function
    for function in (causal, sliding_window, a_shape, blocks_64, blocks_128, documents, vertical_slash,
                     neighborhood_1d, natten_2d, natten_3d, power_block)
}


def mask_of(problem: Problem) -> Mask | None:
    """The formula, on absolute positions of keys and rows of queries; None where
    every pair is kept. Raises where nobody has written it down."""
    if problem.pattern == "dense":
        return None
    if problem.pattern not in FORMULAS:
        raise NotImplementedError(f"pattern '{problem.pattern}' is not written down for peers, "
                                  "see bench/peers/masks.py")
    keep, origin = FORMULAS[problem.pattern](problem), problem.origin
    return keep if origin == 0 else lambda b, h, q, k: keep(b, h, q + origin, k)
