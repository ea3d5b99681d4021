# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the CSR that `heddle show` writes with the rule of S2's shards.

usage: csr.py s2_shards.mlir FOLDER

Block 64, four local blocks, every eighth block further back, another one per
head: key block kb is kept for query block qb when kb <= qb and (qb - kb < 4 or
(kb + h + 1) % 8 == 0).
"""

import struct
import subprocess
import sys


def read(path):
    """The numbers of a .npy file of i64."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:6] == b"\x93NUMPY" and b"'<i8'" in data[:128], path
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    return list(struct.unpack(f"<{(len(data) - start) // 8}q", data[start:]))


pattern, folder = sys.argv[1:]
heads, blocks, differ = 8, 16, 0
for head in range(heads):
    prefix = f"{folder}/{head}"
    command = ["heddle", "show", pattern, "--csr", prefix, "--json"]
    shape = f"hq={heads},sq={64 * blocks}"
    subprocess.run(
        command + ["--shape", shape, "--head", str(head)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    offsets, tiles = read(prefix + ".indptr.npy"), read(prefix + ".indices.npy")
    found = [tiles[a:b] for a, b in zip(offsets, offsets[1:])]
    wanted = [
        [kb for kb in range(qb + 1) if qb - kb < 4 or (kb + head + 1) % 8 == 0]
        for qb in range(blocks)
    ]
    differ += found != wanted
print(f"{heads} heads, {differ} differ")
