"""A scenario: one point on all axes, and its id, which is also its address.

    CALL[.TRIGGER][.SHARING]/LISTENER/nN[t]/REACTION/STIMULUS[/FURTHER...]

for example `epoll_wait.exclusive.listener/tcp4/n8/hold/one-connection`.  Further axes follow
only where they differ from the default: `k48`, `registered-before-fork`, `blocked-reversed`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

EPOLL_CALLS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
MULTIPLEXERS = ("select", "pselect6", "poll", "ppoll", *EPOLL_CALLS)
ACCEPTS = ("accept", "accept4")
CHANNELS = {"read": ("pipe", "eventfd"), "recvfrom": ("udp4",)}
"""Calls that read what is written, and what they can read from."""
READS = tuple(CHANNELS)
SIGNALS = ("rt_sigtimedwait",)
"""Signal-driven: SIGIO goes to the owner of the listener, a process group that all waiters belong to."""
IO_URING_ACCEPTS = ("io_uring_accept", "io_uring_multishot")
IO_URING = (*IO_URING_ACCEPTS, "io_uring_poll")
"""Blocked in io_uring_enter, with a ring each or one for all; the name says which request it waits for."""
CALLS = (*ACCEPTS, *MULTIPLEXERS, *SIGNALS, *IO_URING, *READS)

TRIGGERS = ("level", "edge", "oneshot", "exclusive", "edge-exclusive")
SHARINGS = ("listener", "epoll", "ring", "nothing")
SOCKETS = ("tcp4", "tcp6", "unix", "unix-abstract", "unix-seqpacket")
WRITTEN = tuple(kind for kinds in CHANNELS.values() for kind in kinds)
"""What takes no connections, but is written to."""
RARE_SOCKETS = ("mptcp4", "vsock")
"""What many kernels lack: tried by claims of their own, and left out of the stars of the others."""
LISTENERS = (*SOCKETS, *RARE_SOCKETS, *WRITTEN)
REACTIONS = ("hold", "accept", "drain", "loop")
CONNECTION_STIMULI = ("one-connection", "burst", "one-by-one")
WRITE_STIMULI = ("one-write", "write-each", "writes-one-by-one")
STIMULI = (*CONNECTION_STIMULI, "elsewhere", "nothing", *WRITE_STIMULI)
SERIES = (*CONNECTION_STIMULI, "writes-one-by-one")
"""Stimuli of k connections, or k writes."""

MOST_WAITERS = 10_000
"""More than this is refused: each waiter costs the machine a process."""
MOST_CONNECTIONS = 100_000


class BadScenario(ValueError):
    """The id or the combination makes no sense; the message is one sentence for the user."""


@dataclass(frozen=True)
class Scenario:
    """One point on all axes.  `k` is the number of connections (or writes) that a series makes (0: none)."""

    call: str
    listener: str = "tcp4"
    n: int = 8
    reaction: str = "hold"
    stimulus: str = "one-connection"
    trigger: str | None = None
    sharing: str = "listener"
    lock: str | None = None
    waiter: str = "process"
    k: int = -1
    registered: str | None = None
    blocked: str = "in-order"

    def __post_init__(self) -> None:
        if self.k == -1:
            object.__setattr__(self, "k", default_k(self.stimulus, self.n))
        if self.registered is None and self.call in EPOLL_CALLS:
            object.__setattr__(self, "registered", default_registered(self.sharing))
        problem = self._problem()
        if problem:
            raise BadScenario(problem)

    def _problem(self) -> str | None:
        """Why no such scenario exists, as one sentence, or None."""
        for axis, known in _KNOWN.items():
            value = getattr(self, axis)
            if value is not None and value not in known:
                return f"no {axis} {value!r}: there are {', '.join(known)}"
        if not 1 <= self.n <= MOST_WAITERS:
            return f"{self.n} waiters: a scenario has 1 to {MOST_WAITERS:,}"
        if (self.call in EPOLL_CALLS) != (self.trigger is not None):
            return f"{self.call}: a trigger belongs to the epoll calls, and each of them needs one"
        if self.sharing == "epoll" and self.call not in EPOLL_CALLS:
            return f"{self.call}: only the epoll calls can share an epoll instance"
        if self.registered is not None and self.call not in EPOLL_CALLS:
            return f"{self.call}: only the epoll calls register anything"
        if self.registered == "after-fork" and self.sharing == "epoll":
            return "a shared epoll instance is registered before the fork, once"
        problem = self._problem_of_channel() if self.call in READS else self._problem_of_socket()
        if problem:
            return problem
        if self.stimulus in SERIES and not 1 <= self.k <= MOST_CONNECTIONS:
            return f"k{self.k}: {self.stimulus} makes 1 to {MOST_CONNECTIONS:,} of them"
        if self.stimulus == "one-connection" and self.k != 1:
            return f"k{self.k}: one-connection is one; use burst or one-by-one"
        if self.stimulus not in SERIES and self.k != 0:
            return f"k{self.k}: {self.stimulus} makes no connection to the waiters"
        if self.reaction == "drain" and self.takes:
            return f"{self.call}/drain: {self.call} has no readiness to drain; use loop"
        if self.sharing == "nothing" and self.listener not in ("tcp4", "tcp6", "mptcp4", *WRITTEN):
            return f"{self.listener}: a reuseport group needs tcp4 or tcp6"
        if self.sharing == "ring" and (self.call not in IO_URING or self.waiter != "thread"):
            return f"{self.call}: one ring is for the io_uring calls, and for threads (write n8t)"
        if self.sharing == "nothing" and self.waiter == "thread" and self.call in SIGNALS:
            return f"{self.call}: threads share their signals, and could not tell whose listener one is about"
        if self.blocked == "reversed" and self.waiter == "thread":
            return "blocked-reversed is arranged for processes only"
        return None

    def _problem_of_channel(self) -> str | None:
        """What is wrong with a scenario of readers; None if nothing is."""
        known = CHANNELS[self.call]
        if self.listener not in known:
            return f"{self.call} on {self.listener}: {self.call} waits on {' or '.join(known)}"
        if self.stimulus not in (*WRITE_STIMULI, "nothing"):
            return f"{self.stimulus}: {self.listener} takes {', '.join(WRITE_STIMULI)} or nothing"
        if self.reaction not in ("hold", "loop"):
            return f"{self.call}/{self.reaction}: a reader can hold, or loop"
        return None

    def _problem_of_socket(self) -> str | None:
        """What is wrong with a scenario of waiters for connections; None if nothing is."""
        if self.listener in WRITTEN:
            return f"{self.call} on {self.listener}: {self.call} waits on a listening socket"
        if self.stimulus in WRITE_STIMULI:
            return f"{self.stimulus} is for what is read ({', '.join(WRITTEN)}), not for {self.listener}"
        return None

    @property
    def id(self) -> str:
        """The address of this scenario; `Scenario.parse` reads it back."""
        parts = [
            strategy_name(self.call, self.trigger, self.sharing),
            self.listener,
            f"n{self.n}{'t' if self.waiter == 'thread' else ''}",
            self.reaction,
            self.stimulus,
        ]
        if self.k != default_k(self.stimulus, self.n):
            parts.append(f"k{self.k}")
        if self.registered is not None and self.registered != default_registered(self.sharing):
            parts.append(f"registered-{self.registered}")
        if self.blocked != "in-order":
            parts.append(f"blocked-{self.blocked}")
        return "/".join(parts)

    @property
    def strategy(self) -> str:
        """How a server waits: call, trigger and sharing."""
        return strategy_name(self.call, self.trigger, self.sharing)

    @property
    def takes(self) -> bool:
        """Whether the wait call itself takes what came (accept, read), so that returning is winning."""
        return self.call in (*ACCEPTS, *IO_URING_ACCEPTS, *READS)

    @property
    def system_call(self) -> str:
        """The system call that waiters block in."""
        return "io_uring_enter" if self.call in IO_URING else self.call

    def as_dict(self) -> dict[str, Any]:
        """The axes, as run.json keeps them and as `Scenario(**axes)` takes them."""
        return asdict(self)

    @classmethod
    def parse(cls, address: str) -> Scenario:
        """The scenario with this id.  Raises BadScenario with one sentence on what is wrong."""
        parts = address.strip().split("/")
        if len(parts) < 5:
            raise BadScenario(
                f"{address!r} is not CALL[.TRIGGER][.SHARING]/LISTENER/nN[t]/REACTION/STIMULUS, "
                "for example poll/tcp4/n8/hold/one-connection"
            )
        call, trigger, sharing = _parse_strategy(parts[0])
        size = re.fullmatch(r"n([0-9]{1,12})(t?)", parts[2])
        if not size:
            raise BadScenario(f"{parts[2]!r} is no size: write n8 for 8 processes, n8t for 8 threads")
        axes: dict[str, Any] = {
            "call": call,
            "trigger": trigger,
            "sharing": sharing,
            "listener": parts[1],
            "n": int(size[1]),
            "waiter": "thread" if size[2] else "process",
            "reaction": parts[3],
            "stimulus": parts[4],
        }
        for further in parts[5:]:
            _parse_further(further, axes)
        return cls(**axes)


_KNOWN: dict[str, tuple[str, ...]] = {
    "call": CALLS,
    "trigger": TRIGGERS,
    "sharing": SHARINGS,
    "listener": LISTENERS,
    "reaction": REACTIONS,
    "stimulus": STIMULI,
    "waiter": ("process", "thread"),
    "registered": ("before-fork", "after-fork"),
    "blocked": ("in-order", "reversed"),
    "lock": (),
}


def strategy_name(call: str, trigger: str | None, sharing: str) -> str:
    """CALL[.TRIGGER][.SHARING]: the sharing is left out where it is `listener` and there is no trigger."""
    if trigger is not None:
        return f"{call}.{trigger}.{sharing}"
    return call if sharing == "listener" else f"{call}.{sharing}"


def default_k(stimulus: str, n: int) -> int:
    """How many connections a stimulus makes unless told: one, or as many as there are waiters."""
    if stimulus == "one-connection":
        return 1
    return n if stimulus in SERIES else 0


def default_registered(sharing: str) -> str:
    """A shared instance is registered before the fork, by nature; a private one after it."""
    return "before-fork" if sharing == "epoll" else "after-fork"


def _parse_strategy(name: str) -> tuple[str, str | None, str]:
    call, *rest = name.split(".")
    trigger = next((word for word in rest if word not in SHARINGS), None)
    sharing = next((word for word in rest if word in SHARINGS), "listener")
    if len(rest) > 2 or (trigger is not None and rest[0] != trigger):
        raise BadScenario(f"{name!r} is not CALL[.TRIGGER][.SHARING]")
    return call, trigger, sharing


def _parse_further(word: str, axes: dict[str, Any]) -> None:
    if re.fullmatch(r"k[0-9]{1,12}", word):
        axes["k"] = int(word[1:])
    elif word.startswith("registered-"):
        axes["registered"] = word.removeprefix("registered-")
    elif word.startswith("blocked-"):
        axes["blocked"] = word.removeprefix("blocked-")
    else:
        raise BadScenario(f"{word!r} is no further axis: there are kK, registered-..., blocked-...")
