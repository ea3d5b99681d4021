# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every example has a test of its name, a pattern, combination or recurrence of its name
that uses all others in the file, and a paper."""

import pathlib
import re
import sys

examples, tests = map(pathlib.Path, sys.argv[1:])
bad = 0
names = sorted(path.stem for path in examples.glob("*.mlir"))
for name in names:
    text = (examples / f"{name}.mlir").read_text()
    defined = re.findall(r"^attn\.(?:pattern|combine|recurrence) @(\w+)", text, re.MULTILINE)
    used = re.findall(r"attn\.apply @(\w+)", text)
    for sources in re.findall(r"^attn\.combine @\w+ \[(.*)\]", text, re.MULTILINE):
        used += re.findall(r"@(\w+)", sources)
    if [symbol for symbol in defined if symbol not in used] != [name]:
        bad += 1
        print(f"{name}: expected one symbol that no other uses, called @{name}")
    if not re.search(r"^// Left open in the papers?: (nothing|(.|\n)*Decided)", text, re.MULTILINE):
        bad += 1
        print(f"{name}: does not say what its paper leaves open")
    if not (tests / f"{name}.test").exists():
        bad += 1
        print(f"{name}: no test {name}.test")
print(f"{len(names)} examples, {bad} complaints")
sys.exit(1 if bad or not names else 0)
