"""A check that cannot fail is a defect: every claim of an experiment breaks when any one fact is another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from types import FunctionType
from typing import Any

import pytest

from probes.case import Case, Facts, judge
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, Inconclusive, NotApplicable

from .builders import made_claim
from .tests_of_claims import of_experiments

Notes = dict[tuple[str, str], Any]
"""What each experiment, with its argument, is expected to note under which id."""
_ANOTHER = "something else"


def _cases() -> Iterator[Any]:
    for name, test in of_experiments().items():
        marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        for place, chosen in enumerate(product(*(list(mark.args[1]) for mark in marks))):
            arguments: dict[str, Any] = {}
            for mark, value in zip(marks, chosen, strict=True):
                names = (
                    [argument.strip() for argument in mark.args[0].split(",")]
                    if isinstance(mark.args[0], str)
                    else mark.args[0]
                )
                arguments.update(zip(names, value if len(names) > 1 else [value], strict=True))
            yield pytest.param(test, arguments, id=f"{name}-{place}")


class _Obliging(Facts):
    """A kernel that does whatever is expected of it, and remembers what that was."""

    def __init__(self, notes: Notes, key: str, case: Case) -> None:
        self._notes, self._key, self._judged = notes, key, case

    def expect(self, id: str, allowed: Any) -> None:
        seen = self._notes.setdefault((self._key, id), allowed)
        Facts({id: {"what": id, "seen": seen}}, self._judged).expect(id, allowed)


class _Silent(Facts):
    """An experiment that noted nothing."""


def _verdict(test: FunctionType, arguments: dict[str, Any], facts: Callable[[str, Case], Facts]) -> str:
    case = Case(made_claim())

    def play(experiment: str, argument: Any = None) -> Facts:
        return facts(f"{experiment} {argument!r}", case)

    try:
        test(play=play, **arguments)
    except (AssertionError, Inconclusive, NotApplicable) as found:
        return judge(case, pytest.ExceptionInfo.from_exception(found))[0]
    return judge(case, None)[0]


def plays() -> dict[str, set[tuple[str, str]]]:
    """For each claim that plays: every experiment, and the id of a fact that is expected of it."""
    asked: dict[str, set[tuple[str, str]]] = {}
    for case in _cases():
        test, arguments = case.values
        notes: Notes = {}
        _verdict(test, arguments, lambda key, case, notes=notes: _Obliging(notes, key, case))
        asked.setdefault(test.claim.id, set()).update((key.split()[0], fact) for key, fact in notes)
    return asked


@pytest.mark.parametrize(("test", "arguments"), list(_cases()))
def test_every_fact_counts(test: FunctionType, arguments: dict[str, Any]) -> None:
    expected: Notes = {}
    assert _verdict(test, arguments, lambda key, case: _Obliging(expected, key, case)) == HELD
    assert expected, "an experiment that is asked for nothing"
    for wrong in expected:
        altered = {**expected, wrong: _ANOTHER}
        assert _verdict(test, arguments, lambda key, case, answers=altered: _Obliging(answers, key, case)) == BROKEN, (
            wrong
        )
    assert _verdict(test, arguments, lambda _, case: _Silent({}, case)) == INCONCLUSIVE
