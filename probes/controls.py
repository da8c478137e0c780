"""The controls: proof, in every session, that the instrument can see what it claims to see.

They stand on eventfds, not on sockets, and all but one on an eventfd per waiter, so that what a
kernel does with connections cannot decide them: a kernel that herds must break claims, not the
instrument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .evidence import REST_IS_HIDDEN, Trial
from .lab.session import Lab
from .scenario import Scenario
from .verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE, Inconclusive, NotApplicable

ATTEMPTS = 3
"""How often a control is tried at most, as long as it is inconclusive."""


@dataclass(frozen=True)
class Control:
    """One scenario whose outcome is known beforehand."""

    name: str
    sentence: str
    scenario: str
    woken: int
    returned: int

    def contradicted_by(self, trial: Trial) -> bool:
        """Whether a figure that was observed is not as it must be."""
        return trial.woken not in (None, self.woken) or trial.returned not in (None, self.returned)


CONTROLS = (
    Control(
        "positive",
        "Eight readers, each on an eventfd of its own, all written to: all eight are seen.",
        "read.nothing/eventfd/n8/hold/write-each",
        woken=8,
        returned=8,
    ),
    Control(
        "negative",
        "Eight readers, each on an eventfd of its own, one written to: exactly one is seen.",
        "read.nothing/eventfd/n8/hold/one-write",
        woken=1,
        returned=1,
    ),
    Control(
        "silent",
        "Eight readers on one eventfd, written to once: eight are woken, and one returns.",
        "read/eventfd/n8/hold/one-write",
        woken=8,
        returned=1,
    ),
    Control(
        "null",
        "Eight readers, nothing written: nobody moves.",
        "read/eventfd/n8/hold/nothing",
        woken=0,
        returned=0,
    ),
)


@dataclass(frozen=True)
class ControlOutcome:
    """How one control went."""

    verdict: str
    reason: str | None


class ControlledLab:
    """The lab of a process, behind its controls: while one of them has failed, nothing is run."""

    def __init__(self, lab: Lab) -> None:
        self.outcomes: Mapping[str, ControlOutcome] = {}
        """How the controls went that were run last; empty before the first time."""
        self._lab = lab
        self._generation = 0
        """Which conductor they were the controls of."""

    @property
    def greeting(self) -> dict[str, Any]:
        """What the conductor can do here (Lab.greeting)."""
        return self._lab.greeting

    def run_controls(self) -> Mapping[str, ControlOutcome]:
        """The controls of the conductor that is there now: one that replaces another runs its own."""
        for _ in range(ATTEMPTS):
            generation = self._lab.generation
            if generation == self._generation:
                break
            self.outcomes, self._generation = run_controls(self._lab), generation
        return self.outcomes

    def run(self, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        """One trial.  Raises as Lab.run does, and Inconclusive if a control has failed."""
        self._insist()
        return self._lab.run(scenario, traced=traced, own_memory=own_memory)

    def play(self, experiment: str, argument: Any = None) -> dict[str, Any]:
        """What an experiment noted.  Raises as Lab.play does, and Inconclusive if a control has failed."""
        self._insist()
        return self._lab.play(experiment, argument)

    def close(self) -> None:
        """End the conductor."""
        self._lab.close()

    def _insist(self) -> None:
        if untrusted := why_failed(self.outcomes):
            raise Inconclusive(untrusted)


def run_controls(lab: Lab) -> dict[str, ControlOutcome]:
    """All controls, untraced and, where ptrace is allowed, traced.

    One disturbance must not cost the whole run: a control that is inconclusive is repeated, ATTEMPTS times in all,
    and its reason says so.  One that is broken is not.
    """
    return {control.name: _run(control, lab) for control in CONTROLS}


def why_failed(outcomes: Mapping[str, ControlOutcome]) -> str | None:
    """One sentence on the controls that failed, or None if the instrument can be trusted."""
    failed = {name: outcome for name, outcome in outcomes.items() if outcome.verdict in (BROKEN, INCONCLUSIVE)}
    reasons = ", ".join(f"{name} ({outcome.reason})" for name, outcome in failed.items())
    return f"the instrument failed its control: {reasons}" if failed else None


def _run(control: Control, lab: Lab) -> ControlOutcome:
    disturbed: list[str | None] = []
    for _ in range(ATTEMPTS):
        outcome = _run_once(control, lab)
        if outcome.verdict != INCONCLUSIVE:
            break
        disturbed.append(outcome.reason)
    if not disturbed:
        return outcome
    if len(disturbed) == ATTEMPTS:
        return ControlOutcome(outcome.verdict, f"{outcome.reason}, at the last of {ATTEMPTS} attempts")
    how = f"at attempt {len(disturbed) + 1} of {ATTEMPTS}, after: {disturbed[-1]}"
    return ControlOutcome(outcome.verdict, f"{outcome.reason}, {how}" if outcome.reason else how)


def _run_once(control: Control, lab: Lab) -> ControlOutcome:
    scenario = Scenario.parse(control.scenario)
    traced_too = lab.greeting["why_not"]["syscall_exit"] is None
    unseen: str | None = None
    for traced in (False, True) if traced_too else (False,):
        try:
            trial = lab.run(scenario, traced=traced)
        except NotApplicable as reason:
            return ControlOutcome(NOT_APPLICABLE, str(reason))
        except Inconclusive as reason:
            return ControlOutcome(INCONCLUSIVE, str(reason))
        if trial.inconclusive is not None:
            # There few trials say anything, and that is no fault of the instrument.
            blind = REST_IS_HIDDEN in trial.inconclusive
            return ControlOutcome(NOT_APPLICABLE if blind else INCONCLUSIVE, trial.inconclusive)
        if trial.woken is None or trial.returned is None:
            unseen = "woken is not observed" if trial.woken is None else "returned is not observed"
        if control.contradicted_by(trial):
            how = "traced" if traced else "untraced"
            return ControlOutcome(BROKEN, f"woken {trial.woken}, returned {trial.returned} in the {how} trial")
    return ControlOutcome(NOT_APPLICABLE, unseen) if unseen else ControlOutcome(HELD, None)
