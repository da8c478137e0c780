"""Commits of the kernel that made or mended a wake-up, and what sees each here: a page of docs/ shows them."""

from __future__ import annotations

from . import broken, broken_elsewhere, broken_sources
from .regression_case import RACE, Regression
from .regressions_further import FURTHER

REGRESSIONS = (
    Regression(
        "339ddb53d373",
        "fs/epoll: remove unnecessary wakeups of nested epoll",
        "5.5",
        "Introduced: with a shared level-triggered instance the waiters were no longer woken one after the other.",
        claims=(
            "epoll-shared.level-wakes-all",
            "epoll-shared.level-each-return-wakes-one",
            "sources.shared-level-wakes-all",
        ),
        models=(broken.SharedLevelWakesOne,),
    ),
    Regression(
        "7fab29e35630",
        "fs/epoll: restore waking from ep_done_scan()",
        "5.13",
        "Fixed that.",
        claims=("epoll-shared.level-wakes-all", "epoll-shared.level-each-return-wakes-one"),
        models=(broken.SharedLevelWakesOne,),
    ),
    Regression(
        "1b53734bd0b2",
        "epoll: fix possible lost wakeup on epoll_ctl() path",
        "5.6",
        "Fixed (introduced by a218cc491420 in 5.1; bugzilla 205933): an event that came while "
        "epoll_ctl armed it was lost.",
        why_not=RACE,
    ),
    Regression(
        "412895f03cbf",
        "epoll: atomically remove wait entry on wake up",
        "5.7",
        "Fixed: two events in quick succession woke one waiter twice, and the other not at all.",
        why_not=RACE,
    ),
    Regression(
        "65759097d804",
        "epoll: call final ep_events_available() check under the lock",
        "5.7",
        "Fixed: a waiter went to sleep while the ready list was empty for a moment, and was not woken.",
        claims=("epoll-instances.mod-beside-a-wait",),
        facts=True,
    ),
    Regression(
        "289caf5d8f6c",
        "epoll: check for events when removing a timed out thread from the wait queue",
        "5.11",
        "Fixed: a waiter whose time limit had just expired swallowed the wake-up of an event at that moment.",
        why_not=RACE,
    ),
    Regression(
        "d9ec73301099",
        "fs/eventpoll: fix endless busy loop after timeout has expired",
        "6.15",
        "Fixed: a wait whose time limit had already expired spun in the kernel forever.",
        claims=("limits.ends-with-zero",),
        facts=True,
    ),
    Regression(
        "f2e467a48287",
        "eventpoll: Fix semi-unbounded recursion",
        "6.17",
        "Fixed: instances could be nested deeper than five when the new one is added at the inner end.",
        claims=("epoll-instances.nests-five-deep",),
        seen_on=("5.10", "uml-5.10"),
    ),
    Regression(
        "68514dacf271",
        "select: Fix indefinitely sleeping task in poll_schedule_timeout()",
        "5.17",
        "Fixed: a waiter in select slept on after the wake-up if its descriptor had been closed meanwhile.",
        claims=("death.close-in-thread-select", "death.sleeper-keeps-listener"),
        seen_on=("uml-5.10",),
    ),
    Regression(
        "0ddad21d3e99",
        "pipe: use exclusive waits when reading or writing",
        "5.6",
        "Fixed: a byte woke every reader of a pipe, and room every writer.",
        claims=("read.pipe-wakes-one", "sources.message-wakes-one", "sources.room-wakes-one-writer"),
        models=(broken_elsewhere.PipeHerdsSilently, broken_sources.RoomHerdsSilently),
    ),
    Regression(
        "6551d5c56eb0",
        "pipe: make sure to wake up everybody when the last reader/writer closes",
        "5.6",
        "Fixed (introduced by 0ddad21d3e99): the end of a pipe woke only one of the waiters.",
        claims=(
            "sources.end-of-file-tells-all",
            "sources.end-of-file-wakes-pollers",
            "sources.no-reader-tells-all-writers",
        ),
        facts=True,
    ),
    Regression(
        "3a34b13a88ca",
        "pipe: make pipe writes always wake up readers",
        "5.14",
        "Fixed (introduced in 5.5): a write to a pipe that was not empty was not an edge.",
        claims=("epoll-instances.each-chunk-an-edge",),
        seen_on=("uml-5.10",),
    ),
    Regression(
        "3b844826b6c6",
        "pipe: avoid unnecessary EPOLLET wakeups under normal loads",
        "5.14",
        "Kept that, but only if somebody has polled the pipe.",
        claims=("epoll-instances.each-chunk-an-edge",),
        facts=True,
    ),
    Regression(
        "46c4c9d1beb7",
        "pipe: increase minimum default pipe size to 2 pages",
        "5.14",
        "Fixed: with one page, the least that a user with many pipes gets, programs waited for each other forever.",
        why_not="The wake-ups were right; there was too little room.",
    ),
    Regression(
        "52dd86406dfa",
        "io_uring: enable EPOLLEXCLUSIVE for accept poll",
        "5.18",
        "Fixed: one connection woke every ring that waits in accept.",
        claims=("io-uring.accept-wakes-one", "io-uring.accept-first-in-first-out"),
        seen_on=("5.10", "uml-5.10"),
        models=(broken_elsewhere.RingAcceptHerds,),
    ),
    Regression(
        "b261eda84ec1",
        "soreuseport: Fix socket selection for SO_INCOMING_CPU",
        "6.2",
        "Fixed (introduced in 4.6): a reuseport group ignored SO_INCOMING_CPU.",
        claims=("reuseport-group.incoming-cpu",),
        seen_on=("5.10",),
    ),
    Regression(
        "3864c6ba1e04",
        "tcp: call sk_data_ready() after listener migration",
        "April 2026",
        "Fixed: a connection that migrated to another listener of its group woke nobody there.",
        claims=("reuseport-group.migration-wakes",),
        seen_on=("6.16", "6.17", "6.18", "6.19"),
    ),
    Regression(
        "929e30f93125",
        "bpf, sockmap: Fix FIONREAD for sockmap",
        "2026",
        "Fixed: FIONREAD counted wrongly for sockets in a sockmap; introduced: it reports 0 for one "
        "without a verdict program, "
        "whatever has arrived (fixed by 04af4efde58a).",
        why_not="A sockmap takes BPF programs, which nothing here loads.",
    ),
    *FURTHER,
)
