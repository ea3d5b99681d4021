# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Linear attention in plain PyTorch, by chunks: what one writes down without a
kernel. Products are batched over sequences and heads, chunks follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

import torch

if TYPE_CHECKING:
    from common import Problem

CHUNK = 64
# Factors of a channel are divided by those at the chunk's start here, which
# wants short chunks.
CHANNEL_CHUNK = 16


class Recurrence:
    """What a recurrence makes of q and k, the logarithms of its factors, per token
    or per token and channel, the weights of a delta rule, and whether rows are
    normalised."""

    def __init__(self, q: Any, k: Any, decay: Any = None, beta: Any = None,
                 is_normalized: bool = False):
        self.q, self.k, self.decay, self.beta = q, k, decay, beta
        self.is_normalized = is_normalized


def table(of: Problem, name: str, shape: tuple[int, ...]) -> Any:
    """An operand with an entry for everything that it may be asked with."""
    found = torch.as_tensor(of.operands[name]).float()
    return found.expand(shape)


def linear_elu(of: Problem, q: Any, k: Any) -> Recurrence:
    def feature(x: Any) -> Any:
        return torch.nn.functional.elu(x) + 1

    return Recurrence(feature(q), feature(k), is_normalized=True)


def retnet(of: Problem, q: Any, k: Any) -> Recurrence:
    decay = table(of, "gamma", (of.heads,)).log().view(1, -1, 1)
    return Recurrence(q, k, decay.expand(of.batch, of.heads, of.queries))


def gla(of: Problem, q: Any, k: Any) -> Recurrence:
    return Recurrence(q, k, table(of, "gate", tuple(q.shape)))


def delta_net(of: Problem, q: Any, k: Any) -> Recurrence:
    q, k = (x / x.norm(dim=-1, keepdim=True).clamp_min(1e-6) for x in (q, k))
    return Recurrence(q, k, beta=table(of, "beta", tuple(q.shape[:3])))


RECURRENCES: dict[str, Callable[[Problem, Any, Any], Recurrence]] = {
    function.__name__: function for function in (linear_elu, retnet, gla, delta_net)
}


def per_token(x: Recurrence, v: Any, scale: float) -> Any:
    """Factors per token, or none; with a delta rule its values in place of v."""
    batch, heads, length, _ = x.q.shape
    state = x.q.new_zeros(batch, heads, x.q.shape[-1], v.shape[-1])
    ones = v.new_ones(*v.shape[:-1], 1)
    if x.is_normalized:
        v = torch.cat([v, ones], dim=-1)
        state = state.new_zeros(batch, heads, x.q.shape[-1], v.shape[-1])
    out = torch.empty_like(v)
    for start in range(0, length, CHUNK):
        here = slice(start, min(start + CHUNK, length))
        q, k, u = x.q[:, :, here] * scale, x.k[:, :, here], v[:, :, here]
        size = q.shape[2]
        weights = q.new_ones(size, size).tril()
        since_start = to_end = total = None
        if x.decay is not None:
            summed = x.decay[:, :, here].cumsum(-1)
            weights = (summed[..., :, None] - summed[..., None, :]).tril().exp().tril()
            since_start = summed.exp()[..., None]
            to_end = (summed[..., -1:] - summed).exp()[..., None]
            total = summed[..., -1, None, None].exp()
        if x.beta is not None:
            beta = x.beta[:, :, here, None]
            known = k @ state if since_start is None else (k @ state) * since_start
            mixed = (k @ k.transpose(-1, -2)) * weights * beta
            identity = torch.eye(size, device=q.device).expand_as(mixed)
            u = torch.linalg.solve_triangular(identity + mixed.tril(-1), beta * (u - known), upper=False)
        past = q @ state
        if since_start is not None:
            past = past * since_start
        out[:, :, here] = past + ((q @ k.transpose(-1, -2)) * weights) @ u
        state = state if total is None else state * total
        state = state + (k if to_end is None else k * to_end).transpose(-1, -2) @ u
    if not x.is_normalized:
        return out
    return out[..., :-1] / out[..., -1:]


def per_channel(x: Recurrence, v: Any, scale: float) -> Any:
    batch, heads, length, features = x.q.shape
    state = x.q.new_zeros(batch, heads, features, v.shape[-1])
    out = torch.empty_like(v)
    for start in range(0, length, CHANNEL_CHUNK):
        here = slice(start, min(start + CHANNEL_CHUNK, length))
        summed = x.decay[:, :, here].cumsum(2)
        q, k, u = x.q[:, :, here] * scale * summed.exp(), x.k[:, :, here], v[:, :, here]
        scores = (q @ (k * (-summed).exp()).transpose(-1, -2)).tril()
        out[:, :, here] = q @ state + scores @ u
        end = summed[:, :, -1:]
        state = state * end.exp().transpose(-1, -2) + (k * (end - summed).exp()).transpose(-1, -2) @ u
    return out


def by_shape(x: Recurrence, v: Any, scale: float) -> Any:
    """By chunks, with factors per channel or none of them."""
    by_channel = x.decay is not None and x.decay.dim() == 4
    return (per_channel if by_channel else per_token)(x, v, scale)


class Chunked:
    prepare = None

    def __init__(self, of: Problem):
        if of.pattern not in RECURRENCES:
            raise NotImplementedError(f"recurrence '{of.pattern}' is not written down for peers, "
                                      "see bench/peers/torch_linear.py")
        if of.dtype != "f32" or of.heads != of.key_heads:
            raise NotImplementedError("only f32 and one key head per query head are written down")
        torch.set_num_threads(of.threads)
        self.of = of
        self.q, self.k, self.v = (torch.from_numpy(x).contiguous() for x in (of.q, of.k, of.v))

    def run(self) -> None:
        x = RECURRENCES[self.of.pattern](self.of, self.q, self.k)
        self.out = by_shape(x, self.v, self.of.scale)

    def output(self) -> Any:
        return self.out.numpy()
