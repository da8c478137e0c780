"""A signal with a handler arrives in a blocked waiter."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, claim, kernel, man
from probes.fixtures import Play
from probes.star import tries_every_word

_SIGNAL7 = man("signal", 7, "Interruption of system calls and library functions by signal handlers")
MULTIPLEXERS = ("select", "pselect6", "poll", "ppoll", "epoll_wait.level.listener", "epoll_pwait.level.listener")


@claim(
    "signals.accept-restarts",
    "A handler installed with SA_RESTART does not end accept: accept goes on, and takes the next connection.",
    level=DOCUMENTED,
    basis=[_SIGNAL7, kernel("include/net/sock.h", "sock_intr_errno: ERESTARTSYS without a receive timeout")],
    rows=["G9", "L-B5"],
)
@pytest.mark.parametrize("call", ["accept", "accept4"])
def test_accept_restarts(play: Play, call: str) -> None:
    """
    w0 (accept)  <- SIGUSR1, handler with SA_RESTART;  L <- c0
    """
    seen = play("signals.interrupted", {"strategy": call, "restart": True})
    seen.expect("woken-by-signal", True)
    seen.expect("after-signal", "blocked")
    seen.expect("after-connection", "took a connection")


@claim(
    "signals.accept-interrupted",
    "A handler installed without SA_RESTART ends accept with EINTR.",
    level=DOCUMENTED,
    basis=[_SIGNAL7, man("accept", 2, "ERRORS: EINTR")],
    rows=["G9", "L-B5", "G4"],
)
@pytest.mark.parametrize("call", ["accept", "accept4"])
def test_accept_interrupted(play: Play, call: str) -> None:
    """
    w0 (accept)  <- SIGUSR1, handler without SA_RESTART
    """
    play("signals.interrupted", {"strategy": call, "restart": False}).expect("after-signal", "EINTR")


@claim(
    "signals.multiplexers-never-restart",
    "select, poll and epoll_wait end with EINTR after any handler, even one installed with SA_RESTART.",
    level=DOCUMENTED,
    basis=[_SIGNAL7],
    rows=["G9", "L-B5"],
)
@pytest.mark.parametrize("restart", [True, False], ids=["SA_RESTART", "plain"])
@pytest.mark.parametrize("strategy", MULTIPLEXERS)
def test_multiplexers_never_restart(play: Play, strategy: str, restart: bool) -> None:
    """
    w0 (select, poll, epoll_wait)  <- SIGUSR1, handler with or without SA_RESTART
    """
    play("signals.interrupted", {"strategy": strategy, "restart": restart}).expect("after-signal", "EINTR")


_RESTARTED = (("read", "pipe"), ("recvfrom", "unix-datagram"), ("mq_timedreceive", "mqueue"), ("futex", "word"))


@claim(
    "signals.readers-restart",
    "A handler installed with SA_RESTART does not end read, recvfrom, mq_timedreceive or FUTEX_WAIT: the call goes on, "
    "and takes what arrives next.  A handler without it ends the call with EINTR.",
    level=DOCUMENTED,
    basis=[_SIGNAL7, man("mq_receive", 3, "ERRORS: EINTR"), man("futex", 2, "ERRORS: EINTR")],
)
@tries_every_word
@pytest.mark.parametrize("restart", [True, False], ids=["SA_RESTART", "plain"])
@pytest.mark.parametrize(("call", "source"), _RESTARTED)
def test_readers_restart(play: Play, call: str, source: str, restart: bool) -> None:
    """
    w0 (read, recvfrom, mq_timedreceive, futex)  <- SIGUSR1, handler with or without SA_RESTART
    """
    seen = play("swallowed.handled", {"call": call, "source": source, "restart": restart})
    seen.expect("woken", True)
    seen.expect("after-signal", "blocked" if restart else "EINTR")
    if restart:
        seen.expect("after-move", "returned")


@claim(
    "signals.system-v-never-restarts",
    "msgrcv and semop end with EINTR after any handler, even one installed with SA_RESTART.",
    level=DOCUMENTED,
    basis=[_SIGNAL7],
)
@pytest.mark.parametrize("restart", [True, False], ids=["SA_RESTART", "plain"])
@pytest.mark.parametrize(("call", "source"), [("msgrcv", "sysv-queue"), ("semop", "semaphore")])
def test_system_v_never_restarts(play: Play, call: str, source: str, restart: bool) -> None:
    """
    w0 (msgrcv, semop)  <- SIGUSR1, handler with or without SA_RESTART
    """
    argument = {"call": call, "source": source, "restart": restart}
    play("swallowed.handled", argument).expect("after-signal", "EINTR")
