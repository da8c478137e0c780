"""The fixtures of the chapters: how a test that judges a claim gets its evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest

from . import observers
from .case import Case, Facts
from .controls import ControlledLab, ControlOutcome
from .errnos import errno_of
from .facts import OK
from .lab.session import Lab
from .scenario import Scenario
from .seen import Seen
from .star import PRESETS


class RunTrials(Protocol):
    """The `herd` fixture: run the trials of a scenario, and get what they showed."""

    def __call__(self, scenario: Scenario, *, in_part: bool = False) -> Seen:
        """`in_part`: each stimulus of a series is asked about by itself, so the traced trial may take fewer."""


Ask = Callable[[str, str, str, Callable[[], Any]], None]
"""The `ask` fixture: a fact's id and sentence, the answer that the claim allows, and the call that asks."""
Play = Callable[..., Facts]
"""The `play` fixture: an experiment's name, and an argument for it; the facts that it noted."""

_LAB = pytest.StashKey[ControlledLab]()
_CASE = pytest.StashKey[Case | None]()


@pytest.fixture
def herd(request: pytest.FixtureRequest) -> RunTrials:
    """Run the trials of a scenario, untraced and traced, and give what they showed."""
    config = request.config
    case = case_of(request.node)
    lab = lab_of(config)
    lab.run_controls()
    preset = PRESETS[config.option.herd_preset]
    untraced = config.option.herd_trials or preset.untraced

    def run(scenario: Scenario, *, in_part: bool = False) -> Seen:
        why_not = lab.greeting["why_not"]
        # Of several in a claim's first case, the first is of waiters as fork(2) makes them.
        as_forked = untraced > 1 and case is not None and case.is_first
        trials = [lab.run(scenario, traced=False, own_memory=as_forked and place == 0) for place in range(untraced)]
        if why_not["syscall_exit"] is None:
            trials.append(lab.run(preset.traced(scenario) if in_part else scenario, traced=True))
        seen = Seen(scenario, trials, why_not, observers.names(observers.WOKEN))
        if case is not None:
            case.seen.append(seen)
        return seen

    return run


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask the kernel directly: `ask("id", "what is asked", "EINVAL", lambda: ...)` where no waiter is needed.

    The answer is the name of the errno, or `ok`.
    """
    case = case_of(request.node)

    def put(id: str, what: str, allowed: str, call: Callable[[], Any]) -> None:
        answer = OK
        try:
            call()
        except OSError as error:
            answer = errno_of(error)
        Facts({id: {"what": what, "seen": answer}}, case).expect(id, allowed)

    return put


@pytest.fixture
def play(request: pytest.FixtureRequest) -> Play:
    """Run an experiment on a stage of its own: `play("subject.function").expect("id", allowed)`."""
    case = case_of(request.node)
    lab = lab_of(request.config)
    lab.run_controls()

    def on_stage(experiment: str, argument: Any = None) -> Facts:
        if case is not None:
            case.experiments.append(experiment if argument is None else f"{experiment} {argument!r}")
        return Facts(lab.play(experiment, argument), case)

    return on_stage


@pytest.fixture
def controls(request: pytest.FixtureRequest) -> Mapping[str, ControlOutcome]:
    """How the controls of this process went."""
    return lab_of(request.config).run_controls()


def lab_of(config: pytest.Config) -> ControlledLab:
    """The lab of this process, started when it is first needed."""
    if _LAB not in config.stash:
        config.stash[_LAB] = ControlledLab(Lab(config.option.herd_without))
    return config.stash[_LAB]


def close_lab(config: pytest.Config) -> None:
    """End the conductor, if there is one."""
    if _LAB in config.stash:
        config.stash[_LAB].close()


def controls_so_far(config: pytest.Config) -> Mapping[str, ControlOutcome]:
    """Nothing is started for it."""
    return config.stash[_LAB].outcomes if _LAB in config.stash else {}


def begin_case(item: pytest.Item) -> None:
    """A test that is run again (pytest-rerunfailures) starts from the beginning."""
    item.stash[_CASE] = Case.of(item)


def case_of(item: pytest.Item) -> Case | None:
    """The case that this test judges; None if it judges no claim."""
    if _CASE not in item.stash:
        begin_case(item)
    return item.stash[_CASE]
