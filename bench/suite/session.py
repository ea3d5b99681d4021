# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The processes of one run: Heddle's workers, and the peers that were found."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.process import Process, Refused

BENCH = Path(__file__).resolve().parent.parent
PATTERNS = (BENCH / "patterns", BENCH.parent / "examples")

# Contenders by the script that runs them.
PEER_SCRIPTS = {
    "torch_peer.py": ("sdpa", "flex", "chunked"),
    "onnxruntime_peer.py": ("onnxruntime",),
    "ggml_peer.py": ("ggml",),
}
PEER_NAMES = {
    "sdpa": "PyTorch SDPA",
    "flex": "PyTorch FlexAttention, compiled",
    "chunked": "PyTorch, linear attention by chunks",
    "onnxruntime": "ONNX Runtime",
    "ggml": "ggml",
}
# For threads of a peer that wait by spinning to go to sleep.
SETTLE_SECONDS = 0.05


@dataclass
class Options:
    build: Path
    scratch: Path
    python: str
    threads: int
    rounds: int
    sample_ms: float
    group_seconds: float
    tolerance: float | None = None
    peers: tuple[str, ...] | None = None  # None: all that are found
    ggml: str = ""


@dataclass
class Peer:
    """A contender that is no Heddle, or why it is missing."""

    name: str
    version: str = ""
    missing: str = ""
    process: Process | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def pattern_file(pattern: str) -> Path:
    for folder in PATTERNS:
        path = folder / f"{pattern}.mlir"
        if path.exists():
            return path
    raise Refused(f"no pattern is called '{pattern}'")


def plural(threads: int) -> str:
    return f"{threads} thread" + ("s" if threads != 1 else "")


def peak_key(level: str, threads: int) -> str:
    return f"{level or 'best level'}, {plural(threads)}"


class Session:
    def __init__(self, options: Options):
        self.options = options
        self.peers: dict[str, Peer] = {}
        self.peaks: dict[str, float] = {}  # the best, by level and threads
        self._workers: dict[str, Process] = {}
        self._last_peak: tuple[str, float] | None = None
        self.hello = self.worker("").ask(do="hello")

    def worker(self, level: str) -> Process:
        """The process for a level; it sees no more than the level needs, so that
        its peak is the level's own."""
        if level in self._workers and not self._workers[level].is_alive():
            # What it held is lost, and void; rows to come are not.
            self._workers.pop(level).close()
        if level not in self._workers:
            env: dict[str, str] = {}
            if level:
                known = {item["name"]: item for item in self.hello["levels"]}
                if level not in known:
                    raise Refused(f"no level is called '{level}'")
                if known[level]["missing"]:
                    raise Refused(f"level '{level}' does not run here: lacks "
                                  + ", ".join(known[level]["missing"]))
                env["HEDDLE_CPU_FEATURES"] = ",".join(known[level]["features"])
            program = self.options.build / "bin" / "heddle-bench-worker"
            if not program.exists():
                raise Refused(f"'{program}' does not exist; build it, or name another build "
                              "directory with --build")
            self._workers[level] = Process("heddle", [str(program)],
                                           self.options.scratch / "worker.log", env)
        return self._workers[level]

    def threads(self, asked: int) -> int:
        return asked or self.options.threads

    def peak(self, level: str, threads: int) -> float:
        """The multiply-add peak now, in GFLOP/s."""
        peak = float(self.worker(level).ask(do="peak", threads=threads)["gflops"])
        key = peak_key(level, threads)
        self.peaks[key] = max(self.peaks.get(key, 0.0), peak)
        self._last_peak = (key, peak)
        return peak

    def peak_before(self, level: str, threads: int) -> float:
        """The peak measured after the sample before, where nothing has run since."""
        key = peak_key(level, threads)
        if self._last_peak and self._last_peak[0] == key:
            return self._last_peak[1]
        return self.peak(level, threads)

    def best_peak(self, level: str, threads: int) -> float:
        return self.peaks.get(peak_key(level, threads), 0.0)

    def forget_peak(self) -> None:
        """Something else has run."""
        self._last_peak = None

    def settle(self) -> None:
        time.sleep(SETTLE_SECONDS)

    def peer(self, name: str) -> Peer:
        """Starts a peer when it is first asked for, and again where it has ended."""
        known = self.peers.get(name)
        if not known or (known.process and not known.process.is_alive()):
            for script, contenders in PEER_SCRIPTS.items():
                if name in contenders:
                    self._start(script, contenders)
        return self.peers[name]

    def _start(self, script: str, contenders: tuple[str, ...]) -> None:
        for name in contenders:
            if name in self.peers and self.peers[name].process:
                self.peers[name].process.close()
            self.peers[name] = Peer(name)
        wanted = self.options.peers
        if wanted is not None and not set(wanted) & set(contenders):
            for name in contenders:
                self.peers[name].missing = "not asked for"
            return
        threads = str(self.options.threads)
        command = [self.options.python, "-u", str(BENCH / "peers" / script)]
        if script == "ggml_peer.py" and self.options.ggml:
            command.append(self.options.ggml)
        env = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
               "TORCHINDUCTOR_CACHE_DIR": str(self.options.scratch / "inductor"),
               "CXX": os.environ.get("CXX", "g++")}
        try:
            process = Process(script, command, self.options.scratch / f"{script}.log", env)
            hello = process.read(120)
        except (Refused, OSError) as why:
            hello, process = {"missing": str(why)}, None
        for name in contenders:
            peer = self.peers[name]
            peer.facts = hello
            if "missing" in hello:
                peer.missing = str(hello["missing"])
            elif wanted is not None and name not in wanted:
                peer.missing = "not asked for"
            else:
                peer.version, peer.process = str(hello["version"]), process

    def close(self) -> None:
        running = {id(p.process): p.process for p in self.peers.values() if p.process}
        for process in [*running.values(), *self._workers.values()]:
            process.close()
