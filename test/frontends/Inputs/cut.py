# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cuts sequences and compares tensors, .npy files of f32, without NumPy.

usage: cut.py cut OUT IN FIRST END     positions [FIRST, END) of (b, h, position, feature)
       cut.py near FOUND WANTED [FIRST END]

`near` expects FOUND to be WANTED, or its positions [FIRST, END), up to 2e-5 of its
largest element.
"""

import ast
import math
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack("<H", data[8:10])
    head = ast.literal_eval(data[10 : 10 + size].decode())
    assert head["descr"] == "<f4" and not head["fortran_order"]
    shape = head["shape"]
    return shape, struct.unpack(f"<{math.prod(shape)}f", data[10 + size :])


def write(path, shape, values):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack(f"<{len(values)}f", *values))


def cut(shape, values, first, end):
    batch, heads, length, width = shape
    out = []
    for row in range(batch * heads):
        start = row * length * width
        out += values[start + first * width : start + end * width]
    return (batch, heads, end - first, width), out


command, out, source = sys.argv[1:4]
shape, values = read(source)
if len(sys.argv) > 4:
    shape, values = cut(shape, values, int(sys.argv[4]), int(sys.argv[5]))
if command == "cut":
    write(out, shape, values)
    sys.exit()
found_shape, found = read(out)
if found_shape != shape:
    sys.exit(f"the shape is {found_shape}, expected {shape}")
largest = max(abs(x) for x in values)
worst = max(abs(x - y) for x, y in zip(found, values))
if not worst <= 2e-5 * largest:
    sys.exit(f"the largest difference is {worst}, of elements up to {largest}")
print("near", shape)
