# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every example has a test of its name, one pattern of its name, and a paper."""

import pathlib
import re
import sys

examples, tests = map(pathlib.Path, sys.argv[1:])
bad = 0
names = sorted(path.stem for path in examples.glob("*.mlir"))
for name in names:
    text = (examples / f"{name}.mlir").read_text()
    if re.findall(r"^attn\.pattern @(\w+)", text, re.MULTILINE) != [name]:
        bad += 1
        print(f"{name}: expected one pattern, called @{name}")
    if not re.search(r"^// Left open in the papers?: (nothing|(.|\n)*Decided)", text, re.MULTILINE):
        bad += 1
        print(f"{name}: does not say what its paper leaves open")
    if not (tests / f"{name}.test").exists():
        bad += 1
        print(f"{name}: no test {name}.test")
print(f"{len(names)} examples, {bad} complaints")
sys.exit(1 if bad or not names else 0)
