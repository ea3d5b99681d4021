# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parses the examples in the descriptions of operations.

    op_examples.py FILE.td...

Every `Example:` block must go through heddle-opt, verify, and survive printing
and parsing; every operation must occur in some example.
"""

import pathlib
import re
import subprocess
import sys

OPERATION = re.compile(r'^def \w+ : (Attn|Tile|Nv)_Op<"(\w+)"', re.MULTILINE)
EXAMPLE = re.compile(r"Example:\n\s*\n\s*```mlir\n(.*?)```", re.DOTALL)


def main():
    operations, examples = set(), []
    for name in sys.argv[1:]:
        text = pathlib.Path(name).read_text()
        operations |= {f"{d.lower()}.{op}" for d, op in OPERATION.findall(text)}
        # One description holds one example; the text before it names the place.
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            examples.append((f"{pathlib.Path(name).name}:{line}", match.group(1)))

    bad = []
    for place, example in examples:
        result = subprocess.run(
            ["heddle-opt", "--verify-roundtrip", "-"],
            input=example,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            print(f"{place}:\n{example}\n{result.stderr}")
            bad.append(place)
    for operation in sorted(operations):
        word = re.compile(re.escape(operation) + r"\b")
        if not any(word.search(example) for _, example in examples):
            bad.append(operation)
            print(f"no example shows {operation}")
    print(f"{len(examples)} examples of {len(operations)} operations, {len(bad)} bad")
    return 1 if bad or not examples else 0


if __name__ == "__main__":
    sys.exit(main())
