"""A lab without a kernel: answers like `probes.lab.session.Lab`, from a model, and starts no process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from probes.controls import CONTROLS
from probes.evidence import Trial
from probes.observers import RETURNED, WOKEN, names
from probes.scenario import Scenario
from probes.verdict import Inconclusive, NotApplicable

from .builders import trial
from .model import Kernel

_MOVED = {"positive": (range(8), range(8)), "negative": ([7], [7]), "silent": (range(8), [0]), "null": ([], [])}
"""Who is woken, and who returns, in each control."""


class FakeLab:
    """One kernel for all tests of a session.  For another kernel, or a lab that fails, make a subclass."""

    kernel: Kernel = Kernel(0)
    failing_control: str | None = None
    lacks: str | None = None
    """A call that this kernel has not."""
    stuck: str | None = None
    """A call whose trials cannot be judged."""
    why_slow: str | None = None
    """Why its waiters run Python, or have memory of their own."""
    dies_after: int | None = None
    """How many scenarios its first conductor lives through; the second one fails the negative control."""

    def __init__(self, without: Iterable[str] = ()) -> None:
        self.greeting: dict[str, Any] = {
            "pid": 0,
            "isolation": "a model",
            "fence": "none is needed",
            "inherited": [],
            "why_slow": self.why_slow,
            "why_not": {name: "switched off by --herd-without" if name in without else None for name in names()},
            "why_no_syscall_file": None,
        }
        self.generation = 1
        self._judged: list[str] = []

    def run(self, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        if scenario.call == self.lacks:
            raise NotApplicable(f"{scenario.call}: ENOSYS")
        if scenario.call == "read":
            return self._seen_by_who_is_there(self._control(scenario.id, traced))
        if self.dies_after is not None and scenario.id not in self._judged:
            self._judged.append(scenario.id)
            if self.generation == 1 and len(self._judged) > self.dies_after:
                self.generation, self.failing_control = 2, "negative"
                raise Inconclusive("the conductor died (SIGKILL)")
        seen = self.kernel.trial(scenario, traced=traced)
        if scenario.call == self.stuck:
            return replace(seen, inconclusive="waiter 3 did not come to rest within 10 s")
        return self._seen_by_who_is_there(seen)

    def _control(self, address: str, traced: bool) -> Trial:
        (name,) = (control.name for control in CONTROLS if control.scenario == address)
        woken, order = ([], []) if name == self.failing_control else _MOVED[name]
        return trial(woken=woken, order=order, traced=traced)

    def _seen_by_who_is_there(self, trial: Trial) -> Trial:
        blind = [what for what in (WOKEN, RETURNED) if all(self.greeting["why_not"][name] for name in names(what))]
        return replace(trial, **dict.fromkeys(blind))

    def play(self, experiment: str, argument: Any = None) -> dict[str, Any]:
        """The same facts, whichever experiment is played."""
        return {
            "served": {"what": "served", "seen": True},
            "in-vain": {"what": "woken in vain", "seen": 2},
            "waited": {"what": "how many waited", "seen": 3},
        }

    def close(self) -> None:
        pass

    def __enter__(self) -> FakeLab:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class DeadLab(FakeLab):
    """Its conductor dies at every trial."""

    def run(self, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        raise Inconclusive("the conductor died (SIGKILL)")
