"""A server that the audit starts and stops itself; nothing of it stays behind, however the audit ends.

A child of ours supervises it: it starts the command in a session of its own, adopts the processes that the server
leaves behind (PR_SET_CHILD_SUBREAPER, prctl(2)), and ends all of them when the pipe from the audit closes, which
happens even if the audit is killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .. import syscalls
from ..verdict import Inconclusive
from .find import (
    AuditedServer,
    BadTarget,
    Wanted,
    descendants,
    find,
    holders_of,
    sockets_of,
    sockets_to_audit,
    the_one_of,
)
from .sockets import ListeningSocket

START_S = 30.0
"""How long the server may take until it listens."""
SETTLE_S = 2.0
"""Once it listens, no process or listener may come or go for this long: workers start one after another."""
GRACE_S = 5.0
"""How long the server may take to end after SIGTERM."""
_TAIL_LINES, _TAIL_BYTES = 3, 4096
_TURN_S = 0.05


class Started:
    """The running command.  Raises BadTarget if it cannot be started."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        # In memory; it disappears with the last process that holds it.
        self._output = os.memfd_create("server-output")
        reader, self._lifeline = os.pipe()
        failure, report_failure = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._lifeline)
                os.close(failure)
                _supervise(command, reader, report_failure, self._output, parent)
            finally:
                os._exit(1)
        os.close(reader)
        os.close(report_failure)
        with open(failure, "rb") as file:
            why_not = file.read().decode(errors="replace")
        self._pidfd = os.pidfd_open(self.pid)
        if why_not:
            self.close()
            raise BadTarget(f"{command[0]} cannot be started: {why_not}")

    def wait_for(self, wanted: Wanted | None, tell: Callable[[str], None]) -> AuditedServer:
        """The server, once it listens and has started its workers.  Raises Inconclusive if it does not, or ends."""
        tell(f"waiting until {os.path.basename(self._command[0])} listens")
        deadline = time.monotonic() + START_S
        last: object = None
        since = time.monotonic()
        while True:
            mine = self._listeners(wanted)
            seen = (mine, set(descendants(self.pid)))
            if seen != last:
                last, since = seen, time.monotonic()
            if mine and time.monotonic() - since >= SETTLE_S:
                return self._server(mine, wanted)
            if select.select([self._pidfd], [], [], _TURN_S)[0]:
                raise Inconclusive(f"{self._command[0]} ended before it listened{self._last_words()}")
            if time.monotonic() > deadline:
                if mine:
                    raise Inconclusive(f"processes of {self._command[0]} kept coming and going for {START_S:.0f} s")
                raise Inconclusive(f"{self._command[0]} did not listen within {START_S:.0f} s{self._last_words()}")

    def _listeners(self, wanted: Wanted | None) -> list[ListeningSocket]:
        """The listeners that the server has now."""
        listening: list[ListeningSocket] = []
        family = descendants(self.pid)
        held: set[int] = set()
        for pid in family:
            with contextlib.suppress(OSError):
                held.update(sockets_of(pid).values())
        for pid in family:
            with contextlib.suppress(OSError):
                there = sockets_to_audit(pid, wanted or Wanted())
                listening += [
                    listener for listener in there if held & set(listener.inodes) and listener not in listening
                ]
        return [listener for listener in listening if _fits(listener, wanted)]

    def _server(self, mine: list[ListeningSocket], wanted: Wanted | None) -> AuditedServer:
        chosen = mine[0]
        if wanted is None:
            chosen = the_one_of(mine, self._command[0])
            port, path = (chosen.port, None) if chosen.port else (None, chosen.address)
            wanted = Wanted(port, None, path)
        holders, _ = holders_of(chosen.inodes)
        if not holders:
            raise Inconclusive(f"{self._command[0]} has just closed {chosen.name} again")
        return find(replace(wanted, pid=min(holders)))

    def _last_words(self) -> str:
        size = os.fstat(self._output).st_size
        lines = (
            os.pread(self._output, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
            .decode(errors="replace")
            .strip()
            .splitlines()[-_TAIL_LINES:]
        )
        return ": " + " | ".join(lines) if lines else ""

    def close(self) -> None:
        """End the server: SIGTERM, and after GRACE_S SIGKILL for whatever is left."""
        os.close(self._lifeline)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._pidfd)
        os.close(self._output)

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _fits(listener: ListeningSocket, wanted: Wanted | None) -> bool:
    if wanted is None:
        return True
    return listener.port == wanted.port if wanted.port is not None else listener.address == wanted.path


def _supervise(command: Sequence[str], lifeline: int, report_failure: int, output: int, parent: int) -> None:
    """In the child: start the command, wait until the audit or the server ends, and clean up."""
    # Handlers that do nothing instead of SIG_IGN, which the server would inherit (execve(2)).
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    syscalls.adopt_orphans()
    try:
        server = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=ordinary_signals,  # noqa: PLW1509 (there is one thread)
        )
    except OSError as error:
        os.write(report_failure, (error.strerror or str(error)).encode())
        os._exit(0)
    os.close(report_failure)
    # The lifeline closes with the audit.  The first process of a server that daemonises ends; its children go on.
    while not select.select([lifeline], [], [], _TURN_S)[0]:
        _reap()
        if not descendants(os.getpid()):
            os._exit(0)
    _end_all(server.pid)
    os._exit(0)


def ordinary_signals() -> None:
    """Give every signal its default disposition and block none, as a server expects it, whatever started us
    (execve(2))."""
    for number in signal.valid_signals():
        # SIGKILL and SIGSTOP cannot be set, nor the signals that libc uses itself (signal(7)).
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _end_all(server: int) -> None:
    """Send SIGTERM to the server, or to the processes that it left behind; then SIGKILL, until none is left."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(server, signal.SIGTERM)
    children = set(descendants(os.getpid()))
    if server not in children:
        _signal_all(children, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while descendants(os.getpid()):
        _reap()
        if time.monotonic() > deadline:
            _signal_all(descendants(os.getpid()), signal.SIGKILL)
        # Returns early if a child ends.
        signal.sigtimedwait({signal.SIGCHLD}, _TURN_S)


def _signal_all(pids: Any, number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
