"""A group of listeners on one address: who joins, who is chosen, and what a close does."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play

STRATEGIES = ("accept", "select", "poll", "epoll_wait.level.listener")
_REUSEPORT = man("socket", 7, "SO_REUSEPORT")
_SELECTOR = man("socket", 7, "SO_ATTACH_REUSEPORT_CBPF")
_MIGRATE = kernel("Documentation/networking/ip-sysctl.rst", "tcp_migrate_req")
_STOP = kernel("net/ipv4/inet_connection_sock.c", "inet_csk_listen_stop: migrated, with sk_data_ready, or forgotten")


@claim(
    "reuseport-group.every-member-sets-it",
    "Two listeners share an address only if both have set SO_REUSEPORT, including the first; otherwise the second "
    "bind gives EADDRINUSE.",
    level=DOCUMENTED,
    basis=[_REUSEPORT],
    rows=["G7", "L-C5"],
)
@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [(True, True, "ok"), (True, False, "EADDRINUSE"), (False, True, "EADDRINUSE"), (False, False, "EADDRINUSE")],
)
def test_every_member(play: Play, first: bool, second: bool, answer: str) -> None:
    """
    L0 (set?)   L1 (set?)  --- bind --->  one address
    """
    play("reuseport.join", [first, second]).expect("second-bind", answer)


@claim(
    "reuseport-group.same-user-only",
    "A socket of another effective user cannot join: its bind gives EADDRINUSE.",
    level=DOCUMENTED,
    basis=[_REUSEPORT],
    rows=["G7", "L-C5"],
)
def test_same_user(play: Play) -> None:
    """
    L0 (user a)   L1 (user b)  --- bind --->  one address
    """
    seen = play("reuseport.join_as_another")
    seen.expect("other-user", "EADDRINUSE")
    seen.expect("same-user", "ok")


@claim(
    "reuseport-group.own-queues",
    "Each member has its own queue, and a connection reaches exactly one of them.",
    level=OBSERVED,
    basis=[
        kernel("net/core/sock_reuseport.c", "reuseport_select_sock: one socket of the group"),
        kernel("net/ipv4/inet_connection_sock.c", "inet_csk_reqsk_queue_add: the queue of that one listener"),
    ],
    rows=["L-C5"],
)
@pytest.mark.parametrize("size", [2, 8, 300])
def test_own_queues(play: Play, size: int) -> None:
    """
    L0  L1 ... Ln  <--- c0 ... c11;    then each accepts what it has
    """
    seen = play("reuseport.own_queues", size)
    seen.expect("queued-in-all", 12)
    seen.expect("own-queue", True)
    seen.expect("accepted", 12)
    seen.expect("every-client-once", True)


@claim(
    "reuseport-group.selector-index",
    "A classic BPF selector chooses a member by its index from 0, in the order of listen, whatever the order of bind.",
    level=DOCUMENTED,
    basis=[_SELECTOR],
    rows=["G7", "W3"],
)
@pytest.mark.parametrize("backwards", [False, True], ids=["bound in order", "bound backwards"])
def test_selector_index(play: Play, backwards: bool) -> None:
    """
    L0 L1 L2 L3  <--- selector says 2, 0, 3, 1
    """
    play("reuseport.selected", backwards).expect("members-reached", [2, 0, 3, 1])


@claim(
    "reuseport-group.selector-inherited",
    "A listener that joins later inherits the selector, and can be chosen by it.",
    level=DOCUMENTED,
    basis=[_SELECTOR],
    rows=["G7", "W3"],
)
def test_selector_inherited(play: Play) -> None:
    """
    L0 L1  <- selector says 2;    then L2  <--- c0
    """
    play("reuseport.inherited").expect("member-reached", [2])


@claim(
    "reuseport-group.invalid-index-falls-back",
    "If the selector returns an index that no member has, connections are spread as without a selector.",
    level=DOCUMENTED,
    basis=[_SELECTOR],
    rows=["G7", "W3"],
)
def test_invalid_index(play: Play) -> None:
    """
    L0 L1 L2 L3  <--- selector says 100  <--- c0 ... c63

    A uniform choice among four takes the same one 64 times with probability 4 * (1/4)**64.
    """
    seen = play("reuseport.invalid_index")
    seen.expect("queued", 64)
    seen.expect("several-reached", True)


@claim(
    "reuseport-group.last-takes-the-free-slot",
    "When a member closes, the last one takes over its index.",
    level=DOCUMENTED,
    basis=[_SELECTOR],
    rows=["G7", "W3"],
)
def test_free_slot(play: Play) -> None:
    """
    L0 L1 L2 L3  ->  L0 L3 L2
    """
    seen = play("reuseport.closed_slot")
    seen.expect("former-members-reached", [0, 3, 2])


@claim(
    "reuseport-group.close-aborts-its-queue",
    "Without tcp_migrate_req, the connections queued at a member that closes are reset, and the waiters of other "
    "members do not wake.",
    level=DOCUMENTED,
    basis=[_MIGRATE, _STOP],
    rows=["G10", "N6", "Q6"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_close_aborts(play: Play, strategy: str) -> None:
    """
    w0 ---> L0        L1 [c0] X
    """
    seen = play("reuseport.closed_with_queue", {"strategy": strategy, "migrate": False})
    seen.expect("woken-by-connection", False)
    seen.expect("woken-by-close", False)
    seen.expect("waiter", "blocked")
    seen.expect("connection", "closed")
    seen.expect("client-reads", "ECONNRESET")


@claim(
    "reuseport-group.migration-keeps-connections",
    "With tcp_migrate_req, a connection queued at a member that closes moves to a living member, and stays "
    "established.",
    level=DOCUMENTED,
    basis=[_MIGRATE, _STOP],
    rows=["G10", "Q6"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_migration(play: Play, strategy: str) -> None:
    """
    w0 ---> L0  <--- c0 ---  L1 X
    """
    seen = play("reuseport.closed_with_queue", {"strategy": strategy, "migrate": True})
    seen.expect("connection", "established")
    seen.expect("waiter", "took a connection")


@claim(
    "reuseport-group.migration-wakes",
    "A connection that migrates wakes the waiter of its new listener.",
    level=OBSERVED,
    basis=[_STOP],
    rows=["N6", "G10"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_migration_wakes(play: Play, strategy: str) -> None:
    """
    w0 ---> L0  <--- c0 ---  L1 X
    """
    seen = play("reuseport.closed_with_queue", {"strategy": strategy, "migrate": True})
    seen.expect("woken-by-connection", False)
    seen.expect("woken-by-close", True)


@claim(
    "reuseport-group.incoming-cpu",
    "A member that has set SO_INCOMING_CPU gets every connection that arrives on that CPU, whatever the hash.",
    level=OBSERVED,
    basis=[
        man("socket", 7, "SO_INCOMING_CPU: optimal distribution of connections among a set of listeners"),
        linux("6.2", "b261eda84ec1", "soreuseport: Fix socket selection for SO_INCOMING_CPU"),
    ],
)
def test_incoming_cpu(play: Play) -> None:
    """
    L0 (CPU 0)  L1 (CPU 1)  ...  Lk (no such CPU)  <- connections from each CPU
    """
    play("incoming_cpu.chosen").expect("astray", 0)


@claim(
    "reuseport-group.incoming-cpu-leaves-nothing",
    "If each CPU has a member with SO_INCOMING_CPU, a member without that option gets no connection, and when it is "
    "closed, none goes astray.",
    level=OBSERVED,
    basis=[
        linux("6.2", "b261eda84ec1", "soreuseport: Fix socket selection for SO_INCOMING_CPU"),
        kernel("net/core/sock_reuseport.c", "reuseport_select_sock_by_hash: from the hash on, the first with this CPU"),
    ],
)
def test_incoming_cpu_leaves_nothing(play: Play) -> None:
    """
    L0 (CPU 0)  L1 (CPU 1)  ...  Lk (none)  <- connections from each CPU
    """
    seen = play("incoming_cpu.left_over")
    seen.expect("got", 0)
    seen.expect("astray-once-closed", 0)
