"""Audits of a running server by the command line, as a user makes them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from tests.suite.audit.schema import violation

from .launch import ROOT, Running
from .processes import LOOK_S

REPEATS = 5
CONNECTIONS = 20
DEFERRED_CONNECTIONS = 8
"""Fewer if the kernel holds each back until data arrive: the audit takes a second to see that."""
PATIENCE_S = 180.0
_PAUSES = 4
"""So many times as long as a look at all threads takes, the next one waits."""

_KINDS = {
    "epoll_wait": "epoll",
    "epoll_pwait": "epoll",
    "epoll_pwait2": "epoll",
    "select": "select",
    "pselect6": "select",
    "accept": "accept",
    "accept4": "accept",
}
"""Which of these calls it is, is up to the libc of the server."""


@dataclass
class Audited:
    """One audit: its answer, and what was seen of the server meanwhile."""

    answer: dict[str, Any]
    exit_code: int
    said: str
    """What it printed to stderr."""
    tracers: set[int] = field(default_factory=set)
    """Who was seen to trace a thread of the server, in looks every 20 ms or more."""

    @property
    def strategy(self) -> str | None:
        """Its strategy, with one word for all calls of a kind."""
        name: str | None = self.answer["strategy"]
        if name is None:
            return None
        call, dot, rest = name.partition(".")
        return _KINDS.get(call, call) + dot + rest

    @property
    def winners(self) -> list[int]:
        """How many connections each winner took, the busiest first."""
        return sorted(self.answer["winners"].values(), reverse=True)


def audit(running: Running, more: Sequence[str] = ()) -> Audited:
    """Audit this server.  Raises AssertionError if the audit prints no answer, or does not end."""
    # Into files: a server of a thousand threads has an answer that no pipe holds.
    with (
        tempfile.TemporaryFile("w+") as out_file,
        tempfile.TemporaryFile("w+") as said_file,
        subprocess.Popen(
            [*command(running), *more], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out_file, stderr=said_file
        ) as process,
    ):
        try:
            tracers = _watch_until_end(running, process)
        finally:
            process.kill()
        process.wait()
        out, said = (_text(file) for file in (out_file, said_file))
    assert out.startswith("{"), f"the audit of {running.server.name} printed no answer:\n{out}{said}"
    answer = json.loads(out)
    assert violation(answer) is None, violation(answer)
    return Audited(answer, process.returncode, said, tracers)


def command(running: Running) -> list[str]:
    """The command line that audits this server."""
    http = running.server.http
    connections = DEFERRED_CONNECTIONS if http else CONNECTIONS
    where = ["--unix", str(running.socket)] if running.server.unix else ["--port", str(running.port)]
    line = [sys.executable, "-m", "probes", "audit", *where, "--json"]
    return [*line, "--connections", str(connections), *(["--http"] if http else []), *running.server.audit]


def five(running: Running) -> list[Audited]:
    """Five audits, one after the other."""
    return [audit(running) for _ in range(REPEATS)]


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _watch_until_end(running: Running, process: subprocess.Popen[bytes]) -> set[int]:
    """Look for tracers until the audit has ended."""
    tracers: set[int] = set()
    pidfd = os.pidfd_open(process.pid)
    end = time.monotonic() + PATIENCE_S
    try:
        pause_s = LOOK_S
        while not select.select([pidfd], [], [], pause_s)[0]:
            began = time.monotonic()
            tracers |= running.tracers()
            # Of a thousand threads a look takes long, and the server's CPUs are few.
            pause_s = max(LOOK_S, _PAUSES * (time.monotonic() - began))
            assert time.monotonic() < end, f"the audit did not end within {PATIENCE_S:.0f} s"
    finally:
        os.close(pidfd)
    return tracers
