"""Which system calls of a server count as broken off by somebody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from probes import syscalls
from probes.lab.deadline import until
from probes.observers.task_files import TaskFiles, switches_of

from .interruptions import interruptions_of
from .server import SELECT

_SIGNALS_ITSELF = """
import select, signal, sys, threading
signal.signal(signal.SIGURG, lambda *_: None)
thread = threading.Thread(target=select.select, args=([], [], [], 1000), daemon=True)
thread.start()
print(thread.native_id, flush=True)
signal.signal(signal.SIGALRM, lambda *_: signal.pthread_kill(thread.ident, signal.SIGURG))
for _ in sys.stdin:
    signal.setitimer(signal.ITIMER_REAL, 0.001)
"""


def test_its_own_signals_are_no_interruptions() -> None:
    """Go's, on a busy machine, and those of a timer; whoever else sends one is seen to break off a call."""
    selects, read = {syscalls.number(call) for call in SELECT}, syscalls.number("read")
    line = [sys.executable, "-u", "-c", _SIGNALS_ITSELF]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            tid = int(server.stdout.readline())
            thread, main = TaskFiles(server.pid, tid, True), TaskFiles(server.pid, server.pid, True)
            until(lambda: thread.syscall() in selects and main.syscall() == read, lambda: "it does not wait")
            before = switches_of(tid) or 0
            with interruptions_of([(server.pid, server.pid), (server.pid, tid)]) as rings:
                if isinstance(rings, str):
                    pytest.skip(f"nobody sees which calls return here: {rings}")
                server.stdin.write("\n")
                server.stdin.flush()
                until(lambda: (switches_of(tid) or 0) > before, lambda: "no signal reached the thread")
                until(lambda: thread.syscall() in selects and main.syscall() == read, lambda: "it does not wait again")
                assert rings.seen() == []
                os.kill(server.pid, signal.SIGURG)
                seen: list[tuple[int, int]] = []
                until(lambda: bool(seen.extend(rings.seen()) or seen), lambda: "no call was broken off")
                assert seen == [(server.pid, read)]
        finally:
            server.kill()
