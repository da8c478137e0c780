"""Starts the small servers, runs the audit as a user does, and watches the server meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from probes import syscalls
from probes.host import PROJECT

from .schema import violation

PATIENCE_S = 150


class Server:
    """A running server of `tests.suite.audit.servers`, or of `datagram_servers`."""

    def __init__(self, kind: str, workers: int, address: str, prefix: tuple[str, ...] = ()) -> None:
        parent = os.getpid()
        self.process = subprocess.Popen(
            [*prefix, *command(kind, workers, address)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: syscalls.die_with_parent(parent),  # noqa: PLW1509 (one system call, no lock)
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout
        self.address = self._out.readline().split()[1]
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._out:
            self.said.append(line.strip())

    def count(self, word: str) -> int:
        """How many lines so far begin with this word."""
        return sum(line.startswith(word) for line in self.said)

    def pids(self) -> list[int]:
        """The server and its workers."""
        from probes.audit.find import descendants

        return [self.process.pid, *descendants(self.process.pid)]

    def end(self) -> None:
        """Kill it; its workers go with it, and the pipe closes."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join(PATIENCE_S)


def command(kind: str, workers: int, address: str) -> list[str]:
    """The command line of a small server."""
    module = "datagram_servers" if kind.startswith("udp-") else "servers"
    return [sys.executable, "-m", f"tests.suite.audit.{module}", kind, str(workers), address]


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server; it is over when the test is."""
    started: list[Server] = []

    def go(kind: str, workers: int = 4, address: str = "0", prefix: tuple[str, ...] = ()) -> Server:
        started.append(Server(kind, workers, address, prefix))
        return started[-1]

    yield go
    for server in started:
        server.end()


class Answer:
    """What the audit answered, and how it ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.text = done.stdout + done.stderr
        self.json: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        assert "Traceback" not in self.text, self.text
        assert not self.json or violation(self.json) is None, violation(self.json)

    def __getitem__(self, key: str) -> Any:
        return self.json[key]


Audit = Callable[..., Answer]


@pytest.fixture
def audit() -> Audit:
    """Run `python -m probes audit --json` with these arguments; ten connections, unless it makes none."""

    def run(
        *arguments: object, prefix: tuple[str, ...] = (), server: tuple[str, ...] = (), connections: bool = True
    ) -> Answer:
        line = [*prefix, sys.executable, "-m", "probes", "audit", "--json"]
        line += ["--connections", "10"] if connections else []
        line += [str(argument) for argument in arguments]
        line += ["--", *server] if server else []
        return Answer(
            subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        )

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A short path: a unix socket's address holds 108 bytes (unix(7))."""
    return tmp_path
