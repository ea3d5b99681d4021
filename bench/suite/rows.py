# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured, and what it should reach: data, read by run.py.

A group is what is timed in turn, one launch of each after the other: cases of
Heddle, and peers on the group's first case. Its goals are ratios of what was
timed beside each other. The numbers are those of the project's goals for
machines with AVX-512; others may fall short of them without being wrong.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

ALL = 0  # threads: one per core, or what --threads says


@dataclass(frozen=True)
class Case:
    """A problem for Heddle, in the words of `heddle run`."""

    pattern: str  # a file of bench/patterns or examples, without .mlir
    shape: str
    set: tuple[str, ...] = ()
    dtype: str = "f32"
    threads: int = 1
    origin: int = 0
    level: str = ""  # of the target; empty: the best that runs here
    layout: str = "bhsd"


@dataclass(frozen=True)
class Goal:
    """A figure that the report shows, and the bound that it should meet.

    Measures, of a case `of`, beside a case or peer `than`:
      peak       useful FLOP per second over the multiply-add peak
      useful     rate of kept pairs over that of `than`
      computed   rate of computed pairs over the rate of `than`
      speedup    time of `than` over time
      faster     the same with a peer, preparation of masks and plans counted
      read       time of merely reading k and v over time
      index      time of preparing tables and sets over time
      warm, cold milliseconds from text to callable function
    """

    measure: str
    of: str
    than: str = ""
    bound: float | None = None
    at_most: bool = False


@dataclass(frozen=True)
class Group:
    name: str
    cases: dict[str, Case]
    goals: tuple[Goal, ...] = ()
    peers: tuple[str, ...] = ()
    read: bool = False  # time reading the keys of the first case as well


@dataclass(frozen=True)
class CompileGroup:
    """Pattern text to callable function, in a warm and in a cold process."""

    name: str
    pattern: str
    head_dim: int
    set: tuple[str, ...] = ()  # values for the cold process, which also runs it
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class SuiteGoal:
    """A figure over all groups of a suite.

      exponent   of time over `sk` after dividing by log sk, of group `of`
      growth     the same without dividing: 1 is linear
      geomean    of the measure `faster` than the peer `than`
    """

    measure: str
    of: str = ""
    than: str = ""
    bound: float | None = None
    at_most: bool = False


@dataclass(frozen=True)
class Suite:
    about: str
    groups: tuple[Group | CompileGroup, ...]
    goals: tuple[SuiteGoal, ...] = field(default=())


def near_and_runs(total: int, near: int, run: int, keys: int) -> str:
    """Distances as estimators choose them: the nearest, and stretches elsewhere."""
    chosen = set(range(near))
    source = random.Random(7)
    while len(chosen) < total:
        start = source.randrange(near, keys - run)
        chosen.update(range(start, start + min(run, total - len(chosen))))
    return "[" + ",".join(str(distance) for distance in sorted(chosen)) + "]"


def dense(shape: str, **more: object) -> Case:
    return Case("dense", shape, **more)  # type: ignore[arg-type]


def over_dense(name: str, case: Case, beside: Case, *goals: Goal) -> Group:
    return Group(name, {"sparse": case, "dense": beside}, goals)


LONG = "hq=1,sq=32768,d=128"
IMAGE = "hq=1,sq=16384,d=64"

DENSE = Suite(
    "every query meets every key, f32, one thread",
    tuple(
        Group(f"s={s} d={d}", {"dense": dense(f"hq=1,sq={s},d={d}")},
              (Goal("peak", "dense", bound=bound),))
        for s, d, bound in ((4096, 64, 0.86), (4096, 128, 0.89), (4096, 80, 0.84),
                            (4096, 256, 0.84), (512, 64, 0.80))
    ),
)

CAUSAL = Suite(
    "useful rate of causal attention over dense, one thread",
    tuple(
        Group(f"s=4096 d={d}",
              {"causal": Case("causal", f"hq=1,sq=4096,d={d}"), "dense": dense(f"hq=1,sq=4096,d={d}")},
              (Goal("useful", "causal", "dense", 0.96), Goal("peak", "causal")))
        for d in (64, 128)
    ),
)

WINDOW = Suite(
    "a window of 1,024 keys, and with the first 64, at 32k, one thread",
    (
        Group("s=32768 d=128",
              {"sliding window": Case("sliding_window", LONG, ("window=1024",)),
               "A-shape": Case("a_shape", LONG, ("sink=64", "window=1024")), "dense": dense(LONG)},
              (Goal("useful", "sliding window", "dense", 0.85),
               Goal("useful", "A-shape", "dense", 0.85))),
    ),
)

BLOCK_SPARSE = Suite(
    "sparse efficiency (useful rate over dense) of random maps of blocks at 32k, one thread",
    tuple(
        Group(f"blocks of {block}",
              {**{f"{sparsity} %": Case(f"blocks_{block}", LONG,
                                        (f"rows=random:{100 - sparsity}%@1xhxq/{block},size=k/{block}",))
                  for sparsity in (50, 75, 90, 95, 99)},
               "dense": dense(LONG)},
              tuple(Goal("useful", f"{sparsity} %", "dense", bound)
                    for sparsity, bound in ((50, 0.97), (75, 0.95), (90, 0.92), (95, 0.88), (99, 0.70))))
        for block in (64, 128)
    ),
)

VERTICAL_SLASH = Suite(
    "1,000 columns and 6,096 diagonals at 64k, gathered columns included; dense at 16k",
    (
        over_dense("s=65536 d=128",
                   Case("vertical_slash", "hq=1,sq=65536,d=128",
                        ("cols=random:1000@1xh",
                         "diags=" + near_and_runs(6096, 2048, 64, 65536))),
                   dense("hq=1,sq=16384,d=128"),
                   Goal("computed", "sparse", "dense", 0.80),
                   Goal("useful", "sparse", "dense"),
                   Goal("index", "sparse", bound=0.03, at_most=True)),
    ),
)

NEIGHBORHOOD = Suite(
    "neighborhoods of tokens in one, two and three dimensions, one thread; `computed` is the "
    "fraction of the bound that whole tiles set",
    tuple(
        over_dense(name, case, beside, Goal("computed", "sparse", "dense", 0.85),
                   Goal("useful", "sparse", "dense"))
        for name, case, beside in (
            ("1-D, 2,048 of 32,768", Case("neighborhood_1d", LONG, ("window=2048",)), dense(LONG)),
            ("2-D, 13 x 13 of 128 x 128",
             Case("natten_2d", IMAGE, ("H=128", "W=128", "wy=13", "wx=13")), dense(IMAGE)),
            ("3-D, 5 x 7 x 7 of 16 x 32 x 32",
             Case("natten_3d", IMAGE, ("T=16", "H=32", "W=32", "wt=5", "wy=7", "wx=7")), dense(IMAGE)),
        )
    ),
)

POWER = Suite(
    "blocks at distances of powers of two; dense at 16k",
    (
        over_dense("s=131072 d=128", Case("power_block", "hq=1,sq=131072,d=128"),
                   dense("hq=1,sq=16384,d=128"), Goal("useful", "sparse", "dense", 0.80)),
        Group("growth d=64", {f"{n // 1024}k": Case("power_block", f"hq=1,sq={n},d=64")
                              for n in (8192, 32768, 131072, 524288)}),
    ),
    (SuiteGoal("exponent", "growth d=64", bound=1.04, at_most=True),),
)

DECODE = Suite(
    "one query per head, 131,072 keys of 8 heads, all threads, over reading the keys once",
    tuple(
        Group(name, {"decode": Case("causal", f"hq={heads},hkv=8,sq=1,sk=131072,d=128", threads=ALL,
                                    origin=131071, dtype=dtype)},
              (Goal("read", "decode", bound=0.90),), read=True)
        for name, heads, dtype in (("one query head per key head", 8, "f32"),
                                   ("four query heads per key head", 32, "f32"),
                                   ("four query heads per key head, bf16", 32, "bf16"))
    ),
)

NARROW = Suite(
    "q, k, v and o in 16 bits over f32, dense, one thread",
    tuple(
        Group(f"s=4096 d={d}",
              {dtype: dense(f"hq=1,sq=4096,d={d}", dtype=dtype) for dtype in ("f32", "bf16", "f16")},
              (Goal("useful", "bf16", "f32", 0.96), Goal("useful", "f16", "f32", 0.96)))
        for d in (64, 128)
    ),
)

HEADS = "hq=32,sq=2048,d=128"

LAYOUT = Suite(
    "rows of a head with those of the other heads between them, dense, one thread, over rows one "
    "after the other",
    (
        Group("rows 16 KB apart",
              {"apart": dense(HEADS, layout="bshd"), "contiguous": dense(HEADS)},
              (Goal("useful", "apart", "contiguous"),)),
        Group("rows 8 KB apart, bf16",
              {"apart": dense(HEADS, layout="bshd", dtype="bf16"),
               "contiguous": dense(HEADS, dtype="bf16")},
              (Goal("useful", "apart", "contiguous"),)),
    ),
)

AVX2 = Suite(
    "code of the next lower level, over that level's own multiply-add peak, one thread",
    (
        Group("s=4096 d=128", {"dense": dense("hq=1,sq=4096,d=128", level="cpu-avx2")},
              (Goal("peak", "dense", bound=0.80),)),
    ),
)

THREADS = Suite(
    "two threads over one",
    tuple(
        Group(name, {"one": Case(pattern, shape, values, threads=1),
                     "two": Case(pattern, shape, values, threads=2)},
              (Goal("speedup", "two", "one", bound),))
        for name, pattern, shape, values, bound in (
            ("dense", "dense", "hq=4,sq=4096,d=64", (), 1.95),
            ("causal", "causal", "hq=4,sq=4096,d=64", (), 1.92),
            ("A-shape", "a_shape", "hq=1,sq=32768,d=64", (), 1.92),
            ("blocks, 90 % sparse", "blocks_64", "hq=1,sq=16384,d=64",
             ("rows=random:10%@1xhxq/64,size=k/64",), 1.92),
            ("power", "power_block", "hq=1,sq=65536,d=64", (), 1.92),
        )
    ),
)

LINEAR_TABLES = {
    "linear_elu": (),
    "retnet": ("gamma=random:0.9..0.999@h",),
    "gla": ("gate=random:-0.5..0@bxhxqxd",),
    "delta_net": ("beta=random:0..1@bxhxq",),
}

LINEAR = Suite(
    "linear attention, one thread; `peak` counts the multiply-adds of the chosen chunk, and "
    "growth is the exponent of time over length",
    (
        *(Group(f"{name} s=4096 d={d}",
                {"heddle": Case(name, f"hq=4,sq=4096,d={d}", LINEAR_TABLES[name])},
                (Goal("peak", "heddle", bound=bound), Goal("faster", "heddle", "chunked")), ("chunked",))
          for name, bound in (("linear_elu", 0.60), ("retnet", 0.60), ("gla", 0.45), ("delta_net", 0.45))
          for d in (64, 128)),
        Group("growth d=64", {f"{n // 1024}k": Case("retnet", f"hq=1,sq={n},d=64", LINEAR_TABLES["retnet"])
                              for n in (4096, 16384, 65536, 262144)}),
    ),
    (SuiteGoal("growth", "growth d=64", bound=1.02, at_most=True),),
)

COMPILE_TIME = Suite(
    "pattern text to callable function",
    tuple(
        CompileGroup(f"{pattern} d={d}", pattern, d, values,
                     (Goal("warm", "warm", bound=40, at_most=True),
                      Goal("cold", "cold", bound=120, at_most=True)))
        for pattern, values in (("dense", ()), ("causal", ()), ("a_shape", ()), ("power_block", ()),
                                ("neighborhood_1d", ()), ("natten_2d", ("H=16", "W=16")))
        for d in (64, 128)
    ),
)

PEER_SHAPE = "hq=4,sq=4096,d=64"


def peer_row(name: str, case: Case, peers: tuple[str, ...], bounds: dict[str, float]) -> Group:
    """All peers on one case; a bound for those that have one."""
    goals = tuple(Goal("faster", "heddle", peer, bounds.get(peer)) for peer in peers)
    return Group(name, {"heddle": case}, goals, peers)


EVERY_PEER = ("sdpa", "flex", "onnxruntime", "ggml")
MASKED_PEERS = ("flex", "sdpa")

PEERS = Suite(
    "how many times faster than others, all threads, f32; masks and plans are made anew for every "
    "sample and counted",
    (
        peer_row("dense d=64", Case("dense", PEER_SHAPE, threads=ALL), EVERY_PEER,
                 {"sdpa": 1.3, "flex": 1.5, "ggml": 2.5}),
        peer_row("dense d=128", Case("dense", "hq=4,sq=4096,d=128", threads=ALL), EVERY_PEER,
                 {"sdpa": 1.3, "flex": 1.5, "ggml": 2.5}),
        peer_row("causal d=64", Case("causal", PEER_SHAPE, threads=ALL), EVERY_PEER,
                 {"flex": 1.5, "ggml": 3.2}),
        peer_row("causal d=128", Case("causal", "hq=4,sq=4096,d=128", threads=ALL), EVERY_PEER,
                 {"flex": 1.5, "ggml": 3.2}),
        peer_row("sliding window", Case("sliding_window", PEER_SHAPE, ("window=512",), threads=ALL),
                 EVERY_PEER, {"flex": 1.5}),
        *(peer_row(name, Case(pattern, PEER_SHAPE, values, threads=ALL), MASKED_PEERS, {"flex": 1.5})
          for name, pattern, values in (
              ("A-shape", "a_shape", ("sink=64", "window=512")),
              ("blocks, 90 % sparse", "blocks_64", ("rows=random:10%@1xhxq/64,size=k/64",)),
              ("vertical-slash", "vertical_slash",
               ("cols=random:100@1xh", "diags=" + near_and_runs(600, 280, 64, 4096))),
              ("neighborhood 1-D", "neighborhood_1d", ("window=512",)),
              ("neighborhood 2-D", "natten_2d", ("H=64", "W=64", "wy=13", "wx=13")),
              ("neighborhood 3-D", "natten_3d", ("T=16", "H=16", "W=16", "wt=5", "wy=7", "wx=7")),
              ("power", "power_block", ()),
          )),
    ),
    (SuiteGoal("geomean", "heddle", "flex", 3.0),),
)

QUICK = Suite(
    "a minute: one row of most kinds, small",
    (
        DENSE.groups[-1],
        Group("causal s=2048 d=64",
              {"causal": Case("causal", "hq=1,sq=2048,d=64"), "dense": dense("hq=1,sq=2048,d=64")},
              (Goal("useful", "causal", "dense", 0.96),)),
        Group("sparse s=8192 d=64",
              {"A-shape": Case("a_shape", "hq=1,sq=8192,d=64", ("sink=64", "window=1024")),
               "blocks, 90 % sparse": Case("blocks_64", "hq=1,sq=8192,d=64",
                                           ("rows=random:10%@1xhxq/64,size=k/64",)),
               "dense": dense("hq=1,sq=8192,d=64")},
              (Goal("useful", "A-shape", "dense", 0.85),
               Goal("useful", "blocks, 90 % sparse", "dense", 0.92))),
        Group("decode", {"decode": Case("causal", "hq=8,hkv=8,sq=1,sk=32768,d=128", threads=ALL,
                                        origin=32767)},
              (Goal("read", "decode", bound=0.90),), read=True),
        COMPILE_TIME.groups[0],
        peer_row("peers, causal", Case("causal", "hq=4,sq=1024,d=64", threads=ALL), EVERY_PEER,
                 {"flex": 1.5, "ggml": 3.2}),
    ),
)

SMOKE = Suite(
    "seconds: every kind of row, too small to say anything about speed",
    (
        Group("sparse",
              {"blocks": Case("blocks_64", "hq=2,sq=200,d=16", ("rows=random:50%@1xhxq/64,size=k/64",)),
               "vertical-slash": Case("vertical_slash", "hq=1,sq=1200,d=16",
                                      ("cols=random:10@1xh", "diags=" + near_and_runs(90, 40, 8, 200))),
               "dense": dense("hq=2,sq=200,d=16")},
              (Goal("useful", "blocks", "dense"), Goal("index", "vertical-slash"), Goal("peak", "dense"))),
        Group("decode", {"decode": Case("causal", "hq=2,hkv=1,sq=1,sk=500,d=16", threads=2, origin=499)},
              (Goal("read", "decode"),), read=True),
        Group("growth", {f"{n}": Case("power_block", f"hq=1,sq={n},d=16") for n in (128, 256, 512)}),
        CompileGroup("dense d=16", "dense", 16, (), (Goal("warm", "warm"), Goal("cold", "cold"))),
        peer_row("peers", Case("causal", "hq=2,sq=128,d=16"), EVERY_PEER, {}),
    ),
    (SuiteGoal("exponent", "growth"), SuiteGoal("geomean", "heddle", "flex")),
)

SUITES: dict[str, Suite] = {
    "dense": DENSE,
    "causal": CAUSAL,
    "window": WINDOW,
    "block-sparse": BLOCK_SPARSE,
    "vertical-slash": VERTICAL_SLASH,
    "neighborhood": NEIGHBORHOOD,
    "power": POWER,
    "linear": LINEAR,
    "decode": DECODE,
    "narrow": NARROW,
    "layout": LAYOUT,
    "avx2": AVX2,
    "threads": THREADS,
    "compile-time": COMPILE_TIME,
    "peers": PEERS,
    "quick": QUICK,
    "smoke": SMOKE,
}
# What `all` leaves out: parts of the others.
PARTIAL = ("quick", "smoke")
