"""Time limits: how a wait ends if nothing happens."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play
from probes.star import tries_every_word

_MILLISECOND = 1_000_000
_FINE = ("pselect6", "ppoll", "epoll_pwait2")
"""Calls whose limit is a timespec: they take a nanosecond."""
_CALLS = ("select", "poll", "epoll_wait", "epoll_pwait")
_SHORTEST = [*((call, 1) for call in _FINE), *((call, _MILLISECOND) for call in _CALLS)]
_LONGER = [(call, limit) for call in (*_CALLS, *_FINE) for limit in (_MILLISECOND, 20 * _MILLISECOND)]
_MAN = [
    man("select", 2, "timeout: the interval that select should block waiting"),
    man("poll", 2, "timeout: rounded up to the system clock granularity; RETURN VALUE: 0 if the call timed out"),
    man("epoll_wait", 2, "timeout: rounded up to the system clock granularity; RETURN VALUE: 0 if nothing was ready"),
]


@claim(
    "limits.never-early",
    "A wait with a time limit never ends early when nothing happens.",
    level=DOCUMENTED,
    basis=_MAN,
)
@pytest.mark.parametrize(("call", "limit_ns"), _LONGER)
def test_never_early(play: Play, call: str, limit_ns: int) -> None:
    """
    w0 (select, poll, epoll_wait: 1 ms, 20 ms) ---> pipe
    """
    play("limits.expires", {"call": call, "ns": limit_ns}).expect("not-early", True)


@claim(
    "limits.ends-with-zero",
    "A wait whose time limit expires returns 0, and does not spin.",
    level=DOCUMENTED,
    basis=[
        *_MAN,
        linux("6.15", "d9ec73301099", "fs/eventpoll: fix endless busy loop after timeout has expired"),
    ],
)
@pytest.mark.parametrize(("call", "limit_ns"), _SHORTEST)
def test_ends_with_zero(play: Play, call: str, limit_ns: int) -> None:
    """
    w0 (select, poll, epoll_wait: 1 ns if the call takes nanoseconds, else 1 ms) ---> pipe
    """
    seen = play("limits.expires", {"call": call, "ns": limit_ns})
    seen.expect("spins", False)
    seen.expect("result", 0)


@claim(
    "limits.receivers-end-with-eagain",
    "accept and recvfrom with SO_RCVTIMEO, and rt_sigtimedwait, end with EAGAIN when their time limit expires, never "
    "earlier, and do not spin.",
    level=DOCUMENTED,
    basis=[
        man("socket", 7, "SO_RCVTIMEO: no data has been transferred, and the timeout has been reached: EAGAIN"),
        man("sigwaitinfo", 2, "sigtimedwait: the interval for which the thread is suspended; ERRORS: EAGAIN"),
    ],
)
@pytest.mark.parametrize("call", ["accept", "accept4", "recvfrom", "rt_sigtimedwait"])
def test_receivers_end_with_eagain(play: Play, call: str) -> None:
    """
    w0 (accept, recvfrom: SO_RCVTIMEO 20 ms; rt_sigtimedwait) ---> s
    """
    seen = play("limits.expires", {"call": call, "ns": 20 * _MILLISECOND})
    seen.expect("spins", False)
    seen.expect("result", "EAGAIN")
    seen.expect("not-early", True)


@claim(
    "limits.others-end-with-their-errno",
    "When their time limit expires, mq_timedreceive and a futex wait end with ETIMEDOUT, semtimedop with EAGAIN, "
    "io_uring_enter with ETIME, and an io_uring request with a linked timeout is cancelled: never earlier, and none "
    "spins.",
    level=DOCUMENTED,
    basis=[
        man("mq_receive", 3, "ERRORS: ETIMEDOUT, the call timed out before a message could be transferred"),
        man("semop", 2, "semtimedop: if the time limit is reached, it fails with EAGAIN"),
        man("futex", 2, "ERRORS: ETIMEDOUT, the timeout expired before the operation completed"),
        kernel("io_uring/io_uring.c", "io_cqring_schedule_timeout: ETIME, once io_cqring_timer_wakeup has run"),
        man("io_uring_enter", 2, "IORING_OP_LINK_TIMEOUT: the timeout cancels the linked command"),
    ],
)
@tries_every_word
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("mq_timedreceive", "ETIMEDOUT"),
        ("semtimedop", "EAGAIN"),
        ("futex-wait", "ETIMEDOUT"),
        ("futex-wait-bitset", "ETIMEDOUT"),
        ("io_uring_enter", "ETIME"),
        ("io-uring-linked-timeout", "ECANCELED"),
    ],
)
def test_others_end_with_their_errno(play: Play, call: str, error: str) -> None:
    """
    w0 (mq_timedreceive, semtimedop, futex, io_uring_enter: 20 ms)
    """
    seen = play("limits.expires", {"call": call, "ns": 20 * _MILLISECOND})
    seen.expect("spins", False)
    seen.expect("result", error)
    seen.expect("not-early", True)


@claim(
    "limits.woken-in-vain",
    "A wait with a time limit that wakes for nothing sleeps on and returns 0 when the limit expires, not earlier; it "
    "does not spin then.",
    level=DOCUMENTED,
    basis=[
        *_MAN,
        kernel("include/linux/signalfd.h", "signalfd_notify: wakes whoever waits on a signalfd, whatever the signal"),
        linux("6.15", "d9ec73301099", "fs/eventpoll: fix endless busy loop after timeout has expired"),
    ],
)
@pytest.mark.parametrize("call", [*_CALLS, *_FINE])
def test_woken_in_vain(play: Play, call: str) -> None:
    """
    w0 (select, poll, epoll_wait: 100 ms) ---> signalfd for SIGUSR2  <- SIGUSR1
    """
    seen = play("time_over.woken_in_vain", call)
    seen.expect("spins", False)
    seen.expect("results", [0])
    seen.expect("not-early", True)


@claim(
    "limits.losers-wait-on",
    "A byte wakes all that are blocked in recvfrom on one connected stream with SO_RCVTIMEO: one gets it, and each "
    "loser waits on until its own time limit expires, to within a tick (10 ms at most), and returns EAGAIN.",
    level=OBSERVED,
    basis=[
        man("socket", 7, "SO_RCVTIMEO: no data has been transferred, and the timeout has been reached: EAGAIN"),
        kernel("net/unix/af_unix.c", "unix_stream_data_wait: gives back what is left of the time"),
        kernel("net/core/sock.c", "sk_wait_data: the same"),
    ],
)
@pytest.mark.parametrize("source", ["unix-connected", "tcp4-connected"])
def test_losers_wait_on(play: Play, source: str) -> None:
    """
    w0 w1 w2 w3      (recvfrom, SO_RCVTIMEO 100 ms)
      \\ |  /
        s  <- "x"
    """
    seen = play("time_over.losers", source)
    seen.expect("winners", 1)
    seen.expect("results", ["EAGAIN"] * 3)
    seen.expect("not-early", True)


@claim(
    "limits.closed-is-told-at-the-end",
    "If another thread closes a descriptor during a wait in poll or select, the call reports it when the time limit "
    "expires, not earlier: poll returns 1 with POLLNVAL, and select returns 1.",
    level=OBSERVED,
    basis=[
        kernel("fs/select.c", "do_poll, do_select: once the time is over they look at every descriptor once more"),
        kernel("fs/select.c", "do_pollfd: EPOLLNVAL if there is no such descriptor; select's POLLIN_SET contains it"),
        linux("5.17", "68514dacf271", "select: Fix indefinitely sleeping task in poll_schedule_timeout()"),
        man("poll", 2, "POLLNVAL: invalid request: fd not open"),
    ],
    rows=["G6"],
)
@pytest.mark.parametrize("call", ["poll", "ppoll", "select", "pselect6"])
def test_closed_is_told_at_the_end(play: Play, call: str) -> None:
    """
    w0: thread 0 (poll, 100 ms)  thread 1: close(p)
                    \\
                     p
    """
    seen = play("time_over.closed_elsewhere", call)
    seen.expect("result", 1)
    if call in ("poll", "ppoll"):
        seen.expect("reported", "POLLNVAL")
    seen.expect("kept-its-time", True)
