"""The observers of an audit: which are available here, and why the others are not."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field

from ..lab.fence import why_steered
from ..observers import Lost
from ..observers.perf_rings import Tracepoint
from ..verdict import Inconclusive
from .find import pids
from .returns import Returns, why_returns_tell_nothing
from .traced import Traced
from .tracepoints import descriptions
from .wakers import Wakers, shares_our_pid_namespace, softirq_threads

_TRACEPOINTS = {"sched_waking": "sched/sched_waking", "sys_exit": "raw_syscalls/sys_exit"}


@dataclass
class Eyes:
    """The observers that are available."""

    wakers: Wakers | None = None
    returns: Returns | None = None
    traced: Traced | None = None
    softirqs: Collection[int] = field(default_factory=set)
    """Thread ids of ksoftirqd."""
    why_not: dict[str, str | None] = field(default_factory=dict)
    """For each tracepoint, why it is not observed, or None."""

    def pump(self) -> None:
        """Read the rings, so that none fills up while the audit waits for something else.

        Raises Inconclusive if a ring was full.
        """
        try:
            if self.wakers is not None:
                self.wakers.pump()
            if self.returns is not None:
                self.returns.pump()
        except Lost as lost:
            raise Inconclusive(str(lost)) from lost
        self.let_go_on()

    def take_in(self) -> None:
        """As `pump`, but while it does not matter whether a ring was full."""
        for observer in (self.wakers, self.returns):
            if observer is not None:
                with contextlib.suppress(Lost):
                    observer.pump()

    def woken(self) -> set[int] | None:
        """Threads that were woken since the last call; None if that is not known."""
        return None if self.wakers is None else self.wakers.news()

    def missed(self) -> bool:
        """Whether a thread may have been woken since the last call that `woken` left out."""
        return self.wakers is not None and self.wakers.missed()

    def let_go_on(self) -> None:
        """With --trace, let the threads continue that ptrace has stopped."""
        if self.traced is not None:
            self.traced.pump()

    def forget(self, threads: Collection[int]) -> None:
        """Observe these threads from now on, and drop what was seen so far."""
        if self.wakers is not None:
            self.wakers.watch(threads)
            self.wakers.forget()
        if self.returns is not None:
            self.returns.watch(threads)
            self.returns.forget()
        if self.traced is not None:
            self.traced.seen()


def open_eyes(threads: Collection[int], release: contextlib.ExitStack, *, over_lo: bool = False) -> Eyes:
    """Open the observers that are available here; `release` closes them.

    `over_lo`: the audit's connections come over the loopback interface.  If that steers packets to other CPUs, the
    audit's connections wake workers from a softirq on another CPU, as those of other clients do, and the wake-ups
    cannot be told apart.
    """
    eyes = Eyes(softirqs=softirq_threads(pids()))
    described = descriptions(list(_TRACEPOINTS.values()))
    if over_lo and (steered := why_steered()):
        described = dict.fromkeys(described, steered)
    for name, path in _TRACEPOINTS.items():
        description = described[path]
        eyes.why_not[name] = description if isinstance(description, str) else _opened(eyes, name, description, threads)
    for observer in (eyes.wakers, eyes.returns):
        if observer is not None:
            release.callback(observer.close)
    return eyes


def _opened(eyes: Eyes, name: str, description: Tracepoint, threads: Collection[int]) -> str | None:
    """Open this observer; returns why it could not be opened, or None."""
    try:
        if name == "sched_waking":
            if not shares_our_pid_namespace(description):
                return "the trace numbers threads as another pid namespace does"
            eyes.wakers = Wakers(description, threads)
        elif eyes.wakers is None:
            return eyes.why_not["sched_waking"]
        elif reason := why_returns_tell_nothing():
            return reason
        else:
            eyes.returns = Returns(description, threads)
    except OSError as error:
        return f"perf_event_open: {error.strerror or error}"
    return None
