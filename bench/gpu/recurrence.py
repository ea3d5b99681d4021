# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recurrences in PyTorch: by the definition, token by token, and by chunks."""

from __future__ import annotations

from typing import Any

import torch

from problem import Problem, difference
from torch_linear import RECURRENCES, Recurrence, by_shape


def operands(of: Problem) -> tuple[Recurrence, Any]:
    """What the recurrence makes of q and k, and v, in f32 and for every query head."""
    q, k, v = (x.float() for x in (of.q, of.k, of.v))
    k, v = (x.repeat_interleave(of.heads // of.key_heads, 1) for x in (k, v))
    return RECURRENCES[of.pattern](of, q, k), v  # type: ignore[arg-type]


def by_chunks(of: Problem) -> Any:
    x, v = operands(of)
    return by_shape(x, v, of.scale).to(of.q.dtype)


class RecurrentReference:
    """All rows of the output in f32, by the definition: a state that every token
    changes."""

    def __init__(self, of: Problem):
        x, v = operands(of)
        state = x.q.new_zeros(*x.q.shape[:2], x.q.shape[-1], v.shape[-1])
        keys = x.q.new_zeros(*x.q.shape[:2], x.q.shape[-1])  # the sum of all
        self.output = torch.empty_like(v)
        for i in range(of.queries):
            q, k, value = x.q[:, :, i] * of.scale, x.k[:, :, i], v[:, :, i]
            if x.decay is not None:
                factor = x.decay[:, :, i].exp()
                state = state * (factor[..., None] if factor.dim() == 3 else factor[..., None, None])
            if x.beta is not None:
                known = (k[..., None] * state).sum(-2)
                value = x.beta[:, :, i, None] * (value - known)
            state = state + k[..., None] * value[..., None, :]
            row = (q[..., None] * state).sum(-2)
            if x.is_normalized:
                keys = keys + k
                row = row / (q * keys).sum(-1, keepdim=True)
            self.output[:, :, i] = row

    def difference(self, output: Any) -> float:
        return difference(output, self.output)
