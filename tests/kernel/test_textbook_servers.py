"""What one connection, and the death of a worker, cost the textbook servers (probes/servers)."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play
from probes.star import tries_every_word

EACH, ONE, WINNER_AND_NEXT = "each", "one", "the winner, and the next in accept"
SERVERS = {
    "epoll level": (4, EACH),
    "epoll edge": (4, EACH),
    "epoll exclusive": (4, ONE),
    "accept-mutex": (4, ONE),
    "reuseport": (6, ONE),
    "serialised": (4, WINNER_AND_NEXT),
}
_WOKEN = {EACH: lambda n: n, ONE: lambda n: 1, WINNER_AND_NEXT: lambda n: 2}


def _started(server: str) -> dict[str, object]:
    """How it is started: nobody tries for the accept mutex a second time while the trial lasts."""
    name, _, trigger = server.partition(" ")
    n = SERVERS[server][0]
    options = ["--trigger", trigger] if trigger else ["--delay", "3600"] if name == "accept-mutex" else []
    return {"server": [name, "--workers", str(n), *options], "n": n}


@claim(
    "server.woken-per-connection",
    "On an idle server, one connection wakes all N workers if each has an epoll instance; one worker with "
    "EPOLLEXCLUSIVE, with an accept mutex, or with a listener each; and two workers that accept under a lock: the one "
    "that takes the connection, and the next to get the lock.",
    level=OBSERVED,
    basis=[
        kernel("fs/eventpoll.c", "ep_ptable_queue_proc: add_wait_queue_exclusive only for EPOLLEXCLUSIVE"),
        kernel("kernel/sched/wait.c", "__wake_up_common: all waiters that are not exclusive, and one that is"),
        kernel("fs/locks.c", "locks_wake_up_blocks: waiters are woken when the lock is released"),
        kernel("net/core/sock_reuseport.c", "reuseport_select_sock: one socket of the group"),
    ],
    rows=["Q1", "Q2", "Q6", "Q9", "Q10"],
)
@tries_every_word
@pytest.mark.parametrize("server", list(SERVERS))
def test_woken_per_connection(play: Play, server: str) -> None:
    """
    w0   w1  ...  wn      (epoll_wait; or accept, and flock)
      \\  |      /
         L  <- c0         the client speaks, and is answered
    """
    n, who = SERVERS[server]
    seen = play("textbook_servers.one_connection", _started(server))
    seen.expect("client-reads", "word")
    seen.expect("woken", _WOKEN[who](n))


@claim(
    "server.kept-listener-keeps-its-queue",
    "While the parent keeps the listener open, a connection in its queue outlives every worker, even on a listener "
    "that only one of them used: the workers that the parent then starts take it.",
    level=DOCUMENTED,
    basis=[
        man("close", 2, "DESCRIPTION: freed with the last descriptor of the open file description"),
        man("fork", 2, "DESCRIPTION: the child inherits copies of the parent's open file descriptors"),
    ],
    rows=["Q6"],
)
@pytest.mark.parametrize("server", ["epoll level", "reuseport"])
def test_kept_listener(play: Play, server: str) -> None:
    """
    parent ---> L  <- c0        w0 ... wn stopped, then X, then others
    """
    play("textbook_servers.all_killed", _started(server)).expect("client-reads", "word")


@claim(
    "server.child-frees-the-port",
    "A child that closed the listener goes on serving after the server is gone, and others can listen on the port if "
    "they set SO_REUSEADDR.",
    level=DOCUMENTED,
    basis=[
        man("close", 2, "DESCRIPTION: freed with the last descriptor of the open file description"),
        man("socket", 7, "SO_REUSEADDR: may bind, except when there is an active listening socket"),
    ],
    rows=["L-B2"],
)
def test_child_frees_the_port(play: Play) -> None:
    """
    server X    child --- s0 ---> c0        another ---> L (the same port)
    """
    seen = play("textbook_servers.killed_parent")
    seen.expect("child-client-reads", "word")
    seen.expect("other-server", "ok")
    seen.expect("child-client-reads-again", "more")
