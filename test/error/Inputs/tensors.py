# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes .npy files into a folder, good ones and one of every kind of wrong.

usage: tensors.py FOLDER

Good are q.npy (1, 4, 8, 16), k.npy and v.npy (1, 2, 8, 16).
"""

import os
import struct
import sys

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)


def header(text, version=(1, 0)):
    size = "<H" if version == (1, 0) else "<I"
    return b"\x93NUMPY" + bytes(version) + struct.pack(size, len(text)) + text.encode()


def describe(shape, dtype="<f4", fortran=False):
    return f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def write(name, *parts):
    with open(os.path.join(folder, name), "wb") as file:
        for part in parts:
            file.write(part)


def zeros(*shape, width=4):
    count = width
    for size in shape:
        count *= size
    return bytes(count)


def array(name, *shape):
    write(name, header(describe(shape)), zeros(*shape))


array("q.npy", 1, 4, 8, 16)
array("k.npy", 1, 2, 8, 16)
array("v.npy", 1, 2, 8, 16)

q = (1, 4, 8, 16)
write("f64.npy", header(describe(q, "<f8")), zeros(*q, width=8))
write("f16.npy", header(describe(q, "<f2")), zeros(*q, width=2))
write("big_endian.npy", header(describe(q, ">f4")), zeros(*q))
write("fortran.npy", header(describe(q, fortran=True)), zeros(*q))
array("rank3.npy", 4, 8, 16)
array("rank5.npy", 1, 1, 4, 8, 16)
array("k_depth.npy", 1, 2, 8, 32)
array("k_heads.npy", 1, 3, 8, 16)
array("k_batch.npy", 2, 2, 8, 16)
array("v_length.npy", 1, 2, 9, 16)
array("v_heads.npy", 1, 4, 8, 16)
array("deep.npy", 1, 4, 8, 513)
write("truncated_data.npy", header(describe(q)), zeros(*q)[:-1])
write("extra_data.npy", header(describe(q)), zeros(*q), b"\0")
write("truncated_header.npy", header(describe(q))[:40])
write("truncated_magic.npy", b"\x93NUM")
write("empty.npy")
write("text.npy", b"1.0 2.0 3.0\n" * 8)
write("version9.npy", header(describe(q), (9, 0)), zeros(*q))
write("no_dict.npy", header("[1, 4, 8, 16]\n"), zeros(*q))
write("no_shape.npy", header("{'descr': '<f4', 'fortran_order': False, }\n"), zeros(*q))
write("negative.npy", header(describe((1, 4, -8, 16))), zeros(*q))
write("huge.npy", header(describe((1, 4, 1 << 62, 16))), zeros(*q))
write("object.npy", header(describe(q, "|O")), zeros(*q, width=8))
