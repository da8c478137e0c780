"""How readiness is reported: by POLLRDNORM alone, by a signal, and when a pipe grows."""

from __future__ import annotations

import fcntl
import os
import select
import signal

from ..lab.stage import Me, Stage
from ..scenario import Scenario
from ..verdict import Inconclusive
from .waiting import BLOCKED, await_delivery

_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, include/uapi/linux/fcntl.h; Python has the name from 3.10 on


def normal_data(stage: Stage, kind: str) -> None:
    """One waits in poll for only POLLRDNORM, which is equivalent to POLLIN; something is written."""
    source = stage.source(Scenario.parse(f"poll/{kind}/n1/hold/one-write"))

    def act(me: Me) -> str:
        asking = select.poll()
        asking.register(source.fds[0], select.POLLRDNORM)
        me.ready()
        return "told" if asking.poll()[0][1] & select.POLLRDNORM else "told of something else"

    waiter = stage.actor(act, "w0").blocked_in("poll")
    source.write(0)
    await_delivery(stage, source, 1)
    answers = not stage.rest_shows
    if not answers:
        stage.quiet([waiter])
        answers = waiter.answered
    stage.note("waiter", "the waiter, when something is there", waiter.answer() if answers else BLOCKED)


def signalled(stage: Stage) -> None:
    """The owner of a pipe with O_ASYNC gets SIGIO for a write, and for another one, although nothing was read."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
    for name, what in (("first", "a signal for the first byte"), ("second", "a signal for the second one")):
        os.write(writer, b"x")
        stage.note(name, what, signal.sigtimedwait([signal.SIGIO], 0) is not None)


def make_larger(pipe: int, size: int) -> None:
    """Set the size of a pipe.  Raises Inconclusive if limits for ordinary users forbid it (pipe(7))."""
    try:
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, size)
    except PermissionError as error:
        raise Inconclusive(
            "a larger pipe: EPERM: look at fs.pipe-max-size, fs.pipe-user-pages-soft and fs.pipe-user-pages-hard"
        ) from error


def made_larger(stage: Stage) -> None:
    """Two sleep in write on a full pipe; it is made larger (fcntl(2), F_SETPIPE_SZ), and nobody reads."""
    reader, writer = os.pipe()
    page = os.sysconf("SC_PAGE_SIZE")
    fcntl.fcntl(writer, _SET_PIPE_SIZE, page)
    os.write(writer, bytes(page))

    def act(me: Me) -> int:
        me.ready()
        return os.write(writer, b"x")

    waiters = [stage.actor(act, f"w{i}").blocked_in("write") for i in range(2)]
    make_larger(reader, 4 * page)
    stage.fence(needed=True)
    stage.quiet(waiters)
    stage.note("returned", "writers that have returned", sum(waiter.answered for waiter in waiters))
