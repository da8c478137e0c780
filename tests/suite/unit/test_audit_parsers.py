"""What the audit reads: the kernel's lists of sockets, fdinfo, /proc/PID/syscall, and the user's words."""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from probes import syscalls
from probes.audit import auditing, sockets, waits
from probes.audit.arguments import HTTP, add_to, parse_port, request_from, unescape
from probes.audit.disturbed import unrecorded_wake_up
from probes.audit.find import BadTarget, Wanted, the_one_of
from probes.audit.locks import has_a_limit, waits_for_a_lock
from probes.audit.registered import EDGE, EXCLUSIVE, ONESHOT, parse_fdinfo, trigger_of
from probes.audit.returns import why_returns_tell_nothing
from probes.audit.sockets import ListeningSocket, destination
from probes.audit.waits import parse_syscall
from probes.audit.wakers import TracedWakeUp, filter_for, source_of
from probes.audit.watch import ThreadLook, moved, switches_in
from probes.verdict import Inconclusive

FDINFO = """\
pos:\t0
flags:\t02000002
mnt_id:\t17
ino:\t18
tfd:        3 events: 90000019 data:                3  pos:0 ino:8cff01 sdev:9
tfd:        7 events:       19 data: ffffffffffffffff  pos:0 ino:1c sdev:e
"""


def test_fdinfo() -> None:
    first, second = parse_fdinfo(FDINFO)
    assert (first.fd, first.events, first.inode, first.device) == (3, 0x90000019, 0x8CFF01, 9)
    assert trigger_of(first.events) == "edge-exclusive"
    assert (second.fd, second.inode) == (7, 0x1C)


def test_fdinfo_of_an_old_kernel_has_no_inodes() -> None:
    (row,) = parse_fdinfo("pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:                5\n")
    assert (row.fd, row.events, row.inode, row.device) == (5, 0x19, None, None)


@pytest.mark.parametrize(
    ("events", "trigger"),
    [(1, "level"), (1 | EDGE, "edge"), (1 | ONESHOT, "oneshot"), (1 | EXCLUSIVE, "exclusive")],
)
def test_trigger(events: int, trigger: str) -> None:
    assert trigger_of(events) == trigger


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("running\n", None),
        ("-1 0x7ffd 0x55\n", None),
        ("232 0x4 0x5581 0x1 0xffffffffffffffff 0x0 0x0 0x7f 0x7e\n", 232),
    ],
)
def test_syscall_line(line: str, number: int | None) -> None:
    assert parse_syscall(line)[0] == number


@pytest.mark.parametrize(
    ("kernels", "name"),
    [("ppoll_time64", "ppoll"), ("poll", "poll"), ("futex_time64", "futex"), ("recv", "recvfrom")],
)
def test_a_call_has_one_name_however_libc_makes_it(kernels: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "call_name", lambda number: kernels)
    assert waits.called(414) == name


@pytest.mark.parametrize("fds", [{0}, {3, 63, 64, 71}, {31, 32}])
def test_the_set_of_a_select_is_read_in_longs(fds: set[int]) -> None:
    """As FD_SET(3) writes it; on a big-endian machine descriptor 0 is in the last byte of the first long."""
    bits = waits._LONG_BITS
    words = [sum(1 << fd % bits for fd in fds if fd // bits == word) for word in range(128 // bits)]
    memory = ctypes.create_string_buffer(struct.pack(f"@{len(words)}L", *words))
    assert waits._selected(os.getpid(), (max(fds) + 1, ctypes.addressof(memory))) == fds


@pytest.mark.parametrize("theirs", [None, syscalls.ARCHITECTURE, "another"])
def test_a_program_with_other_numbers_is_told(theirs: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the calls of its threads would get wrong names.  If its numbers are not known, nothing is said."""
    monkeypatch.setattr(syscalls, "architecture_of", lambda pid: theirs)
    server: Any = SimpleNamespace(holders={42: {}})
    if theirs != "another":
        auditing._refuse_foreign_architecture(server)
        return
    with pytest.raises(Inconclusive) as refused:
        auditing._refuse_foreign_architecture(server)
    assert str(refused.value) == (
        "process 42 is a program for another, whose system calls have other numbers than those of this Python for "
        f"{syscalls.ARCHITECTURE}: audit it with a Python for another"
    )


def test_socketcall_is_read_as_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arguments are in memory, and its return does not say which call's work it did."""
    assert why_returns_tell_nothing() is None or syscalls.SOCKETCALL is not None
    monkeypatch.setattr(syscalls, "SOCKETCALL", 102)
    memory = ctypes.create_string_buffer(struct.pack("@6L", 7, 0, 0, 0, 0, 0))
    assert waits._by_socketcall(os.getpid(), (18, ctypes.addressof(memory), 0, 0, 0, 0)) == ("accept4", (7,))
    assert waits._by_socketcall(os.getpid(), (18, 0, 0, 0, 0, 0)) == ("socketcall", ())
    assert waits._by_socketcall(os.getpid(), (4, ctypes.addressof(memory), 0, 0, 0, 0)) == ("socketcall", ())
    assert "socketcall(2)" in (why_returns_tell_nothing() or "")


def test_the_architecture_is_that_of_the_program() -> None:
    assert syscalls.architecture_of(os.getpid()) == syscalls.ARCHITECTURE
    assert syscalls.architecture_of("nobody") is None


def test_both_kinds_of_switches_count() -> None:
    status = b"Name:\tx\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n"
    assert switches_in(status) == (12, 3)
    assert ThreadLook("S", 12, 3).switches == 15
    assert switches_in(b"Name:\tx\n") == (0, 0)


def test_moved() -> None:
    """Who switched, and who was not there before; not who only slept on."""
    before = {1: ThreadLook("S", 5), 2: ThreadLook("S", 5)}
    assert moved(before, {1: ThreadLook("S", 5), 2: ThreadLook("S", 6), 3: ThreadLook("S", 1)}) == {2, 3}


@pytest.mark.parametrize(
    ("sleeps", "preemptions", "records", "missing"),
    [(1, 0, 1, None), (1, 0, 0, 7), (2, 0, 1, 7), (2, 0, 2, None), (1, 5, 1, None), (0, 1, 0, None), (1, 0, 3, None)],
)
def test_a_record_is_missing(sleeps: int, preemptions: int, records: int, missing: int | None) -> None:
    before, after = {7: ThreadLook("S", 5, 2)}, {7: ThreadLook("S", 5 + sleeps, 2 + preemptions)}
    assert unrecorded_wake_up(before, after, [7] * records + [8], [7, 9]) == missing


@pytest.mark.parametrize(
    ("call", "arguments", "locked"),
    [
        ("flock", (3, 2), True),
        ("semtimedop", (0, 1, 1, 0, 0, 0), True),
        ("futex", (1, 0, 2, 0, 0, 0), True),
        ("futex", (1, 128, 2, 0, 0, 0), False),
        ("fcntl", (3, 7, 0, 0, 0, 0), True),
        ("fcntl", (3, 3, 0, 0, 0, 0), False),
        ("epoll_wait", (3, 0, 1, 500, 0, 0), False),
        ("futex", (), False),
    ],
)
def test_locks(call: str, arguments: tuple[int, ...], locked: bool) -> None:
    assert waits_for_a_lock(call, arguments) is locked


@pytest.mark.parametrize(
    ("call", "arguments", "limited"),
    [
        ("epoll_wait", (3, 0, 1, 500, 0, 0), True),
        ("epoll_wait", (3, 0, 1, 0xFFFFFFFF, 0, 0), False),
        ("select", (4, 1, 0, 0, 0, 0), False),
        ("pselect6", (4, 1, 0, 0, 0x7FFC, 0), True),
        ("poll", (1, 1, 0xFFFFFFFF, 0, 0, 0), False),
        ("ppoll", (1, 1, 0x7FFC, 0, 0, 0), True),
        ("accept4", (3, 0, 0, 0, 0, 0), False),
    ],
)
def test_limits(call: str, arguments: tuple[int, ...], limited: bool) -> None:
    assert has_a_limit(call, arguments) is limited


# --- who woke whom -----------------------------------------------------------------------------

CALLER, WORKER, KSOFTIRQD = 100, 200, 16


@pytest.mark.parametrize(
    ("waker", "flags", "source"),
    [
        (CALLER, 0x00, "connection"),  # a unix socket: connect itself wakes
        (CALLER, 0x10, "connection"),  # tcp: in the softirq that connect ran
        (KSOFTIRQD, 0x10, "connection"),
        (CALLER, 0x08, "timer"),  # a timer's interrupt, while the caller happened to run
        (0, 0x08, "timer"),
        (WORKER, 0x00, "worker"),
        (KSOFTIRQD, 0x00, "other"),
        (300, 0x10, "client"),
        (300, 0x00, "other"),
    ],
)
def test_source(waker: int, flags: int, source: str) -> None:
    assert source_of(TracedWakeUp(1, waker, 201, flags), CALLER, {KSOFTIRQD}, {WORKER, 201}) == source


def test_a_filter_names_threads_as_ranges() -> None:
    assert filter_for("pid", {9, 5}) == "pid == 5 || pid == 9"
    assert filter_for("pid", [*range(1, 1000), 2000]) == "(pid >= 1 && pid <= 999) || pid == 2000"
    assert filter_for("pid", ()) == "pid < 0"


def test_a_filter_for_many_threads_fits_into_a_page_and_leaves_out_no_thread() -> None:
    tids = [3_000_000 + number * number % 65_521 * 17 for number in range(2000)]
    text = filter_for("common_pid", tids)
    assert len(text) < 4096
    lets_through = eval(f"lambda common_pid: {text.replace('||', 'or').replace('&&', 'and')}")
    assert all(lets_through(tid) for tid in tids)
    assert not any(lets_through(tid) for tid in range(1, 100_000))


# --- what the user names -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8000", None, 8000),
        ("localhost:8000", None, 8000),
        ("127.0.0.1:8000", "127.0.0.1", 8000),
        ("[::1]:80", "::1", 80),
    ],
)
def test_port(text: str, host: str | None, port: int) -> None:
    assert parse_port(text) == (host, port)


@pytest.mark.parametrize("text", ["0", "65536", "http", "example.com:80", "127.0.0.1", ":", ""])
def test_no_port(text: str) -> None:
    with pytest.raises(BadTarget):
        parse_port(text)


def test_escapes() -> None:
    assert unescape(r"GET / HTTP/1.0\r\n\r\n") == HTTP
    assert unescape(r"\x00\xff\\") == b"\x00\xff\\"


def _parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_to(parser)
    return parser.parse_args(arguments)


def test_command_after_two_dashes_keeps_its_own_options() -> None:
    request = request_from(_parsed("--http", "--", "gunicorn", "-w", "4", "--bind", ":80", "app:app"))
    assert request.command == ("gunicorn", "-w", "4", "--bind", ":80", "app:app")
    assert request.data == HTTP
    assert request.wanted is None


def test_port_in_the_namespace_of_a_process() -> None:
    assert request_from(_parsed("--pid", "7", "--port", "80")).wanted == Wanted(80, None, None, 7)


def _listener(kind: str, address: str, port: int) -> ListeningSocket:
    return ListeningSocket(kind, address, port, (1,), 1)


def test_a_port_goes_before_a_control_socket() -> None:
    tcp = _listener("tcp4", "127.0.0.1", 80)
    assert the_one_of([_listener("unix", "/run/control", 0), tcp], "pid 7") is tcp
    assert the_one_of([_listener("tcp6", "::", 80), tcp], "pid 7") is tcp


def test_two_ports_are_too_many() -> None:
    with pytest.raises(BadTarget, match="has several listeners"):
        the_one_of([_listener("tcp4", "127.0.0.1", 80), _listener("tcp4", "127.0.0.1", 81)], "pid 7")


@pytest.mark.parametrize(
    ("listener", "address"),
    [
        (_listener("tcp4", "0.0.0.0", 80), ("127.0.0.1", 80)),
        (_listener("tcp4", "10.0.0.1", 80), ("10.0.0.1", 80)),
        (_listener("tcp6", "::", 80), ("::1", 80, 0, 0)),
        (_listener("tcp6", "127.0.0.1", 80), ("127.0.0.1", 80)),
        (_listener("unix-abstract", "@x", 0), b"\0x"),
    ],
)
def test_destination(monkeypatch: pytest.MonkeyPatch, listener: ListeningSocket, address: object) -> None:
    monkeypatch.setattr(sockets, "_addresses6", lambda _: [(bytes(15) + b"\1", 1)])
    assert destination(listener, 1)[1] == address


def test_destination_where_there_is_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without IPv6 has no ::1, and its servers may listen on [::] all the same."""
    monkeypatch.setattr(sockets, "_addresses6", lambda _: [])
    assert destination(_listener("tcp6", "::", 80), 1) == (socket.AF_INET, ("127.0.0.1", 80))
