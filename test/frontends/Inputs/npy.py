# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors for npy.test: makes them, transposes them, computes the answer.

usage: npy.py make FOLDER | transpose FROM TO | attention FOLDER

`attention` is A-shape with sink 3, window 20 and origin 30, straight from its
definition.
"""

import ast
import math
import random
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", "expected a .npy file, version 1.0"
    (size,) = struct.unpack("<H", data[8:10])
    assert (10 + size) % 64 == 0, "data starts at a multiple of 64"
    head = ast.literal_eval(data[10 : 10 + size].decode())
    assert head["descr"] == "<f4" and not head["fortran_order"]
    shape = head["shape"]
    return shape, list(struct.unpack(f"<{math.prod(shape)}f", data[10 + size :]))


def write(path, shape, values):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack(f"<{len(values)}f", *values))


def transpose(shape, values):
    """Exchanges axes 1 and 2."""
    b, x, y = shape[:3]
    width = math.prod(shape[3:])
    out = []
    for i in range(b):
        for k in range(y):
            for j in range(x):
                at = ((i * x + j) * y + k) * width
                out += values[at : at + width]
    return (b, y, x, *shape[3:]), out


def make(folder):
    source = random.Random(1)
    for name, shape in (
        ("q", (2, 4, 35, 24)),
        ("k", (2, 2, 70, 24)),
        ("v", (2, 2, 70, 16)),
    ):
        values = [source.gauss(0, 1) for _ in range(math.prod(shape))]
        write(f"{folder}/{name}.npy", shape, values)
        write(f"{folder}/{name}.bshd.npy", *transpose(*read(f"{folder}/{name}.npy")))


def attention(folder):
    (batch, heads, rows, depth), q = read(f"{folder}/q.npy")
    (_, key_heads, keys, _), k = read(f"{folder}/k.npy")
    width, v = read(f"{folder}/v.npy")[0][3], read(f"{folder}/v.npy")[1]
    shape, o = read(f"{folder}/o.npy")
    assert shape == (batch, heads, rows, width), shape
    shape, lse = read(f"{folder}/lse.npy")
    assert shape == (batch, heads, rows), shape
    for row in range(batch * heads * rows):
        b, h, i = row // (heads * rows), row // rows % heads, row % rows
        head = (b * key_heads + h * key_heads // heads) * keys
        at = i + 30
        kept = [j for j in range(keys) if 0 <= at - j and (at - j < 20 or j < 3)]
        x = q[row * depth : (row + 1) * depth]
        scores = []
        for j in kept:
            y = k[(head + j) * depth : (head + j + 1) * depth]
            scores.append(sum(a * c for a, c in zip(x, y)) / math.sqrt(depth))
        top = max(scores)
        weights = [math.exp(s - top) for s in scores]
        total = sum(weights)
        wanted = top + math.log(total)
        if abs(wanted - lse[row]) > 2e-5 * max(1, abs(wanted)):
            sys.exit(f"row {row}: lse is {lse[row]}, expected {wanted}")
        for t in range(width):
            wanted = sum(w * v[(head + j) * width + t] for w, j in zip(weights, kept)) / total
            if abs(wanted - o[row * width + t]) > 2e-5:
                sys.exit(f"row {row}: o is {o[row * width + t]}, expected {wanted}")
    print(f"{batch * heads * rows} rows agree")


if sys.argv[1] == "make":
    make(sys.argv[2])
elif sys.argv[1] == "transpose":
    write(sys.argv[3], *transpose(*read(sys.argv[2])))
else:
    attention(sys.argv[2])
