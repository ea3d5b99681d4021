# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes that are asked questions: one JSON object per line, each answered."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any


class Refused(Exception):
    """The process answered with an error, or not at all."""


def check_writable(prefix: Path) -> None:
    """Raises OSError where no report could be written, before the work is done."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=prefix.parent):
        pass


def run_delay(schedstat: Path) -> float:
    """Seconds that a thread has been ready to run but had no core; 0 where the
    system does not say, or the thread is gone."""
    try:
        return int(schedstat.read_text().split()[1]) * 1e-9
    except (OSError, IndexError, ValueError):
        return 0.0


def run_once(command: list[str]) -> tuple[str, float]:
    """The output of a command, and how long its main thread waited for a core."""
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as child:
            assert child.stdout and child.stderr
            output, errors = child.stdout.read(), child.stderr.read()
            # It is not reaped yet, so the system still knows it.
            waited = run_delay(Path(f"/proc/{child.pid}/schedstat"))
    except OSError as why:
        raise Refused(str(why)) from None
    if child.returncode != 0:
        raise Refused(errors.strip())
    return output, waited


class Process:
    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str] | None = None):
        self.name = name
        self._log = log
        self._unread = b""
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env={**os.environ, **(env or {})})

    def ask(self, seconds: float = 3600, **request: Any) -> dict[str, Any]:
        """The answer to a request; raises Refused after so many seconds."""
        assert self._child.stdin
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise Refused(self._epitaph()) from None
        return self.read(seconds)

    def read(self, seconds: float) -> dict[str, Any]:
        assert self._child.stdout
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._child.stdout], [], [], left)[0]:
                self._child.kill()
                self._child.wait()
                raise Refused(f"no answer from {self.name} in {seconds:.0f} s, ended")
            chunk = os.read(self._child.stdout.fileno(), 1 << 16)
            if not chunk:
                raise Refused(self._epitaph())
            self._unread += chunk
        line, self._unread = self._unread.split(b"\n", 1)
        try:
            answer = json.loads(line)
        except ValueError:
            raise Refused(f"{self.name} answered '{line.decode(errors='replace')[:200]}', "
                          "expected JSON") from None
        if "error" in answer:
            raise Refused(str(answer["error"]))
        return answer

    def _epitaph(self) -> str:
        status = self._child.wait()
        tail = self._log.read_text(errors="replace").strip().splitlines()[-1:] or [""]
        return f"{self.name} ended with status {status}: {tail[0].strip()[-200:]}"

    def waited(self) -> float:
        """Seconds that its threads have waited for a core, in all."""
        tasks = Path(f"/proc/{self._child.pid}/task")
        return sum(run_delay(path) for path in tasks.glob("*/schedstat"))

    def is_alive(self) -> bool:
        return self._child.poll() is None

    def close(self) -> None:
        """Ends the process: it ends by itself when nobody can ask any more."""
        if self._child.stdin:
            try:
                self._child.stdin.close()
            except OSError:
                pass
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()
