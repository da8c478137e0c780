"""The axes of a scenario: the words of each, what they mean, and which part of the lab makes them happen.

One table for each axis, one row for each word.  The parser, the help, and the folders of parts (strategies,
sources, stimuli) all read these tables, so a word is added by its row here and by the part that the row names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CONNECTIONS, READING, RECEIVING, POLLING, WRITTEN_TO, GROUPS = (
    "connections",
    "reading",
    "receiving",
    "polling",
    "written-to",
    "groups",
)
ABILITIES: Mapping[str, str] = {
    CONNECTIONS: "takes no connections",
    READING: "cannot be read",
    RECEIVING: "cannot be received from",
    POLLING: "cannot be waited for by a multiplexer",
    WRITTEN_TO: "is not written to",
    GROUPS: "has no SO_REUSEPORT groups",
}
"""What a source can do, and what is said of one that cannot."""


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


ACCEPT, MULTIPLEXER, EPOLL, SIGNAL, IO_URING, READ = "accept", "multiplexer", "epoll", "signal", "io_uring", "read"
CALL_GROUPS = {
    ACCEPT: "take a connection",
    MULTIPLEXER: "report that there is a connection",
    EPOLL: "the same, through an epoll instance; they need a trigger",
    SIGNAL: "signal-driven I/O: SIGIO goes to the process group that all waiters belong to",
    IO_URING: "blocked in io_uring_enter, with an accept, a multishot accept or a poll request",
    READ: "read what is written: there are no connections",
}

CALLS: Mapping[str, WaitCall] = {
    "accept": WaitCall("accept.Accept", ACCEPT, takes=True),
    "accept4": WaitCall("accept.Accept", ACCEPT, takes=True),
    "select": WaitCall("select.Select", MULTIPLEXER),
    "pselect6": WaitCall("select.Select", MULTIPLEXER),
    "poll": WaitCall("poll.Poll", MULTIPLEXER),
    "ppoll": WaitCall("poll.Poll", MULTIPLEXER),
    "epoll_wait": WaitCall("epoll.Epoll", EPOLL),
    "epoll_pwait": WaitCall("epoll.Epoll", EPOLL),
    "epoll_pwait2": WaitCall("epoll.Epoll", EPOLL),
    "rt_sigtimedwait": WaitCall("signal_driven.SignalDriven", SIGNAL),
    "io_uring_accept": WaitCall("io_uring.IoUring", IO_URING, takes=True, system_call="io_uring_enter"),
    "io_uring_multishot": WaitCall("io_uring.IoUring", IO_URING, takes=True, system_call="io_uring_enter"),
    "io_uring_poll": WaitCall("io_uring.IoUring", IO_URING, system_call="io_uring_enter"),
    "read": WaitCall("read.Read", READ, takes=True, needs=READING),
    "recvfrom": WaitCall("read.Read", READ, takes=True, needs=RECEIVING),
}


def calls_of(*groups: str) -> tuple[str, ...]:
    """The calls of these groups, in the order of the table."""
    return tuple(name for name, call in CALLS.items() if call.group in groups)


ACCEPTS, EPOLL_CALLS, READS = calls_of(ACCEPT), calls_of(EPOLL), calls_of(READ)
MULTIPLEXERS = calls_of(MULTIPLEXER, EPOLL)


TRIGGERS: Mapping[str, str] = {
    "level": "reported as long as there is a connection",
    "edge": "EPOLLET: reported once for each change",
    "oneshot": "EPOLLONESHOT: reported once, until it is armed again",
    "exclusive": "EPOLLEXCLUSIVE, level-triggered",
    "edge-exclusive": "EPOLLET and EPOLLEXCLUSIVE",
}

SHARINGS: Mapping[str, str] = {
    "listener": "one listener (or other source) for all; an epoll instance or a ring each (the default)",
    "epoll": "one epoll instance for all",
    "ring": "one io_uring for all, which are threads",
    "nothing": "a listener each: a SO_REUSEPORT group of TCP sockets, or a pipe, an eventfd or a UDP port each",
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


_LISTENER = frozenset({CONNECTIONS, POLLING})
_GROUPED = _LISTENER | {GROUPS}

SOURCES: Mapping[str, SourceKind] = {
    "tcp4": SourceKind("tcp.tcp4", "a TCP listener on 127.0.0.1", _GROUPED),
    "tcp6": SourceKind("tcp.tcp6", "a TCP listener on ::1", _GROUPED),
    "unix": SourceKind("unix.path", "an AF_UNIX stream listener at a path", _LISTENER),
    "unix-abstract": SourceKind("unix.abstract", "an AF_UNIX stream listener at an abstract name", _LISTENER),
    "unix-seqpacket": SourceKind("unix.seqpacket", "an AF_UNIX seqpacket listener", _LISTENER),
    "mptcp4": SourceKind("tcp.mptcp4", "a Multipath TCP listener on 127.0.0.1", _GROUPED, rare=True),
    "vsock": SourceKind("vsock.Vsock", "an AF_VSOCK listener, for this machine itself", _LISTENER, rare=True),
    "pipe": SourceKind("pipe.Pipe", "a pipe", frozenset({READING, WRITTEN_TO})),
    "eventfd": SourceKind("eventfd.Eventfd", "an eventfd", frozenset({READING, WRITTEN_TO})),
    "udp4": SourceKind("udp.Udp", "a UDP socket on 127.0.0.1", frozenset({RECEIVING, WRITTEN_TO})),
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
    "drain": "accept until EAGAIN, and wait again",
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
    """How many connections or writes it makes; None: as many as there are waiters, unless the scenario says kK."""


STIMULI: Mapping[str, StimulusKind] = {
    "one-connection": StimulusKind("connections.burst", "one connection", needs=CONNECTIONS, k=1),
    "burst": StimulusKind("connections.burst", "k connections, one right after the other", needs=CONNECTIONS, k=None),
    "one-by-one": StimulusKind(
        "connections.one_by_one", "k connections, each when all waiters are at rest again", needs=CONNECTIONS, k=None
    ),
    "elsewhere": StimulusKind("quiet.elsewhere", "a connection to another listener", needs=CONNECTIONS),
    "nothing": StimulusKind("quiet.nothing", "no stimulus at all"),
    "one-write": StimulusKind("writes.one", "one write", needs=WRITTEN_TO),
    "write-each": StimulusKind("writes.each", "one write for each waiter", needs=WRITTEN_TO),
    "writes-one-by-one": StimulusKind(
        "writes.one_by_one", "k writes, each when all waiters are at rest again", needs=WRITTEN_TO, k=None
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
    further = {"kK": "the k of a stimulus; without it, as many as there are waiters"}
    further |= {f"registered-{name}": meaning for name, meaning in REGISTERED.items()}
    further |= {f"blocked-{name}": meaning for name, meaning in BLOCKED.items()}
    yield from _listed("further, left out where it is the default", further)


def _listed(title: str, meanings: Mapping[str, str]) -> Iterator[str]:
    yield f"\n{title}"
    width = max(map(len, meanings))
    yield from (f"  {word:{width}}  {meaning}" for word, meaning in meanings.items())
