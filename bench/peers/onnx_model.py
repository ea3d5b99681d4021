# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX models of one node, written as the protocol buffers that they are, so
that the package `onnx` is not needed. Field numbers are those of onnx.proto."""

from __future__ import annotations

import struct

FLOAT, INT32 = 1, 6  # TensorProto.DataType


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name: str, value: int | float) -> bytes:
    if isinstance(value, float):
        return chunk(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    # Negative numbers are 64-bit two's complement.
    return chunk(1, name) + number(3, value & (1 << 64) - 1) + number(20, 2)


def tensor_type(name: str, kind: int, shape: tuple[int, ...]) -> bytes:
    axes = b"".join(chunk(1, number(1, extent)) for extent in shape)
    return chunk(1, name) + chunk(2, chunk(1, number(1, kind) + chunk(2, axes)))


def one_node(operator: str, inputs: list[str], outputs: list[str],
             attributes: dict[str, int | float],
             given: dict[str, tuple[int, tuple[int, ...]]],
             made: dict[str, tuple[int, tuple[int, ...]]]) -> bytes:
    """A model of one operator of com.microsoft; inputs that are not used are "".
    `given` and `made` are element types and shapes of graph inputs and outputs."""
    node = b"".join(chunk(1, name) for name in inputs)
    node += b"".join(chunk(2, name) for name in outputs)
    node += chunk(3, operator) + chunk(4, operator)
    node += b"".join(chunk(5, attribute(name, value)) for name, value in attributes.items())
    node += chunk(7, "com.microsoft")
    graph = chunk(1, node) + chunk(2, "attention")
    graph += b"".join(chunk(11, tensor_type(name, *kind)) for name, kind in given.items())
    graph += b"".join(chunk(12, tensor_type(name, *kind)) for name, kind in made.items())
    opsets = (chunk(8, chunk(1, "") + number(2, 17))
              + chunk(8, chunk(1, "com.microsoft") + number(2, 1)))
    return number(1, 8) + chunk(7, graph) + opsets
