"""A worker is killed or stopped between the arrival of a connection and its accept."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play

_WALK = kernel("kernel/sched/wait.c", "__wake_up_common: all that are not exclusive, and one that is")
_CALLBACK = kernel("fs/eventpoll.c", "ep_poll_callback: EPOLLEXCLUSIVE ends the walk only where somebody waits")
_DONE = kernel("fs/eventpoll.c", "ep_send_events and ep_done_scan: a level item is put back, and the next one woken")
_CASCADE = linux("5.13", "7fab29e356309ff93a4b30ecc466129682ec190b", "epoll: the wake-up of the next waiter, restored")
_STOP = man("signal", 7, "Interruption of system calls and library functions by stop signals")
_INTR = kernel("include/net/sock.h", "sock_intr_errno: EINTR with a receive timeout, ERESTARTSYS without")

EXCLUSIVE, EDGE_EXCLUSIVE = "epoll_wait.exclusive.listener", "epoll_wait.edge-exclusive.listener"
SHARED, SHARED_EDGE = "epoll_wait.level.epoll", "epoll_wait.edge.epoll"
LEVEL, EDGE = "epoll_wait.level.listener", "epoll_wait.edge.listener"
_EPOLLS = (LEVEL, EDGE, EXCLUSIVE, EDGE_EXCLUSIVE, SHARED, SHARED_EDGE)
ALL = ("accept", "poll", "select", *_EPOLLS)


@claim(
    "death.all-told-nothing-lost",
    "Where every worker is notified (select, poll, private epoll instances without EPOLLEXCLUSIVE, SIGIO), nothing "
    "is lost when one of them is killed before it accepts: the other already knows of the connection.",
    level=OBSERVED,
    basis=[_WALK],
    rows=["N5"],
)
@pytest.mark.parametrize("strategy", ["select", "poll", LEVEL, EDGE, "rt_sigtimedwait"])
def test_all_told(play: Play, strategy: str) -> None:
    """
    w0, woken, SIGKILL    w1
              \\          /
               L  <- c0;  c1
    """
    seen = play("death.killed_when_notified", strategy)
    seen.expect("returned", 2)
    seen.expect("survivor-returned", 1)
    seen.expect("survivor-took", 2)
    seen.expect("left", 0)


@claim(
    "death.shared-level-nothing-lost",
    "On a shared level-triggered epoll instance, the notified worker wakes the next before it is killed, so the "
    "other already knows of the connection (Linux 5.5 to 5.12 without the stable fix notified only one).",
    level=OBSERVED,
    basis=[_DONE, _CASCADE],
    rows=["N5", "N3"],
)
@pytest.mark.parametrize("strategy", [SHARED, "epoll_wait.exclusive.epoll"])
def test_shared_level(play: Play, strategy: str) -> None:
    """
    w0, woken, SIGKILL  w1
               \\      /
                  e            (level)
                  |
                  L  <- c0;  c1
    """
    seen = play("death.killed_when_notified", strategy)
    seen.expect("returned", 2)
    seen.expect("survivor-returned", 1)
    seen.expect("survivor-took", 2)
    seen.expect("left", 0)


@claim(
    "death.exclusive-waits-for-next",
    "With EPOLLEXCLUSIVE, if the one notified worker is killed before it accepts, nobody else learns of that "
    "connection until the next one arrives; a level-triggered worker then takes both.",
    level=OBSERVED,
    basis=[_CALLBACK, _WALK],
    rows=["N5", "Q2"],
)
@pytest.mark.parametrize("strategy", [EXCLUSIVE])
def test_exclusive_waits_for_next(play: Play, strategy: str) -> None:
    """
    w0, woken, SIGKILL    w1
    e0                    e1      (exclusive)
              \\          /
               L  <- c0;  c1
    """
    seen = play("death.killed_when_notified", strategy)
    seen.expect("returned", 1)
    seen.expect("survivor-returned", 0)
    seen.expect("survivor-returned-again", 1)
    seen.expect("survivor-took", 2)
    seen.expect("left", 0)


@claim(
    "death.edge-stays-behind",
    "Where only one worker gets an edge (on a shared instance, or with EPOLLEXCLUSIVE), and it is killed before it "
    "accepts, nobody else learns of the connection until the next one arrives.  With one accept per event, the queue "
    "stays one behind from then on.",
    level=OBSERVED,
    basis=[_CALLBACK, kernel("fs/eventpoll.c", "ep_send_events: an edge-triggered item is not put back")],
    rows=["N5", "L-C10", "Q5"],
)
@pytest.mark.parametrize("strategy", [SHARED_EDGE, EDGE_EXCLUSIVE])
def test_edge_stays_behind(play: Play, strategy: str) -> None:
    """
    w0, woken, SIGKILL  w1
               \\      /
                  e            (edge)
                  |
                  L  <- c0;  c1
    """
    seen = play("death.killed_when_notified", strategy)
    seen.expect("returned", 1)
    seen.expect("survivor-returned", 0)
    seen.expect("survivor-returned-again", 1)
    seen.expect("survivor-took", 1)
    seen.expect("left", 1)


@claim(
    "death.oneshot-tells-no-more",
    "On a shared oneshot instance, if the notified worker is killed before it re-arms the listener, the others hear "
    "neither of this connection nor of the next.",
    level=OBSERVED,
    basis=[man("epoll_ctl", 2, "EPOLLONESHOT: disabled until EPOLL_CTL_MOD"), _WALK],
    rows=["N5", "Q7", "L-C11"],
)
@pytest.mark.parametrize("strategy", ["epoll_wait.oneshot.epoll"])
def test_oneshot(play: Play, strategy: str) -> None:
    """
    w0, woken, SIGKILL  w1
               \\      /
                  e            (oneshot)
                  |
                  L  <- c0;  c1
    """
    seen = play("death.killed_when_notified", strategy)
    seen.expect("returned", 1)
    seen.expect("survivor-returned-again", 0)
    seen.expect("left", 2)


@claim(
    "death.accepted-dies-with-winner",
    "A connection that a worker has accepted dies with it: nobody else gets it, and the client reads end of file, or "
    "ECONNRESET if it had sent unread data.",
    level=OBSERVED,
    basis=[kernel("net/ipv4/tcp.c", "__tcp_close"), kernel("net/unix/af_unix.c", "unix_release_sock")],
    rows=["N5"],
)
@pytest.mark.parametrize("sent", [False, True], ids=["silent", "data-unread"])
@pytest.mark.parametrize("listener", ["tcp4", "unix"])
def test_accepted_dies_with_winner(play: Play, listener: str, sent: bool) -> None:
    """
    w0, accepted c0, SIGKILL     w1  (accept)
                     \\          /
                      L  <- c0
    """
    seen = play("death.killed_with_connection", {"listener": listener, "sent": sent})
    seen.expect("other-took", 0)
    seen.expect("client-reads", "ECONNRESET" if sent else "end of file")


@claim(
    "death.accept-goes-on",
    "The death of a worker that has taken a connection in accept does not hold up the next one: another worker takes "
    "it.",
    level=OBSERVED,
    basis=[kernel("net/ipv4/inet_connection_sock.c", "inet_csk_wait_for_connect")],
    rows=["N5"],
)
@pytest.mark.parametrize("call", ["accept"])
def test_accept_goes_on(play: Play, call: str) -> None:
    """
    w0, accepted c0, SIGKILL     w1  (accept)
                     \\          /
                      L  <- c0;  c1
    """
    seen = play("death.killed_when_notified", call)
    seen.expect("returned", 1)
    seen.expect("survivor-returned", 0)
    seen.expect("survivor-took", 1)
    seen.expect("left", 0)


@claim(
    "death.stopped-swallows-nothing",
    "A worker that is stopped while it waits swallows no wake-up: the connection goes to the one that runs, "
    "whichever of the two blocked first.",
    level=OBSERVED,
    basis=[
        kernel("kernel/signal.c", "do_signal_stop: on the way back to user space, when the call has left its queue"),
        _CALLBACK,
    ],
    rows=["N5"],
)
@pytest.mark.parametrize("stopped", ["first", "last"])
@pytest.mark.parametrize("strategy", ALL)
def test_stopped_swallows_nothing(play: Play, strategy: str, stopped: str) -> None:
    """
    w0 (SIGSTOP)   w1
            \\    /
              L  <- c0
    """
    play("death.stopped", {"strategy": strategy, "stopped": stopped}).expect("running", "took a connection")


@claim(
    "death.all-stopped-nothing-lost",
    "A connection that arrives while every worker is stopped waits, and the first worker to continue takes it.",
    level=OBSERVED,
    basis=[kernel("fs/eventpoll.c", "ep_poll: the ready list is looked at first"), _STOP],
    rows=["N5"],
)
@pytest.mark.parametrize("strategy", ALL)
def test_all_stopped(play: Play, strategy: str) -> None:
    """
    w0 (SIGSTOP, SIGCONT)   w1 (SIGSTOP)
                     \\    /
                       L  <- c0
    """
    seen = play("death.all_stopped", strategy)
    seen.expect("all-stopped", ["blocked", "blocked"])
    seen.expect("first-continued", "took a connection")


@claim(
    "death.stop-interrupts-epoll-wait",
    "SIGSTOP and SIGCONT end epoll_wait with EINTR although there is no handler (the man page allows it).",
    level=OBSERVED,
    basis=[_STOP, kernel("fs/eventpoll.c", "ep_poll: EINTR if a signal is pending")],
    rows=["G9"],
)
@pytest.mark.parametrize("strategy", [LEVEL, SHARED_EDGE, "epoll_pwait.level.listener", "epoll_pwait2.level.listener"])
def test_stop_interrupts_epoll_wait(play: Play, strategy: str) -> None:
    """
    w0 (epoll_wait)  <- SIGSTOP, SIGCONT
    """
    play("death.resumed", {"strategy": strategy, "limit": False}).expect("after-sigcont", "EINTR")


@claim(
    "death.stop-interrupts-timed-accept",
    "SIGSTOP and SIGCONT end an accept with a time limit (SO_RCVTIMEO) with EINTR although there is no handler (the "
    "man page allows it).",
    level=OBSERVED,
    basis=[_STOP, _INTR],
    rows=["G9"],
)
@pytest.mark.parametrize("call", ["accept", "accept4"])
def test_stop_interrupts_timed_accept(play: Play, call: str) -> None:
    """
    w0 (accept, SO_RCVTIMEO)  <- SIGSTOP, SIGCONT
    """
    play("death.resumed", {"strategy": call, "limit": True}).expect("after-sigcont", "EINTR")


@claim(
    "death.stop-ends-no-other",
    "accept without a time limit, select and poll continue after SIGSTOP and SIGCONT, and get the next connection.",
    level=OBSERVED,
    basis=[_STOP, _INTR, kernel("fs/select.c", "ERESTARTNOHAND: without a handler the call goes on")],
    rows=["G9"],
)
@pytest.mark.parametrize("strategy", ["accept", "accept4", "select", "pselect6", "poll", "ppoll"])
def test_stop_ends_no_other(play: Play, strategy: str) -> None:
    """
    w0 (accept, select, poll)  <- SIGSTOP, SIGCONT;  L  <- c0
    """
    seen = play("death.resumed", {"strategy": strategy, "limit": False})
    seen.expect("after-sigcont", "blocked")
    seen.expect("after-connection", "took a connection")


@claim(
    "death.handler-ends-timed-accept",
    "Any handler ends an accept with a time limit (SO_RCVTIMEO) with EINTR, even one installed with SA_RESTART.",
    level=DOCUMENTED,
    basis=[man("signal", 7, "Interruption of system calls and library functions by signal handlers"), _INTR],
    rows=["G9", "L-B5"],
)
@pytest.mark.parametrize("restart", [True, False], ids=["SA_RESTART", "plain"])
def test_handler_ends_timed_accept(play: Play, restart: bool) -> None:
    """
    w0 (accept, SO_RCVTIMEO)  <- SIGUSR1
    """
    play("death.handled", restart).expect("after-signal", "EINTR")
