"""Judges the claims on this kernel, without pytest, after this process has moved to a hostile place.

    python -m tests.suite.surroundings.judged_here PLACE [PART...]

PLACE is the name of one of places.PLACES; with PARTs, only claims are judged whose id contains one of them.  Prints a
JSON list of [claim, case, verdict, reason], one for each case.

Of the claims about scenarios only those that hold for every strategy are judged, each strategy in its smallest
scenario: what a place denies, it denies to any number of waiters.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import pkgutil
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from itertools import product
from types import FunctionType
from typing import Any

import pytest

from probes import chapters, experiments, refusals, syscalls
from probes.case import Case, Facts, judge
from probes.errnos import errno_of
from probes.evidence import Trial
from probes.facts import OK
from probes.lab import conductor, deadline, inherited, isolation
from probes.lab.trial import Bench
from probes.observers import WOKEN, names
from probes.scenario import Scenario
from probes.seen import Seen
from probes.star import PRESETS
from probes.verdict import INCONCLUSIVE, Inconclusive, NotApplicable

from .places import PLACES

_PATIENCE_S = 1.5
"""A wait for something that is denied ends only at this deadline.  It must exceed one second, after which
TCP_DEFER_ACCEPT, which counts in seconds, gives up."""

_EVERY_STRATEGY = "test_every_strategy"

Outcome = tuple[str, str, str, "str | None"]
"""The claim's id, the case, the verdict, and the reason."""


class HereLab:
    """A lab whose conductor is this process."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._answers: dict[str, dict[str, Any]] = {}

    def play(self, experiment: str, argument: Any) -> dict[str, Any]:
        """The facts of the experiment, which runs only once, however many claims need it."""
        key = f"{experiment} {argument!r}"
        if key not in self._answers:
            self._answers[key] = conductor._serve({"experiment": experiment, "argument": argument}, self._bench)
        facts: dict[str, Any] = _judged(self._answers[key])["facts"]
        return facts

    def seen(self, scenario: Scenario) -> Seen:
        """One untraced and, if that is possible, one traced trial."""
        why_not = self._bench.instruments.why_not
        kinds = (False, True) if why_not["syscall_exit"] is None else (False,)
        requests = ({"scenario": asdict(scenario), "traced": traced, "own_memory": False} for traced in kinds)
        trials = [Trial.from_json(_judged(conductor._serve(each, self._bench))["trial"]) for each in requests]
        return Seen(scenario, trials, why_not, names(WOKEN))


def _judged(answer: dict[str, Any]) -> dict[str, Any]:
    if "not_applicable" in answer:
        raise NotApplicable(answer["not_applicable"])
    if "inconclusive" in answer:
        raise Inconclusive(answer["inconclusive"])
    return answer


def tests() -> Iterator[tuple[FunctionType, dict[str, Any]]]:
    """Every test of a claim, with each combination of its arguments."""
    for module in chapters.modules():
        for test in vars(module).values():
            if not isinstance(test, FunctionType) or not hasattr(test, "claim"):
                continue
            if not hasattr(test, "stars") or module.__name__.endswith(_EVERY_STRATEGY):
                yield from ((test, chosen) for chosen in _choices(test))


def _choices(test: FunctionType) -> Iterator[dict[str, Any]]:
    if hasattr(test, "stars"):
        smallest: dict[str, Scenario] = {}
        for star in test.stars:
            for scenario in star.scenarios(PRESETS["default"].sizes, ("tcp4",)):
                held = smallest.setdefault(scenario.id.split("/")[0], scenario)
                if scenario.n < held.n:
                    smallest[scenario.id.split("/")[0]] = scenario
        yield from ({"scenario": scenario} for scenario in smallest.values())
        return
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    for values in product(*(list(mark.args[1]) for mark in marks)):
        chosen: dict[str, Any] = {}
        for mark, value in zip(marks, values, strict=True):
            called = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
            chosen.update(zip(map(str.strip, called), value if len(called) > 1 else [value], strict=True))
        yield chosen


def judged(test: FunctionType, chosen: dict[str, Any], lab: HereLab) -> Outcome:
    """Judge one case."""
    case = Case(test.claim)

    def play(experiment: str, argument: Any = None) -> Facts:
        return Facts(lab.play(experiment, argument), case)

    def herd(scenario: Scenario, *, in_part: bool = False) -> Seen:  # every trial is whole here
        case.seen.append(lab.seen(scenario))
        return case.seen[-1]

    def ask(id: str, what: str, allowed: str, call: Any) -> None:
        try:
            call()
            answer = OK
        except OSError as error:
            answer = errno_of(error)
        Facts({id: {"what": what, "seen": answer}}, case).expect(id, allowed)

    fixtures: dict[str, Any] = {"play": play, "herd": herd, "ask": ask, **chosen}
    raised = None
    with contextlib.ExitStack() as over:
        try:
            test(**_resolved(test, test, fixtures, over))
        except Exception as error:  # noqa: BLE001  # as pytest: whatever a test raises is judged
            raised = pytest.ExceptionInfo.from_exception(error)
    return (test.claim.id, _case_of(chosen), *judge(case, raised))


def _resolved(test: FunctionType, function: Any, given: dict[str, Any], over: contextlib.ExitStack) -> dict[str, Any]:
    """The function's arguments: those that are given, and fixtures of the test's module."""
    for name in set(inspect.signature(function).parameters) - set(given):
        fixture = getattr(sys.modules[test.__module__], name)._get_wrapped_function()
        managed = contextlib.contextmanager(fixture)(**_resolved(test, fixture, given, over))
        given[name] = over.enter_context(managed)
    return {name: given[name] for name in inspect.signature(function).parameters}


CaseHere = tuple[FunctionType, dict[str, Any]]


def cases_of(parts: Collection[str]) -> list[CaseHere]:
    """The cases whose claim or name contains one of `parts`, or all of them; imports everything that they need."""
    # Import everything before anything is denied.
    for module in pkgutil.iter_modules(experiments.__path__, f"{experiments.__name__}."):
        importlib.import_module(module.name)
    cases = [(test, chosen) for test, chosen in tests() if set(inspect.signature(test).parameters) - {"controls"}]
    return [case for case in cases if not parts or any(part in _named(*case) for part in parts)]


def _named(test: FunctionType, chosen: dict[str, Any]) -> str:
    """The claim's id, and the name of the case."""
    return f"{test.claim.id} {_case_of(chosen)}"


def _case_of(chosen: dict[str, Any]) -> str:
    return chosen["scenario"].id if "scenario" in chosen else " ".join(map(str, chosen.values()))


def main(place: str, *parts: str) -> list[Outcome]:
    """The outcomes of all wanted cases in this place."""
    return judged_at(place, cases_of(parts))


def judged_at(place: str, cases: Iterable[CaseHere]) -> list[Outcome]:
    """The outcomes of these cases, after this process has moved to that place."""
    syscalls.adopt_orphans()
    inherited.settle()
    isolated = isolation.LOOPBACK
    folder = None
    if PLACES[place].isolated:
        folder, isolated = isolation.isolate(), isolation.NAMESPACES
    PLACES[place].enter()
    return judged_in(folder, isolated, cases)


def judged_in(folder: str | None, isolated: str, cases: Iterable[CaseHere]) -> list[Outcome]:
    """The outcomes of these cases, with this process as the conductor; `folder` and `isolated` are those of its
    isolation."""
    try:
        bench = conductor._set_up(folder, isolated, [])
    except OSError as error:
        return [("", "", INCONCLUSIVE, f"the conductor could not set itself up: {refusals.in_words(error)}")]
    deadline._patience_s = _PATIENCE_S
    lab = HereLab(bench)
    return [judged(*case, lab) for case in cases]


if __name__ == "__main__":
    saved = os.dup(1)
    outcomes = json.dumps(main(*sys.argv[1:]))
    with open(saved, "w") as out:
        out.write(outcomes)
