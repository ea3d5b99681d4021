# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A row's tensors and operands in PyTorch, and its answer by the definition."""

from __future__ import annotations

import zlib
from typing import Any, Callable

import torch

import heddle
from masks import mask_of
from rows import GivenSet, Groups, Number, Operand, RandomSets, Reals, Row, Shape

TORCH_DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
HEDDLE_DTYPES = {torch.float32: heddle.F32, torch.float16: heddle.F16, torch.bfloat16: heddle.BF16,
                 torch.int32: heddle.I32, torch.bool: heddle.BOOL}
REFERENCE_ROWS = 64


def view(tensor: Any) -> heddle.Tensor:
    """The memory of a contiguous tensor."""
    assert tensor.is_contiguous()
    return heddle.Tensor(tensor.data_ptr(), HEDDLE_DTYPES[tensor.dtype], tuple(tensor.shape), tensor)


def generator(text: str) -> Any:
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def random_sets(of: RandomSets, shape: Shape, name: str) -> Any:
    """A boolean map with as many members in every set, one at least."""
    size = shape.extent(of.size)
    axes = [shape.extent(axis) for axis in of.axes]
    count = of.count or max(1, round(size * of.percent / 100))
    chosen = torch.rand(*axes, size, generator=generator(name)).topk(min(count, size)).indices
    return torch.zeros(*axes, size, dtype=torch.bool).scatter_(-1, chosen, True)


def made(operand: Operand, shape: Shape, head_dim: int, name: str) -> Any:
    """The operand's value, in this machine's memory where it is a tensor."""
    if isinstance(operand, Number):
        return operand.value
    if isinstance(operand, RandomSets):
        return random_sets(operand, shape, name)
    if isinstance(operand, GivenSet):
        members = torch.zeros(shape.extent(operand.size), dtype=torch.bool)
        members[list(operand.members)] = True
        return members.view(*[1] * operand.rank, -1)
    if isinstance(operand, Reals):
        extents = [head_dim if axis == "d" else shape.extent(axis)
                   for axis in operand.axes.split("x")]
        share = torch.rand(*extents, generator=generator(name))
        return operand.low + (operand.high - operand.low) * share
    assert isinstance(operand, Groups)
    length = shape.extent(operand.length)
    cuts = torch.randperm(length - 1, generator=generator(name))[:operand.groups - 1] + 1
    table = torch.zeros(1, length, dtype=torch.int32)
    table[0, cuts] = 1
    return table.cumsum(-1).to(torch.int32)


class Problem:
    """What all contenders of a row are given. `numbers` and `operands` are as the
    masks of bench/peers want them."""

    def __init__(self, row: Row, device: str):
        self.pattern, self.shape = row.kernel.pattern, row.shape
        shape = row.shape
        self.batch, self.heads, self.key_heads = shape.batch, shape.heads, shape.key_heads
        self.queries, self.keys, self.origin = shape.queries, shape.keys, shape.origin
        self.dtype, self.device = row.kernel.dtype, device
        self.scale = row.kernel.head_dim ** -0.5
        values = {name: made(operand, shape, row.kernel.head_dim, f"{row.name} {name}")
                  for name, operand in row.operands.items()}
        self.values = {name: value if isinstance(value, int)
                       else heddle.SetMap(view(value)) if value.dtype == torch.bool else view(value)
                       for name, value in values.items()}
        self.numbers = {name: value for name, value in values.items() if isinstance(value, int)}
        # With an entry for every sequence, and of sets for every head; reals as they are.
        self.operands = {
            name: value.to(device) if value.dtype == torch.float32 else value.expand(*((self.batch, self.heads) if value.dtype == torch.bool
                                 else (self.batch,)),
                               *value.shape[2 if value.dtype == torch.bool else 1:])
            .contiguous().to(device)
            for name, value in values.items() if not isinstance(value, int)}
        source = torch.Generator(device).manual_seed(1)
        self.q, self.k, self.v = (
            torch.randn(self.batch, heads, length, row.kernel.head_dim, device=device,
                        generator=source, dtype=torch.float32).to(TORCH_DTYPES[self.dtype])
            for heads, length in ((self.heads, self.queries), (self.key_heads, self.keys),
                                  (self.key_heads, self.keys)))

    @property
    def mask(self) -> Callable[..., Any] | None:
        """The formula on rows of queries; None where every pair is kept."""
        if self.pattern == "causal" and self.origin >= self.keys - 1:
            return None
        return mask_of(self)  # type: ignore[arg-type]

    @property
    def mask_extents(self) -> tuple[int | None, int | None]:
        """Sequences and heads that the mask differs for; None where it does
        not."""
        has_sets = any(tensor.dtype == torch.bool for tensor in self.operands.values())
        return self.batch if self.operands else None, self.heads if has_sets else None

    def runtime(self) -> heddle.Problem:
        return heddle.Problem(self.batch, self.heads, self.key_heads, self.queries, self.keys,
                              self.origin, dict(self.values))


class Reference:
    """Some rows of the output in f32, by the definition: the first, the last and
    random ones of every head."""

    def __init__(self, of: Problem, every_pair: bool = False):
        keep = None if every_pair else of.mask
        some = torch.randperm(of.queries, generator=generator("rows"))[:REFERENCE_ROWS - 2]
        self.rows = torch.cat([torch.tensor([0, of.queries - 1]), some]).unique().to(of.device)
        q, k = self.rows.view(-1, 1), torch.arange(of.keys, device=of.device).view(1, -1)
        group = of.heads // of.key_heads
        self.output = torch.empty(of.batch, of.heads, len(self.rows), of.v.shape[-1],
                                  device=of.device)
        for b in range(of.batch):
            for h in range(of.heads):
                scores = of.q[b, h, self.rows].float() @ of.k[b, h // group].float().T * of.scale
                if keep:
                    scores = scores.masked_fill(~keep(b, h, q, k), -torch.inf)
                # A row without keys is zero.
                weights = torch.softmax(scores, -1).nan_to_num(0)
                self.output[b, h] = weights @ of.v[b, h // group].float()

    def difference(self, output: Any) -> float:
        return difference(output[:, :, self.rows], self.output)


def difference(got: Any, wanted: Any) -> float:
    """The largest, relative to the largest magnitude of each row; not a number
    where the output has what is not a number."""
    worst = 0.0
    for got_b, wanted_b in zip(got, wanted):
        size = wanted_b.float().abs().amax(-1).clamp_min(torch.finfo(torch.float32).tiny)
        of = ((got_b.float() - wanted_b.float()).abs().amax(-1) / size).max().item()
        if not of <= worst:
            worst = of
    return worst
