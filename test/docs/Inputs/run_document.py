# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does what a Markdown document tells its reader to do.

    run_document.py DOCUMENT SOURCE_DIR BUILD_DIR SCRATCH_DIR [--running COMMAND]

In a scratch directory that looks like a built checkout, the fenced blocks of the
document are taken in order:

- a block marked `file=NAME` is written to that file;
- every line of an `sh` block is run, and must succeed (a line that ends in a
  backslash goes on);
- a `text` block after an `sh` block is the output of its commands: its lines
  must occur in the output in this order, and a line that is only `…` stands for
  any lines. In a block marked `numbers-vary` any number matches any number.

`--running` names a command that is not run because it is what runs this test.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

FENCE = re.compile(r"^```(.*)$")
NUMBER = re.compile(r"[0-9][0-9.,]*")


def blocks(text):
    """(line number, info string, lines) of every fenced block."""
    info, start, lines = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if fence and info is None:
            info, start, lines = fence.group(1).strip(), number, []
        elif fence:
            yield start, info, lines
            info = None
        elif info is not None:
            lines.append(line)


def commands(lines):
    command = ""
    for line in lines:
        if line.endswith("\\"):
            command += line[:-1] + " "
        elif (command + line).strip() and not line.startswith("#"):
            yield (command + line).strip()
            command = ""


def normalised(line, numbers_vary):
    line = " ".join(line.split())
    return NUMBER.sub("#", line) if numbers_vary else line


def missing_line(expected, output, numbers_vary):
    """The first expected line that the output lacks, or None."""
    found = iter([normalised(line, numbers_vary) for line in output.splitlines()])
    for line in expected:
        wanted = normalised(line, numbers_vary)
        if wanted in ("", "…"):
            continue
        if not any(wanted == candidate for candidate in found):
            return line
    return None


def make_scratch(scratch, source, build):
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.name not in ("build", ".git"):
            (scratch / entry.name).symlink_to(entry)
    (scratch / "build").symlink_to(build)


def run(command, where):
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=where,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        print(result.stdout)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("document", type=pathlib.Path)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--running", action="append", default=[])
    options = parser.parse_args()

    os.environ["HEDDLE_BUILD"] = "build"
    make_scratch(options.scratch, options.source, options.build)
    ran = 0
    output = None
    for line, info, lines in blocks(options.document.read_text()):
        place = f"{options.document.name}:{line}"
        words = info.split()
        language = words[0] if words else ""
        files = [word[len("file=") :] for word in words if word.startswith("file=")]
        for name in files:
            (options.scratch / name).write_text("\n".join(lines) + "\n")
        if files:
            continue
        if language == "sh":
            output = ""
            for command in commands(lines):
                if command in options.running:
                    options.running.remove(command)
                    continue
                print(f"{place}: {command}", flush=True)
                result = run(command, options.scratch)
                if result.returncode != 0:
                    return f"{place}: '{command}' ended with {result.returncode}"
                output += result.stdout
                ran += 1
        elif language == "text" and output is not None:
            lost = missing_line(lines, output, "numbers-vary" in words)
            if lost is not None:
                print(output)
                return f"{place}: the output lacks this line: {lost}"
            output = None
    if options.running:
        return f"{options.document.name} does not show '{options.running[0]}'"
    if not ran:
        return f"{options.document.name} shows no command"
    print(f"ran {ran} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
