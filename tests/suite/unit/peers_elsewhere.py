"""The wake-up tests of gVisor, nanos, illumos, liburing, and the rest of LTP's: the cases, and what judges each."""

from __future__ import annotations

from .peer_case import ERRORS, KERNEL_CRASH, NO_WAIT, RACE, PeerCase

_ADDRESSES = "It concerns addresses and ports, not wake-ups."
_PATH = "It takes another way into the same code, and wakes nobody else."

_ROOM, _LEVEL, _EDGE = (
    "epoll-instances.write-level",
    "epoll-triggers.level-told-while-ready",
    "epoll-triggers.edge-told-once-per-change",
)
_ONESHOT, _HUP, _NESTED = (
    "epoll-triggers.oneshot-until-mod",
    "epoll-instances.err-and-hup-always",
    "epoll-instances.can-be-polled",
)
_CHUNKS, _LAST_COPY = "epoll-instances.each-chunk-an-edge", "epoll-triggers.leaves-with-last-copy"
_LOOPS, _LIMITS = "epoll-instances.not-in-itself", ("limits.never-early", "limits.ends-with-zero")
_ALL, _EINTR = "sources.wakes-all", "signals.multiplexers-never-restart"

_GVISOR_EPOLL = (
    PeerCase("AllWritable", "an instance with many eventfds reports room in all of them", (_ROOM,)),
    PeerCase("LastReadable", "the same, when one of them can be read as well", (_ROOM, _LEVEL)),
    PeerCase("LastNonWritable", "the same, when one is full, and when it was read", (_ROOM,)),
    PeerCase("Timeout, EpollPwait2Timeout", "a time limit does not expire too early", _LIMITS),
    PeerCase("TimeoutNoFds", "an instance that watches nothing, and a limit", ("limits.ends-with-zero",)),
    PeerCase("WaitThenUnblock", "a write ends a wait", (_ALL,)),
    PeerCase("UnblockWithSignal", "a signal ends a wait", (_EINTR,)),
    PeerCase("UnblockWithNewFD", "a ready descriptor is added while somebody waits", ("epoll-instances.empty-blocks",)),
    PeerCase("Oneshot", "EPOLLONESHOT: reported once", (_ONESHOT,)),
    PeerCase(
        "DoubleEpollOneShot", "two instances with one socket each arm it again and again, 16,384 times", why_not=RACE
    ),
    PeerCase(
        "EdgeTriggered",
        "room in an eventfd, edge-triggered: reported once, and again after it was full",
        ("epoll-instances.write-edge",),
    ),
    PeerCase("OneshotAndEdgeTriggered", "both flags: reported once", (_ONESHOT,)),
    PeerCase("CycleOfOneDisallowed, CycleOfThreeDisallowed", "instances in a cycle", (_LOOPS,)),
    PeerCase("CloseFile", "a closed descriptor is reported no more", (_LAST_COPY,)),
    PeerCase("PipeReaderHupAfterWriterClosed", "EPOLLHUP, even if nobody asked", (_HUP,)),
    PeerCase("PipeWriterErrAfterReaderClosed", "EPOLLERR, even if nobody asked", (_HUP,)),
    PeerCase("DoubleLayerEpoll", "an instance in another one, twice", (_NESTED, "epoll-graphs.level-again-edge-once")),
    PeerCase("RegularFiles", "EPERM for a regular file", why_not=ERRORS),
    PeerCase("ReadyMutexCircularity", "25,000 signals against a reader of a signalfd: no deadlock", why_not=RACE),
)

_GVISOR_POLL = (
    PeerCase("InvalidFds, Nfds", "EFAULT and EINVAL, and how many descriptors there may be", why_not=ERRORS),
    PeerCase("NullFds, ZeroTimeout", "a poll of nothing ends when its time is over", _LIMITS),
    PeerCase("NegativeTimeout", "a poll of nothing without a limit ends with a signal", (_EINTR,)),
    PeerCase("NonBlockingEventPOLLIN and its like", "readable data are reported at once", ("sockets.readable-when",)),
    PeerCase("BlockingEventPOLLIN, ...POLLRDNORM", "a write ends a poll", (_ALL, "sources.normal-data-is-input")),
    PeerCase("NonBlockingEventPOLLOUT, BlockingEventPOLLOUT", "there is room", ("sockets.writable-when",)),
    PeerCase("NonBlockingEventPOLLHUP", "a pipe without a writer", (_HUP,)),
    PeerCase("BlockingEventPOLLHUP", "the last writer closes it under a poll", ("sources.end-of-file-wakes-pollers",)),
    PeerCase("NonBlockingEventPOLLERR", "a pipe without a reader", (_HUP,)),
    PeerCase(
        "ImmediatelyReturnOnlyOnPollEvents",
        "an event that was not asked for does not end a wait",
        ("sockets.readable-when", "sources.half-closed-is-rdhup"),
    ),
    PeerCase("PollLevelTriggered", "what was read in part is still readable", ("sockets.readable-when", _LEVEL)),
    PeerCase("UnpollableFile", "a directory is always ready", why_not=NO_WAIT),
    PeerCase(
        "EventsFieldNotModified, EventsFieldNotModifiedOnError", "the field events is left unchanged", why_not=NO_WAIT
    ),
)

_GVISOR_LOOPBACK = (
    PeerCase("TCP, TCPListenUnbound", "connect, accept, send", ("accept.wakes-one",)),
    PeerCase(
        "TCPListenShutdownListen",
        "a listener that was shut down listens again, and takes connections",
        ("death.listens-again-after-shutdown",),
    ),
    PeerCase(
        "TCPListenShutdown",
        "after a shutdown for reading accept fails, and connections are refused",
        ("death.shutdown-ends-accept", "death.shutdown-tcp-hangs-up"),
    ),
    PeerCase(
        "TCPListenClose",
        "a listener is closed with a full queue",
        ("reuseport-group.close-aborts-its-queue", "sockets.full-tcp-queue-ignores"),
    ),
    PeerCase(
        "TCPUnblockWaitOnLocalRdHUp",
        "a shutdown for reading, by a thread, ends another one's poll for POLLRDHUP",
        ("sources.own-shutdown-is-rdhup",),
    ),
    PeerCase(
        "TCPUnblockWaitOnRemoteRdHUp",
        "the peer's shutdown for writing ends a poll for POLLRDHUP",
        ("sources.half-closed-is-rdhup",),
    ),
    PeerCase("TCPInfoState", "the states that TCP_INFO reports", why_not=NO_WAIT),
    PeerCase(
        "TCPListenCloseDuringConnect, TCPListenShutdownDuringConnect",
        "the listener goes away under a connect: its wait ends",
        ("sockets.listener-ends-under-a-connect", "sockets.writable-when"),
    ),
    PeerCase(
        "TCPListenCloseConnectingRead, TCPListenShutdownConnectingRead",
        "it goes away under clients that poll: they are notified, and read ECONNRESET or ECONNREFUSED",
        ("sockets.listener-ends-under-clients", "reuseport-group.close-aborts-its-queue"),
    ),
    PeerCase("TCPNonBlockingConnectClose", "a client closes during its handshake", why_not=RACE),
    PeerCase(
        "TCPBacklog, TCPBacklogAcceptAll",
        "how many connections a queue holds, and that all of them come",
        ("sockets.queue-holds-backlog-and-one", "sockets.full-tcp-queue-ignores"),
    ),
    PeerCase("TCPResetAfterClose", "writes to an end that is closed", ("sockets.write-after-end-raises-sigpipe",)),
    PeerCase("AcceptedInheritsTCPUserTimeout", "an option that is inherited", why_not=NO_WAIT),
    PeerCase(
        "TCPAcceptAfterReset", "a connection is reset before it is accepted", ("sockets.reset-connection-is-accepted",)
    ),
    PeerCase("TCPDeferAccept", "no data, no connection", ("sockets.defer-accept-waits-for-data",)),
    PeerCase(
        "TCPDeferAcceptTimeout",
        "after TCP_DEFER_ACCEPT's time a connection without data is given out",
        ("sockets.defer-accept-gives-up",),
    ),
    PeerCase(
        "TcpPortReuseMultiThread",
        "a group of listeners shares connections evenly",
        ("reuseport.even-shares", "reuseport.wakes-one"),
    ),
    PeerCase(
        "UdpPortReuseMultiThread, UdpPortReuseMultiThreadShort",
        "a group of UDP sockets shares datagrams evenly; those of one sender go to one member",
        ("reuseport.even-shares", "reuseport-group.datagrams-of-one-sender"),
    ),
    PeerCase(
        "DualStack..., V4..., V6..., PortReuseTwoSockets, NoReusePortFollowingReusePort, LoopbackAddressRangeConnect",
        "which addresses and ports may be bound, and reach whom",
        why_not=_ADDRESSES,
    ),
    PeerCase("BadSocketPairArgs, UdpIPV6Only", "errors", why_not=ERRORS),
)

_NANOS = (
    PeerCase("test_ctl", "errors of epoll_ctl; a descriptor that was closed is added again", (_LAST_COPY,)),
    PeerCase("test_wait", "room is told; not any more once it is closed", (_ROOM, _LAST_COPY)),
    PeerCase(
        "test_edgetrigger",
        "of three sockets each is told once, when it is added",
        ("epoll-graphs.level-again-edge-once", "epoll-instances.write-edge"),
    ),
    PeerCase(
        "test_eventfd_et",
        "an eventfd, level- and then edge-triggered: each write is told, read or not",
        (_CHUNKS, _EDGE, "epoll-instances.write-edge", "epoll-instances.mod-looks-again"),
    ),
    PeerCase(
        "test_epollexclusive",
        "eight instances with eight threads each, half of them EPOLLEXCLUSIVE: all plain ones return, and one other",
        ("mixed.plain-all-exclusive-some", "mixed.plain-all-exclusive-one", "epoll-shared.level-wakes-all"),
    ),
    PeerCase("test_poll_nested", "an instance in poll, select and another instance", (_NESTED, _LOOPS)),
    PeerCase("test_select, test_poll", "calls that wait for nothing, and EFAULT", _LIMITS),
)

_ILLUMOS = (
    PeerCase("test_create", "flags of epoll_create1", why_not=ERRORS),
    PeerCase("test_depth1, test_depth2", "five deep, from either end", ("epoll-instances.nests-five-deep",)),
    PeerCase("test_dir, test_file", "EPERM for directories and files", why_not=ERRORS),
    PeerCase("test_errevent, test_hupevent", "EPOLLERR and EPOLLHUP unasked, also once alone", (_HUP, _ONESHOT)),
    PeerCase("test_et", "a write to an eventfd after its room was reported, edge-triggered", (_EDGE, _CHUNKS)),
    PeerCase("test_eventfd_et, test_pipe_et", "a second write is told though nothing was read", (_CHUNKS,)),
    PeerCase(
        "test_exclusive",
        "EPOLLEXCLUSIVE by ADD alone; and its event comes",
        ("epoll-ctl.exclusive-only-by-add", "epoll-private.exclusive-wakes-some"),
    ),
    PeerCase("test_illumos", "an interface that only illumos has", why_not="Linux does not have it."),
    PeerCase("test_loop", "two instances in each other", (_LOOPS,)),
    PeerCase("test_nested", "an instance in another one", (_NESTED, "epoll-graphs.level-again-edge-once")),
    PeerCase(
        "test_nested_et",
        "an instance held edge-triggered is told again and again (illumos; Linux tells it once)",
        ("epoll-graphs.level-again-edge-once",),
    ),
    PeerCase("test_oneshot", "EPOLLONESHOT, armed again", (_ONESHOT,)),
    PeerCase("test_replace", "dup2 over a descriptor that is watched, of which a copy is open", (_LAST_COPY,)),
    PeerCase(
        "test_timeout",
        "limits are kept, also negative ones, and a signal ends the wait",
        (*_LIMITS, "epoll-instances.timeout-negative", _EINTR),
    ),
    PeerCase("stress/epoll_bofh", "everything at once, by many threads", why_not=RACE),
)

_BURST, _FULL, _GOES_ON = (
    "io-uring.multishot-takes-a-burst",
    "io-uring.full-queue-loses-nothing",
    "io-uring.multishot-goes-on",
)
_MULTISHOT_POLL, _RING_READY = "io-uring.multishot-poll-is-an-edge", "io-uring.exclusive-useless-on-a-ring"
_OTHER_LIMITS, _NEVER_RESTARTS = "limits.others-end-with-their-errno", "signals.system-v-never-restarts"
_CANCEL = ("io-uring.cancelled-request-swallows-nothing",)

_LIBURING = (
    PeerCase(
        "accept: plain, many at once, before or after the connect",
        "an accept completes, whether the connection was there before or comes later",
        ("io-uring.accept-wakes-one", "io-uring.accept-first-in-first-out", "every.no-lost-wake-up"),
    ),
    PeerCase("accept: multishot", "each connection completes", (_GOES_ON, _BURST)),
    PeerCase("accept: multishot, and an overflow", "more connections than the completion queue holds", (_FULL,)),
    PeerCase("accept: cancelled", "an accept is cancelled", _CANCEL),
    PeerCase("accept: pending at exit", "a ring is closed with what is armed", why_not=KERNEL_CRASH),
    PeerCase(
        "accept-link, link-timeout: with a timeout linked to it", "the timeout ends the request", (_OTHER_LIMITS,)
    ),
    PeerCase(
        "eploop",
        "a ring that polls an epoll instance which holds that ring does not go round for ever",
        ("io-uring.own-news-end-a-poll",),
    ),
    PeerCase("timeout, wait-timeout", "a wait for completions has a limit", (_OTHER_LIMITS,)),
    PeerCase(
        "recv-multishot, mshot-shutdown-race",
        "a multishot receive tells of all that came, and of the end",
        ("io-uring.multishot-receive-hears-the-end",),
    ),
    PeerCase("accept: fixed descriptors, SQPOLL, O_NONBLOCK, wrong arguments", "variants of a request", why_not=_PATH),
    PeerCase("accept-reuse", "a ring that accepts, again and again", ("every.no-lost-wake-up",)),
    PeerCase("accept-non-empty", "a flag that tells of more connections in the queue", why_not=NO_WAIT),
    PeerCase("accept-test", "the peer's address", why_not=NO_WAIT),
    PeerCase("accept-mshot-stress", "bursts, and clients that come and go, for a multishot accept", (_BURST, _GOES_ON)),
    PeerCase("poll: basic, missing events", "a poll completes, with all that is there", ("io-uring.poll-wakes-all",)),
    PeerCase(
        "poll: of a ring, its own or one that is not enabled yet (poll-ring)",
        "a ring can be polled",
        (_ALL, _RING_READY),
    ),
    PeerCase("poll-v-poll", "io_uring's poll tells what poll and epoll tell", (_ALL,)),
    PeerCase("poll-many", "many files, polled again after each completion", (_ALL, "every.no-lost-wake-up")),
    PeerCase(
        "poll-mshot-update",
        "the same, multishot, with updates",
        (_MULTISHOT_POLL, "io-uring.changed-poll-is-looked-at"),
    ),
    PeerCase(
        "poll-mshot-overflow",
        "a multishot poll whose completion queue is full ends, and says so",
        ("io-uring.multishot-poll-says-that-it-ends",),
    ),
    PeerCase(
        "poll-mshot-wake",
        "a multishot poll on the eventfd that tells of the ring's own completions goes on until it says that it ends",
        ("io-uring.own-news-end-a-poll",),
    ),
    PeerCase("poll-update-trigger", "a poll is changed, and is ready then", ("io-uring.changed-poll-is-looked-at",)),
    PeerCase("poll-race, poll-race-mshot", "writers race with what a ring has just been told", why_not=RACE),
    PeerCase("poll-cancel, poll-cancel-all, poll-cancel-ton, poll-link", "polls are cancelled", _CANCEL),
    PeerCase("pollfree, double-poll-crash, sq-poll-...", "crashes, and another way to submit", why_not=KERNEL_CRASH),
    PeerCase("cq-overflow, cq-full, iopoll-overflow", "what has no room in the queue comes later", (_FULL,)),
    PeerCase(
        "defer-taskrun",
        "with DEFER_TASKRUN a poll completes when its owner enters the ring",
        ("io-uring.deferred-lets-its-owner-sleep",),
    ),
    PeerCase("single-issuer", "other tasks may not submit", ("io-uring.single-issuer-alone",)),
    PeerCase(
        "eventfd, eventfd-ring, eventfd-reg, evfd-short-read", "reads of eventfds", ("sources.ring-reads-wake-all",)
    ),
)

_LTP_REST = (
    PeerCase(
        "futex_wait01 to futex_wait07",
        "a wait ends with a wake-up, with its limit, with a signal, or at once",
        ("accept-locks.futex-wakes-as-many", _OTHER_LIMITS, "signals.readers-restart"),
    ),
    PeerCase(
        "futex_cmp_requeue01",
        "a given number wake, and another number move to another futex",
        ("accept-locks.requeue-wakes-as-many",),
    ),
    PeerCase("futex_cmp_requeue02, futex_cmp_requeue03, futex_waitv01", "errors", why_not=ERRORS),
    PeerCase(
        "futex_waitv02, futex_waitv03",
        "a waiter for several futexes learns which was woken",
        ("accept-locks.waitv-tells-which",),
    ),
    PeerCase("futex_wait_bitset01", "an absolute limit", (_OTHER_LIMITS,)),
    PeerCase(
        "semop01 to semop05, semtimedop",
        "who waits for a semaphore gets it; a signal, a removal, and a limit end the wait",
        ("accept-locks.semaphores-go-round", _NEVER_RESTARTS, "sources.removal-tells-all", _OTHER_LIMITS),
    ),
    PeerCase(
        "flock01 to flock07, fcntl with F_SETLKW",
        "who waits for a file lock gets it",
        ("accept-locks.unlock-wakes-one",),
    ),
    PeerCase(
        "msgrcv05, msgrcv06",
        "a signal, and a removal, end a msgrcv",
        (_NEVER_RESTARTS, "sources.removal-tells-all"),
    ),
    PeerCase(
        "mq_timedreceive01",
        "a limit, a signal, and messages",
        (_OTHER_LIMITS, "signals.readers-restart", "sources.message-wakes-one"),
    ),
    PeerCase(
        "sigtimedwait01, sigwaitinfo01, rt_sigtimedwait01",
        "waits for a signal, with a limit",
        ("signal-driven.one-thread-receives", "limits.receivers-end-with-eagain"),
    ),
    PeerCase("signalfd01, signalfd4", "a signal can be read", ("sources.signalfd-wakes-own-process",)),
    PeerCase("timerfd01 to timerfd04", "expiries", ("sources.event-wakes-all-readers",)),
    PeerCase("inotify, fanotify", "which events there are", ("sources.event-wakes-all-readers",)),
    PeerCase("pipe02", "a child writes to a pipe without a reader, and dies of SIGPIPE", why_not=NO_WAIT),
    PeerCase("pipe04", "children that write to a pipe can be killed", ("sources.killed-waiter-swallows-nothing",)),
    PeerCase("pipe2_02", "a descriptor with O_CLOEXEC", why_not=NO_WAIT),
    PeerCase("epoll_ctl, epoll_create: the others", "errors", why_not=ERRORS),
)

ELSEWHERE: dict[str, tuple[PeerCase, ...]] = {
    "Linux Test Project, the rest of testcases/kernel/syscalls": _LTP_REST,
    "gVisor, test/syscalls/linux/epoll.cc": _GVISOR_EPOLL,
    "gVisor, test/syscalls/linux/poll.cc": _GVISOR_POLL,
    "gVisor, test/syscalls/linux/socket_inet_loopback.cc": _GVISOR_LOOPBACK,
    "nanos, test/runtime/epoll.c": _NANOS,
    "illumos, epoll-test-suite": _ILLUMOS,
    "liburing, test: accept, poll, completion queues": _LIBURING,
}
"""By suite, like PEERS."""
