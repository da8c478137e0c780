"""Groups of TCP listeners on one address: who may join, who gets a connection, what a close does to the queue."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from ..errnos import errno_of_result
from ..lab.deadline import until
from ..lab.features import join_group
from ..lab.network import needs_room, own_network, setting
from ..lab.stage import Actor, Me, Stage
from ..scenario import Scenario
from ..strategies import prepare
from ..verdict import NotApplicable
from . import wire
from .waiting import TAKES, now

_SO_ATTACH_REUSEPORT_CBPF = 51  # include/uapi/asm-generic/socket.h
_OTHERS = (65534, 65533)
_INVALID = 100


def join(stage: Stage, argument: list[bool]) -> None:
    """Two sockets bind one address; `argument` says which of them set SO_REUSEPORT before."""
    first, second = (stage.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(2))
    for sock, sets in zip((first, second), argument, strict=True):
        if sets:
            join_group(sock)
    first.bind((wire.LOOPBACK, 0))
    first.listen()
    stage.outcome("second-bind", "the second bind", lambda: second.bind(first.getsockname()))


def join_as_another(stage: Stage) -> None:
    """A member, and a second user that wants to join; then the first user again."""
    first = wire.listening(stage, group=True)
    port = first.getsockname()[1]
    other = next(uid for uid in _OTHERS if uid != os.geteuid())
    try:
        with stage.as_user(other):
            stage.outcome(
                "other-user", "a listener of another user", lambda: _void(wire.listening(stage, port=port, group=True))
            )
    except OSError as error:
        raise NotApplicable(f"becoming another user: {error.strerror}") from error
    stage.outcome(
        "same-user", "a second listener of the same user", lambda: _void(wire.listening(stage, port=port, group=True))
    )


def _void(_: Any) -> None:
    pass


def _group(stage: Stage, size: int, *, backwards: bool = False) -> list[socket.socket]:
    """`size` members, in the order of their listen; `backwards`: bound in the opposite order."""
    members: list[socket.socket] = []
    address = (wire.LOOPBACK, 0)
    for _ in range(size):
        sock = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        join_group(sock)
        sock.bind(address)
        sock.setblocking(False)
        address = sock.getsockname()
        members.append(sock)
    if backwards:
        members.reverse()
    for sock in members:
        sock.listen(64)
    return members


def _lengths(members: list[socket.socket]) -> list[int]:
    return [wire.queue(member)[0] for member in members]


def own_queues(stage: Stage, size: int) -> None:
    """Twelve clients connect to a group, one after the other; every member accepts what it has."""
    needs_room(12)
    members = _group(stage, size)
    clients: set[tuple[str, int]] = set()
    for _ in range(12):
        theirs = wire.dial(stage, members[0])
        clients.add(theirs.getsockname())
        until(lambda: sum(_lengths(members)) >= len(clients), lambda: "a connection was not queued")
    lengths = _lengths(members)
    stage.note("queued-in-all", "connections in the queues of all members", sum(lengths))
    accepted = [_all_of(stage, member) for member in members]
    stage.note(
        "own-queue", "each member accepts what its own queue held", [len(peers) for peers in accepted] == lengths
    )
    everything = [peer for peers in accepted for peer in peers]
    stage.note("accepted", "connections accepted", len(everything))
    stage.note(
        "every-client-once",
        "every client was accepted once",
        set(everything) == clients and len(everything) == len(clients),
    )


def _all_of(stage: Stage, listener: socket.socket) -> list[tuple[str, int]]:
    peers: list[tuple[str, int]] = []
    while True:
        try:
            accepted, peer = listener.accept()
        except BlockingIOError:
            return peers
        stage.keep(accepted).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peers.append(peer)


def _select(member: socket.socket, index: int) -> None:
    """Make the group choose socket `index`."""
    wire.attach(member, _SO_ATTACH_REUSEPORT_CBPF, index)


def _reached(stage: Stage, members: list[socket.socket], to: socket.socket) -> list[int]:
    """The members that a new client reaches; a healthy kernel queues its connection at exactly one."""
    before = _lengths(members)
    wire.dial(stage, to)
    until(lambda: sum(_lengths(members)) > sum(before), lambda: "the connection was not queued")
    return [i for i, (was, is_now) in enumerate(zip(before, _lengths(members), strict=True)) if is_now > was]


def selected(stage: Stage, backwards: bool) -> None:
    """A selector chooses one index after the other."""
    members = _group(stage, 4, backwards=backwards)
    chosen: list[int] = []
    for index in (2, 0, 3, 1):
        _select(members[0], index)
        chosen += _reached(stage, members, members[0])
    stage.note("members-reached", "members reached by indices 2, 0, 3, 1", chosen)


def invalid_index(stage: Stage) -> None:
    """A selector chooses an index that no member has, for 64 clients."""
    members = _group(stage, 4)
    _select(members[0], _INVALID)
    reached: set[int] = set()
    count = 0
    for _ in range(64):
        hits = _reached(stage, members, members[0])
        count += len(hits)
        reached.update(hits)
    stage.note("queued", "connections in the accept queue", count)
    stage.note("several-reached", "more than one member was reached", len(reached) > 1)


def inherited(stage: Stage) -> None:
    """A selector is attached while there are two members; then a third listens."""
    members = _group(stage, 2)
    _select(members[0], 2)
    members.append(wire.listening(stage, port=members[0].getsockname()[1], group=True))
    stage.note("member-reached", "the member reached by index 2", _reached(stage, members, members[0]))


def closed_slot(stage: Stage) -> None:
    """Of four members the one with index 1 closes; then every index is chosen."""
    members = _group(stage, 4)
    members.pop(1).close()
    numbers = [0, 2, 3]
    chosen = []
    for index in range(3):
        _select(members[0], index)
        chosen += [numbers[i] for i in _reached(stage, members, members[0])]
    stage.note("former-members-reached", "former numbers of the members reached by indices 0, 1, 2", chosen)


def _waiter_on(stage: Stage, listener: socket.socket, strategy: str) -> Actor:
    """An actor on this listener alone, proven blocked."""
    scenario = Scenario.parse(f"{strategy}/tcp4/n1/accept/one-connection")
    listener.setblocking(scenario.takes)
    prepared = stage.keep(prepare(scenario, [listener.fileno()]))

    def act(me: Me) -> str:
        waiting = prepared.waiting(0)
        me.ready()
        result = waiting.wait()
        if result >= 0 and not scenario.takes:
            listener.accept()[0].detach()  # so that it stays open when this function returns
        return TAKES if result >= 0 else errno_of_result(result) or str(result)

    return stage.actor(act, "w0").blocked_in(scenario.system_call)


def closed_with_queue(stage: Stage, argument: dict[str, Any]) -> None:
    """A member closes with a connection in its queue, while a waiter is blocked on the other member.

    `argument` says whether tcp_migrate_req is set.  The waiter is forked before the second member is created, so that
    it has no copy of it.
    """
    _migration(argument["migrate"])
    living = wire.listening(stage, group=True)
    waiter = _waiter_on(stage, living, argument["strategy"])
    dying = wire.listening(stage, port=living.getsockname()[1], group=True)
    _select(dying, 1)
    theirs = wire.dial(stage, dying)
    wire.queued(dying, 1)
    stage.note("woken-by-connection", "the waiter was woken by the connection", waiter.woken)
    dying.close()
    # A migration is complete when close returns (inet_csk_listen_stop); a reset, however, must still arrive.
    until(
        lambda: waiter.answered or wire.queue(living)[0] > 0 or wire.state(theirs) == wire.CLOSE,
        lambda: "the connection neither moved nor ended",
    )
    stage.note("woken-by-close", "the waiter was woken by the close", waiter.woken)
    stage.note("waiter", "the waiter", now(waiter))
    stage.note("connection", "the TCP state of the connection", wire.state(theirs))
    if wire.state(theirs) == wire.CLOSE:
        stage.note("client-reads", "what the client reads", wire.read(theirs))


def _migration(wanted: bool) -> None:
    """Set tcp_migrate_req.  If that is denied, it is enough that it is off and should be."""
    try:
        own_network()
        setting("ipv4/tcp_migrate_req", int(wanted))
    except NotApplicable:
        if wanted or _migrates():
            raise


def _migrates() -> bool:
    """Whether it is on here; a kernel without the setting does not migrate."""
    try:
        return bool(setting("ipv4/tcp_migrate_req"))
    except NotApplicable:
        return False
