"""More commits that made or mended a wake-up: pipes, terminals, TCP, futexes, io_uring, and what came before 5.5."""

from __future__ import annotations

from . import broken
from .regression_case import RACE, Regression

_ON_EXEC = "It concerns threads that call exec; no claim has any."

FURTHER = (
    Regression(
        "df0108c5da56",
        "epoll: add EPOLLEXCLUSIVE flag",
        "4.5",
        "Made it possible that one of many instances gets the event, instead of all.",
        claims=("epoll-private.exclusive-wakes-one", "sources.exclusive-wakes-one"),
        models=(broken.ExclusiveIgnored,),
    ),
    Regression(
        "0c54a6a44bf3",
        "eventpoll: fix missing wakeup for ovflist in ep_poll_callback",
        "5.7",
        "Fixed (introduced by 339ddb53d373): an event that came while another task looked through "
        "the instance woke nobody.",
        why_not=RACE,
    ),
    Regression(
        "a16ceb139610",
        "epoll: autoremove wakers even more aggressively",
        "6.0",
        "Fixed: threads that die stay in the queue until they run, and each event tries to wake all of them anew.",
        why_not=RACE,
    ),
    Regression(
        "d80e731ecab4",
        "epoll: introduce POLLFREE to flush ->signalfd_wqh before kfree()",
        "3.3",
        "Fixed: an instance with a signalfd kept the wait queue of a process that was gone.",
        why_not="It concerns the kernel's memory: waiters get no event, before or after.",
    ),
    Regression(
        "42288cb44c4b",
        "wait: add wake_up_pollfree()",
        "5.16",
        "Fixed: when such a queue is freed, only the first of several exclusive waiters was made to leave it.",
        why_not="It concerns the kernel's memory: waiters get no event, before or after.",
    ),
    Regression(
        "1b6b26ae7053",
        "pipe: fix and clarify pipe write wakeup logic",
        "5.5",
        "Introduced: a write to a pipe that was not empty was not an edge, and sent no SIGIO.",
        claims=("epoll-instances.each-chunk-an-edge", "sources.pipe-signals-each-write"),
        facts=True,
    ),
    Regression(
        "f467a6a66419",
        "pipe: fix and clarify pipe read wakeup logic",
        "5.5",
        "Introduced: a read wakes writers only if the pipe was full, as select, poll and epoll have it since.",
        claims=("epoll-instances.write-edge",),
        facts=True,
    ),
    Regression(
        "fe67f4dd8daa",
        "pipe: do FASYNC notifications for every pipe IO, not just state changes",
        "5.14",
        "Fixed: no SIGIO came for a write to a pipe that was not empty.",
        claims=("sources.pipe-signals-each-write",),
        facts=True,
    ),
    Regression(
        "e95aada4cb93",
        "pipe: wakeup wr_wait after setting max_usage",
        "6.8",
        "Fixed: a writer that sleeps on a full pipe slept on when the pipe was made larger.",
        claims=("sources.larger-pipe-wakes-writers",),
        facts=True,
    ),
    Regression(
        "c816b2e65b0e",
        "n_tty: wake up poll(POLLRDNORM) on receiving data",
        "5.17",
        "Fixed (introduced by 57087d515441): a waiter on a terminal for POLLRDNORM alone was not woken.",
        claims=("sources.normal-data-is-input",),
        facts=True,
    ),
    Regression(
        "ef8d8ccdc216",
        "tcp: make sure EPOLLOUT wont be missed",
        "5.3",
        "Fixed (introduced by 790ba4566c1a): room was not reported after a send that a short SO_SNDTIMEO had ended.",
        claims=("sockets.room-after-a-limit-is-told",),
        facts=True,
    ),
    Regression(
        "f969dc5a8857",
        "tcp: fix SO_RCVLOWAT related hangs under mem pressure",
        "5.12",
        "Fixed: a waiter for SO_RCVLOWAT bytes slept on although no more could arrive for lack of memory.",
        why_not="It takes a machine without memory for sockets, which no claim can arrange.",
    ),
    Regression(
        "76835b0ebf8a",
        "futex: Ensure get_futex_key_refs() always implies a barrier",
        "3.18",
        "Fixed (introduced by b0c29f79ecea in 3.14): FUTEX_WAKE saw nobody waiting, and woke nobody.",
        why_not=RACE,
    ),
    Regression(
        "0fb482728ba1",
        "pidfs: improve multi-threaded exec and premature thread-group leader exit polling",
        "6.15",
        "Fixed: the pidfd of a first thread could report an end too early.",
        why_not=_ON_EXEC,
    ),
    Regression(
        "31efe48eb5dc",
        "io_uring: fix possible poll event lost in multi shot mode",
        "5.15",
        "Fixed: an event between a completion and the return to the queue was lost to a multishot poll.",
        why_not=RACE,
    ),
    Regression(
        "4464853277d0",
        "io_uring: pass in EPOLL_URING_WAKE for eventfd signaling and wakeups",
        "6.2",
        "Fixed: a multishot poll on what a ring itself signals completed without end; such a poll ends now.",
        claims=("io-uring.own-news-end-a-poll",),
        facts=True,
    ),
    Regression(
        "1967f0b1cafd",
        "io_uring/poll: ensure EPOLL_ONESHOT is propagated for EPOLL_URING_WAKE",
        "7.1",
        "Fixed (introduced by 4464853277d0): such a poll could stay silent forever without saying that it had ended.",
        claims=("io-uring.own-news-end-a-poll",),
        facts=True,
    ),
    Regression(
        "84230ad2d2af",
        "io_uring/poll: correctly handle io_poll_add() return value on update",
        "6.19",
        "Fixed: a poll that was changed to ask for what is there was cancelled instead of completed.",
        claims=("io-uring.changed-poll-is-looked-at",),
        facts=True,
    ),
    Regression(
        "a68ed2df7213",
        "io_uring/poll: fix multishot recv missing EOF on wakeup race",
        "7.0",
        "Fixed: data and an end that came before the owner ran were reported as one, and the end never.",
        claims=("io-uring.multishot-receive-hears-the-end",),
        facts=True,
    ),
    Regression(
        "c0e0d6ba25f1",
        "io_uring: add IORING_SETUP_DEFER_TASKRUN",
        "6.1",
        "Made it possible that a completion does not wake the owner of a ring where it sleeps elsewhere.",
        claims=("io-uring.deferred-lets-its-owner-sleep",),
        facts=True,
    ),
    Regression(
        "7cae596bc31f",
        "io_uring: register single issuer task at creation",
        "6.0",
        "Fixed: a ring with SINGLE_ISSUER belonged to whoever submitted first.",
        claims=("io-uring.single-issuer-alone",),
        facts=True,
    ),
)
"""Told like REGRESSIONS, which holds them, too."""
