"""Time limits of waits during which something happened: a wake-up in vain, or another thread closed the descriptor."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import syscalls
from ..errnos import errno_of_result
from ..lab.stage import Actor, Me, Stage
from ..lab.waiter import PARK
from ..scenario import Scenario
from ..sources.connected import Connected
from ..sources.libc import checked, libc
from ..verdict import Inconclusive
from .limits import insist_on_call, spins, waiting

_LIMITS_NS = tuple(milliseconds * 10**6 for milliseconds in (100, 500, 2500, 12500))
"""Time limits that are tried one after the other, until one is long enough for what must happen before it expires."""
_AWAITED, _OTHER = signal.SIGUSR2, signal.SIGUSR1
_FOUR = 4
_TICK_NS = 10 * 10**6
"""The longest tick of a kernel (CONFIG_HZ of 100).  A socket's timeout is counted in ticks, and the rest of it is
rounded down when a loser sleeps again (schedule_timeout), so its wait may be shorter by this much."""


def woken_in_vain(stage: Stage, call: str) -> None:
    """One call with a time limit on a signalfd, and a signal that is not in the signalfd's mask.

    The kernel wakes those that wait on a signalfd for any signal to this process (include/linux/signalfd.h,
    signalfd_notify).  The waiter then finds nothing, and sleeps on.
    """
    insist_on_call(call)
    _insist_on_eyes(stage)
    for limit_ns in _LIMITS_NS:
        seen = _in_vain(stage, call, limit_ns)
        if seen is not None:
            _note(stage, [seen])
            return
    raise Inconclusive("the time limit was over before the wake-up in vain")


def _in_vain(stage: Stage, call: str, limit_ns: int) -> list[Any] | None:
    """The result of the call, whether it was not early, and whether it spins; None if it was not woken in between."""
    done, said = os.pipe()

    def act(me: Me) -> list[Any]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {_AWAITED, _OTHER})
        mask = (ctypes.c_uint64 * 16)(1 << (_AWAITED - 1))
        fd = checked(libc.signalfd(-1, ctypes.byref(mask), os.O_CLOEXEC | os.O_NONBLOCK))
        return _timed(me, waiting(call, fd, limit_ns), limit_ns, said)

    waiter = stage.actor(act, "w0")
    if not waiter.blocked_in_either((call, PARK), lambda: not _over(done)):
        return None
    waiter.send(_OTHER, interrupts=False)
    if spins(waiter, done, stage.answer_limit_s):
        return ["", False, True]
    result, late_enough, slept_twice = waiter.answer()
    return [result, late_enough, False] if slept_twice else None


def _timed(me: Me, wait: Callable[[], int], limit_ns: int, said: int) -> list[Any]:
    """In an actor: the result of one wait, whether it took at least this long, and whether it slept more than once."""
    me.ready()
    before, began = _sleeps(), time.monotonic_ns()
    result = wait()
    took, slept = time.monotonic_ns() - began, _sleeps() - before
    os.write(said, b"x")
    return [result if result >= 0 else errno_of_result(result), took >= limit_ns, slept >= 2]


def _sleeps() -> int:
    """Voluntary context switches of the calling thread (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _over(done: int) -> bool:
    return bool(select.select([done], [], [], 0)[0])


def _insist_on_eyes(stage: Stage) -> None:
    if not stage.observers:
        raise Inconclusive(f"it is not known whether a waiter was woken in between: {stage.why_blind}")


def _note(stage: Stage, seen: list[list[Any]]) -> None:
    stage.note("spins", "it takes CPU time, and does not return", any(spun for _, _, spun in seen))
    stage.note("results", "what each call gives that was woken in vain", [result for result, _, _ in seen])
    stage.note("not-early", "none returned before the time was over", all(kept for _, kept, _ in seen))


def losers(stage: Stage, kind: str) -> None:
    """Four are blocked in recvfrom with SO_RCVTIMEO on one connected stream, and one byte comes; the losers wait on."""
    _insist_on_eyes(stage)
    for limit_ns in _LIMITS_NS:
        answers = _raced(stage, kind, limit_ns)
        if answers is not None:
            stage.note("winners", "waiters that got the byte", [result for result, _, _ in answers].count(1))
            _note(stage, [[result, kept, False] for result, kept, _ in answers if result != 1])
            return
    raise Inconclusive("the time limit was over before all waiters had slept, and been woken")


def _raced(stage: Stage, kind: str, limit_ns: int) -> list[list[Any]] | None:
    """The answer of each waiter; None if one of them was not woken before its time limit expired."""
    scenario = Scenario.parse(f"recvfrom/{kind}/n{_FOUR}/hold/one-write")
    source = stage.source(scenario)
    assert isinstance(source, Connected)
    stage.insist_on_proof(source)
    number, fd = syscalls.number_of("recvfrom"), source.fds[0]
    syscalls.set_socket_option(fd, socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(limit_ns))
    done, said = os.pipe()
    buffer = ctypes.create_string_buffer(1)

    def act(me: Me) -> list[Any]:
        receive = partial(syscalls.call, number, fd, ctypes.addressof(buffer), 1)
        return _timed(me, receive, limit_ns - _TICK_NS, said)

    waiters: list[Actor] = []
    for i in range(_FOUR):
        waiters.append(stage.actor(act, f"w{i}"))
        if not waiters[-1].blocked_in_either(("recvfrom", PARK), lambda: not _over(done)):
            return None
    source.write(0)
    answers = [waiter.answer() for waiter in waiters]
    return answers if all(result == 1 or slept_twice for result, _, slept_twice in answers) else None


def _timeval(limit_ns: int) -> bytes:
    return syscalls.timeval(limit_ns / 10**9, socket.SO_RCVTIMEO)


def closed_elsewhere(stage: Stage, call: str) -> None:
    """One thread waits with a time limit, another one closes the descriptor; nothing comes until the limit expires."""
    insist_on_call(call)
    for limit_ns in _LIMITS_NS:
        seen = _closed(stage, call, limit_ns)
        if seen is not None:
            stage.note("result", "what the call gives when its time is over", seen[0])
            stage.note("reported", "what it reports of the descriptor", seen[1])
            stage.note("kept-its-time", "it returned when the time was over, or later", seen[2])
            return
    raise Inconclusive("the time limit was over before the descriptor was closed")


def _closed(stage: Stage, call: str, limit_ns: int) -> list[Any] | None:
    read, write = os.pipe()
    done, said = os.pipe()
    go, start = os.pipe()
    closed_ns: list[int] = []

    def close() -> None:
        os.read(go, 1)
        os.close(read)
        closed_ns.append(time.monotonic_ns())

    def act(me: Me) -> list[Any]:
        closer = threading.Thread(target=close, daemon=True)
        closer.start()
        asked = ctypes.create_string_buffer(struct.pack("ihh", read, select.POLLIN, 0))
        wait = waiting(call, read, limit_ns, asked)
        me.ready()
        began = time.monotonic_ns()
        result = wait()
        ended = time.monotonic_ns()
        os.write(said, b"x")
        in_time = bool(closed_ns) and closed_ns[0] < began + limit_ns
        reported = struct.unpack("ihh", asked.raw[:8])[2]
        return [result if result >= 0 else errno_of_result(result), reported, ended - began >= limit_ns, in_time]

    waiter = stage.actor(act, "w0")
    if not waiter.blocked_in_either((call, PARK), lambda: not _over(done)):
        return None
    os.write(start, b"x")
    result, reported, late_enough, in_time = waiter.answer()
    os.close(write)
    return [result, "POLLNVAL" if reported & select.POLLNVAL else "nothing", late_enough] if in_time else None
