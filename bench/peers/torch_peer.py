# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch: scaled_dot_product_attention, compiled FlexAttention, and linear
attention by chunks."""

from __future__ import annotations

from typing import Any

from common import Problem, missing, serve
from masks import mask_of

try:
    import torch
    from torch.nn.functional import scaled_dot_product_attention
except ImportError as why:
    missing(f"torch cannot be imported: {why}")
from torch_linear import Chunked  # noqa: E402  after the import that may fail

try:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
except ImportError:
    create_block_mask = flex_attention = None

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def to_torch(of: Problem) -> tuple[Any, Any, Any]:
    torch.set_num_threads(of.threads)
    # Operands become tensors, with an entry for every sequence and head.
    for name, array in of.operands.items():
        tensor = torch.from_numpy(array)
        shape = (of.batch, of.heads, *tensor.shape[2:])
        of.operands[name] = tensor.expand(shape).contiguous()
    return tuple(torch.from_numpy(x).to(DTYPES[of.dtype]).contiguous() for x in (of.q, of.k, of.v))


class Sdpa:
    """Masks other than the causal one are boolean tensors."""

    def __init__(self, of: Problem):
        self.of = of
        self.q, self.k, self.v = to_torch(of)
        self.is_causal = of.pattern == "causal" and of.origin == 0 and of.queries == of.keys
        self.keep = None if self.is_causal else mask_of(of)
        self.mask: Any = None
        self.prepare = self.build if self.keep else None

    def build(self) -> None:
        assert self.keep
        of = self.of
        varies = bool(of.operands)
        b, h = (torch.arange(n).view(shape) if varies else 0
                for n, shape in ((of.batch, (-1, 1, 1, 1)), (of.heads, (1, -1, 1, 1))))
        q, k = torch.arange(of.queries).view(-1, 1), torch.arange(of.keys).view(1, -1)
        mask = self.keep(b, h, q, k)
        self.mask = mask if mask.dim() == 4 else mask.view(1, 1, of.queries, of.keys)

    def run(self) -> None:
        self.out = scaled_dot_product_attention(
            self.q, self.k, self.v, attn_mask=self.mask, is_causal=self.is_causal,
            scale=self.of.scale, enable_gqa=self.of.heads != self.of.key_heads)

    def output(self) -> Any:
        # A row without keys is NaN here, zero elsewhere.
        return torch.nan_to_num(self.out.float()).numpy()


class Flex:
    """Everything compiled, the building of the block mask too."""

    def __init__(self, of: Problem):
        if flex_attention is None:
            raise NotImplementedError("this torch has no FlexAttention")
        self.of = of
        self.q, self.k, self.v = to_torch(of)
        self.keep = mask_of(of)
        torch._dynamo.reset()
        self.flex = torch.compile(flex_attention, dynamic=False)
        self.make = torch.compile(create_block_mask, dynamic=False)
        self.mask: Any = None
        self.prepare = self.build if self.keep else None

    def build(self) -> None:
        of = self.of
        batch, heads = (of.batch, of.heads) if of.operands else (None, None)
        self.mask = self.make(self.keep, batch, heads, of.queries, of.keys, device="cpu")

    def run(self) -> None:
        self.out = self.flex(self.q, self.k, self.v, block_mask=self.mask, scale=self.of.scale,
                             enable_gqa=self.of.heads != self.of.key_heads)

    def output(self) -> Any:
        return self.out.float().numpy()


def make(contender: str, problem: Problem) -> Any:
    with torch.inference_mode():
        return {"sdpa": Sdpa, "flex": Flex, "chunked": Chunked}[contender](problem)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    serve({"version": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}, make)
