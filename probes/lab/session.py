"""The test process's side of the lab: starts conductors, sends them scenarios, and survives them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any

import ptrace
import system_calls

from .. import refusals
from ..evidence import Trial
from ..scenario import Scenario
from ..verdict import Inconclusive, NotApplicable
from .fork import NO_MEMORY
from .rest import signal_name

ANSWER_PATIENCE_S = 240.0
"""Longer than any one deadline inside the conductor (deadline.LONGEST_S)."""
_FEW = 1000
"""For every so many waiters the patience grows by ANSWER_PATIENCE_S, because each is waited for in turn."""

_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_START = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from probes.lab import conductor
conductor.main(int(sys.argv[2]), sys.argv[3] == "isolate", sys.argv[4:])
"""


def search_path() -> list[str]:
    """The search path of an isolated interpreter, no more than it needs: this project, ptrace, and system_calls."""
    packages = (
        os.path.dirname(os.path.dirname(os.path.abspath(str(package.__file__)))) for package in (ptrace, system_calls)
    )
    return list(dict.fromkeys([_PROJECT, *packages]))


class _Killed(Inconclusive):
    """The conductor was killed, by whomever."""


class Lab:
    """A conductor, which is started when it is first needed, kept, and replaced when it fails.

    Start it and use it in one thread: a conductor dies with the *thread* that started it (PR_SET_PDEATHSIG, prctl(2)).
    """

    def __init__(self, without: Iterable[str] = ()) -> None:
        self._without = tuple(without)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._unread = b""
        self._isolate = True
        self._own_memory = False
        self._greeting: dict[str, Any] = {}
        self._started = 0

    @property
    def generation(self) -> int:
        """Which conductor answers the next request, counted from 1."""
        return self._started + (self._process is None)

    @property
    def greeting(self) -> dict[str, Any]:
        """What the conductor can do here: isolation, fence, and why an observer is missing."""
        if self._process is None:
            self._start()
        return self._greeting

    def run(self, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        """Run one trial.  Raises NotApplicable, and Inconclusive if there is no evidence at all.

        With `own_memory`, each waiter process has memory of its own, as after fork(2); this takes three times as long.
        So have all of them once a conductor was killed during a trial.
        """
        if traced and self.greeting["why_not"]["syscall_exit"] is not None:
            raise Inconclusive(f"no traced trial: {self.greeting['why_not']['syscall_exit']}")
        own_memory = own_memory or self._own_memory
        request = {"scenario": scenario.as_dict(), "traced": traced, "own_memory": own_memory}
        try:
            answer = self._judged(self._ask(request, ANSWER_PATIENCE_S * (1 + scenario.n / _FEW)))
        except _Killed as reason:
            if own_memory:
                raise
            # The OOM killer ends all who share a waiter's memory (__oom_kill_process, mm/oom_kill.c), and so does a
            # core dump up to Linux 5.15 (zap_threads, fs/coredump.c).  The next waiter may meet the same fate.
            self._own_memory = True
            raise Inconclusive(
                f"{reason}, maybe with a waiter in its memory: from now on they have their own"
            ) from None
        return Trial.from_json(answer["trial"])

    def play(self, experiment: str, argument: Any = None) -> dict[str, Any]:
        """Run one experiment (subject.function, probes/experiments/); returns the facts that it noted.  Raises as `run`
        does."""
        facts: dict[str, Any] = self._judged(self._ask({"experiment": experiment, "argument": argument}))["facts"]
        return facts

    def close(self) -> None:
        """End the conductor, and with it everything that it created."""
        if self._process is None:
            return
        if self._socket is not None:
            self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process, self._socket, self._unread = None, None, b""

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        """Start a conductor in namespaces of its own, or, if these are denied, without them."""
        self._started += 1
        greeting = self._launch()
        if "denied" in greeting:
            self.close()
            self._isolate = False
            denied = greeting["denied"]
            greeting = self._launch()
            greeting["isolation"] = f"{greeting['isolation']} ({denied})"
        self._greeting = greeting

    def _launch(self) -> dict[str, Any]:
        ours, theirs = socket.socketpair()
        isolate = "isolate" if self._isolate else "stay"
        command = [sys.executable, "-I", "-S", "-c", _START, json.dumps(search_path()), str(os.getpid()), isolate]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*command, *self._without],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise Inconclusive(f"no conductor could be started: {sys.executable}: {error.strerror}") from error
        self._socket = ours
        greeting = self._read()
        if "failed" in greeting:
            self.close()
            raise Inconclusive(f"the conductor could not set itself up: {greeting['failed']}")
        return greeting

    def _ask(self, request: dict[str, Any], patience_s: float = ANSWER_PATIENCE_S) -> dict[str, Any]:
        if self._process is None:
            self._start()
        assert self._socket is not None
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            return self._died()
        return self._read(patience_s)

    def _judged(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer; raises NotApplicable or Inconclusive if that is what it says."""
        if "not_applicable" in answer:
            raise NotApplicable(answer["not_applicable"])
        if "inconclusive" in answer:
            raise Inconclusive(answer["inconclusive"])
        return answer

    def _read(self, patience_s: float = ANSWER_PATIENCE_S) -> dict[str, Any]:
        """The next line from the conductor.  If it is silent or dead, it is ended, and Inconclusive raised."""
        assert self._socket is not None
        end = time.monotonic() + patience_s
        try:
            while b"\n" not in self._unread:
                if not select.select([self._socket], [], [], 1.0)[0]:
                    # Its death closes the socket, unless a child of it still holds the other end.
                    if self._process is not None and self._process.poll() is not None:
                        return self._died()
                    if time.monotonic() < end:
                        continue
                    self.close()
                    raise Inconclusive(f"the conductor gave no answer within {patience_s:.0f} s")
                try:
                    part = self._socket.recv(1 << 20)
                except ConnectionResetError:
                    part = b""  # it died before it read our request (unix_release_sock, net/unix/af_unix.c)
                if not part:
                    return self._died()
                self._unread += part
        except BaseException:
            # After a timeout or Ctrl-C, this answer would be taken for that of the next request.
            self.close()
            raise
        line, self._unread = self._unread.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self) -> dict[str, Any]:
        assert self._process is not None
        code = self._process.wait()
        self.close()
        if code < 0:
            raise _Killed(f"the conductor died ({signal_name(-code)})")
        if code == NO_MEMORY:
            raise Inconclusive(f"the conductor ended: {refusals.in_words(OSError(errno.ENOMEM, ''))}")
        raise Inconclusive(f"the conductor died (exit code {code})")
