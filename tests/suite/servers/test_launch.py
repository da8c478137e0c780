"""The launcher: its servers answer, all their workers wait, and nothing is left of them, whatever ends the launcher."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probes import syscalls

from .conftest import TESTED, need
from .core_rows import GRANIAN
from .launch import ROOT, DidNotStart, Running
from .processes import await_end, pids_of_session
from .server import Program, Server
from .servers import named

GONE_WITHIN_S = 30.0

_STARTS_AND_WAITS = """
import signal, sys
from tests.suite.servers.launch import Running
from tests.suite.servers.servers import named
running = Running(named(sys.argv[1]))
print(running.process.pid, running.guard.pid, running.folder, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("server", TESTED, ids=lambda server: server.name)
def test_it_serves_and_nothing_of_it_is_left(server: Server) -> None:
    with Running(need(server)) as running:
        assert running.is_served()
        assert not server.processes or len(running.pids()) == server.processes
        assert running.tracers() == set()
        members = running.pids()
    assert running.pids() == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in members)
    assert not running.folder.exists()
    with pytest.raises(ConnectionRefusedError):
        running.is_served()


@pytest.mark.parametrize("server", TESTED, ids=lambda server: server.name)
def test_it_ends_with_whoever_started_it(server: Server) -> None:
    """SIGKILL to the launcher, which then cannot clean up."""
    syscalls.adopt_orphans()
    command = [sys.executable, "-c", _STARTS_AND_WAITS, need(server).name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        said = launcher.stdout.readline().split()
        assert said, "the launcher did not start the server"
        leader, guard, folder = int(said[0]), int(said[1]), said[2]
        launcher.send_signal(signal.SIGKILL)
    end = time.monotonic() + GONE_WITHIN_S
    try:
        while left := pids_of_session(leader):
            assert time.monotonic() < end, f"{server.name} outlived its launcher: {left}"
            await_end(left[0])
        while Path(f"/proc/{guard}").exists():
            assert time.monotonic() < end, "the guard outlived them"
            await_end(guard)
        assert not Path(folder).exists()
    finally:
        for pid in pids_of_session(leader):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_server_that_cannot_start_says_why() -> None:
    broken = dataclasses.replace(need(named("nginx")), files={"nginx.conf": "no such directive;"})
    with pytest.raises(DidNotStart, match=r"nginx: it ended(.|\n)*unknown directive"):
        Running(broken)


def test_a_missing_program_names_what_installs_it() -> None:
    missing = dataclasses.replace(named("granian"), program=Program("no-such-program", GRANIAN.install, "granian"))
    with pytest.raises(FileNotFoundError, match=r"no-such-program is missing: .*pip install granian"):
        Running(missing)
