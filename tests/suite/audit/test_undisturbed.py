"""All that the audited server notices is connections: no tracer, no EINTR; it loses none, and goes on."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.host import PROJECT

from .conftest import PATIENCE_S, Answer, Audit, Server, Start, command
from .ptraced import PtraceCalls, ptrace_calls

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


class TracerWatch(threading.Thread):
    """Looks for a tracer of any thread of the server, for as long as the audit runs."""

    def __init__(self, server: Server, calls: PtraceCalls | None) -> None:
        super().__init__()
        self._calls = calls
        self._files = [path for pid in server.pids() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        self.over = threading.Event()
        self.tracers: set[str] = set()
        self.looks = 0

    def run(self) -> None:
        assert len(self._files) > 4
        while not self.over.is_set():
            for path in self._files:
                match = re.search(r"^TracerPid:\s*(\d+)", path.read_text(), re.M)
                assert match
                self.tracers.add(match[1])
            self.looks += 1
            if self._calls is not None:
                self._calls.pump()
            self.over.wait(0.002)


def _echoes(server: Server) -> bool:
    with socket.create_connection(("127.0.0.1", int(server.address)), 30) as connection:
        connection.sendall(b"still there?")
        return connection.recv(100) == b"still there?"


def _made(answer: Answer) -> int:
    """How many connections the audit made: those that it judged, and those that were disturbed."""
    return int(answer["connections"] + answer["disturbed"])


def _let_alone(server: Server, act: Callable[[], Answer]) -> Answer:
    """What `act` returns.  AssertionError if a thread of the server had a tracer, or ptrace was called on one."""
    with ptrace_calls() as calls:
        watch = TracerWatch(server, calls)
        watch.start()
        try:
            answer = act()
        finally:
            watch.over.set()
            watch.join()
    assert watch.looks > 10
    assert watch.tracers == {"0"}
    assert calls is None or not calls.targets & set(server.pids())
    return answer


@pytest.mark.parametrize("kind", ["accept", "select", "level", "shared"])
def test_undisturbed(start: Start, audit: Audit, kind: str) -> None:
    """No thread has a tracer at any time, no call returns EINTR, every connection is served, and so is the next."""
    server = start(kind)
    answer = _let_alone(server, lambda: audit("--port", server.address))
    assert answer["connections"] == 10, answer.text
    assert _echoes(server)
    server.end()
    assert server.count("EINTR") == 0
    assert server.count("took") == _made(answer) + 1


def test_trace_is_asked_for(start: Start, audit: Audit) -> None:
    """With --trace a tracer attaches, sees the returns, and detaches again."""
    server = start("level")
    with ptrace_calls() as calls:
        watch = TracerWatch(server, calls)
        watch.start()
        answer = audit("--port", server.address, "--trace")
        watch.over.set()
        watch.join()
    if "--trace" in str(answer["reason"]):
        pytest.skip(answer["reason"])
    assert answer["connections"] == 10, answer.text
    assert watch.tracers - {"0"}
    # So the look at its calls can fail.
    assert calls is None or not calls.saw_all or calls.targets & set(server.pids())
    assert answer["woken"] == {"min": 4, "median": 4, "max": 4}
    assert answer["returned"]["min"] >= 1
    assert answer["won"] == {"min": 1, "median": 1, "max": 1}
    assert _echoes(server)


@needs_root
def test_without_tracepoints(start: Start, audit: Audit) -> None:
    """Without the capabilities for tracepoints, context switches show who was woken; missing observers are named."""
    denied = ("setpriv", "--bounding-set=-sys_admin,-perfmon", "--inh-caps=-all")
    answer = audit("--port", start("level").address, prefix=denied)
    assert answer["observers"]["sched_waking"]
    assert answer["observers"]["sys_exit"]
    assert answer["woken"] == {"min": 4, "median": 4, "max": 4}, answer.text
    assert answer["returned"] is None
    assert answer["won"] == {"min": 1, "median": 1, "max": 1}
    assert "nearly sure" in answer["sure"]


_AS_NOBODY = """
import ctypes, os, sys
from probes.__main__ import main
from tests.suite.audit import servers
import heapq, json, ptrace.syscall, pwd, rich.console, rich.live, rich.spinner, rich.status, select
import probes.audit.auditing, probes.audit.words, probes.report.audit_page
rich.console.Console(stderr=True).status("")  # which loads more
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: a change of user has cleared it (prctl(2))
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    os.dup2(writer, 1)
    servers.main("level", 4, "0")
port = os.read(reader, 100).split()[1].decode()
try:
    sys.exit(main(["audit", "--json", "--connections", "10", "--port", port]))
finally:
    os.kill(pid, 9)
"""


@needs_root
def test_ordinary_user() -> None:
    """An ordinary user audits a server of their own; the missing observers are named.

    In a process that has loaded all it needs before it becomes one, so that it may be installed where he cannot read.
    """
    line = [sys.executable, "-c", _AS_NOBODY]
    with ptrace_calls() as calls:
        done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert calls is None or not calls.targets & set(answer["server"]["pids"])
    assert answer["user"] == "uid 65534"
    assert answer["woken"] == {"min": 4, "median": 4, "max": 4}
    assert answer["returned"] is None
    assert answer["won"] == {"min": 1, "median": 1, "max": 1}
    assert answer["observers"]["sched_waking"]
    # His server's parent is himself; other users' processes have not inherited his listener.
    assert answer["server"]["unseen_processes"] == []


@needs_root
def test_other_network_namespace(start: Start, audit: Audit) -> None:
    """Like a container's: found by its pid, or by a port on which nobody listens in any other namespace."""
    server = start("level", prefix=("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"))
    for how in (("--pid", server.process.pid), ("--pid", server.process.pid, "--port", server.address)):
        answer = audit(*how)
        assert answer["listener"]["other_namespace"] is True, answer.text
        assert answer["woken"] == {"min": 4, "median": 4, "max": 4}, answer.text


@needs_root
def test_other_pid_namespace(start: Start, audit: Audit) -> None:
    """A server in another pid namespace is audited by the process ids of ours."""
    server = start("level", prefix=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"))
    answer = audit("--port", server.address)
    assert answer["woken"] == {"min": 4, "median": 4, "max": 4}, answer.text
    assert set(answer["server"]["pids"]) <= set(server.pids())


@needs_root
def test_container(start: Start, audit: Audit) -> None:
    """It has namespaces of its own, the user namespace too; audited from the host by its pid, no thread is traced."""
    namespaces = ("--user", "--map-root-user", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child")
    inside = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    server = start("level", prefix=("unshare", *namespaces, "--mount-proc", *inside))
    answer = _let_alone(server, lambda: audit("--pid", server.process.pid))
    assert answer.code == 0, answer.text
    assert answer["listener"]["other_namespace"] is True, answer.text
    assert answer["woken"] == {"min": 4, "median": 4, "max": 4}, answer.text
    assert set(answer["server"]["pids"]) <= set(server.pids())
    server.end()
    assert answer["connections"] == 10
    assert server.count("took") == _made(answer)


_STEERED = """
mount -t sysfs none /sys && mount -t tracefs none /sys/kernel/tracing && ip link set lo up || exit 99
echo 1 > /sys/class/net/lo/queues/rx-0/rps_cpus && exec "$@"
"""


@needs_root
def test_steered_packets_are_no_other_clients(audit: Audit) -> None:
    """They wake workers from a softirq on another CPU: who issued which wake-up is not known, and not reported."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("takes two CPUs")
    prefix = ("unshare", "--net", "--mount", "sh", "-c", _STEERED, "sh")
    answer = audit(prefix=prefix, server=tuple(command("level", 4, "0")))
    assert "receive packet steering" in answer["observers"]["sched_waking"], answer.text
    assert answer["woken"]["median"] == 4, answer.text
    assert answer["verdict"] == "herds"
