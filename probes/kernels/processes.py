"""The processes of one guest: each is started through `launch.py`, and all are ended together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_LAUNCH = Path(__file__).with_name("launch.py")


class Processes:
    """A context manager: on leaving, every process is killed and reaped.

    Use it in the thread that lives longest: a process dies with the *thread* that started it
    (PR_SET_PDEATHSIG, prctl(2)).
    """

    def __init__(self) -> None:
        self._all: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        command: Sequence[str],
        *,
        options: Sequence[str] = (),
        out: int,
        errors: int,
        inherited: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program in a PID namespace of its own.  `out`, `errors`: open for writing; `inherited`: kept open."""
        launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), *options, "--", *command]
        process = subprocess.Popen(
            launcher,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            pass_fds=inherited,
            cwd="/",
            # Ctrl-C is for the runner, which ends its guests itself.
            start_new_session=True,
        )
        self._all.append(process)
        return process

    def end(self) -> None:
        """Kill them all, the youngest first, and reap them."""
        while self._all:
            process = self._all.pop()
            process.kill()
            process.wait()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()
