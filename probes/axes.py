"""The axes of a scenario: the words of each, what they mean, and which part of the lab makes them happen.

One table for each axis, one row for each word.  The parser, the help, and the folders of parts (strategies,
sources, stimuli) all read these tables, so a word is added by its row here and by the part that the row names.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CONNECTIONS, READING, RECEIVING, WRITING, POLLING = "connections", "reading", "receiving", "writing", "polling"
WRITTEN_TO, READ_FROM, EVENTS, GROUPS = "written-to", "read-from", "events", "groups"
MESSAGES, SYSV_MESSAGES = "messages", "sysv-messages"
ABILITIES: Mapping[str, str] = {
    CONNECTIONS: "takes no connections",
    READING: "is not read by Wakecheck",
    RECEIVING: "cannot be received from",
    WRITING: "is not a source on which Wakecheck makes a writer wait",
    MESSAGES: "is not a POSIX message queue",
    SYSV_MESSAGES: "is not a System V message queue",
    POLLING: "cannot be waited for by a multiplexer",
    WRITTEN_TO: "is not written to",
    READ_FROM: "is not read by Wakecheck to make room",
    EVENTS: "has no events of its own",
    GROUPS: "has no SO_REUSEPORT groups",
}
"""What a source can do in a scenario, and what is said of one that cannot: of Wakecheck, where Linux would allow it."""


@dataclass(frozen=True)
class WaitCall:
    """A call that waiters block in."""

    part: str
    """What makes a waiter block in it: MODULE.CLASS in probes/strategies."""
    group: str
    """Which of CALL_GROUPS it belongs to."""
    takes: bool = False
    """Whether the call itself takes what came (accept, read), so that returning is winning."""
    system_call: str = ""
    """The system call that waiters block in, where it has another name than this word."""
    needs: str = CONNECTIONS
    """What a source must be able to do for this call to wait on it: one of ABILITIES."""


ACCEPT, MULTIPLEXER, EPOLL, SIGNAL, IO_URING = "accept", "multiplexer", "epoll", "signal", "io_uring"
READ, WRITE = "read", "write"
CALL_GROUPS = {
    ACCEPT: "take a connection",
    MULTIPLEXER: "report that there is a connection, or something to read",
    EPOLL: "the same, through an epoll instance; they need a trigger",
    SIGNAL: "signal-driven I/O: SIGIO goes to the process group of all waiters",
    IO_URING: "block in io_uring_enter, with an accept, a multishot accept, a poll, an accept on a ring with "
    "DEFER_TASKRUN, a poll with EPOLLEXCLUSIVE, or a read",
    READ: "read what is written: there are no connections",
    WRITE: "write, once there is room",
}

CALLS: Mapping[str, WaitCall] = {
    "accept": WaitCall("accept.Accept", ACCEPT, takes=True),
    "accept4": WaitCall("accept.Accept", ACCEPT, takes=True),
    "select": WaitCall("select.Select", MULTIPLEXER, needs=POLLING),
    "pselect6": WaitCall("select.Select", MULTIPLEXER, needs=POLLING),
    "poll": WaitCall("poll.Poll", MULTIPLEXER, needs=POLLING),
    "ppoll": WaitCall("poll.Poll", MULTIPLEXER, needs=POLLING),
    "epoll_wait": WaitCall("epoll.Epoll", EPOLL, needs=POLLING),
    "epoll_pwait": WaitCall("epoll.Epoll", EPOLL, needs=POLLING),
    "epoll_pwait2": WaitCall("epoll.Epoll", EPOLL, needs=POLLING),
    "rt_sigtimedwait": WaitCall("signal_driven.SignalDriven", SIGNAL),
    "io_uring_accept": WaitCall("io_uring.IoUring", IO_URING, takes=True, system_call="io_uring_enter"),
    "io_uring_multishot": WaitCall("io_uring.IoUring", IO_URING, takes=True, system_call="io_uring_enter"),
    "io_uring_poll": WaitCall("io_uring.IoUring", IO_URING, system_call="io_uring_enter", needs=POLLING),
    "io_uring_deferred": WaitCall("io_uring.IoUring", IO_URING, takes=True, system_call="io_uring_enter"),
    "io_uring_exclusive": WaitCall("io_uring.IoUring", IO_URING, system_call="io_uring_enter", needs=POLLING),
    "io_uring_read": WaitCall("io_uring.IoUring", IO_URING, takes=True, system_call="io_uring_enter", needs=READING),
    "read": WaitCall("read.Read", READ, takes=True, needs=READING),
    "recvfrom": WaitCall("read.Read", READ, takes=True, needs=RECEIVING),
    "mq_timedreceive": WaitCall("mq_receive.MqReceive", READ, takes=True, needs=MESSAGES),
    "msgrcv": WaitCall("msgrcv.Msgrcv", READ, takes=True, needs=SYSV_MESSAGES),
    "write": WaitCall("write.Write", WRITE, takes=True, needs=WRITING),
}


def calls_of(*groups: str) -> tuple[str, ...]:
    """The calls of these groups, in the order of the table."""
    return tuple(name for name, call in CALLS.items() if call.group in groups)


ACCEPTS, EPOLL_CALLS, READS = calls_of(ACCEPT), calls_of(EPOLL), calls_of(READ)
MULTIPLEXERS = calls_of(MULTIPLEXER, EPOLL)


EXCLUSIVE_TRIGGERS = ("exclusive", "edge-exclusive")
TRIGGERS: Mapping[str, str] = {
    "level": "reported as long as there is a connection",
    "edge": "EPOLLET: reported once for each change",
    "oneshot": "EPOLLONESHOT: reported once, until it is re-armed",
    "exclusive": "EPOLLEXCLUSIVE, level-triggered",
    "edge-exclusive": "EPOLLET and EPOLLEXCLUSIVE",
}

SHARINGS: Mapping[str, str] = {
    "listener": "one listener (or other source) for all, and an epoll instance or a ring each (the default)",
    "epoll": "one epoll instance for all",
    "ring": "one io_uring for all waiters, which are threads",
    "nothing": "a source each: TCP listeners in a SO_REUSEPORT group, or sources that are written to: pipes, UDP ports",
}


@dataclass(frozen=True)
class SourceKind:
    """A kind of thing that waiters wait on."""

    part: str
    """What opens it: MODULE.FUNCTION in probes/sources."""
    meaning: str
    """What it is, so that a sentence may begin with it."""
    can: frozenset[str]
    """What it can do, of ABILITIES."""
    rare: bool = False
    """Whether many kernels lack it: claims of their own try it, and the stars of the others leave it out."""
    ready: int = select.POLLIN
    """What a multiplexer asks of it: one of the bits of poll(2), which are those of epoll_ctl(2) too."""
    counts: bool = True
    """Whether what was written k times is read k times, in pieces; a counter gives the sum at once."""
    piece: int = 8
    """Bytes that one read of it takes, so that what was written once is read once."""
    carried: bool = False
    """Whether a thread of the kernel carries what came to the waiters, and wakes them."""


_LISTENER = frozenset({CONNECTIONS, POLLING})
_GROUPED = _LISTENER | {GROUPS}
_READ = frozenset({READING, POLLING, WRITTEN_TO})
_PIPE = _READ | {WRITING, READ_FROM}
_SOCKET = _READ | {RECEIVING}
_EVENTS = frozenset({READING, POLLING, EVENTS})

SOURCES: Mapping[str, SourceKind] = {
    "tcp4": SourceKind("tcp.tcp4", "a TCP listener on 127.0.0.1", _GROUPED),
    "tcp6": SourceKind("tcp.tcp6", "a TCP listener on ::1", _GROUPED),
    "unix": SourceKind("unix.path", "an AF_UNIX stream listener at a path", _LISTENER),
    "unix-abstract": SourceKind("unix.abstract", "an AF_UNIX stream listener at an abstract name", _LISTENER),
    "unix-seqpacket": SourceKind("unix.seqpacket", "an AF_UNIX seqpacket listener", _LISTENER),
    "mptcp4": SourceKind("tcp.mptcp4", "a Multipath TCP listener on 127.0.0.1", _GROUPED, rare=True),
    "vsock": SourceKind(
        "vsock.Vsock", "an AF_VSOCK listener, for this machine itself", _LISTENER, rare=True, carried=True
    ),
    "pipe": SourceKind("pipe.Pipe", "a pipe", _PIPE, piece=1),
    "full-pipe": SourceKind(
        "pipe.FullPipe", "the write end of a full pipe", frozenset({POLLING, READ_FROM}), ready=select.POLLOUT
    ),
    "fifo": SourceKind("pipe.Fifo", "a FIFO", _READ, piece=1),
    "eventfd": SourceKind("eventfd.Eventfd", "an eventfd", _READ, counts=False),
    "eventfd-semaphore": SourceKind("eventfd.EventfdSemaphore", "an eventfd in semaphore mode", _READ),
    "udp4": SourceKind("udp.udp4", "a UDP socket on 127.0.0.1", _SOCKET),
    "udp6": SourceKind("udp.udp6", "a UDP socket on ::1", _SOCKET),
    "unix-datagram": SourceKind("connected.unix_datagram", "an AF_UNIX datagram socket", _SOCKET),
    "unix-connected": SourceKind("connected.unix_stream", "a connected AF_UNIX stream socket", _SOCKET, piece=1),
    "unix-seqpacket-connected": SourceKind("connected.unix_seqpacket", "a connected AF_UNIX seqpacket socket", _SOCKET),
    "tcp4-connected": SourceKind("connected.tcp4", "a connected TCP socket on 127.0.0.1", _SOCKET, piece=1),
    "vsock-connected": SourceKind(
        "vsock.VsockConnected",
        "a connected AF_VSOCK socket, to this machine itself",
        _SOCKET,
        rare=True,
        piece=1,
        carried=True,
    ),
    "pty": SourceKind("pty.Pty", "a pseudoterminal", _READ, piece=1, carried=True),
    "epoll-instance": SourceKind(
        "epoll_instance.EpollInstance", "an epoll instance with an eventfd in it", frozenset({POLLING, WRITTEN_TO})
    ),
    "io-uring": SourceKind("io_uring.IoUringRing", "an io_uring, by its descriptor", frozenset({POLLING, WRITTEN_TO})),
    "timerfd": SourceKind("timerfd.Timerfd", "a timerfd", _EVENTS, counts=False),
    "inotify": SourceKind("inotify.Inotify", "an inotify instance", _EVENTS, counts=False, piece=16),
    "fanotify": SourceKind("fanotify.Fanotify", "a fanotify group", _EVENTS, counts=False, piece=24),
    "fuse": SourceKind("fuse.Fuse", "/dev/fuse", _EVENTS, counts=False, piece=8192),
    "signalfd": SourceKind(
        "signalfd.Signalfd", "a signalfd, and a signal to the last waiter's process", _EVENTS, counts=False, piece=128
    ),
    "signalfd-of-parent": SourceKind(
        "signalfd.ParentSignalfd",
        "a signalfd, and a signal to the process that created it",
        _EVENTS,
        counts=False,
        piece=128,
    ),
    "netlink": SourceKind("netlink.Netlink", "a netlink socket", _SOCKET, piece=16),
    "mqueue": SourceKind("mqueue.Mqueue", "a POSIX message queue", frozenset({MESSAGES, POLLING, WRITTEN_TO})),
    "sysv-queue": SourceKind(
        "sysv_queue.SysvQueue", "a System V message queue", frozenset({SYSV_MESSAGES, WRITTEN_TO})
    ),
    "mountinfo": SourceKind(
        "mountinfo.Mountinfo", "/proc/self/mountinfo", frozenset({POLLING, EVENTS}), ready=select.POLLPRI
    ),
    "pidfd": SourceKind("pidfd.Pidfd", "a pidfd", frozenset({POLLING, EVENTS})),
}


def sources_that_can(*abilities: str) -> tuple[str, ...]:
    """The sources that can do all of this, in the order of the table."""
    return tuple(name for name, kind in SOURCES.items() if kind.can.issuperset(abilities))


LISTENERS = tuple(name for name in sources_that_can(CONNECTIONS) if not SOURCES[name].rare)
RARE_LISTENERS = tuple(name for name in sources_that_can(CONNECTIONS) if SOURCES[name].rare)
WRITTEN = sources_that_can(WRITTEN_TO)

REACTIONS: Mapping[str, str] = {
    "hold": "touch nothing: shows the wake policy of the kernel",
    "accept": "take the connection at once: shows what a server sees",
    "read": "read at once: the same where there are no connections",
    "drain": "accept (or read) until EAGAIN, and wait again",
    "loop": "accept (or read) one, and wait again",
}


@dataclass(frozen=True)
class StimulusKind:
    """A kind of thing that is done to the waiters."""

    part: str
    """The generator that does it: MODULE.FUNCTION in probes/stimuli."""
    meaning: str
    needs: str = ""
    """What a source must be able to do for it: one of ABILITIES, or nothing."""
    k: int | None = 0
    """How many connections, writes or events it makes; None: as many as waiters, unless the scenario says kK."""


STIMULI: Mapping[str, StimulusKind] = {
    "one-connection": StimulusKind("connections.burst", "one connection", needs=CONNECTIONS, k=1),
    "burst": StimulusKind("connections.burst", "k connections, one right after the other", needs=CONNECTIONS, k=None),
    "one-by-one": StimulusKind(
        "connections.one_by_one", "k connections, each once all waiters are at rest again", needs=CONNECTIONS, k=None
    ),
    "elsewhere": StimulusKind("quiet.elsewhere", "a connection to another listener", needs=CONNECTIONS),
    "nothing": StimulusKind("quiet.nothing", "no stimulus at all"),
    "one-write": StimulusKind("writes.one_write", "one write", needs=WRITTEN_TO),
    "write-each": StimulusKind("writes.each", "one write for each waiter", needs=WRITTEN_TO),
    "write-burst": StimulusKind("writes.burst", "k writes, one right after the other", needs=WRITTEN_TO, k=None),
    "writes-one-by-one": StimulusKind(
        "writes.one_by_one", "k writes, each once all waiters are at rest again", needs=WRITTEN_TO, k=None
    ),
    "write-elsewhere": StimulusKind(
        "quiet.write_elsewhere", "a write to another source of the same kind", needs=WRITTEN_TO
    ),
    "one-read": StimulusKind("events.one_event", "one read of a full pipe, which makes room", needs=READ_FROM),
    "one-event": StimulusKind("events.one_event", "one event: a timer expires, a process ends", needs=EVENTS),
    "events-one-by-one": StimulusKind(
        "events.one_by_one", "k events, each once all waiters are at rest again", needs=EVENTS, k=None
    ),
}

WAITERS = ("process", "thread")
REGISTERED: Mapping[str, str] = {
    "before-fork": "epoll instances are filled before the fork",
    "after-fork": "each waiter fills its own",
}
BLOCKED: Mapping[str, str] = {
    "in-order": "waiters block in the order of their numbers",
    "reversed": "the last one blocks first",
}

SHAPE = "CALL[.TRIGGER][.SHARING]/SOURCE/nN[t]/REACTION/STIMULUS"


def guide() -> Iterator[str]:
    """Every axis and its words, as lines of help."""
    yield f"A scenario's id is {SHAPE}[/FURTHER...]"
    yield "\ncall"
    for group, meaning in CALL_GROUPS.items():
        yield f"  {' '.join(calls_of(group))}"
        yield f"      {meaning}"
    yield from _listed("trigger, of the epoll calls", TRIGGERS)
    yield from _listed("sharing: what the waiters share", SHARINGS)
    yield from _listed("source: what they wait on", {name: kind.meaning for name, kind in SOURCES.items()})
    yield from _listed("number of waiters", {"nN": "N processes", "nNt": "N threads of one process"})
    yield from _listed("reaction: what a waiter does once its call has returned", REACTIONS)
    yield from _listed("stimulus", {name: kind.meaning for name, kind in STIMULI.items()})
    further = {"kK": "the k of a stimulus; by default the number of waiters"}
    further |= {f"registered-{name}": meaning for name, meaning in REGISTERED.items()}
    further |= {f"blocked-{name}": meaning for name, meaning in BLOCKED.items()}
    yield from _listed("further, left out where it is the default", further)


def _listed(title: str, meanings: Mapping[str, str]) -> Iterator[str]:
    yield f"\n{title}"
    width = max(map(len, meanings))
    yield from (f"  {word:{width}}  {meaning}" for word, meaning in meanings.items())
