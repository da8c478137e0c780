"""The strategies that can be measured, under the names that people use, with the id beside them.

An id is that of a scenario's strategy (`epoll_wait.level.listener`), and `+LOCK` where workers take
turns under a lock (`accept+robust-mutex`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..axes import CALLS, IO_URING, SIGNAL, SOURCES
from ..locks import LOCKS
from ..nearest import did_you_mean
from ..scenario import BadScenario, Scenario

HANDED_OVER = tuple(name for name, kind in LOCKS.items() if kind.handed_over)
"""The locks that a waiter sleeps on until it gets them."""
_IN_MEMORY = ("posix-sem", "mutex", "robust-mutex")

BASE = "accept"
"""What every other strategy is compared with, in the same round."""

BEST_LOCK = "robust-mutex"
"""Taken in user space, asks the kernel only to sleep and to wake; and given back where its owner is killed."""

_NAMES = {
    "accept": "accept, one listener",
    "select": "select, one listener",
    "poll": "poll, one listener",
    "epoll_wait.level.listener": "epoll, an instance each, level-triggered",
    "epoll_wait.edge.listener": "epoll, an instance each, edge-triggered",
    "epoll_wait.exclusive.listener": "epoll, an instance each, EPOLLEXCLUSIVE",
    "epoll_wait.level.epoll": "epoll, one instance for all, level-triggered",
    "epoll_wait.edge.epoll": "epoll, one instance for all, edge-triggered",
    "accept.nothing": "accept, SO_REUSEPORT",
    "epoll_wait.level.nothing": "epoll, SO_REUSEPORT, level-triggered",
    "io_uring_accept": "io_uring, accept",
    "io_uring_multishot": "io_uring, multishot accept",
    f"accept+{BEST_LOCK}": "accept under a lock (robust mutex)",
    "rt_sigtimedwait": "signal-driven (SIGIO)",
}
DEFAULT = tuple(_NAMES)


@dataclass(frozen=True)
class Way:
    """How the workers wait, and what they do after a return."""

    id: str
    call: str
    trigger: str | None
    sharing: str
    lock: str | None

    @property
    def name(self) -> str:
        """For people; the id itself if nobody has a name for it."""
        return _NAMES.get(self.id, self.id)

    @property
    def takes(self) -> bool:
        """Whether the wait call itself takes the connection."""
        return self.scenario(1).takes

    @property
    def drains(self) -> bool:
        """Whether one return may stand for several connections, so that a worker must accept until EAGAIN:
        an edge or a signal is told once."""
        return CALLS[self.call].group == SIGNAL or self.trigger in ("edge", "edge-exclusive")

    @property
    def calls_per_wait(self) -> int | None:
        """System calls that one wait takes, re-arming included; None if nobody can count them from outside:
        libc takes a lock in memory without the kernel where it can."""
        if self.lock in _IN_MEMORY:
            return None
        own = 2 if self.call == "io_uring_accept" else 1
        return own + (2 if self.lock else 0)

    def scenario(self, workers: int) -> Scenario:
        """The scenario of this way with this many workers on tcp4.  Raises BadScenario."""
        return Scenario(
            self.call, n=workers, reaction="loop", stimulus="one-by-one", trigger=self.trigger, sharing=self.sharing
        )


def parse(name: str) -> Way:
    """The way with this id.  Raises BadScenario with one sentence."""
    strategy, plus, lock = name.partition("+")
    if plus and lock not in HANDED_OVER:
        raise BadScenario(f"no lock {lock!r}: there are {', '.join(HANDED_OVER)}")
    call = strategy.partition(".")[0]
    if call not in CALLS:
        able = [name for name, kind in CALLS.items() if kind.needs in SOURCES["tcp4"].can and name != "io_uring_poll"]
        raise BadScenario(f"no call {call!r}{did_you_mean(call, able)}; there are {', '.join(able)}")
    scenario = Scenario.parse(f"{strategy}/tcp4/n1/loop/one-by-one")
    if scenario.call == "io_uring_poll":
        raise BadScenario(f"{strategy} is not measured: io_uring_accept and io_uring_multishot are")
    if scenario.trigger == "oneshot":
        raise BadScenario(f"{strategy}: oneshot must be armed again after each return, which is not measured here")
    if lock and (CALLS[scenario.call].group in (SIGNAL, IO_URING) or scenario.sharing != "listener"):
        raise BadScenario(f"{name}: a lock goes around a wait for one listener that all have")
    return Way(name, scenario.call, scenario.trigger, scenario.sharing, lock or None)
