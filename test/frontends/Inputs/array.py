# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes and compares .npy files without NumPy.

usage: array.py write PATH DTYPE SHAPE VALUES
       array.py random PATH SHAPE SEED
       array.py pack OUT Q K V
       array.py sum PATH

DTYPE is i4, i8, f4 or b1; SHAPE and VALUES are comma-separated. `pack` joins f4
tensors (batch, sequence, heads, feature) along the heads.
"""

import ast
import math
import random
import struct
import sys

FORMATS = {"i4": "i", "i8": "q", "f4": "f", "b1": "?"}


def write(path, dtype, shape, values):
    descr = "|b1" if dtype == "b1" else "<" + dtype
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values))


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack("<H", data[8:10])
    head = ast.literal_eval(data[10 : 10 + size].decode())
    assert head["descr"] == "<f4"
    shape = head["shape"]
    return shape, list(struct.unpack(f"<{math.prod(shape)}f", data[10 + size :]))


def numbers(text):
    return tuple(ast.literal_eval(x) for x in text.split(",") if x)


def pack(paths):
    parts = [read(path) for path in paths]
    (batch, length, _, width) = parts[0][0]
    out = []
    for row in range(batch * length):
        for shape, values in parts:
            out += values[row * shape[2] * width : (row + 1) * shape[2] * width]
    heads = sum(shape[2] for shape, _ in parts)
    return (batch, length, heads, width), out


command, path = sys.argv[1:3]
if command == "write":
    write(path, sys.argv[3], numbers(sys.argv[4]), numbers(sys.argv[5]))
elif command == "random":
    source = random.Random(int(sys.argv[4]))
    shape = numbers(sys.argv[3])
    write(path, "f4", shape, [source.gauss(0, 1) for _ in range(math.prod(shape))])
elif command == "pack":
    write(path, "f4", *pack(sys.argv[3:6]))
else:
    shape, values = read(path)
    print(f"{shape} sum {math.fsum(values):.3f} max {max(values):.6f}")
