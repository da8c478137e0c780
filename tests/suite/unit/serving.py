"""A server of probes/servers as a person starts it: its output, its clients, its processes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from probes import syscalls
from probes.host import PROJECT
from probes.lab import deadline

PATIENCE_S = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Return once it holds.  Inconclusive, which fails the test, at the deadline."""
    deadline.until(condition, lambda: what, scale=6.0)


class Running:
    """One server in a session of its own; a context manager that leaves no process of it."""

    def __init__(self, *arguments: str, program: tuple[str, ...] = ("-m", "probes", "serve")) -> None:
        us = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # It ends its workers then; a test that is killed while it starts a server ends nobody.
            preexec_fn=lambda: syscalls.die_with_parent(us, signal.SIGTERM),  # noqa: PLW1509  # a system call, no lock
        )
        self.printed = ""
        self._heard = 0
        self.workers: dict[int, int] = {}
        """Each worker's process, by its number, as the server has announced them."""

    def listening(self, workers: int = 0) -> Running:
        """Return once it listens, and has announced this many workers."""
        words = self.line("listening on ").split()
        self.address = (words[2], int(words[4]))
        return self.announced(workers)

    def announced(self, workers: int) -> Running:
        for _ in range(workers):
            words = self.line("worker ", " is process ").split()
            self.workers[int(words[1])] = int(words[4])
        return self

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()  # first, so that it starts no more
        self.process.wait()
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.stdout.close()

    def line(self, *parts: str) -> str:
        """The next line that holds all `parts`; those before it are skipped.  AssertionError where none comes."""
        while True:
            end = self.printed.find("\n", self._heard)
            if end >= 0:
                line, self._heard = self.printed[self._heard : end], end + 1
                if all(part in line for part in parts):
                    return line
            else:
                assert self._read(), f"no line with {parts}, but: {self.printed}"

    def _read(self) -> bool:
        assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], f"nothing more than: {self.printed}"
        part = os.read(self.process.stdout.fileno(), 65536)
        self.printed += part.decode()
        return bool(part)

    def end(self, number: int = signal.SIGTERM, group: bool = False) -> int:
        """Send it (or its whole group, as Ctrl-C does) a signal; its exit code.  All it printed is in `printed`."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        code = self.process.wait(PATIENCE_S)
        while self._read():
            pass
        return code

    # --- its clients -------------------------------------------------------------------------------

    def client(self, buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        sock.settimeout(PATIENCE_S)
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(self.address)
        return sock

    def echo(self, data: bytes, resets: bool = False) -> bytes:
        """What a new client gets back; it ends its side first, or (with `resets`) leaves with RST."""
        with self.client() as client:
            client.sendall(data)
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return exactly(client, len(data))
            client.shutdown(socket.SHUT_WR)
            return to_the_end(client)

    # --- its processes -----------------------------------------------------------------------------

    def members(self) -> list[int]:
        """Every process of its session, also those that are no longer its children."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._session(pid) is not None]

    def _session(self, pid: int) -> str | None:
        """The state letter of a process of its session, else None."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return fields[0] if int(fields[3]) == self.process.pid else None

    def states(self) -> list[str]:
        return [state for pid in self.members() if (state := self._session(pid)) is not None]

    def descriptors(self) -> dict[int, int]:
        """How many descriptors each of its processes has open."""
        return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in (self.process.pid, *self.workers.values())}


def exactly(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (part := client.recv(count - len(got))):
        got += part
    return got


def to_the_end(client: socket.socket) -> bytes:
    got = bytearray()
    while part := client.recv(1 << 20):
        got += part
    return bytes(got)
