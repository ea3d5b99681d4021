# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes damaged copies of a bundle into its folder.

usage: elf.py BUNDLE
"""

import os
import struct
import sys

path = sys.argv[1]
folder = os.path.dirname(path)
with open(path, "rb") as file:
    good = file.read()


def write(name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def patch(offset, form, value):
    data = bytearray(good)
    struct.pack_into(form, data, offset, value)
    return bytes(data)


# Offsets are those of Elf64_Ehdr.
write("half.so", good[: len(good) // 2])
write("header_only.so", good[:64])
write("magic_only.so", good[:8])
write("empty.so", b"")
write("text.so", b"not a shared library\n" * 100)
write("class32.so", patch(4, "B", 1))
write("big_endian.so", patch(5, "B", 2))
write("executable.so", patch(16, "<H", 2))
write("machine.so", patch(18, "<H", 243))
write("sections.so", patch(40, "<Q", 1 << 60))
write("segments.so", patch(32, "<Q", 1 << 60))
