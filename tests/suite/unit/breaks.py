"""Which claims break on which broken kernel: what the tests of the models expect, and a page in docs/ shows."""

from __future__ import annotations

from . import broken, broken_elsewhere, broken_sources
from .model import Kernel

_ACCEPT = {"accept.wakes-one", "accept.one-waiter-per-connection"}
_ACCEPT_ORDER = {"accept.first-in-first-out", "accept.goes-round"}
_EXCLUSIVE = {"epoll-private.exclusive-wakes-one", "epoll-private.exclusive-one-winner"}
EXCLUSIVE_ORDER = {"epoll-private.exclusive-first-registered", "epoll-private.exclusive-favours-first"}
_PRIVATE = {
    "epoll-private.wakes-all",
    "epoll-private.wakes-all-for-one-winner",
    "epoll-private.all-get-the-event",
}
_SHARED_EDGE = {"epoll-shared.edge-wakes-one", "epoll-shared.edge-one-winner"}
SHARED_ORDER = {"epoll-shared.last-blocked-first", "epoll-shared.favours-last"}
_SHARED_LEVEL = {"epoll-shared.level-wakes-all", "epoll-shared.level-each-return-wakes-one"}
_POLL = {"select-poll.wakes-all", "select-poll.wakes-all-for-one-winner"}
_REUSEPORT = {"reuseport.wakes-one", "reuseport.one-winner"}
_FAMILIES = {"every.no-lost-wake-up", "every.won-once", "every.burst-won-whole"}
RING_ORDER = {"io-uring.accept-first-in-first-out", "io-uring.multishot-favours-first"}
_OTHER_GROUPS = {"io-uring.accept-wakes-one", "signal-driven.wakes-own-process"}
_AGAIN = {"every.level-comes-again"}

_MPTCP_ONE, _MPTCP_ALL, _MPTCP_ORDER = (f"listeners.mptcp-{what}" for what in ("wakes-one", "wakes-all", "order"))
_VSOCK, _VSOCK_ACCEPT = "listeners.vsock-readiness", "listeners.vsock-accept-herds"
_VSOCK_STREAM = "listeners.vsock-stream-wakes-all"

_ON_RARE_LISTENERS: dict[type[Kernel], set[str]] = {
    broken.AcceptHerdsSilently: {_MPTCP_ONE, _MPTCP_ORDER},
    broken.AcceptHerdsVisibly: {_MPTCP_ONE, _MPTCP_ORDER, _VSOCK_ACCEPT},
    broken.AcceptWakesTwo: {_MPTCP_ONE, _MPTCP_ORDER},
    broken.AcceptLastInFirstOut: {_MPTCP_ORDER},
    broken.AcceptAtRandom: {_MPTCP_ORDER},
    broken.ExclusiveIgnored: {_MPTCP_ONE, _VSOCK},
    broken.ExclusiveWakesTwo: {_MPTCP_ONE, _VSOCK},
    broken.ExclusiveWakesNobody: {_MPTCP_ONE, _VSOCK},
    broken.SharedEdgeFirstInFirstOut: {_MPTCP_ORDER},
    broken.SharedEdgeWakesTwo: {_MPTCP_ONE, _VSOCK},
    broken.SharedEdgeHerdsSilently: {_MPTCP_ONE, _MPTCP_ORDER, _VSOCK},
    broken.PollWakesOne: {_MPTCP_ALL, _VSOCK, _VSOCK_STREAM},
    broken.PollForgetsTheLast: {_MPTCP_ALL, _VSOCK, _VSOCK_STREAM},
    broken.PrivateLevelForgetsOne: {_MPTCP_ALL, _VSOCK},
    broken.WonTwice: {"listeners.no-lost-wake-up", _VSOCK_ACCEPT},
    broken_elsewhere.RingAcceptHerds: {_MPTCP_ONE},
}
"""What the kernels below break besides, on listeners that many kernels lack."""

_ON_SOURCES: dict[type[Kernel], set[str]] = {
    broken.ExclusiveIgnored: {"sources.exclusive-wakes-one"},
    broken.ExclusiveWakesTwo: {"sources.exclusive-wakes-one"},
    broken.ExclusiveWakesNobody: {"sources.exclusive-wakes-one"},
    broken.SharedEdgeWakesTwo: {"sources.shared-edge-wakes-one"},
    broken.SharedEdgeHerdsSilently: {"sources.shared-edge-wakes-one"},
    broken.SharedLevelWakesOne: {"sources.shared-level-wakes-all"},
    broken.LevelComesOnce: {"sources.shared-level-wakes-all"},
    broken.PollWakesOne: {"sources.wakes-all", "sources.wakes-all-for-one-reader", "sources.mountinfo-wakes-all"},
    broken.PollForgetsTheLast: {
        "sources.wakes-all",
        "sources.wakes-all-for-one-reader",
        "sources.mountinfo-wakes-all",
    },
    broken.PrivateEdgeWakesOne: {"sources.wakes-all", "sources.mountinfo-wakes-all"},
    broken.PrivateLevelForgetsOne: {"sources.wakes-all"},
    broken_elsewhere.RingPollWakesOne: {"sources.wakes-all"},
    broken_elsewhere.PipeHerdsSilently: {"sources.message-wakes-one"},
    broken_elsewhere.DatagramHerdsSilently: {"sources.message-wakes-one"},
    broken_elsewhere.EventfdWakesOne: {"sources.event-wakes-all-readers"},
}
"""The same, on sources that take no connections."""

_ANYWHERE: dict[type[Kernel], set[str]] = {
    broken.AcceptHerdsSilently: _ACCEPT | _ACCEPT_ORDER,
    broken.AcceptHerdsVisibly: _ACCEPT | _ACCEPT_ORDER,
    broken.AcceptWakesTwo: _ACCEPT | _ACCEPT_ORDER,
    broken.AcceptLastInFirstOut: _ACCEPT_ORDER,
    broken.AcceptAtRandom: _ACCEPT_ORDER,
    broken.ExclusiveIgnored: _EXCLUSIVE | EXCLUSIVE_ORDER,
    broken.ExclusiveWakesTwo: _EXCLUSIVE | EXCLUSIVE_ORDER,
    broken.ExclusiveWakesNobody: _EXCLUSIVE
    | EXCLUSIVE_ORDER
    | {"epoll-private.exclusive-wakes-some"}
    | _REUSEPORT
    | _FAMILIES
    | _AGAIN,
    broken.ExclusiveGoesRound: {"epoll-private.exclusive-favours-first"},
    broken.ExclusiveByBlocking: EXCLUSIVE_ORDER,
    broken.SharedEdgeFirstInFirstOut: SHARED_ORDER,
    broken.SharedEdgeWakesTwo: _SHARED_EDGE | {"epoll-shared.edge-just-one", "epoll-shared.favours-last"},
    broken.SharedEdgeHerdsSilently: _SHARED_EDGE
    | SHARED_ORDER
    | {"epoll-shared.oneshot-told-once", "epoll-shared.edge-just-one"},
    broken.OneshotFiresTwice: _SHARED_EDGE | {"epoll-shared.oneshot-told-once", "epoll-shared.favours-last"},
    broken.OneshotStaysArmed: {"epoll-shared.oneshot-told-once"},
    broken.SharedLevelWakesOne: _SHARED_LEVEL,
    broken.LevelComesOnce: _SHARED_LEVEL | {"every.level-comes-again"},
    broken.PrivateLevelComesOnce: {"every.level-comes-again"},
    broken.SharedOneshotFirstInFirstOut: {"epoll-shared.favours-last"},
    broken.PhantomOnUnix: {"every.no-phantom-wake-up"},
    broken.PollWakesOne: _POLL,
    broken.PollForgetsTheLast: _POLL,
    broken.PrivateEdgeWakesOne: _PRIVATE,
    broken.PrivateLevelForgetsOne: _PRIVATE,
    broken.ReuseportTakesTheFirst: {"reuseport.spreads"},
    broken.ReuseportHasAFavourite: {"reuseport.spreads"},
    broken.ReuseportDeliversToTwo: _REUSEPORT | _OTHER_GROUPS | _FAMILIES,
    broken.ReuseportWakesAnother: _REUSEPORT | _OTHER_GROUPS,
    broken_elsewhere.RingAcceptHerds: {"io-uring.accept-wakes-one", "io-uring.accept-first-in-first-out"},
    broken_elsewhere.RingAcceptLastInFirstOut: {"io-uring.accept-first-in-first-out"},
    broken_elsewhere.MultishotGoesRound: {"io-uring.multishot-favours-first", "io-uring.multishot-takes-a-burst"},
    broken_elsewhere.MultishotNeedsItsWaiter: {"io-uring.multishot-takes-a-burst"},
    broken_elsewhere.RingExclusiveIgnored: {"io-uring.exclusive-poll-wakes-one"},
    broken_sources.RingObeysExclusive: {"io-uring.exclusive-useless-on-a-ring"},
    broken_elsewhere.RingPollWakesOne: {"io-uring.poll-wakes-all"},
    broken_elsewhere.RingWakesOneThread: {"io-uring.one-ring-wakes-all-threads"},
    broken_elsewhere.GroupSignalledByHalf: {"signal-driven.group-wakes-all", "signal-driven.losers-find-nothing"},
    broken_elsewhere.SignalTakenTwice: {"signal-driven.one-thread-receives", "signal-driven.second-thread-in-vain"},
    broken_elsewhere.SignalWakesOneThread: {"signal-driven.second-thread-in-vain"},
    broken_elsewhere.PipeHerdsSilently: {"read.pipe-wakes-one", "read.first-in-first-out"},
    broken_elsewhere.PipeLastInFirstOut: {"read.first-in-first-out"},
    broken_elsewhere.DatagramHerdsSilently: {"read.datagram-wakes-one", "read.first-in-first-out"},
    broken_elsewhere.EventfdWakesOne: {"read.eventfd-wakes-all"},
    broken_elsewhere.VsockAcceptWakesOne: {"listeners.vsock-accept-herds"},
    broken_elsewhere.MptcpAcceptHerds: {"listeners.mptcp-wakes-one", "listeners.mptcp-order"},
    broken_sources.StreamWakesOne: {"sources.stream-wakes-all", _VSOCK_STREAM},
    broken_sources.EventWakesOneReader: {"sources.event-wakes-all-readers"},
    broken_sources.PtyHerdsSilently: {"sources.pty-wakes-two"},
    broken_sources.PtyForgetsTheLock: {"sources.pty-wakes-two"},
    broken_sources.FanotifyWakesOne: {"sources.event-wakes-all-readers", "sources.wakes-all"},
    broken_sources.FuseForgetsOne: {
        "every.no-lost-wake-up",
        "every.won-once",
        "sources.exclusive-wakes-one",
        "sources.message-wakes-one",
        "sources.shared-edge-wakes-one",
        "sources.wakes-all",
    },
    broken_sources.RoomHerdsSilently: {"sources.room-wakes-one-writer"},
    broken_sources.RingReadWakesOne: {"sources.ring-reads-wake-all"},
    broken_sources.PidfdObeysExclusive: {"sources.exclusive-useless-on-pidfd"},
    broken_sources.ExclusiveHerdsOnTimers: {"sources.exclusive-wakes-one"},
    broken_sources.FullPipeWakesOnePoller: {"sources.wakes-all"},
    broken_sources.PhantomOnEventfd: {"every.no-phantom-wake-up"},
    broken_sources.SignalfdTellsAll: {"sources.signalfd-wakes-own-process"},
    broken_sources.SignalfdTellsChildren: {
        "sources.signalfd-of-parent-tells-nobody",
        "sources.signalfd-registered-by-parent",
    },
    broken_sources.MountsWakeOne: {"sources.mountinfo-wakes-all"},
    broken_sources.InotifyForgetsOne: {
        "every.no-lost-wake-up",
        "every.won-once",
        "sources.event-wakes-all-readers",
        "sources.exclusive-wakes-one",
        "sources.shared-edge-wakes-one",
        "sources.wakes-all",
    },
    broken.PhantomWakeUp: {"every.no-phantom-wake-up"},
    broken.WonTwice: _FAMILIES
    | _AGAIN
    | {
        "io-uring.poll-wakes-all",
        "io-uring.one-ring-wakes-all-threads",
        "signal-driven.losers-find-nothing",
        "epoll-shared.favours-last",
        "select-poll.wakes-all-for-one-winner",
        "epoll-private.wakes-all-for-one-winner",
        "epoll-shared.level-each-return-wakes-one",
    },
    broken.BurstLeavesTheLast: {
        "accept.one-waiter-per-connection",
        "every.burst-won-whole",
        "io-uring.multishot-takes-a-burst",
    }
    | _AGAIN,
    # Over TCP the lab sees that a connection is unaccounted for, and cannot say whose fault it is.
    broken.BurstLosesTheLast: {
        "?accept.one-waiter-per-connection",
        "?every.burst-won-whole",
        "?every.level-comes-again",
        "?io-uring.multishot-takes-a-burst",
    },
}
BREAKS = {
    make: claims | _ON_RARE_LISTENERS.get(make, set()) | _ON_SOURCES.get(make, set())
    for make, claims in _ANYWHERE.items()
}
"""The claims that break on each kernel, and no others; `?`: could not be judged, which fails a run too."""

GAPS = {
    broken.PrivateEdgeComesAgain: "in no claim does an edge-triggered waiter wait again before it has taken everything",
    broken.SharedLevelFirstInFirstOut: "only sched_waking sees who is woken first; who returns first is a race",
}
"""Broken kernels that pass, with the reason."""
