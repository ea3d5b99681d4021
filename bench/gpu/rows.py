# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is checked and timed on a device: data, read by pack.py and run.py.

A kernel is a pattern with a dtype and a head dim: one bundle. A row is a problem
for one kernel; rows of sparse patterns are timed beside Heddle's own dense
kernel on the same shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Union

from suite.rows import near_and_runs

DTYPES = ("bf16", "f16")
HEAD_DIMS = (64, 128)


@dataclass(frozen=True)
class Shape:
    """Sizes of a problem; head dims are the kernel's."""

    batch: int
    heads: int
    key_heads: int
    queries: int
    keys: int
    origin: int = 0

    def extent(self, text: str) -> int:
        """"q/64" and the like, as in values of --set: rounded up."""
        name, _, divisor = text.partition("/")
        size = {"b": self.batch, "h": self.heads, "q": self.queries, "k": self.keys}.get(name)
        return -(-(int(name) if size is None else size) // int(divisor or 1))

    def text(self, head_dim: int) -> str:
        """For --shape."""
        return (f"b={self.batch},hq={self.heads},hkv={self.key_heads},sq={self.queries},"
                f"sk={self.keys},d={head_dim}")


@dataclass(frozen=True)
class Number:
    value: int

    def text(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class RandomSets:
    """Random members of [0, extent of `size`), a set for every index of `axes`:
    `count` of them, or `percent` of all."""

    axes: tuple[str, ...]
    size: str
    count: int = 0
    percent: float = 0

    def text(self) -> str:
        many = f"{self.percent:g}%" if self.percent else str(self.count)
        return f"random:{many}@{'x'.join(self.axes)},size={self.size}"


@dataclass(frozen=True)
class GivenSet:
    """One set for all indices, of which there are `rank`."""

    members: tuple[int, ...]
    size: str
    rank: int

    def text(self) -> str:
        return json.dumps(self.members, separators=(",", ":"))


@dataclass(frozen=True)
class Groups:
    """A table (1, extent of `length`) of ascending numbers: document ids."""

    groups: int
    length: str

    def text(self) -> str:
        return f"sorted:{self.groups}@1x{self.length}"


@dataclass(frozen=True)
class Reals:
    """A table of random reals, an axis for every size of `axes`."""

    low: float
    high: float
    axes: str  # as in bxhxqxd

    def text(self) -> str:
        return f"random:{self.low:g}..{self.high:g}@{self.axes}"


Operand = Union[Number, RandomSets, GivenSet, Groups, Reals]
Operands = dict[str, Operand]


@dataclass(frozen=True)
class Kernel:
    pattern: str  # a file of bench/patterns or examples, without .mlir
    dtype: str
    head_dim: int

    @property
    def name(self) -> str:
        return f"{self.pattern}_{self.dtype}_{self.head_dim}"


@dataclass(frozen=True)
class Row:
    family: str
    label: str
    kernel: Kernel
    shape: Shape
    operands: Operands = field(default_factory=dict)
    peers: tuple[str, ...] = ("flex",)
    beside_dense: bool = True  # time Heddle's dense kernel on the same shape too

    @property
    def name(self) -> str:
        return f"{self.family}: {self.label}, {self.kernel.dtype} d={self.kernel.head_dim}"


def blocks(size: int, percent: float) -> Operands:
    return {"rows": RandomSets(("1", "h", f"q/{size}"), f"k/{size}", percent=percent)}


def slashes(columns: int, total: int, near: int, run: int, keys: int) -> Operands:
    return {"cols": RandomSets(("1", "h"), "k", count=columns),
            "diags": GivenSet(tuple(json.loads(near_and_runs(total, near, run, keys))), "k", 2)}


def numbers(**values: int) -> Operands:
    return {name: Number(value) for name, value in values.items()}


# Recurrences, with what their parameters are given everywhere.
RECURRENCES: dict[str, Operands] = {
    "retnet": {"gamma": Reals(0.9, 1, "h")},
    "gla": {"gate": Reals(-0.1, 0, "bxhxqxd")},
    "delta_net": {"beta": Reals(0, 1, "bxhxq")},
    "linear_elu": {},
}
# Kernels that also have code for short queries: query heads as rows, keys split.
SHORT_QUERIES = ("causal",)


def dense_of(kernel: Kernel) -> Kernel:
    """Heddle's dense kernel of the same dtype and head dim."""
    return Kernel("dense", kernel.dtype, kernel.head_dim)


# ---------------------------------------------------------------------------
# Checks: small and odd, every kernel, against the CPU code of its bundle.
# ---------------------------------------------------------------------------

ODD = Shape(2, 4, 2, 203, 203)

CHECKS: dict[str, tuple[Shape, Operands]] = {
    "dense": (Shape(2, 4, 2, 203, 331), {}),
    "causal": (Shape(2, 4, 2, 203, 331, origin=128), {}),
    "sliding_window": (ODD, numbers(window=50)),
    "a_shape": (ODD, numbers(sink=7, window=50)),
    "blocks_64": (Shape(2, 4, 2, 331, 331), blocks(64, 50)),
    "blocks_128": (Shape(2, 4, 2, 331, 331), blocks(128, 50)),
    "vertical_slash": (Shape(1, 4, 2, 331, 331), slashes(13, 40, 20, 5, 331)),
    "power_block": (Shape(1, 4, 2, 715, 715), numbers(sink=10, window=70)),
    "neighborhood_1d": (ODD, numbers(window=33)),
    "natten_2d": (Shape(1, 4, 2, 23 * 19, 23 * 19), numbers(H=23, W=19, wy=5, wx=7)),
    "natten_3d": (Shape(1, 4, 2, 5 * 9 * 11, 5 * 9 * 11), numbers(T=5, H=9, W=11, wt=3, wy=5, wx=3)),
    "documents": (ODD, {"doc": Groups(5, "q")}),
    **{pattern: (ODD, operands) for pattern, operands in RECURRENCES.items()},
}
# The same for code for short queries: heads that share keys, and that do not; keys split and whole.
DECODE_CHECKS: dict[str, tuple[Shape, ...]] = {
    "causal": (Shape(1, 8, 1, 1, 5003, origin=5002), Shape(3, 12, 3, 2, 331, origin=329),
               Shape(1, 2, 2, 3, 2011, origin=2008)),
}
KERNELS = tuple(Kernel(pattern, dtype, head_dim) for pattern in CHECKS for dtype in DTYPES
                for head_dim in HEAD_DIMS)


# ---------------------------------------------------------------------------
# Rows, the most telling first: when time is up, the last are left out.
# ---------------------------------------------------------------------------

SDPA = ("sdpa cudnn", "sdpa flash")
BATCH = Shape(4, 16, 16, 4096, 4096)
LONG = Shape(1, 16, 16, 16384, 16384)
GROUPED = Shape(2, 32, 8, 8192, 8192)
LONGER = Shape(1, 16, 16, 32768, 32768)


def full(pattern: str, label: str, shape: Shape, dtype: str, head_dim: int) -> Row:
    return Row(pattern, label, Kernel(pattern, dtype, head_dim), shape, peers=(*SDPA, "flex"),
               beside_dense=pattern != "dense")


def sparse(family: str, label: str, pattern: str, operands: Operands, shape: Shape = LONG,
           head_dim: int = 128, dtype: str = "bf16") -> Row:
    return Row(family, label, Kernel(pattern, dtype, head_dim), shape, operands)


def decode(label: str, batch: int, queries: int, keys: int, key_heads: int = 8) -> Row:
    """The last queries of long sequences."""
    return Row("decode", label, Kernel("causal", "bf16", 128),
               Shape(batch, 32, key_heads, queries, keys, origin=keys - queries),
               peers=(*SDPA, "flex"), beside_dense=False)


def recurrence(label: str, pattern: str, head_dim: int = 128, dtype: str = "bf16") -> Row:
    return Row("recurrence", f"{label}, 4 x 4k", Kernel(pattern, dtype, head_dim), BATCH,
               RECURRENCES[pattern], peers=("torch chunks",), beside_dense=False)


IMAGE = numbers(H=128, W=128, wy=13, wx=13)
VIDEO = numbers(T=16, H=32, W=32, wt=5, wy=7, wx=7)

ROWS: tuple[Row, ...] = (
    full("dense", "4 x 4k", BATCH, "bf16", 128),
    full("causal", "4 x 4k", BATCH, "bf16", 128),
    sparse("blocks of 64", "90 % sparse, 16k", "blocks_64", blocks(64, 10)),
    sparse("blocks of 128", "90 % sparse, 16k", "blocks_128", blocks(128, 10)),
    sparse("sliding window", "1k of 16k", "sliding_window", numbers(window=1024)),
    sparse("A-shape", "64 and 1k of 16k", "a_shape", numbers(sink=64, window=1024)),
    sparse("vertical-slash", "500 columns, 1,500 diagonals, 16k", "vertical_slash",
           slashes(500, 1500, 512, 64, 16384)),
    sparse("neighborhood 2-D", "13 x 13 of 128 x 128", "natten_2d", IMAGE, head_dim=64),
    sparse("power", "32k", "power_block", numbers(sink=64, window=256), LONGER),
    sparse("neighborhood 1-D", "2k of 16k", "neighborhood_1d", numbers(window=2048)),
    sparse("neighborhood 3-D", "5 x 7 x 7 of 16 x 32 x 32", "natten_3d", VIDEO, head_dim=64),
    sparse("documents", "16 of 1k on average, causal", "documents", {"doc": Groups(16, "q")}),
    decode("1 query, 128k keys, 32 over 8 heads", 1, 1, 131072),
    decode("1 query, 8k keys, 32 over 8 heads", 1, 1, 8192),
    decode("32 x 1 query, 8k keys, 32 over 8 heads", 32, 1, 8192),
    recurrence("a factor per head", "retnet"),
    recurrence("factors per feature", "gla"),
    recurrence("delta rule", "delta_net"),
    recurrence("normalised", "linear_elu"),
    full("dense", "4 x 4k", BATCH, "bf16", 64),
    full("causal", "4 x 4k", BATCH, "bf16", 64),
    full("dense", "16k", LONG, "bf16", 128),
    full("causal", "16k", LONG, "bf16", 128),
    full("causal", "2 x 8k, 32 over 8 heads", GROUPED, "bf16", 128),
    sparse("blocks of 64", "50 % sparse, 16k", "blocks_64", blocks(64, 50)),
    sparse("blocks of 64", "75 % sparse, 16k", "blocks_64", blocks(64, 25)),
    sparse("blocks of 64", "95 % sparse, 16k", "blocks_64", blocks(64, 5)),
    sparse("blocks of 128", "50 % sparse, 16k", "blocks_128", blocks(128, 50)),
    sparse("blocks of 128", "75 % sparse, 16k", "blocks_128", blocks(128, 25)),
    sparse("blocks of 128", "95 % sparse, 16k", "blocks_128", blocks(128, 5)),
    full("dense", "4 x 4k", BATCH, "f16", 128),
    full("causal", "4 x 4k", BATCH, "f16", 128),
    sparse("sliding window", "1k of 16k", "sliding_window", numbers(window=1024), head_dim=64),
    sparse("blocks of 64", "90 % sparse, 16k", "blocks_64", blocks(64, 10), head_dim=64),
    sparse("vertical-slash", "500 columns, 1,500 diagonals, 16k", "vertical_slash",
           slashes(500, 1500, 512, 64, 16384), head_dim=64),
    recurrence("a factor per head", "retnet", head_dim=64),
    recurrence("factors per feature", "gla", head_dim=64),
    recurrence("delta rule", "delta_net", head_dim=64),
    recurrence("normalised", "linear_elu", head_dim=64),
    decode("4 queries, 32k keys, 32 over 8 heads", 1, 4, 32768),
    decode("1 query, 32k keys, 32 heads", 1, 1, 32768, key_heads=32),
    decode("8 x 1 query, 32k keys, 32 over 8 heads", 8, 1, 32768),
)


def describe(row: Row) -> dict[str, Any]:
    """What a row is, for the report."""
    shape, dim = row.shape, row.kernel.head_dim
    texts = {name: operand.text() for name, operand in row.operands.items()}
    tokens = shape.heads * shape.queries + shape.key_heads * shape.keys
    # To change the state and to read it; a delta rule reads it for the key, too.
    per_token = {} if row.kernel.pattern not in RECURRENCES else {
        "useful_flop": (6 if row.kernel.pattern == "delta_net" else 4) * dim * dim
        * shape.batch * shape.heads * shape.queries}
    return {**per_token, "name": row.name, "family": row.family, "label": row.label, "kernel": row.kernel.name,
            "dtype": row.kernel.dtype, "head_dim": dim, "shape": shape.text(dim),
            "origin": shape.origin,
            "operands": {name: text if len(text) < 80 else text[:60] + "…"
                         for name, text in texts.items()},
            "dense_flop": 4 * dim * shape.batch * shape.heads * shape.queries * shape.keys,
            # q, k, v and o, once.
            "bytes": 2 * 2 * dim * shape.batch * tokens,
            "contenders": []}


def small(row: Row) -> Row:
    """The row with the shape and the values of its check: to try things out."""
    shape, operands = CHECKS[row.kernel.pattern]
    if row.family == "recurrence":
        return replace(row, label=row.label.replace("4 x 4k", "small"), shape=shape)
    if row.family == "decode":
        shape = DECODE_CHECKS[row.kernel.pattern][0]
    elif row.shape.queries == row.shape.keys and shape.queries != shape.keys:
        shape = ODD
    return replace(row, label="small", shape=shape, operands=operands)


def rows_for(packed: set[str], only: str, is_small: bool) -> list[Row]:
    """The rows whose names contain `only` and whose kernels there are;
    made small none of them comes twice."""
    found = [row for row in ROWS if only in row.name and row.kernel.name in packed]
    if is_small:
        found = list({row.name: row for row in map(small, found)}.values())
    return [row if dense_of(row.kernel).name in packed else replace(row, beside_dense=False)
            for row in found]
