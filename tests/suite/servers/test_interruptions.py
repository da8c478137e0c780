"""Which system calls of a server count as interrupted by somebody else."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from probes import syscalls
from probes.lab.deadline import until
from probes.observers.task_files import TaskFiles, switches_of

from .interruptions import Excuses, Interruptions, _Signals, interruptions_of, pending
from .server import SELECT

_SIGNALS_ITSELF = """
import select, signal, sys, threading
signal.signal(signal.SIGURG, lambda *_: None)
thread = threading.Thread(target=select.select, args=([], [], [], 1000), daemon=True)
thread.start()
print(thread.native_id, flush=True)
for _ in sys.stdin:
    signal.pthread_kill(thread.ident, signal.SIGURG)
"""
_NONE = Excuses(Counter(), Counter())
_SI_USER, _SI_TKILL, _SI_KERNEL = 0, -6, 0x80
"""Codes of a signal (include/uapi/asm-generic/siginfo.h): from kill(2), from tgkill(2), from the kernel."""


def test_its_own_signals_are_no_interruptions() -> None:
    """Like Go's on a busy machine; a signal from anybody else is seen to interrupt a call."""
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


def test_a_signal_that_was_sent_before_is_known() -> None:
    """It is pending in a thread that has not run since; no record shows it."""
    line = [sys.executable, "-u", "-c", _SIGNALS_ITSELF]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            task = (server.pid, int(server.stdout.readline()))
            assert not any(counts.total() for counts in pending([task]))
            server.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, server.pid, os.WSTOPPED)
            server.send_signal(signal.SIGURG)
            assert pending([task]) == (Counter({task[1]: 0}), Counter({server.pid: 1}))
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("own", "before", "others"),
    [
        (_NONE, _NONE, [(71, 3), (72, 4)]),
        (Excuses(Counter({71: 2}), Counter()), _NONE, [(72, 4)]),
        (Excuses(Counter(), Counter({70: 1})), _NONE, [(72, 4)]),
        (_NONE, Excuses(Counter({72: 1}), Counter()), [(71, 3)]),
        (Excuses(Counter({72: 1}), Counter()), Excuses(Counter(), Counter({70: 1})), []),
    ],
)
def test_a_signal_excuses_one_call(own: Excuses, before: Excuses, others: list[tuple[int, int]]) -> None:
    """A call of its thread; a signal to a process, of any thread there.  One that was sent before excuses only once."""
    rings = Interruptions.__new__(Interruptions)
    rings._process_of, rings._on_their_way = {71: 70, 72: 70}, before
    rings._calls = SimpleNamespace(seen=lambda: [(71, 3), (72, 4)])  # type: ignore[assignment]
    rings._signals = SimpleNamespace(own=lambda pids: own)  # type: ignore[assignment]
    assert rings.seen() == others
    rings._signals = SimpleNamespace(own=lambda pids: _NONE)  # type: ignore[assignment]
    assert len(rings.seen()) == 2


@pytest.mark.parametrize(
    ("number", "code", "sender", "own"),
    [
        (signal.SIGURG, _SI_TKILL, 70, True),
        (signal.SIGURG, _SI_TKILL, 71, False),
        (signal.SIGTERM, _SI_USER, 71, False),
        (signal.SIGALRM, _SI_KERNEL, 71, True),
        (signal.SIGCHLD, 1, 71, True),
        (signal.SIGPIPE, _SI_KERNEL, 70, False),
    ],
)
def test_whose_doing_a_signal_is(number: int, code: int, sender: int, own: bool) -> None:
    """The kernel's signals are not sent by the task that was on the CPU; yet a timer is the server's own."""
    signals = _Signals.__new__(_Signals)
    signals._to_at, signals._signal_at, signals._code_at = 8, 12, 16
    assert signals._is_own(struct.pack("=iiiii", sender, sender, 70, number, code), {70}) == own
