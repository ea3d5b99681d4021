# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts what an example keeps, by brute force, and compares with `heddle show`.

    counts.py EXAMPLE.mlir

The pairs are those of patterns.py. Lengths are ragged, queries and keys differ in
number, and every parameter is given once by default and once by value.
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys

import patterns

# (queries, keys, origin)
SIZES = [(130, 130, 0), (65, 200, 135), (97, 31, 0), (3, 2049, 2046), (0, 64, 0), (64, 0, 0)]
TILES = [(64, 64), (16, 48)]
HEADS = 3


def parameters(path):
    """Names and defaults, from the pattern's first line."""
    head = re.search(r"attn\.pattern @\w+(?:\((.*?)\))? keep", path.read_text()).group(1)
    return {
        name: int(value)
        for name, value in re.findall(r"%(\w+): index = (-?\d+)", head or "")
    }


def brute_force(keep, head, sizes, values):
    """The verdict on every pair, row by row."""
    queries, keys, origin = sizes
    return [
        [bool(keep(head, origin + i, j, keys, **values)) for j in range(keys)]
        for i in range(queries)
    ]


def live_tiles(rows, sizes, tile):
    """How many tiles hold a kept pair, and how many only kept pairs.

    A tile ends at the last query, but reaches past the last key.
    """
    queries, keys, _ = sizes
    live = full = 0
    for q0, k0 in itertools.product(range(0, queries, tile[0]), range(0, keys, tile[1])):
        pairs = [row[k0 : k0 + tile[1]] for row in rows[q0 : q0 + tile[0]]]
        live += any(map(any, pairs))
        full += k0 + tile[1] <= keys and all(map(all, pairs))
    return live, full


def show(path, sizes, tile, values, head):
    queries, keys, origin = sizes
    command = ["heddle", "show", str(path), "--json", "--head", str(head)]
    command += ["--shape", f"b=1,hq={HEADS},hkv=1,sq={queries},sk={keys},d=64"]
    command += ["--tile", f"{tile[0]}x{tile[1]}", "--origin", str(origin)]
    for name, value in values.items():
        command += ["--set", f"{name}={value}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    return json.loads(result.stdout)


def main():
    path = pathlib.Path(sys.argv[1])
    keep = getattr(patterns, path.stem)
    defaults = parameters(path)
    small = {name: value // 8 + 1 for name, value in defaults.items()}
    checked = careful = 0
    value_sets = [{}, small] if defaults else [{}]
    for sizes, tile, values in itertools.product(SIZES, TILES, value_sets):
        for head in range(HEADS):
            rows = brute_force(keep, head, sizes, values)
            counts = [sum(row) for row in rows]
            live, full = live_tiles(rows, sizes, tile)
            wanted = {
                "kept_pairs": sum(counts),
                "fewest": min(counts, default=0),
                "most": max(counts, default=0),
                "empty_rows": counts.count(0),
            }
            said = show(path, sizes, tile, values, head)
            found = {
                "kept_pairs": said["kept_pairs"],
                "fewest": said["rows"]["min"],
                "most": said["rows"]["max"],
                "empty_rows": said["rows"]["empty"],
            }
            place = f"{path.stem} {sizes} tile {tile} {values} head {head}"
            if found != wanted:
                sys.exit(f"{place}:\nexpected {wanted}\nfound    {found}")
            # A status may be too careful, never too bold; intervals are exact.
            tiles = said["tiles"]
            said_live = tiles["full"] + tiles["partial"]
            if tiles["full"] > full or said_live < live:
                sys.exit(f"{place}: {live} tiles live, {full} full; found {tiles}")
            careful += (tiles["full"], said_live) != (full, live)
            checked += 1
    print(f"{checked} cases agree, {careful} with a status that is too careful")


if __name__ == "__main__":
    main()
