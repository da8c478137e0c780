"""Time limits: a wait with a time limit returns 0, never early, and does not spin when the limit has expired."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from .. import syscalls
from ..errnos import errno_of_result
from ..lab.deadline import until
from ..lab.stage import Actor, Me, Stage
from ..verdict import NotApplicable
from .other_limits import BY_THE_CALENDAR, MAKERS

_SPINS_S = 2.0
"""CPU time of one call, in seconds, that no healthy wait takes, however loaded the machine is."""
_LOOK_EVERY_MS = 10
"""How long the answer of a call is waited for before the next look at its CPU time."""
SPINS = f"takes more than {_SPINS_S:.0f} s of CPU time, and does not return"
"""How a call that does so is described."""


def expires(stage: Stage, argument: dict[str, Any]) -> None:
    """One call with a time limit in nanoseconds, on an empty pipe, or on what MAKERS opens for the call."""
    call, limit_ns = argument["call"], argument["ns"]
    made = MAKERS[call](stage, limit_ns) if call in MAKERS else None
    if made is None:
        insist_on_call(call)
    read, write = os.pipe()
    done, said = os.pipe()
    wait = made or waiting(call, read, limit_ns)  # in the stage, so that a failure ends the experiment

    def act(me: Me) -> list[Any]:
        me.ready()
        began, set_clock = time.monotonic_ns(), time.time_ns()
        result = wait()
        took = time.monotonic_ns() - began
        if call in BY_THE_CALENDAR:  # somebody may set that clock meanwhile
            took = max(took, time.time_ns() - set_clock)
        os.write(said, b"x")
        return [result if result >= 0 else errno_of_result(result), took >= limit_ns]

    waiter = stage.actor(act, "w0")
    try:
        spun = spins(waiter, done, stage.answer_limit_s)
        stage.note("spins", f"it {SPINS}", spun)
        if not spun:
            result, late_enough = waiter.answer()
            stage.note("result", "what the call gives", result)
            stage.note("not-early", "it returned when the time was over, or later", late_enough)
    finally:
        for fd in (read, write, done, said):
            os.close(fd)


def insist_on_call(call: str) -> None:
    """Raise NotApplicable if this architecture has neither this system call nor another one that takes its place."""
    if syscalls.serving(call) is None:
        raise NotApplicable(f"this architecture has no {call} system call, and no other that does its work")
    if not syscalls.exists(call):
        raise NotApplicable(f"{call}: ENOSYS")


def spins(waiter: Actor, done: int, limit_s: float | None = None) -> bool:
    """Whether it uses CPU time instead of returning; if so it is killed, because it would never come to rest.

    Raises Inconclusive if it does neither before the deadline (`limit_s`: see `until`).
    """
    ticks = os.sysconf("SC_CLK_TCK")
    poll = select.poll()
    poll.register(done, select.POLLIN)
    spun = called = False
    before = 0.0

    def decided() -> bool:
        nonlocal spun, called, before
        if poll.poll(_LOOK_EVERY_MS):
            return True
        about_to_block = waiter.about_to_block
        with open(f"/proc/{waiter.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        used = (int(fields[11]) + int(fields[12])) / ticks  # utime and stime, proc_pid_stat(5)
        if not called:
            # The time before the call does not count, however late we first see it in the call: on an emulated machine
            # it may be a second, if others use the host's CPUs.
            called, before = about_to_block, used
        spun = used - before > _SPINS_S
        return spun

    until(decided, lambda: "the call neither returned nor took CPU time", limit_s=limit_s)
    if spun:
        waiter.give_up()
    return spun


def _receiver(call: str, limit_ns: int) -> socket.socket:
    """A socket on which this call waits at most this long (SO_RCVTIMEO, socket(7)), and to which nothing comes."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if call == "recvfrom" else socket.SOCK_STREAM)
    receiver.bind("")  # at a free abstract name (unix(7), autobind)
    if call != "recvfrom":
        receiver.listen()
    timeval = syscalls.timeval(limit_ns / 10**9, socket.SO_RCVTIMEO)
    syscalls.set_socket_option(receiver.fileno(), socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    return receiver


def waiting(call: str, fd: int, limit_ns: int, asked: Any = None) -> Callable[[], int]:
    """A function that makes this call once, on one descriptor and with this limit, and returns its result.

    `asked`: the struct pollfd for poll and ppoll, if the caller wants to see what is reported in it.
    """
    serving = syscalls.serving(call) or call
    number = syscalls.NUMBERS[serving]
    milliseconds = limit_ns // 10**6
    spec = syscalls.timespec(call, limit_ns)
    if serving == "select":  # a timeval, whose second half counts microseconds
        spec[1] //= 1000
    if call in ("poll", "ppoll"):
        asked = asked or ctypes.create_string_buffer(struct.pack("ihh", fd, select.POLLIN, 0))

        def wait() -> int:
            limit = milliseconds if serving == "poll" else ctypes.addressof(spec)
            return syscalls.call(number, ctypes.addressof(asked), 1, limit, 0, 8)

    elif call in ("select", "pselect6"):
        word, bit = divmod(fd, ctypes.sizeof(ctypes.c_ulong) * 8)
        wanted = (ctypes.c_ulong * (word + 1))()
        wanted[word] = 1 << bit

        def wait() -> int:
            return syscalls.call(number, fd + 1, ctypes.addressof(wanted), 0, 0, ctypes.addressof(spec), 0)

    elif call in ("accept", "accept4", "recvfrom"):
        receive = _receiver(call, limit_ns)

        def wait() -> int:
            return syscalls.call(number, receive.fileno(), 0, 0, 0)

    elif call == "rt_sigtimedwait":
        awaited = (ctypes.c_uint64 * 1)(1 << (signal.SIGUSR2 - 1))

        def wait() -> int:
            return syscalls.call(number, ctypes.addressof(awaited), 0, ctypes.addressof(spec), 8)

    else:
        instance = select.epoll()
        instance.register(fd, select.EPOLLIN)
        events = (ctypes.c_uint64 * 2)()

        def wait() -> int:
            limit = ctypes.addressof(spec) if call == "epoll_pwait2" else milliseconds
            return syscalls.call(number, instance.fileno(), ctypes.addressof(events), 1, limit, 0, 8)

    return wait
