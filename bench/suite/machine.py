# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the numbers were measured on and with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any


def read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def cpu_model() -> str:
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def caches() -> str:
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind, level, size = (read(str(folder / name)) for name in ("type", "level", "size"))
        if kind != "Instruction" and size:
            found.append(f"L{level} {size}")
    return ", ".join(found) or "unknown"


def memory() -> str:
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) / 2**20:.1f} GiB"
    return "unknown"


def from_cache(build: Path, key: str) -> str:
    """A variable of CMakeCache.txt."""
    for line in read(str(build / "CMakeCache.txt")).splitlines():
        if line.startswith(key + ":"):
            return line.split("=", 1)[1]
    return ""


def first_line(command: list[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False,
                              cwd=folder)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""


def revision(source: Path) -> str:
    commit = first_line(["git", "rev-parse", "--short=12", "HEAD"], source)
    changed = first_line(["git", "status", "--porcelain", "--untracked-files=no"], source)
    return f"{commit} with changes" if commit and changed else commit or "unknown"


def facts(build: Path, source: Path) -> dict[str, Any]:
    compiler = from_cache(build, "CMAKE_CXX_COMPILER")
    flags = read("/proc/cpuinfo")
    return {
        "cpu": cpu_model(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": bool(re.search(r"^flags.*\bhypervisor\b", flags, re.MULTILINE)),
        "caches": caches(),
        "memory": memory(),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not visible",
        "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled") or "not visible",
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": first_line([compiler, "--version"]) if compiler else "unknown",
        "build_type": from_cache(build, "CMAKE_BUILD_TYPE") or "unknown",
        "revision": revision(source),
        "load_before": round(os.getloadavg()[0], 2),
    }


def slug(found: dict[str, Any]) -> str:
    """A file name for the machine: "amd-epyc-znver5-2-cores". The model's name alone may
    be that of several generations."""
    name = re.sub(r"\((r|tm)\)|\bcpu\b|@.*$|processor", " ", str(found["cpu"]).lower())
    name += " " + found["generation"]
    name = re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "unknown"
    return f"{name}-{found['cores']}-cores"
