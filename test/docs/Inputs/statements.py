# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every example and test that docs/statements.md names exists, and it names all tests of
statements.

    statements.py DOCUMENT SOURCE_DIR
"""

import pathlib
import re
import sys

document, source = map(pathlib.Path, sys.argv[1:])
text = document.read_text()
bad = 0


def complain(what):
    global bad
    bad += 1
    print(what)


examples = re.findall(r"\[(\w+)\]\(\.\./examples/(\w+)\.mlir\)", text)
for name, path in examples:
    if name != path:
        complain(f"'{name}' links to '{path}.mlir'")
    for file in (f"examples/{name}.mlir", f"test/examples/{name}.test"):
        if not (source / file).exists():
            complain(f"no {file}")

defined = {}
for file in sorted((source / "test/exec").glob("Statements*.cpp")):
    for suite, name in re.findall(r"^TEST\((\w+), (\w+)\)", file.read_text(), re.MULTILINE):
        defined[f"{suite}.{name}"] = file.name
named = set(re.findall(r"`(\w+\.\w+)`", text))
for test in sorted(named - defined.keys()):
    complain(f"no test '{test}'")
for test in sorted(defined.keys() - named):
    complain(f"'{test}' of {defined[test]} shows no statement")
print(f"{len(set(examples))} examples, {len(defined)} tests, {bad} complaints")
sys.exit(1 if bad or not examples or not defined else 0)
