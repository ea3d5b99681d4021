# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime on the CPU: MultiHeadAttention, and GroupQueryAttention where the
pattern is causal or a causal window. Other patterns are an additive bias."""

from __future__ import annotations

from typing import Any

from common import Problem, missing, np, serve
from masks import mask_of
from onnx_model import FLOAT, INT32, one_node

try:
    import onnxruntime
except ImportError as why:
    missing(f"onnxruntime cannot be imported: {why}")


class Attention:
    def __init__(self, of: Problem):
        if of.dtype != "f32":
            raise NotImplementedError(f"attention on the CPU is asked for f32 here, found {of.dtype}")
        self.of = of
        self.prepare: Any = None
        # Features of a token lie side by side, whatever the head.
        self.feeds: dict[str, Any] = {
            name: np.ascontiguousarray(x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1))
            for name, x in (("query", of.q), ("key", of.k), ("value", of.v))}
        self.value_dim = of.v.shape[3]
        self.result = (FLOAT, (of.batch, of.queries, of.heads * self.value_dim))
        square = of.origin == 0 and of.queries == of.keys
        model = (self.grouped() if square and of.pattern in ("causal", "sliding_window")
                 else self.multi_head())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = of.threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def given(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        return {name: (INT32 if x.dtype == np.int32 else FLOAT, x.shape)
                for name, x in self.feeds.items()}

    def multi_head(self) -> bytes:
        of = self.of
        if of.heads != of.key_heads:
            raise NotImplementedError("MultiHeadAttention has as many key heads as query heads")
        self.note = "MultiHeadAttention"
        inputs = ["query", "key", "value"]
        keep = mask_of(of)
        if keep:
            self.keep, self.prepare = keep, self.build
            self.build()
            inputs += ["", "", "bias"]
            self.note += " with a bias"
        return one_node("MultiHeadAttention", inputs, ["output"],
                        {"num_heads": of.heads, "scale": of.scale}, self.given(),
                        {"output": self.result})

    def build(self) -> None:
        of = self.of
        shape = (of.batch, of.heads, of.queries, of.keys) if of.operands else (1, 1, of.queries, of.keys)
        operands = {name: np.broadcast_to(x, (of.batch, of.heads, *x.shape[2:]))
                    for name, x in of.operands.items()}
        of.operands.update(operands)
        b, h = np.arange(shape[0]).reshape(-1, 1, 1, 1), np.arange(shape[1]).reshape(1, -1, 1, 1)
        mask = self.keep(b, h, np.arange(of.queries)[:, None], np.arange(of.keys)[None, :])
        bias = np.where(mask, np.float32(0), np.float32(-np.inf))
        self.feeds["bias"] = np.ascontiguousarray(np.broadcast_to(bias, shape))

    def grouped(self) -> bytes:
        of = self.of
        self.note = "GroupQueryAttention"
        self.feeds["last"] = np.full((of.batch,), of.keys - 1, np.int32)
        self.feeds["total"] = np.array(of.keys, np.int32)
        attributes: dict[str, int | float] = {"num_heads": of.heads, "kv_num_heads": of.key_heads,
                                              "scale": of.scale}
        if of.pattern == "sliding_window":
            attributes["local_window_size"] = of.numbers["window"]
        present = (FLOAT, (of.batch, of.key_heads, of.keys, self.value_dim))
        return one_node("GroupQueryAttention", ["query", "key", "value", "", "", "last", "total"],
                        ["output", "present_key", "present_value"], attributes, self.given(),
                        {"output": self.result, "present_key": present, "present_value": present})

    def run(self) -> None:
        self.out = self.session.run(["output"], self.feeds)[0]

    def output(self) -> Any:
        of = self.of
        split = self.out.reshape(of.batch, of.queries, of.heads, self.value_dim)
        return np.nan_to_num(split.transpose(0, 2, 1, 3))


if __name__ == "__main__":
    serve({"version": onnxruntime.__version__}, lambda contender, problem: Attention(problem))
