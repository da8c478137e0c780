"""How each thread waits: the call that it is blocked in, and whether it waits for the listener there.

/proc/PID/task/TID/syscall shows the call and its arguments while the thread sleeps (proc_pid_syscall(5)); reading it
neither stops nor wakes anybody.  The descriptors of select and poll are in the process's memory, which is read if that
is allowed (process_vm_readv(2) needs the same permission).  If /proc/PID/task/TID/syscall is denied, as under Yama,
wchan names the kernel function in which the thread sleeps.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .. import syscalls
from ..axes import ACCEPTS, EPOLL_CALLS
from ..evidence import call_name
from .locks import has_a_limit, waits_for_a_lock
from .registered import registered_for, trigger_of

RECEIVES = ("recvfrom", "recvmsg", "recvmmsg")
"""Calls that take a datagram."""
_SLEEPS = {
    # Kernel function (fs/eventpoll.c, net/ipv4/inet_connection_sock.c, net/core/datagram.c, fs/select.c) -> call.
    "ep_poll": "epoll_wait",
    "inet_csk_accept": "accept",
    "inet_csk_wait_for_connect": "accept",
    "__skb_wait_for_more_packets": "recvfrom",
    # Both sleep there, so there is no scenario for it.
    "poll_schedule_timeout": "select or poll",
}
_POLLFD_BYTES = 8
_LONG_BITS = 8 * struct.calcsize("@L")
_POLLIN = 1
_MOST_POLLED = 65_536


@dataclass(frozen=True)
class Wait:
    """How one thread waits at one moment."""

    pid: int
    tid: int
    name: str
    call: str | None
    """The system call that it is blocked in; None while it runs, or if that is not known."""
    listens: bool | None
    """Whether that call waits for the listener; None: probably, but its arguments cannot be seen."""
    trigger: str | None = None
    epoll: tuple[int, int] | None = None
    """(pid, descriptor) of the epoll instance."""
    inodes: tuple[int, ...] = ()
    """The listener's sockets (inodes) that it waits for, if that is known."""
    for_lock: bool = False
    """Whether it waits for a lock between processes."""
    limited: bool = False
    """Whether it waits for events with a time limit, after which it looks again."""

    @property
    def is_candidate(self) -> bool:
        """Whether a connection may wake it through the listener."""
        return self.listens is not False


def threads_of(pid: int) -> list[int]:
    """Thread ids of process `pid`; empty if it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    return []


def wait_of(pid: int, tid: int, held: Mapping[int, int]) -> Wait:
    """How thread `tid` waits; `held` maps the process's descriptors of the listener to inodes (it may be empty).

    Raises OSError (ENOENT, ESRCH) if the thread is gone.
    """
    name = _text(f"/proc/{pid}/task/{tid}/comm").removesuffix("\n")
    try:
        line = _text(f"/proc/{pid}/task/{tid}/syscall")
    except PermissionError:
        return _by_wchan(pid, tid, name, held)
    number, arguments = parse_syscall(line)
    if number is None:
        return Wait(pid, tid, name, None, False)
    call = called(number)
    if number == syscalls.SOCKETCALL:
        call, arguments = _by_socketcall(pid, arguments)
    if not held:
        return Wait(pid, tid, name, call, False)
    wait = _decoded(pid, tid, name, call, arguments, dict(held))
    return replace(wait, for_lock=waits_for_a_lock(call, arguments), limited=has_a_limit(call, arguments))


def called(number: int) -> str:
    """The name of a system call, without the suffix that marks 64-bit times on 32-bit architectures.

    The system call recv (32-bit arm, powerpc) is recvfrom without an address (net/socket.c).
    """
    name = call_name(number).removesuffix("_time64")
    return "recvfrom" if name == "recv" else name


def parse_syscall(line: str) -> tuple[int | None, tuple[int, ...]]:
    """Number and six arguments from /proc/PID/syscall; the number is None while the thread runs or is in no call."""
    fields = line.split()
    if not fields or fields[0] == "running" or int(fields[0]) < 0:
        return None, ()
    return int(fields[0]), tuple(int(field, 16) for field in fields[1:7])


def _by_socketcall(pid: int, arguments: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """The call that socketcall(2) makes, and its first argument, which is in memory as a long; no argument if that may
    not be read.

    Of a call on a socket nothing else is needed.
    """
    does = syscalls.done_by_socketcall(arguments[0])
    word = _memory(pid, arguments[1], _LONG_BITS // 8)
    if does is None or word is None:
        return "socketcall", ()
    return does, struct.unpack("@L", word)


def _decoded(pid: int, tid: int, name: str, call: str, arguments: tuple[int, ...], held: dict[int, int]) -> Wait:
    if call in ACCEPTS or call in RECEIVES:
        inode = held.get(arguments[0] & 0xFFFFFFFF)
        return Wait(pid, tid, name, call, inode is not None, inodes=(inode,) if inode else ())
    if call in EPOLL_CALLS:
        fd = arguments[0] & 0xFFFFFFFF
        return in_epoll(Wait(pid, tid, name, call, None, epoll=(pid, fd)), held)
    if call in ("select", "pselect6"):
        return _with_memory(pid, tid, name, call, _selected(pid, arguments), held)
    if call in ("poll", "ppoll"):
        return _with_memory(pid, tid, name, call, _polled(pid, arguments), held)
    # Nothing shows what the requests of a ring wait for.
    return Wait(pid, tid, name, call, None if call == "io_uring_enter" else False)


def in_epoll(wait: Wait, held: Mapping[int, int]) -> Wait:
    """The same wait in an epoll instance, with what the instance holds now; `held` as for `wait_of`."""
    assert wait.epoll is not None
    try:
        events = registered_for(*wait.epoll, held)
    except OSError:
        return replace(wait, listens=None, trigger=None, inodes=())
    trigger = trigger_of(next(iter(events.values()))) if events else None
    return replace(wait, listens=bool(events), trigger=trigger, inodes=tuple(sorted(events)))


def _with_memory(pid: int, tid: int, name: str, call: str, fds: set[int] | None, held: dict[int, int]) -> Wait:
    if fds is None:
        return Wait(pid, tid, name, call, None)
    waited = tuple(sorted({held[fd] for fd in fds & held.keys()}))
    return Wait(pid, tid, name, call, bool(waited), inodes=waited)


def _selected(pid: int, arguments: tuple[int, ...]) -> set[int] | None:
    """Descriptors in the read set of a select; the kernel changes the set only on return (select(2))."""
    count, address = arguments[0] & 0xFFFFFFFF, arguments[1]
    if not address or count > _MOST_POLLED:
        return set()
    # An fd_set is an array of longs, and the byte order within each is the machine's.
    words = -(-count // _LONG_BITS)
    bits = _memory(pid, address, words * _LONG_BITS // 8)
    if bits is None:
        return None
    longs = struct.unpack(f"@{words}L", bits)
    return {fd for fd in range(count) if longs[fd // _LONG_BITS] >> fd % _LONG_BITS & 1}


def _polled(pid: int, arguments: tuple[int, ...]) -> set[int] | None:
    """Descriptors that a poll waits to read from (poll(2))."""
    address, count = arguments[0], arguments[1]
    if not count or count > _MOST_POLLED:
        return set()
    entries = _memory(pid, address, count * _POLLFD_BYTES)
    if entries is None:
        return None
    return {fd for fd, events, _ in struct.iter_unpack("=ihh", entries) if events & _POLLIN}


def _memory(pid: int, address: int, size: int) -> bytes | None:
    """Bytes of the process's memory; None if they may not be read."""
    try:
        fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        content = os.pread(fd, size, address)
    except (OSError, OverflowError):
        return None
    finally:
        os.close(fd)
    return content if len(content) == size else None


def _by_wchan(pid: int, tid: int, name: str, held: Mapping[int, int]) -> Wait:
    """How a thread waits if its call is hidden: judged by the kernel function that it sleeps in, and by what is
    registered in its process's epoll instances."""
    try:
        function = _text(f"/proc/{pid}/task/{tid}/wchan").partition(".")[0]
    except PermissionError:
        function = ""
    call = _SLEEPS.get(function)
    if not held:
        return Wait(pid, tid, name, call, False)
    if call == "epoll_wait":
        waits = [in_epoll(Wait(pid, tid, name, call, None, epoll=(pid, fd)), held) for fd in _epoll_fds(pid)]
        listening = [wait for wait in waits if wait.listens]
        if len(waits) == 1 or not listening:
            return waits[0] if waits else Wait(pid, tid, name, call, None)
        # With several instances it is not known which of them it waits in.
        return Wait(pid, tid, name, call, None)
    return Wait(pid, tid, name, call, None if call or not function else False)


def _epoll_fds(pid: int) -> list[int]:
    fds = []
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{entry}") == "anon_inode:[eventpoll]":
                fds.append(int(entry))
    return fds


def _text(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read()
