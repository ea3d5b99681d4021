#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""clang-tidy over source files of a build, several files of a directory as one.

tidy.py BUILD JOBS FILE...

Most of the time that clang-tidy takes for a file goes into the headers of MLIR,
so the files of a folder with the same options are included in one; those that
the build compiles alone, because of their names, are read alone.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
AT_ONCE = 40
OURS = r"/(bench|codegen|dialect|examples|frontends|passes|runtime|test)/.*\.(h|cpp)$"


def options_of(entry: dict[str, str]) -> tuple[str, ...]:
    """Those of the compilation, without compiler, input and output."""
    words = iter(shlex.split(entry["command"]))
    for word in words:
        if Path(word).name != "ccache":
            break  # the compiler
    found = []
    for word in words:
        if word == "-o":
            next(words)
        elif word not in ("-c", entry["file"]):
            found.append(word)
    return tuple(found)


def tidy(build: Path, options: tuple[str, ...], file: Path, *more: str) -> tuple[bool, str]:
    """Whether nothing was found, and what was."""
    done = subprocess.run(
        ["clang-tidy-22", "--quiet", "--warnings-as-errors=*",
         # Generated headers count as the system's, whose declarations are not
         # visited.
         f"--extra-arg=-isystem{build}", *more, str(file), "--", *options],
        cwd=build, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.returncode == 0, done.stdout


def mirror(folder: Path) -> None:
    """Folders for files that include others, under the rules of those."""
    for name in subprocess.check_output(["git", "ls-files", "*.clang-tidy"], cwd=SOURCE, text=True).split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / name, folder / name)


def check(build: Path, number: int, options: tuple[str, ...], files: list[str]) -> str:
    """What is found in the files."""
    if len(files) > 1:
        folder = build / "tidy" / Path(files[0]).parent.relative_to(SOURCE)
        folder.mkdir(parents=True, exist_ok=True)
        unit = folder / f"{number}.cpp"
        unit.write_text("// NOLINTBEGIN\n" + "".join(f'#include "{file}"\n' for file in files) + "// NOLINTEND\n")
        clean, said = tidy(build, options, unit, f"--header-filter={OURS}")
        if clean:
            return ""
        if "clang-diagnostic-error" not in said:
            return said
    # Where names of the files collide after all, each is read by itself.
    return "".join(tidy(build, options, Path(file))[1] for file in files)


def commands(build: Path) -> tuple[dict[str, dict[str, str]], set[str]]:
    """The compile commands by source file, and the files that are compiled
    together with others."""
    found, together = {}, set()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = Path(entry["file"])
        if file.parent.name == "Unity":
            parts = re.findall(r'#include "(.*)"', file.read_text())
            together.update(parts)
            found.update({name: entry for name in parts})
        else:
            found[entry["file"]] = entry
    # Of a build that compiles every file alone, all may be read together.
    return found, together or set(found)


def main() -> int:
    build, jobs = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    entries, together = commands(build)
    mirror(build / "tidy")
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    unknown = []
    for name in sys.argv[3:]:
        file = str((SOURCE / name).resolve())
        if file in entries:
            alone = "" if file in together else file
            groups[options_of(entries[file]), os.path.dirname(file), alone].append(file)
        else:
            unknown.append(name)
    if unknown:
        print(f"tidy.py: error: the build does not compile {', '.join(unknown)}")
    units = []
    for (options, *_), files in groups.items():
        count = -(-len(files) // AT_ONCE)
        units += [(options, files[i::count]) for i in range(count)]
    # The longest first.
    units.sort(key=lambda unit: -len(unit[1]))
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda job: check(build, job[0], *job[1]), enumerate(units)))
    print("".join(found), end="")
    return 1 if unknown or any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
