# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Adds up the test results in a directory and prints the failures.

    summary.py DIRECTORY

reads `*.lit.json` (lit -o), `*.gtest.json` (GoogleTest) and `*.check` (one word,
passed or failed). A `*.status` file holds the exit status of the program that
should have written the results beside it: without results, or with a status
other than 0 and no failure in the results, that counts as one failure. The last
line is `N passed, N failed, N skipped`; the exit status is 1 if anything failed
or nothing passed.
"""

import json
import pathlib
import sys

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

LIT_CODES = {
    "PASS": PASSED,
    "FLAKYPASS": PASSED,
    "XFAIL": PASSED,
    "UNSUPPORTED": SKIPPED,
    "SKIPPED": SKIPPED,
}


def lit_results(data):
    for test in data["tests"]:
        # A run that selects tests lists the others as excluded.
        if test["code"] != "EXCLUDED":
            yield test["name"], LIT_CODES.get(test["code"], FAILED)


def gtest_results(data):
    for suite in data["testsuites"]:
        for case in suite["testsuite"]:
            name = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                yield name, FAILED
            elif case["status"] == "NOTRUN" or case["result"] == "SKIPPED":
                yield name, SKIPPED
            else:
                yield name, PASSED


READERS = {".lit": lit_results, ".gtest": gtest_results}


def program_results(base):
    """Results of the program whose files are base.json and base.status."""
    kind = base.suffix
    name = base.stem
    results = []
    try:
        data = json.loads(pathlib.Path(f"{base}.json").read_text())
        results = [(f"{name}: {test}", how) for test, how in READERS[kind](data)]
    except FileNotFoundError:
        return [(f"{name}: left no results", FAILED)]
    except (ValueError, KeyError) as error:
        return [(f"{name}: unreadable results: {error}", FAILED)]
    status_file = pathlib.Path(f"{base}.status")
    status = status_file.read_text().strip() if status_file.exists() else "0"
    if not results:
        return [(f"{name}: no test ran", FAILED)]
    if status != "0" and all(how != FAILED for _, how in results):
        results.append((f"{name}: ended with status {status}", FAILED))
    return results


def collect(directory):
    results = []
    bases = set()
    for path in sorted(directory.iterdir()):
        if path.suffix == ".check":
            results.append((path.stem, path.read_text().strip()))
        elif path.suffix in (".json", ".status"):
            bases.add(path.with_suffix(""))
    for base in sorted(bases):
        results += program_results(base)
    return results


def print_logs(directory, failed_names):
    """The output of the GoogleTest programs that failed; lit prints its own."""
    for log in sorted(directory.glob("*.log")):
        if any(name.startswith(f"{log.stem}: ") for name in failed_names):
            print(f"---- {log.stem}")
            print("\n".join(log.read_text(errors="replace").splitlines()[-200:]))


def main():
    directory = pathlib.Path(sys.argv[1])
    results = collect(directory)
    failed_names = [name for name, how in results if how not in (PASSED, SKIPPED)]
    skipped_names = [name for name, how in results if how == SKIPPED]
    print_logs(directory, failed_names)
    for name in skipped_names:
        print(f"skipped: {name}")
    for name in failed_names:
        print(f"failed: {name}")
    passed = len(results) - len(failed_names) - len(skipped_names)
    print(f"{passed} passed, {len(failed_names)} failed, {len(skipped_names)} skipped")
    return 1 if failed_names or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
