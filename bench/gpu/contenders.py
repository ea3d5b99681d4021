# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is timed in turn: Heddle, and attention of PyTorch."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import torch
from torch.nn.functional import scaled_dot_product_attention

import heddle
from clocks import Clocks
from problem import Problem, view
from recurrence import by_chunks
from rows import Row

try:
    from torch.nn.attention import SDPBackend, sdpa_kernel
except ImportError:
    SDPBackend = sdpa_kernel = None
try:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
except ImportError:
    create_block_mask = flex_attention = None


class Unserved(Exception):
    """A contender does not serve a row: why."""


def torch_device(ordinal: int | None) -> str:
    return "cpu" if ordinal is None else f"cuda:{ordinal}"


def set_up_torch(device: str) -> None:
    torch.set_grad_enabled(False)
    if device != "cpu":
        torch.cuda.set_device(device)
    if flex_attention is not None:
        # Every pattern is compiled anew; none may fall back to plain code.
        limits = torch._dynamo.config
        for name in ("recompile_limit", "cache_size_limit", "accumulated_cache_size_limit",
                     "accumulated_recompile_limit"):
            if hasattr(limits, name):
                setattr(limits, name, 1 << 14)


class Place:
    """Where rows run: the device, or the threads of this machine."""

    def __init__(self, library: heddle.Library, kernels: Path, device: heddle.Device | None,
                 pool: heddle.Pool, clocks: Clocks | None):
        self.library, self.kernels, self.device, self.pool = library, kernels, device, pool
        self.clocks = clocks
        self.torch_device = torch_device(device.info.ordinal if device else None)
        set_up_torch(self.torch_device)

    def synchronize(self) -> None:
        if self.device:
            torch.cuda.synchronize()

    def forget(self) -> None:
        """Gives memory of a row back."""
        if self.device:
            torch.cuda.empty_cache()

    def time(self, run: Callable[[], None], launches: int) -> dict[str, Any]:
        """Milliseconds of one launch, by the device's own clock."""
        if not self.device:
            start = time.perf_counter()
            for _ in range(launches):
                run()
            return {"ms": (time.perf_counter() - start) * 1e3 / launches}
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.synchronize()
        # The device waits while the launches are put in, so that it is never
        # ahead of Python.
        torch.cuda._sleep(1_000_000)
        start.record()
        for _ in range(launches):
            run()
        end.record()
        clock = self.clocks.read() if self.clocks else {}
        self.synchronize()
        return {"ms": start.elapsed_time(end) / launches, **clock}

    def wall(self, call: Callable[[], None]) -> float:
        """Milliseconds until all that a call asked for is done."""
        self.synchronize()
        start = time.perf_counter()
        call()
        self.synchronize()
        return (time.perf_counter() - start) * 1e3


class Heddle:
    """A bundle's kernel on the row's tensors; `prepare` plans anew."""

    kind = "heddle"
    has_preparation = True

    def __init__(self, place: Place, of: Problem, bundle: str, every_pair: bool = False):
        self.name = "own dense" if every_pair else "heddle"
        self.note = ""
        self.every_pair = every_pair
        self._place, self._problem = place, of.runtime()
        if every_pair:
            self._problem.values, self._problem.origin = {}, 0
        self._bundle = heddle.Bundle(place.library, place.kernels / f"{bundle}.so")
        self.out = torch.full((of.batch, of.heads, of.queries, of.v.shape[-1]), torch.nan,
                              dtype=of.q.dtype, device=of.device)
        self._tensors = heddle.Tensors(*(view(x) for x in (of.q, of.k, of.v, self.out)))
        self._used: list[Any] = []
        self.prepare()
        parts = self._plan.parts
        self.level = self._plan.level + (f", packed heads, {parts} splits" if parts else "")

    def prepare(self) -> None:
        self._plan = heddle.Plan(self._bundle, self._problem, self._place.device)
        self._used.append(self._plan)
        if self._place.device:
            self._there = heddle.DevicePlan(self._place.device, self._plan)
            self._used.append(self._there)

    def settle(self) -> None:
        """Gives back the plans before the last one."""
        keep = 2 if self._place.device else 1
        for item in reversed(self._used[:-keep]):
            item.close()
        self._used = self._used[-keep:]

    def kept_pairs(self) -> int:
        return self._plan.kept_pairs(self._place.pool)

    def run(self) -> None:
        if self._place.device:
            self._there.launch(self._tensors, torch.cuda.current_stream().cuda_stream)
        else:
            heddle.launch(self._plan, self._tensors, self._place.pool)

    def output(self) -> Any:
        return self.out

    def close(self) -> None:
        for item in reversed(self._used):
            item.close()
        self._bundle.close()


class Peer:
    kind = "peer"
    level = ""
    note = ""
    has_preparation = False
    out: Any = None

    def prepare(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def output(self) -> Any:
        return self.out

    def close(self) -> None:
        pass


@contextlib.contextmanager
def only(backend: str) -> Iterator[None]:
    if sdpa_kernel is None or not hasattr(SDPBackend, backend):
        raise Unserved("this torch has no such backend")
    with sdpa_kernel(getattr(SDPBackend, backend)):
        yield


class Sdpa(Peer):
    """scaled_dot_product_attention of one backend, where no mask is needed."""

    BACKENDS = {"sdpa cudnn": "CUDNN_ATTENTION", "sdpa flash": "FLASH_ATTENTION"}

    def __init__(self, of: Problem, name: str):
        self.name, self._of, self._backend = name, of, self.BACKENDS[name]
        self._causal = of.pattern == "causal" and of.mask is not None
        if of.mask is not None and not (self._causal and of.origin == 0 and of.queries == of.keys):
            raise Unserved("takes no such mask")

    def run(self) -> None:
        of = self._of
        with only(self._backend):
            self.out = scaled_dot_product_attention(
                of.q, of.k, of.v, is_causal=self._causal, scale=of.scale,
                **({"enable_gqa": True} if of.heads != of.key_heads else {}))


class Flex(Peer):
    """FlexAttention and the building of its block mask, compiled both. Maps of
    blocks of 64 get block masks and kernels with blocks of 64, if it has them."""

    name = "flex"
    last = ""  # the row that the compiled code is for, but for what operands hold

    def __init__(self, of: Problem):
        if flex_attention is None:
            raise Unserved("this torch has no FlexAttention")
        key = f"{of.pattern} {of.dtype} {of.shape} {of.q.shape}"
        if key != Flex.last:
            torch._dynamo.reset()
            Flex.last = key
        self._of, self._keep = of, of.mask
        self.has_preparation = self._keep is not None
        self._flex = torch.compile(flex_attention, dynamic=False)
        self._make = torch.compile(create_block_mask, dynamic=False)
        self._mask: Any = None
        self._block, self._options = 128, {}
        if of.pattern == "blocks_64" and self._works(64, {"BLOCK_M": 64, "BLOCK_N": 64}):
            self.note = "blocks of 64"
        else:
            self._block, self._options = 128, {}
            self.prepare()

    def _works(self, block: int, options: dict[str, int]) -> bool:
        self._block, self._options = block, options
        try:
            self.prepare()
            self.run()
        except Exception:  # whatever a compiler throws: this choice is none
            torch._dynamo.reset()
            return False
        return True

    def prepare(self) -> None:
        if self._keep is None:
            return
        of = self._of
        self._mask = self._make(self._keep, *of.mask_extents, of.queries, of.keys, device=of.device,
                                BLOCK_SIZE=self._block)

    def run(self) -> None:
        of = self._of
        self.out = self._flex(of.q, of.k, of.v, block_mask=self._mask, scale=of.scale,
                              enable_gqa=of.heads != of.key_heads,
                              **({"kernel_options": self._options} if self._options else {}))


class Chunks(Peer):
    """A recurrence in plain PyTorch, by chunks, in f32."""

    name = "torch chunks"

    def __init__(self, of: Problem):
        self._of = of

    def run(self) -> None:
        self.out = by_chunks(self._of)


def make_peer(name: str, of: Problem) -> Peer:
    if name == Chunks.name:
        return Chunks(of)
    return Flex(of) if name == "flex" else Sdpa(of, name)


def compile_flex(row: Row, device: str) -> None:
    """Leaves what the row's FlexAttention needs in PyTorch's files."""
    set_up_torch(device)
    flex = Flex(Problem(row, device))
    flex.run()
