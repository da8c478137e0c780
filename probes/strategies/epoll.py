"""Blocked in epoll_wait, epoll_pwait or epoll_pwait2: a private instance each, or one that all share."""

from __future__ import annotations

import ctypes
import errno
import select
import struct

from .. import syscalls
from ..scenario import Scenario
from ..verdict import NotApplicable
from . import OPENED, Strategy, SystemCall, SystemCalls, Waiting, number_of

EPOLLEXCLUSIVE = 1 << 28
"""include/uapi/linux/eventpoll.h; Python has the name only if its build machine had it."""

FLAGS = {
    "level": 0,
    "edge": select.EPOLLET,
    "oneshot": select.EPOLLONESHOT,
    "exclusive": EPOLLEXCLUSIVE,
    "edge-exclusive": select.EPOLLET | EPOLLEXCLUSIVE,
}


_EPOLL_CTL_ADD, _EPOLL_CTL_MOD = 1, 3
_EVENT = struct.Struct("=Iq" if syscalls.ARCHITECTURE in ("x86_64", "x32") else "@Iq")
"""struct epoll_event with a descriptor as its data.  Only x86-64 packs it (include/uapi/linux/eventpoll.h); elsewhere C
aligns the data, to 4 bytes on i386 and to 8 on most others."""


class Epoll(Strategy):
    """Instances made before the fork (shared, or private ones registered in a known order) live here."""

    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._scenario = scenario
        self._fds = fds
        self._events = scenario.ready | FLAGS[str(scenario.trigger)]
        self._shared: select.epoll | None = None
        self._private: list[select.epoll] = []
        if scenario.sharing == "epoll":
            self._shared = self._registered(fds[0])
        elif scenario.registered == "before-fork":
            self._private = [self._registered(fd) for fd in fds]
        else:
            # Try it once here, so that a kernel without the flag refuses it before anything is forked.
            self._registered(fds[0]).close()

    def _registered(self, fd: int) -> select.epoll:
        instance = select.epoll()
        try:
            instance.register(fd, self._events)
        except OSError as error:
            instance.close()
            if error.errno == errno.EINVAL and self._events & EPOLLEXCLUSIVE:
                raise NotApplicable("EPOLLEXCLUSIVE: EINVAL") from error
            # epoll_ctl(2): EPERM if the file does not support epoll.  A sandbox denies it whatever the arguments.
            if error.errno == errno.EPERM and syscalls.call(syscalls.NUMBERS["epoll_ctl"], -1, -1, -1) != -errno.EPERM:
                raise NotApplicable(f"an epoll instance cannot watch this ({self._scenario.source}): EPERM") from error
            raise
        return instance

    def waiting(self, i: int) -> _Waiting:
        if self._shared is not None:
            instance = self._shared
        elif self._private:
            instance = self._private[i]
        else:
            instance = self._registered(self._fds[i])
        return _Waiting(self._scenario, instance, self._fds[i], self._events)

    def system_calls(self, i: int) -> SystemCalls:
        event = ctypes.create_string_buffer(_EVENT.pack(self._events, self._fds[i]))
        room = ctypes.create_string_buffer(_EVENT.size)
        before: tuple[SystemCall, ...] = ()
        instance = OPENED

        def control(operation: int) -> SystemCall:
            arguments = (instance, operation, self._fds[i], ctypes.addressof(event))
            return SystemCall(syscalls.NUMBERS["epoll_ctl"], arguments)

        if self._shared is not None or self._private:
            instance = (self._shared or self._private[i]).fileno()
        else:
            create = SystemCall(syscalls.NUMBERS["epoll_create1"], (select.EPOLL_CLOEXEC,))
            before = (create, control(_EPOLL_CTL_ADD))
        wait = SystemCall(
            number_of(self._scenario.call), (instance, ctypes.addressof(room), 1, _timeout_of(self._scenario), 0, 8)
        )
        again = control(_EPOLL_CTL_MOD) if self._scenario.trigger == "oneshot" else None
        return SystemCalls(wait, before, again, (event, room))

    def close(self) -> None:
        for instance in (*self._private, *([self._shared] if self._shared else [])):
            instance.close()


def _timeout_of(scenario: Scenario) -> int:
    """epoll_pwait2 takes a timespec, none for no limit; the others milliseconds, -1 for no limit."""
    return 0 if scenario.call == "epoll_pwait2" else -1


class _Waiting(Waiting):
    def __init__(self, scenario: Scenario, instance: select.epoll, fd: int, events: int) -> None:
        self._number = number_of(scenario.call)
        self._instance, self._fd, self._mask = instance, fd, events
        # Room for one struct epoll_event: 12 bytes on x86, 16 elsewhere; nobody reads it.
        self._event = (ctypes.c_uint64 * 2)()
        self._timeout = _timeout_of(scenario)
        self._oneshot = scenario.trigger == "oneshot"

    def wait(self) -> int:
        address = ctypes.addressof(self._event)
        return syscalls.call(self._number, self._instance.fileno(), address, 1, self._timeout, 0, 8)

    def rearm(self) -> None:
        if self._oneshot:
            self._instance.modify(self._fd, self._mask)
