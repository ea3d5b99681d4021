# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs of import.test, and what becomes of them.

usage: imports.py make FOLDER | run FOLDER

`run` imports each input, takes the command from the report, runs it with
--check on a small head dim and fails where the kernel does not agree with the
interpreter.
"""

import random
import shlex
import struct
import subprocess
import sys

LENGTH = 150


def save(path, descr, shape, values):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    code = {"<i4": "i", "|b1": "?"}[descr]
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack(f"<{len(values)}{code}", *values))


def masks():
    noise = random.Random(3)
    document = [0] * 40 + [40] * 61 + [101] * 49
    blocks = {(r, c) for r in range(10) for c in range(10) if noise.random() < 0.4}
    columns, diagonals = {3, 77}, {0, 20, 51}
    return {
        "a_shape": lambda q, k: k <= q and (k < 4 or q - k < 32),
        "documents": lambda q, k: k <= q and document[q] == document[k],
        "row_runs": lambda q, k: q * q % 31 <= k < 31 + q * 7 % 110,
        "columns": lambda q, k: k <= q < k + 1 + k * 7 % 43,
        "cross": lambda q, k: k <= q and (k in columns or q - k in diagonals),
        "blocks": lambda q, k: k <= q and (q // 16, k // 16) in blocks,
        "noise": lambda q, k: noise.random() < 0.3,
    }


def make(folder):
    for name, keep in masks().items():
        values = [keep(q, k) for q in range(LENGTH) for k in range(LENGTH)]
        save(f"{folder}/{name}.npy", "|b1", (LENGTH, LENGTH), values)
    save(f"{folder}/v.npy", "<i4", (1, 2, 3), [90, 0, 17, 3, 3, 149])
    save(f"{folder}/s.npy", "<i4", (1, 2, 4), [0, 64, 1, 100, 7, 0, 0, 130])
    save(f"{folder}/indptr.npy", "<i4", (4,), [0, 2, 2, 4])
    save(f"{folder}/indices.npy", "<i4", (4,), [2, 0, 1, 1])
    ends = [60 if k < 60 else 130 if k < 130 else LENGTH for k in range(LENGTH)]
    save(f"{folder}/bounds.npy", "<i4", (1, 1, LENGTH, 1), ends)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
        file.write(
            '[{"0": ["vertical_and_slash", 40, 60, 1], "1": ["stream_llm", 9, 70, 1],'
            ' "2": ["block_sparse", 9, 1, 1]}, {"1": ["stream_llm", 2, 3, 1]}]'
        )


def attempt(title, folder, words):
    out = f"{folder}/out"
    made = subprocess.run(
        ["heddle", "import", *words, "-o", out],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    line = made.rstrip().splitlines()[-1].strip()
    name = made.split()[1].lstrip("@")
    # The report's own command, with a head dim that the interpreter is quick for.
    command = shlex.split(line.replace("d=64", "d=16"))
    ran = subprocess.run(command + ["--check"], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"{title}: {line}\n{ran.stdout}{ran.stderr}")
    print(f"{title}: {name} agrees")


def run(folder):
    for name in masks():
        attempt(f"mask of {name}", folder, ["mask", f"{folder}/{name}.npy"])
    attempt("flashmask", folder, ["flashmask", f"{folder}/bounds.npy", "--causal"])
    block = ["--indptr", f"{folder}/indptr.npy", "--indices", f"{folder}/indices.npy"]
    attempt("bsr", folder, ["bsr", *block, "--block", "64x32", "--causal"])
    chosen = ["--vertical", f"{folder}/v.npy", "--slash", f"{folder}/s.npy"]
    for cover in ("exact", "spans", "index"):
        attempt(
            f"vertical-slash {cover}",
            folder,
            ["vertical-slash", *chosen, "--length", str(LENGTH), "--cover", cover],
        )
    attempt("minference", folder, ["minference", f"{folder}/config.json", "--length", "200"])


if __name__ == "__main__":
    {"make": make, "run": run}[sys.argv[1]](sys.argv[2])
