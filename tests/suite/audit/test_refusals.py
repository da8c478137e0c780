"""What cannot be audited: one sentence says why, and the exit code is the documented one."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probes import syscalls
from probes.audit.find import descendants
from probes.host import PROJECT

from .conftest import PATIENCE_S, Audit, Start, command

BAD_INPUT, CANNOT_JUDGE = 2, 3


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ended_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "{free}"), "nothing listens on port {free} here: start the server first, or name another"),
        (("--port", "192.0.2.1:80"), "192.0.2.1 is not an address of this machine: only servers on this machine"),
        (("--port", "example.com:80"), "example.com is not an address of this machine: only servers on this machine"),
        (("--port", "http"), "'http' is not a port: write 8000, 127.0.0.1:8000 or [::1]:8000"),
        (("--port", "70000"), "'70000' is not a port"),
        (("--pid", "{ended}"), "no process {ended}: it is gone, or never was"),
        (("--pid", "{self}"), "process {self} and its children hold no listening socket"),
        (("--unix", "/nonexistent/s"), "nothing listens on /nonexistent/s here"),
        ((), "name a server: --port 8000, --pid PID, --unix PATH, or -- and a command that starts it"),
        (("--port", "80", "--connections", "1001"), "1001 connections: there can be 1 to 1,000"),
        (("--port", "80", "--rate", "1000"), "a rate of 1000: there can be up to 100 connections a second"),
        (("--port", "80", "--rate", "1e-9"), "a rate of 1e-09: there must be one connection an hour at least"),
        (("--port", "80", "--http", "--send", "x"), "--http, --send and --dns each say what to send: give one of them"),
        (("--port", "80", "--send", r"\x"), r"'\\x' holds an escape that means no byte"),
        (("--port", "80", "--html", "/nonexistent/a/b"), "/nonexistent/a/b cannot be written"),
        (("--", "/nonexistent/server"), "/nonexistent/server cannot be started: No such file or directory"),
    ],
)
def test_bad_input(audit: Audit, arguments: tuple[str, ...], sentence: str) -> None:
    known = {"free": _free_port(), "ended": _ended_pid(), "self": os.getpid()}
    if "/nonexistent/a/b" in arguments and os.geteuid() == 0:
        arguments = tuple(argument.replace("/nonexistent/a/b", "/proc/a") for argument in arguments)
        sentence = "/proc/a cannot be written"
    answer = audit(*(argument.format(**known) if "\\" not in argument else argument for argument in arguments))
    assert answer.code == BAD_INPUT, answer.text
    assert answer.text.startswith("wakecheck: " + (sentence.format(**known) if "\\" not in sentence else sentence))
    assert answer.text.count("\n") == 1


def test_never_idle(start: Start, audit: Audit) -> None:
    """If the workers never rest, the audit gives the reason instead of a number."""
    answer = audit("--port", start("spin").address)
    assert answer.code == CANNOT_JUDGE
    assert answer["verdict"] == "inconclusive"
    assert answer["woken"] is None
    assert "the server is busy: before the audit connected, thread" in answer["reason"], answer.text


def test_ends_during_the_audit(start: Start, audit: Audit) -> None:
    answer = audit("--port", start("die", 1).address)
    assert answer.code == CANNOT_JUDGE
    assert answer["reason"].endswith("of the server ended during the audit"), answer.text


def test_worker_that_came_meanwhile(start: Start, audit: Audit) -> None:
    """Nobody saw whether it woke, so there is no number."""
    answer = audit("--port", start("grow", 1).address)
    assert answer.code == CANNOT_JUDGE
    assert answer["woken"] is None
    assert "came during the audit, and waits for the listener too" in answer["reason"], answer.text


def test_a_worker_that_the_first_connection_starts(start: Start, audit: Audit) -> None:
    """Like a cold Postfix, or socket activation: the audit that started the worker says that another can judge it."""
    server = start("on-demand", 1)
    answer = audit("--port", server.address)
    assert answer.code == CANNOT_JUDGE
    assert "was started by a connection, and waits for the listener since: audit once more" in answer["reason"]
    again = audit("--port", server.address)
    assert again["verdict"] == "wakes one", again.text


def test_nobody_waits(start: Start, audit: Audit) -> None:
    answer = audit("--port", start("deaf").address)
    assert answer.code == CANNOT_JUDGE
    assert answer["reason"].startswith("no thread of the server was seen waiting for the listener")


def test_two_sockets_of_one_path(start: Start, audit: Audit, tmp_path: Path) -> None:
    """A path that was removed and bound again names two sockets: a client reaches the newer, and so does the audit."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as older:
        older.bind(str(path))
        older.listen()
        path.unlink()
        start("level", address=str(path))
        answer = audit("--unix", path)
        assert answer["woken"] == {"min": 4, "median": 4, "max": 4}, answer.text
        assert select.select([older], [], [], 0)[0] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become somebody else")
def test_somebody_elses(start: Start) -> None:
    """The audit runs as an ordinary user: its process becomes one once it has loaded all that it needs."""
    server = start("level")
    program = (
        "import os, sys; from probes.__main__ import main; import rich.console, rich.status, json; "
        "import probes.audit.auditing, probes.audit.words, probes.report.audit_page; "
        "rich.console.Console(stderr=True).status(''); "
        "os.setgid(65534); os.setuid(65534); sys.exit(main(['audit', *sys.argv[1:]]))"
    )
    for arguments, sentence in (
        (("--pid", str(server.process.pid)), f"process {server.process.pid} belongs to root: run as root to audit it"),
        (("--port", server.address), "none of the processes that you may look into holds it: run as root"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == BAD_INPUT, done.stderr
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1


# --- a server that the audit starts -------------------------------------------------------------


def _with_argument(word: str) -> list[int]:
    """Processes whose command line contains this word."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word.encode() in words:
                pids.append(int(entry.name))
    return pids


def test_started_and_stopped(audit: Audit, tmp_path: Path) -> None:
    """It is started, audited and stopped, and nothing of it is left."""
    address = str(tmp_path / "s")
    answer = audit(server=tuple(command("level", 4, address)))
    assert answer["woken"] == {"min": 4, "median": 4, "max": 4}, answer.text
    assert _with_argument(address) == []


def test_workers_that_start_late(audit: Audit, tmp_path: Path) -> None:
    """A server listens before it has started its workers; the audit waits for all of them."""
    answer = audit(server=tuple(command("late", 3, str(tmp_path / "s"))))
    assert answer["workers"] == 3, answer.text
    assert answer["woken"]["max"] == 3, answer.text


def test_ends_before_it_listens(audit: Audit) -> None:
    answer = audit(server=(sys.executable, "-c", "raise SystemExit('no such app')"))
    assert answer.code == CANNOT_JUDGE
    assert answer["reason"].endswith("ended before it listened: no such app"), answer.text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_leaves_nothing(tmp_path: Path, number: int) -> None:
    """However the audit ends, the server that it started ends with it."""
    address = str(tmp_path / "s")
    line = [sys.executable, "-m", "probes", "audit", "--connections", "1000", "--rate", "5", "--"]
    us = os.getpid()

    def as_in_the_foreground() -> None:
        # A shell starts a job in the background with SIGINT ignored, and who starts so keeps to it (signal(7)).
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        syscalls.die_with_parent(us)

    process = subprocess.Popen(
        [*line, *command("level", 4, address)],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        preexec_fn=as_in_the_foreground,  # noqa: PLW1509 (system calls alone, no lock)
    )
    pipe = process.stderr
    assert pipe is not None
    try:
        deadline = time.monotonic() + PATIENCE_S
        # The audit, its caller, the supervisor (all three carry the server's address), the server, four workers.
        while len(descendants(process.pid)) < 7 and time.monotonic() < deadline:
            # A look at all of /proc costs more than it may be worth to look again at once.
            select.select([pipe], [], [], 0.1)
        process.send_signal(number)
        process.wait(PATIENCE_S)
        while (left := _with_argument(address)) and time.monotonic() < deadline:
            select.select([], [], [], 0.1)
        assert left == []
    finally:
        process.kill()
        process.wait()
        pipe.close()


def test_started_with_signals_ignored_and_blocked(tmp_path: Path) -> None:
    """Supervisors and CI agents may ignore SIGCHLD and block the other signals.  The server inherits neither."""
    status = tmp_path / "status"
    address = str(tmp_path / "s")
    script = f'grep ^Sig /proc/self/status > {status}; exec "$@"'
    line = [sys.executable, "-m", "probes", "audit", "--json", "--connections", "2", "--", "sh", "-c", script, "sh"]

    def odd_signals() -> None:
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())

    done = subprocess.run(
        [*line, *command("level", 4, address)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        preexec_fn=odd_signals,
        restore_signals=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["woken"]["max"] == 4
    fields = dict(row.split(":\t") for row in status.read_text().splitlines())
    assert (int(fields["SigBlk"], 16), int(fields["SigIgn"], 16)) == (0, 0)
    assert _with_argument(address) == []
