"""What runs inside a waiter, from the fork until it is killed.

get ready --> [be traced] --> wait --> record the result --> react --> park, or wait again
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import struct
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from .. import refusals, syscalls
from ..scenario import Scenario
from ..strategies import Strategy, Waiting
from .board import (
    AT_NS,
    AT_S,
    FAILED,
    GET_READY,
    GO,
    PARKED,
    PHASE,
    READY,
    RESULT,
    RETURNED,
    SECOND_NS,
    SPURIOUS,
    SWITCHES,
    TID,
    WAITING,
    WON,
    Board,
)

TELLS_NOTHING = frozenset((errno.EINTR, *refusals.REMEDIES))
"""Errors of a wait call, or of the accept after it, that say nothing about the kernel.

EINTR is one because the lab sends waiters no signals, so somebody else has interrupted the wait: a freezer, a debugger,
or a signal.  The exceptions are waiters for SIGIO, which may be interrupted by another thread's signal."""
SOCK_CLOEXEC = 0o2000000
FUTEX_WAIT = 0
ANSWER = struct.Struct("<i")
"""What a winner sends over the connection that it took: its place in the arrangement."""

PARK = "pause" if "pause" in syscalls.NUMBERS else "ppoll"
"""The call in which a waiter stays when it is done, and which nothing ends."""


def park() -> NoReturn:
    """Sleep until killed."""
    while True:
        syscalls.call(syscalls.number_of(PARK), 0, 0, 0, 0, 8)


def live(
    i: int,
    scenario: Scenario,
    strategy: Strategy,
    fd: int,
    board: Board,
    *,
    gated: bool,
    count_switches: bool,
    be_traced: Callable[[], None] | None,
) -> NoReturn:
    """Be waiter `i`.  Errors before the wait are recorded on the board, for the conductor."""
    line = board.line(i)
    line[TID] = threading.get_native_id()
    try:
        if gated:
            _stand_at_gate(board, i, GET_READY)
        waiting = strategy.waiting(i)
        if be_traced is not None:
            be_traced()
        line[PHASE] = READY
        if gated:
            _stand_at_gate(board, i, GO)
    except OSError as error:
        line[RESULT] = -(error.errno or 0)
        line[PHASE] = FAILED
        park()
    except BaseException as error:  # noqa: BLE001  # the conductor reports it; a waiter must never leave this function
        line[RESULT] = -errno.ENOMEM if isinstance(error, MemoryError) else 0
        line[PHASE] = FAILED
        park()
    _wait_and_react(i, line, waiting, scenario, fd, count_switches)
    line[PHASE] = PARKED
    park()


def _stand_at_gate(board: Board, i: int, stage: int) -> None:
    """Sleep until the conductor has opened this waiter's gate up to `stage` (futex(2), FUTEX_WAIT).

    Raises OSError if futex fails, because it would be called again for ever.
    """
    while (current := board.gate(i)) < stage:
        result = syscalls.call(syscalls.number_of("futex"), board.gate_address(i), FUTEX_WAIT, current, 0)
        if -result not in (0, errno.EAGAIN, errno.EINTR):
            raise OSError(-result, os.strerror(-result))


def _wait_and_react(
    i: int, line: memoryview, waiting: Waiting, scenario: Scenario, fd: int, count_switches: bool
) -> None:
    """Wait and react: under hold and accept once, under drain and loop for ever."""
    for_ever = scenario.reaction in ("drain", "loop")
    while True:
        if count_switches:
            line[SWITCHES] = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        line[PHASE] = WAITING
        result = waiting.wait()
        line[AT_S], line[AT_NS] = divmod(time.monotonic_ns(), SECOND_NS)
        line[RESULT] = result
        line[RETURNED] += 1
        if result >= 0:
            _react(i, line, result, scenario, fd)
        elif -result in TELLS_NOTHING and scenario.call != "rt_sigtimedwait":
            _give_up(line, result)
        elif scenario.takes:
            line[SPURIOUS] += 1
        if not for_ever:
            return
        waiting.rearm()


def _react(i: int, line: memoryview, result: int, scenario: Scenario, fd: int) -> None:
    """Take what is there, as the scenario's reaction says, and answer it."""
    reaction = scenario.reaction
    if scenario.takes:
        line[WON] += 1
        if reaction != "hold" and scenario.connects:
            _answer(i, result, reaction)
        return
    if reaction == "hold":
        return
    taken = 0
    while (came := _take(scenario, fd)) >= 0:
        taken += 1
        line[WON] += 1
        if scenario.connects:
            _answer(i, came, reaction)
        if reaction != "drain":
            break
    if -came in TELLS_NOTHING:
        _give_up(line, came)
    if not taken:
        line[SPURIOUS] += 1


def _give_up(line: memoryview, result: int) -> NoReturn:
    """Park as failed; the conductor then says why this trial is inconclusive."""
    line[RESULT] = result
    line[PHASE] = FAILED
    park()


def _take(scenario: Scenario, fd: int) -> int:
    """Take a connection, or what one read returns; minus the errno if there is nothing, because `fd` does not block."""
    if scenario.connects:
        return syscalls.call(syscalls.NUMBERS["accept4"], fd, 0, 0, SOCK_CLOEXEC)
    buffer = ctypes.create_string_buffer(scenario.piece)
    return syscalls.call(syscalls.NUMBERS["read"], fd, ctypes.addressof(buffer), scenario.piece)


def _answer(i: int, connection: int, reaction: str) -> None:
    """Tell the client who won.  Under accept the connection stays open while the waiter is parked."""
    with contextlib.suppress(OSError):  # if the client is gone, the trial is over, and nobody reads this
        os.write(connection, ANSWER.pack(i))
    if reaction != "accept":
        os.close(connection)
