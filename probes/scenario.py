"""A scenario: one point on all axes, and its id, which is also its address.

    CALL[.TRIGGER][.SHARING]/SOURCE/nN[t]/REACTION/STIMULUS[/FURTHER...]

for example `epoll_wait.exclusive.listener/tcp4/n8/hold/one-connection`.  Further axes follow
only where they differ from the default: `k48`, `registered-before-fork`, `blocked-reversed`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from select import POLLOUT
from typing import Any

from .address import KNOWN, BadScenario, axes_at, nearest_axes
from .axes import (
    ABILITIES,
    CALLS,
    CONNECTIONS,
    EPOLL_CALLS,
    EVENTS,
    EXCLUSIVE_TRIGGERS,
    GROUPS,
    IO_URING,
    READ_FROM,
    READING,
    SIGNAL,
    SOURCES,
    STIMULI,
    TRIGGERS,
    WRITING,
    WRITTEN_TO,
    calls_of,
    sources_that_can,
)

MOST_WAITERS = 10_000
"""More than this is refused: each waiter costs the machine a process."""
MOST_CONNECTIONS = 100_000

__all__ = ["MOST_CONNECTIONS", "MOST_WAITERS", "BadScenario", "Scenario", "strategy_name"]


@dataclass(frozen=True)
class Scenario:
    """One point on all axes.  `k` is the number of connections (or writes) that a series makes (0: none)."""

    call: str
    source: str = "tcp4"
    n: int = 8
    reaction: str = "hold"
    stimulus: str = "one-connection"
    trigger: str | None = None
    sharing: str = "listener"
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
        """Why no such scenario exists, as one sentence that names the axis, or None."""
        for axis, known in KNOWN.items():
            value = getattr(self, axis)
            if value is not None and value not in known:
                return f"no {axis} {value!r}: {_there_are(known)}"
        if not 1 <= self.n <= MOST_WAITERS:
            return f"{self.n} waiters: a scenario has 1 to {MOST_WAITERS:,}"
        return (
            self._problem_of_epoll()
            or self._problem_of_sharing()
            or self._problem_of_source()
            or self._problem_of_reaction()
            or self._problem_of_k()
            or self._problem_of_order()
        )

    def _problem_of_epoll(self) -> str | None:
        if self.call in EPOLL_CALLS:
            return None if self.trigger else f"{self.call} needs a trigger: {', '.join(TRIGGERS)}"
        only = f"only {_listed(EPOLL_CALLS)} have one"
        if self.trigger is not None:
            return f"trigger {self.trigger!r}: {self.call} has no trigger, {only}"
        if self.registered is not None:
            return f"registered {self.registered!r}: {self.call} has no epoll instance, {only}"
        if self.sharing == "epoll":
            return f"sharing 'epoll': {self.call} has no epoll instance to share, {only}"
        return None

    def _problem_of_sharing(self) -> str | None:
        if self.sharing == "epoll" and self.registered == "after-fork":
            return "registered 'after-fork': a shared epoll instance is filled once, before the fork"
        if self.sharing == "nothing":
            if not SOURCES[self.source].can & {GROUPS, WRITTEN_TO}:
                able = [name for name, kind in SOURCES.items() if kind.can & {GROUPS, WRITTEN_TO}]
                lacks = f"{self._lacks(GROUPS)} and {ABILITIES[WRITTEN_TO]}"
                return f"sharing 'nothing': {lacks}; there can be one for each waiter of {_listed(able)}"
            if self.waiter == "thread" and CALLS[self.call].group == SIGNAL:
                return "sharing 'nothing': threads share their signals, and SIGIO does not say whose listener it is for"
        if self.sharing == "ring" and CALLS[self.call].group != IO_URING:
            return f"sharing 'ring': {self.call} has no ring to share, only {_listed(calls_of(IO_URING))} have one"
        if self.sharing == "ring" and self.waiter != "thread":
            return f"sharing 'ring': one ring is shared by threads (write n{self.n}t), not by processes"
        if self.sharing == "ring" and self.call == "io_uring_deferred":
            return "sharing 'ring': io_uring_deferred makes a ring for a single task (IORING_SETUP_SINGLE_ISSUER)"
        return None

    def _problem_of_source(self) -> str | None:
        """What the call or the stimulus needs, and the source cannot do; None if it can all of it."""
        can = SOURCES[self.source].can
        needed = CALLS[self.call].needs
        if needed not in can:
            others = _listed(sources_that_can(needed), "or")
            return f"source {self.source!r}: {self._lacks(needed)}; {self.call} waits on {others}"
        if self.trigger in EXCLUSIVE_TRIGGERS and self.source == "epoll-instance":
            return f"trigger {self.trigger!r}: EPOLLEXCLUSIVE is not allowed for an epoll instance (epoll_ctl(2))"
        fitting = [name for name, kind in STIMULI.items() if not kind.needs or kind.needs in can & self._moved_by]
        if self.stimulus not in fitting:
            needed = STIMULI[self.stimulus].needs
            why = self._lacks(needed) if needed not in can else f"{self.call} waits for {self._waited_for}"
            return f"stimulus {self.stimulus!r}: {why}; it can get {_listed(fitting, 'or')}"
        return None

    @property
    def _waits_for_room(self) -> bool:
        return CALLS[self.call].needs == WRITING or self.ready == POLLOUT

    @property
    def _waited_for(self) -> str:
        return "room to write" if self._waits_for_room else "something to read"

    @property
    def _moved_by(self) -> frozenset[str]:
        """What of the source's abilities can end the wait: a write fills, and a read makes room."""
        return frozenset({READ_FROM}) if self._waits_for_room else frozenset({CONNECTIONS, WRITTEN_TO, EVENTS})

    def _lacks(self, ability: str) -> str:
        return f"{SOURCES[self.source].meaning} {ABILITIES[ability]}"

    def _problem_of_reaction(self) -> str | None:
        can = SOURCES[self.source].can
        if self.reaction == "accept" and CONNECTIONS not in can:
            return f"reaction 'accept': {self._lacks(CONNECTIONS)}; its waiters can hold{_or_read(can, self.takes)}"
        if self.reaction == "read" and CONNECTIONS in can:
            return f"reaction 'read': {self._lacks(READING)}; its waiters accept"
        if self.reaction in ("drain", "read") and self.takes:
            what = "connection" if CONNECTIONS in can else "piece"
            return f"reaction {self.reaction!r}: {self.call} takes one {what} each time it returns; use loop"
        if self.reaction != "hold" and not self.takes and not can & {CONNECTIONS, READING}:
            return f"reaction {self.reaction!r}: {self._lacks(READING)}; its waiters can hold"
        return None

    def _problem_of_k(self) -> str | None:
        k = STIMULI[self.stimulus].k
        if k is None and not 1 <= self.k <= MOST_CONNECTIONS:
            return f"k{self.k}: {self.stimulus} makes 1 to {MOST_CONNECTIONS:,} of them"
        if k == 1 and self.k != 1:  # of the stimuli, one connection alone
            return f"k{self.k}: {self.stimulus} is one; use {_listed(_series(connects=True), 'or')}"
        if k == 0 and self.k != 0:
            return f"k{self.k}: {self.stimulus} is not a series; {_listed(_series())} are"
        if self.source == "timerfd" and self.k > 1 and self.reaction == "hold" and not self.takes:
            return f"k{self.k}: a timer that is armed again forgets an expiry that nobody has read; use read or loop"
        return None

    def _problem_of_order(self) -> str | None:
        if self.blocked == "reversed" and self.waiter == "thread":
            return "blocked 'reversed': only processes can be made to block in another order than that of their numbers"
        return None

    @property
    def id(self) -> str:
        """The address of this scenario; `Scenario.parse` reads it back."""
        parts = [
            strategy_name(self.call, self.trigger, self.sharing),
            self.source,
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
    def words(self) -> tuple[tuple[str, str | int], ...]:
        """What it is made of, each with its axis; call, trigger and sharing are one word."""
        others = ("source", "n", "waiter", "reaction", "stimulus", "registered", "blocked")
        return ("strategy", self.strategy), *((axis, getattr(self, axis)) for axis in others)

    @property
    def takes(self) -> bool:
        """Whether the wait call itself takes what came (accept, read), so that returning is winning."""
        return CALLS[self.call].takes

    @property
    def connects(self) -> bool:
        """Whether connections are what is waited for, so that a client can be answered."""
        return CONNECTIONS in SOURCES[self.source].can

    @property
    def ready(self) -> int:
        """What a multiplexer asks of the source: a bit of poll(2)."""
        return SOURCES[self.source].ready

    @property
    def piece(self) -> int:
        """Bytes that one read takes of what the source holds."""
        return SOURCES[self.source].piece

    @property
    def system_call(self) -> str:
        """The system call that waiters block in."""
        return CALLS[self.call].system_call or self.call

    def as_dict(self) -> dict[str, Any]:
        """The axes, as run.json keeps them and as `Scenario(**axes)` takes them."""
        return asdict(self)

    @classmethod
    def parse(cls, address: str) -> Scenario:
        """The scenario with this id.  Raises BadScenario with one sentence: which axis is wrong, and what there is."""
        try:
            return cls._parse(address)
        except BadScenario as error:
            if "did you mean" not in str(error) and (meant := _in_lower_case(cls, address)):
                raise BadScenario(f"{error}; did you mean {meant}?") from None
            raise

    @classmethod
    def _parse(cls, address: str) -> Scenario:
        axes = axes_at(address)
        try:
            return cls(**axes)
        except BadScenario as error:
            raise BadScenario(f"{error}{_meant(cls, axes)}") from None


def _there_are(known: Collection[str]) -> str:
    return f"there are {', '.join(known)}"


def _series(*, connects: bool = False) -> list[str]:
    """The stimuli that come k times; with `connects`, the connections among them."""
    return [name for name, kind in STIMULI.items() if kind.k is None and (kind.needs == CONNECTIONS or not connects)]


def _listed(words: Collection[str], joint: str = "and") -> str:
    *most, last = words
    return f"{', '.join(most)} {joint} {last}" if most else last


def _or_read(can: frozenset[str], takes: bool) -> str:
    """What waiters can do besides to hold, where there are no connections: the end of a sentence."""
    if takes:
        return " or loop"
    return ", read, drain or loop" if READING in can else ""


def _meant(kind: type[Scenario], axes: dict[str, Any]) -> str:
    """`; did you mean ...?` with the scenario in which each wrong word is the nearest of its own axis, or nothing."""
    mended = nearest_axes(axes)
    if mended is None:
        return ""
    try:
        return f"; did you mean {kind(**mended).id}?"
    except BadScenario:
        return ""


def _in_lower_case(kind: type[Scenario], address: str) -> str | None:
    """The id, if this is one but for its capitals."""
    if address == address.lower():
        return None
    with contextlib.suppress(BadScenario):
        return kind.parse(address.lower()).id
    return None


def strategy_name(call: str, trigger: str | None, sharing: str) -> str:
    """CALL[.TRIGGER][.SHARING]: the sharing is left out where it is `listener` and there is no trigger."""
    if trigger is not None:
        return f"{call}.{trigger}.{sharing}"
    return call if sharing == "listener" else f"{call}.{sharing}"


def default_k(stimulus: str, n: int) -> int:
    """How many connections (or writes) a stimulus makes, unless the scenario says so: fixed, or as many as waiters."""
    kind = STIMULI.get(stimulus)
    if kind is None:
        return 0  # which is refused in the next step
    return n if kind.k is None else kind.k


def default_registered(sharing: str) -> str:
    """A shared instance is registered before the fork, by nature; a private one after it."""
    return "before-fork" if sharing == "epoll" else "after-fork"
