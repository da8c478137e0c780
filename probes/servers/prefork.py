"""The parent of workers: forks them, puts another in the place of one that died, and leaves none behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from .. import syscalls
from .listening import RETRY_S, say

Work = Callable[[int], object]
"""What worker `i` does; it is ended by SIGTERM."""
_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


def run(work: Work, n: int) -> None:
    """Keep `n` workers, until SIGTERM or SIGINT.  Raises OSError if they cannot be forked at the start.

    Whatever must outlive a worker is opened before this, and stays open here: a listener, and with it
    the connections that wait (claim server.kept-listener-keeps-its-queue).
    """
    # Ignored, as some parents leave it, it would make the workers vanish (claim server.ignored-children-vanish).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # The parent takes signals when it asks for them, one by one, so that none comes at a bad moment.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    crew = _Crew(work)
    try:
        for i in range(n):
            crew.start(i)
        while crew.wait() in (None, signal.SIGCHLD):
            crew.replace()
    finally:
        crew.end()


class _Crew:
    def __init__(self, work: Work) -> None:
        self._work = work
        self._workers: dict[int, int] = {}  # process: number
        self._missing: set[int] = set()
        self._not_before: dict[int, float] = {}  # number: when it may be started again

    def start(self, i: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_worker(self._work, i, parent)
        self._workers[pid] = i

    def wait(self) -> int | None:
        """The next signal, or None: it is time to start one that is missing."""
        if not self._missing:
            return signal.sigwait(_SIGNALS)
        soonest = min(self._not_before[i] for i in self._missing)
        came = signal.sigtimedwait(_SIGNALS, max(0.0, soonest - time.monotonic()))
        return came.si_signo if came else None

    def replace(self) -> None:
        """Wait for the dead, and start others: at once, but no number twice in a second.

        What kills a worker at its start will kill the next one too, and forking is all we would do.
        """
        now = time.monotonic()
        for pid in reaped():
            if pid in self._workers:  # whoever started this program may have left it other children
                i = self._workers.pop(pid)
                say(f"worker {i}, process {pid}, died")
                self._missing.add(i)
        for i in [i for i in self._missing if self._not_before.get(i, now) <= now]:
            self._not_before[i] = now + RETRY_S
            with contextlib.suppress(OSError):  # no process to be had now
                self.start(i)
                self._missing.discard(i)

    def end(self) -> None:
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)  # a stopped process dies of SIGTERM only when it goes on
        for pid in self._workers:
            os.waitpid(pid, 0)


def reaped() -> list[int]:
    """Every child that has ended, waited for: one SIGCHLD may be for several (claim server.one-sigchld-for-several)."""
    pids = []
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            pids.append(pid)
    return pids


def _be_worker(work: Work, i: int, parent: int) -> NoReturn:
    try:
        syscalls.die_with_parent(parent)  # nobody would replace or end the workers of a parent that was killed
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole process group: let the parent decide
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        say(f"worker {i} is process {os.getpid()}")
        work(i)
    except Exception:  # noqa: BLE001  # print it; the parent starts another worker
        traceback.print_exc()
    finally:
        os._exit(1)
