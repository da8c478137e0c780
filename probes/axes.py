"""The axes of a scenario: the words of each, what they mean, and which part of the lab makes them happen.

One table for each axis, one row for each word.  The parser, the help, and the folders of parts (strategies,
listeners, stimuli) all read these tables, so a word is added by its row here and by the part that the row names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


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
    reads: tuple[str, ...] = ()
    """The listeners that it reads from; none for a call that waits on a listening socket."""


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
    "read": WaitCall("read.Read", READ, takes=True, reads=("pipe", "eventfd")),
    "recvfrom": WaitCall("read.Read", READ, takes=True, reads=("udp4",)),
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
    "listener": "one listener for all; an epoll instance or a ring each (the default)",
    "epoll": "one epoll instance for all",
    "ring": "one io_uring for all, which are threads",
    "nothing": "a listener each: a SO_REUSEPORT group of TCP sockets, or a pipe, an eventfd or a UDP port each",
}


@dataclass(frozen=True)
class ListenerKind:
    """A kind of thing that waiters wait on."""

    part: str
    """What opens it: MODULE.FUNCTION in probes/listeners."""
    meaning: str
    reuseport: bool = False
    """Whether several can share one address (SO_REUSEPORT), so that waiters need share nothing."""
    rare: bool = False
    """Whether many kernels lack it: claims of their own try it, and the stars of the others leave it out."""
    written: bool = False
    """Whether it takes no connections, but is written to."""


LISTENERS: Mapping[str, ListenerKind] = {
    "tcp4": ListenerKind("tcp.tcp4", "TCP on 127.0.0.1", reuseport=True),
    "tcp6": ListenerKind("tcp.tcp6", "TCP on ::1", reuseport=True),
    "unix": ListenerKind("unix.path", "AF_UNIX stream socket at a path"),
    "unix-abstract": ListenerKind("unix.abstract", "AF_UNIX stream socket at an abstract name"),
    "unix-seqpacket": ListenerKind("unix.seqpacket", "AF_UNIX seqpacket socket"),
    "mptcp4": ListenerKind("tcp.mptcp4", "Multipath TCP on 127.0.0.1", reuseport=True, rare=True),
    "vsock": ListenerKind("vsock.Vsock", "AF_VSOCK, to this machine itself", rare=True),
    "pipe": ListenerKind("pipe.Pipe", "a pipe, for read", written=True),
    "eventfd": ListenerKind("eventfd.Eventfd", "an eventfd, for read", written=True),
    "udp4": ListenerKind("udp.Udp", "a UDP socket on 127.0.0.1", written=True),
}
SOCKETS = tuple(name for name, kind in LISTENERS.items() if not kind.rare and not kind.written)
RARE_SOCKETS = tuple(name for name, kind in LISTENERS.items() if kind.rare)
WRITTEN = tuple(name for name, kind in LISTENERS.items() if kind.written)

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
    connects: bool = False
    """Whether it connects: it is for sockets alone then."""
    writes: bool = False
    """Whether it writes: it is for what is written to alone then."""
    k: int | None = 0
    """How many connections or writes it makes; None: as many as there are waiters, unless the scenario says kK."""


STIMULI: Mapping[str, StimulusKind] = {
    "one-connection": StimulusKind("connections.burst", "one connection", connects=True, k=1),
    "burst": StimulusKind("connections.burst", "k connections, one right after the other", connects=True, k=None),
    "one-by-one": StimulusKind(
        "connections.one_by_one", "k connections, each when all waiters are at rest again", connects=True, k=None
    ),
    "elsewhere": StimulusKind("quiet.elsewhere", "a connection to another listener", connects=True),
    "nothing": StimulusKind("quiet.nothing", "no stimulus at all"),
    "one-write": StimulusKind("writes.one", "one write", writes=True),
    "write-each": StimulusKind("writes.each", "one write for each waiter", writes=True),
    "writes-one-by-one": StimulusKind(
        "writes.one_by_one", "k writes, each when all waiters are at rest again", writes=True, k=None
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

SHAPE = "CALL[.TRIGGER][.SHARING]/LISTENER/nN[t]/REACTION/STIMULUS"


def guide() -> Iterator[str]:
    """Every axis and its words, as lines of help."""
    yield f"A scenario's id is {SHAPE}[/FURTHER...]"
    yield "\ncall"
    for group, meaning in CALL_GROUPS.items():
        yield f"  {' '.join(calls_of(group))}"
        yield f"      {meaning}"
    yield from _listed("trigger, of the epoll calls", TRIGGERS)
    yield from _listed("sharing: what the waiters share", SHARINGS)
    yield from _listed("listener", {name: kind.meaning for name, kind in LISTENERS.items()})
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
