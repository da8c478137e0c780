"""Groups with a selector by CPU, or one that is replaced or detached; and groups of UDP sockets."""

from __future__ import annotations

import array
import os
import socket
import struct

from ..errnos import errno_of
from ..lab.deadline import patience_s, until
from ..lab.features import asking_for, join_group
from ..lab.stage import Actor, Me, Stage
from ..verdict import Inconclusive, NotApplicable
from . import wire

_ATTACH_CBPF, _DETACH = 51, 68  # SO_ATTACH_REUSEPORT_CBPF, SO_DETACH_REUSEPORT_BPF, include/uapi/asm-generic/socket.h
_LOAD, _MODULO, _RETURN_A, _RETURN = 0x20, 0x94, 0x16, 0x06  # include/uapi/linux/bpf_common.h
_CPU = 0xFFFFF000 + 36  # SKF_AD_OFF + SKF_AD_CPU, include/uapi/linux/filter.h
_SIZE = 4
_EACH = 24
_MOST_CPUS = 4


def _attach(member: socket.socket, *code: tuple[int, int]) -> None:
    """Make the group choose its member by a classic BPF program.  Raises NotApplicable."""
    program = array.array("B", b"".join(struct.pack("HBBI", operation, 0, 0, k) for operation, k in code))
    try:
        member.setsockopt(socket.SOL_SOCKET, _ATTACH_CBPF, struct.pack("@HP", len(code), program.buffer_info()[0]))
    except OSError as error:
        raise NotApplicable(f"SO_ATTACH_REUSEPORT_CBPF: {errno_of(error)}") from error


def _group(stage: Stage, kind: int) -> list[socket.socket]:
    """Four members on one port of loopback: listeners, or UDP sockets; they do not block."""
    members: list[socket.socket] = []
    port = 0
    for _ in range(_SIZE):
        sock: socket.socket = stage.keep(socket.socket(socket.AF_INET, kind))
        join_group(sock)
        sock.bind((wire.LOOPBACK, port))
        port = sock.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            sock.listen(64)
        sock.setblocking(False)
        members.append(sock)
    return members


def _reached(stage: Stage, members: list[socket.socket], sender: socket.socket | None = None) -> int:
    """The number of the member that a new client's connection or datagram reaches; `sender`, if given, sends it."""
    if members[0].type == socket.SOCK_STREAM:
        wire.arrive(stage, members[0])
    else:
        (sender or stage.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))).sendto(b"x", members[0].getsockname())
    stage.fence(needed=True)
    who: list[int] = []

    def came() -> bool:
        who.extend(i for i, member in enumerate(members) if _took(member))
        return bool(who)

    until(came, lambda: "what was sent is with no member of the group")
    if len(who) > 1:
        raise Inconclusive("more than one member has got what was sent once")
    return who[0]


def _took(member: socket.socket) -> bool:
    try:
        if member.type == socket.SOCK_STREAM:
            member.accept()[0].close()
        else:
            member.recv(16)
    except BlockingIOError:
        return False
    return True


def by_cpu(stage: Stage, kind: str) -> None:
    """The selector returns the CPU, modulo the size of the group; connections or datagrams come from each CPU."""
    stage.insist_on_the_senders_cpu()
    members = _group(stage, _KINDS[kind])
    _attach(members[-1], (_LOAD, _CPU), (_MODULO, _SIZE), (_RETURN_A, 0))
    before = os.sched_getaffinity(0)
    astray = 0
    try:
        for cpu in sorted(before)[:_MOST_CPUS]:
            os.sched_setaffinity(0, (cpu,))
            astray += sum(_reached(stage, members) != cpu % _SIZE for _ in range(_EACH))
    finally:
        os.sched_setaffinity(0, before)
    stage.note("astray", f"of {_EACH} from each CPU, those that reached another member than the CPU's", astray)


_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def replaced(stage: Stage, kind: str) -> None:
    """One member attaches a selector, then another member does; then a third one detaches it."""
    members = _group(stage, _KINDS[kind])
    _attach(members[0], (_RETURN, 1))
    first = _reached(stage, members)
    _attach(members[3], (_RETURN, 2))
    stage.note("first", "the member that the first selector chose", first)
    stage.note("second", "the member chosen once another one had attached its own", _reached(stage, members))
    with asking_for("SO_DETACH_REUSEPORT_BPF"):
        members[1].setsockopt(socket.SOL_SOCKET, _DETACH, 0)
    reached = {_reached(stage, members) for _ in range(64)}
    stage.note("several-reached", "64 other senders reach more than one member", len(reached) > 1)


def datagrams(stage: Stage) -> None:
    """Each member of a group of UDP sockets has a waiter in recvfrom; a datagram comes, then more from its sender."""
    members = _group(stage, socket.SOCK_DGRAM)

    def waiter(i: int) -> Actor:
        def act(me: Me) -> str:
            me.ready()
            return members[i].recv(16).decode()

        members[i].setblocking(True)
        return stage.actor(act, f"w{i}").blocked_in("recvfrom")

    waiters = [waiter(i) for i in range(_SIZE)]
    sender: socket.socket = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender.settimeout(patience_s())
    sender.sendto(b"x", members[0].getsockname())
    until(lambda: any(each.answered for each in waiters), lambda: "nobody received the datagram")
    stage.fence(needed=True)
    stage.quiet(waiters)
    returned = [i for i, each in enumerate(waiters) if each.answered]
    stage.note("woken", "waiters that it woke", sum(each.woken for each in waiters))
    stage.note("returned", "waiters that returned with it", len(returned))
    for each in waiters:
        if not each.answered:
            each.kill()
    for member in members:
        member.setblocking(False)
    same = {_reached(stage, members, sender) for _ in range(8)}
    stage.note("same-member", "eight more of the same sender reach the same member", same == set(returned))
    others = {_reached(stage, members) for _ in range(64)}
    stage.note("several-reached", "64 other senders reach more than one member", len(others) > 1)
