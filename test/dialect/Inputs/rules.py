# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the numbered rules of .td files with the errors that tests expect.

usage: rules.py FILE.td ... -- INVALID.mlir ...

Prints one line per rule without a test and per tested rule that no .td file
states, then the number of rules.
"""

import re
import sys

split = sys.argv.index("--")
tag = r"\[([a-z0-9_]+-\d+)\]"


def read(paths, pattern):
    found = set()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if re.search(pattern, line):
                    found.update(re.findall(tag, line))
    return found


stated = read(sys.argv[1:split], r"`\[")
tested = read(sys.argv[split + 1 :], r"expected-error")
for rule in sorted(stated - tested):
    print(f"rule {rule} has no test")
for rule in sorted(tested - stated):
    print(f"rule {rule} is not documented")
print(f"{len(stated)} rules")
