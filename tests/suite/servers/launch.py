"""A running server: started in a folder and a session of its own, awaited, stopped, and proven to be gone."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from probes import syscalls
from probes.observers.task_files import TaskFiles

from .guard import Guard
from .processes import LOOK_S, await_end, pids_of_session
from .server import Server

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
"""How long a server may take to come up, or to end by itself: far longer than any takes on an idle machine."""
_PORTS = range(20_000, 30_000)
"""Below the ports that the kernel gives to clients (ip_local_port_range), so that none takes it meanwhile."""


class DidNotStart(Exception):
    """The server ended, or was not up in time; the message says what was missing, and what it printed."""


class Running:
    """One server that runs, and all its processes.  A context manager: on leaving, nothing of it is left.

    If this process is killed the server is told to end, too (PR_SET_PDEATHSIG, prctl(2)), and the guard sees to it.
    """

    def __init__(self, server: Server) -> None:
        # Workers that outlive their master by a moment become our children, and can be reaped.
        syscalls.adopt_orphans()
        self.server = server
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="wakecheck-server-"))
        # Workers that gave up root read their files here.
        self.folder.chmod(0o755)
        self.guard = Guard(self.folder)
        try:
            self.process = self._started()
        except BaseException:
            self.guard.dismiss()
            raise
        self._pidfd = os.pidfd_open(self.process.pid)
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise

    def _started(self) -> subprocess.Popen[bytes]:
        for name, text in self.server.texts(self.folder, self.port).items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o644)
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        us = os.getpid()
        if self.server.before:
            subprocess.run(["sh", "-ec", self.server.before], cwd=self.folder, env={**os.environ, **own}, check=True)
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                self.server.command_line(self.folder, self.port),
                cwd=self.folder,
                env={**os.environ, **own, **self.server.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Nothing between fork and exec but system calls, which take no lock that a thread could hold.
                preexec_fn=lambda: self._before_exec(us),  # noqa: PLW1509
            )

    def _before_exec(self, launcher: int) -> None:
        syscalls.die_with_parent(launcher, signal.SIGTERM)
        self.guard.guard_me()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def socket(self) -> Path:
        """Where its unix socket is, if it has one."""
        return self.folder / "s"

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.folder / "log").read_text(errors="replace")

    # --- up ------------------------------------------------------------------------------------

    def _wait_until_up(self) -> None:
        """Every process is there, it answers a request, and every worker waits.  Raises DidNotStart."""
        # The request first: one that systemd-socket-activate starts is started by it.
        self._until(self._answers, lambda: "no answer")
        with contextlib.ExitStack() as clients:
            for _ in range(self.server.clients):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", self.port), PATIENCE_S))
                client.recv(1)
        if self.server.processes:
            self._until(lambda: len(self.pids()) == self.server.processes, lambda: f"{len(self.pids())} processes")
        self._until(self._all_wait, lambda: f"{self._waiting()} waiting in {' or '.join(self.server.calls)}")

    def _until(self, condition: Callable[[], bool], seen: Callable[[], str]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            ended = self.ends_within(LOOK_S)
            if ended or time.monotonic() > end:
                why = "it ended" if ended else f"not up within {PATIENCE_S:.0f} s"
                raise DidNotStart(f"{self.server.name}: {why}, with {seen()}; it printed:\n{self.log}")

    def ends_within(self, seconds: float) -> bool:
        """Wait this long for the first process to end.  Returns whether it did."""
        return bool(select.select([self._pidfd], [], [], max(0.0, seconds))[0])

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.is_served()
        return False

    def is_served(self) -> bool:
        """Whether a client gets its answer, over a new connection.  Raises OSError or HTTPException if that fails."""
        if self.server.ask is None:
            return self.get() == 200
        with socket.create_connection(("127.0.0.1", self.port), 10) as client:
            client.sendall(self.server.ask)
            heard = client.recv(4096)
            return bool(heard) and heard.startswith(self.server.hears)

    def _all_wait(self) -> bool:
        says = self.server.says
        return self._waiting() >= self.server.waiting and (says is None or self.log.count(says[0]) >= says[1])

    def _waiting(self) -> int:
        calls = {syscalls.number(call) for call in self.server.calls}
        sleeping = [pid for pid, tid in self.tasks() if _call(pid, tid) in calls]
        if self.server.processes == 1:
            return len(sleeping)
        return len(set(sleeping) - {self.process.pid})

    def get(self, timeout_s: float = 10.0) -> int:
        """Status of a request for /, over a new connection.  Raises OSError or HTTPException if that fails."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        if self.server.unix:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(timeout_s)
        try:
            if self.server.unix:
                connection.sock.connect(str(self.socket))
            connection.request("GET", "/", headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    # --- its processes -------------------------------------------------------------------------

    def pids(self) -> list[int]:
        """Every process of its session, zombies too."""
        return pids_of_session(self.process.pid)

    def tasks(self) -> Iterator[tuple[int, int]]:
        """(pid, tid) of every thread of it."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                yield from ((pid, int(tid)) for tid in os.listdir(f"/proc/{pid}/task"))

    def tracers(self) -> set[int]:
        """Who traces any thread of it now: TracerPid of proc_pid_status(5), without the zeros."""
        tracers = set()
        for pid, tid in self.tasks():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/task/{tid}/status").read_text()
                tracers.add(int(status.partition("\nTracerPid:\t")[2].partition("\n")[0]))
        return tracers - {0}

    # --- gone ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Its signal to the first process, as a service manager would; SIGKILL to what is left; none may be left then.

        AssertionError where SIGKILL was needed: then the server, or its row in the table, is at fault.
        """
        needed_force: list[int] = []
        try:
            if self.server.ends_alone:
                self.process.send_signal(signal.Signals[self.server.ends_by])
            else:
                os.killpg(self.process.pid, signal.Signals[self.server.ends_by])
            if not self._gone_within(PATIENCE_S):
                needed_force = self.pids()
                for pid in needed_force:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                assert self._gone_within(PATIENCE_S), f"{self.server.name} left {self.pids()} behind"
            assert not needed_force, f"{self.server.name}: {needed_force} did not end on SIGTERM; log:\n{self.log}"
        finally:
            os.close(self._pidfd)
            self.guard.dismiss()

    def _gone_within(self, limit_s: float) -> bool:
        """Wait until every process of the session has ended, and is reaped."""
        end = time.monotonic() + limit_s
        self.process.poll()
        while members := self.pids():
            if time.monotonic() > end:
                return False
            await_end(members[0])
            self.process.poll()
        return True


def free_port() -> int:
    """A loopback port on which nobody listens now.  Raises RuntimeError if a hundred random ones were taken."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As servers do; else a port with a connection in TIME_WAIT looks taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port between 20000 and 30000")


def _call(pid: int, tid: int) -> int | None:
    """Number of the call in which it sleeps; None if it runs or is gone."""
    with contextlib.suppress(OSError):
        return TaskFiles(pid, tid, True).syscall()
    return None
