"""The catalogue of claims, read from the chapters themselves: nothing of it is kept anywhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from types import FunctionType
from typing import Any

from . import chapters
from .claims import Claim
from .exits import BadInput
from .nearest import did_you_mean
from .scenario import BadScenario
from .star import PRESETS, Word, scenarios, tried


class NoSuchClaim(BadInput):
    """No claim has this id; the message is one sentence with the nearest."""


@cache
def load(home: Path = chapters.HOME) -> list[dict[str, Any]]:
    """Every claim: id, sentence, level, truth, basis, rows, drawing, test, cases.  Raises chapters.NoChapters.

    Under pytest, `chapters.modules` says from when on this may be called.
    """
    entries = [
        {
            **_claim(test).as_json(),
            "test": f"{test.__module__.replace('.', '/')}.py::{test.__name__}",
            "cases": cases_of(test, "default"),
        }
        for test in _tests(home)
    ]
    # A chapter may be spread over several files; its claims stand together.
    return sorted(entries, key=lambda claim: str(claim["chapter"]))


def cases(preset: str, sizes: Sequence[int] | None = None, one_in: int = 1) -> dict[str, list[str]]:
    """The ids of the cases of every claim, by its id: what a whole run with these options judges.

    `sizes`: the numbers of waiters, where they are not those of the preset; `one_in`: the first of so many cases alone.
    Raises chapters.NoChapters.
    """
    return {_claim(test).id: cases_of(test, preset, sizes)[::one_in] for test in _tests(chapters.HOME)}


def find(claim_id: str) -> dict[str, Any]:
    """The claim with this id.  Raises NoSuchClaim, which names the nearest, and chapters.NoChapters."""
    claims = {claim["id"]: claim for claim in load()}
    if claim_id not in claims:
        raise NoSuchClaim(f"no claim {claim_id!r}{did_you_mean(claim_id, claims)}")
    return claims[claim_id]


@cache
def _tests(home: Path) -> list[FunctionType]:
    """Every test that judges a claim."""
    return [
        test
        for module in chapters.modules(home)
        for test in vars(module).values()
        if isinstance(test, FunctionType) and hasattr(test, "claim")
    ]


def _claim(test: FunctionType) -> Claim:
    claim: Claim = vars(test)["claim"]
    return claim


def cases_of(test: FunctionType, preset: str, sizes: Sequence[int] | None = None) -> list[str]:
    """Ids of scenarios, none if every size is too small; for a claim that is asked directly, pytest's parameters.

    Raises BadScenario, with the test's name, where the centre of one of its stars makes no sense.
    """
    if "stars" in vars(test):
        try:
            return list(scenarios(test, PRESETS[preset], sizes))
        except BadScenario as error:
            raise BadScenario(f"{test.__name__}: {error}") from None
    return tried(test, parametrized(test), PRESETS[preset]) or [test.__name__]


def parametrized(test: FunctionType) -> dict[str, list[Word]]:
    """The values of every combination of its parameters, by what pytest calls it: `name[a-b]`.

    Empty if it has none.  A value that says itself of which words it is made stands for those.
    """
    marks = [mark for mark in vars(test).get("pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        return {}
    # pytest lets the mark nearest to the function vary the slowest, and names it first.
    places = product(*(range(len(list(mark.args[1]))) for mark in marks))
    return {
        f"{test.__name__}[{'-'.join(map(_word, marks, chosen))}]": [
            word for mark, place in zip(marks, chosen, strict=True) for word in _words(mark, place)
        ]
        for chosen in places
    }


def _names(mark: Any) -> list[str]:
    """Of the parameters that this mark gives values to."""
    return mark.args[0].replace(" ", "").split(",") if isinstance(mark.args[0], str) else list(mark.args[0])


def _values(mark: Any, place: int) -> list[Any]:
    value = list(mark.args[1])[place]
    return [value] if len(_names(mark)) == 1 else list(value)


def _words(mark: Any, place: int) -> Iterator[Word]:
    for name, value in zip(_names(mark), _values(mark, place), strict=True):
        yield from ((name, word) for word in getattr(value, "words", (value,)))


def _word(mark: Any, place: int) -> str:
    """What pytest calls the values at this place: the id given for them, or the values themselves."""
    ids = mark.kwargs.get("ids")
    if ids is not None and not callable(ids):
        return str(ids[place])
    return "-".join(
        str(ids(part) if ids is not None else part if isinstance(part, (str, int, type(None))) else f"{name}{place}")
        for name, part in zip(_names(mark), _values(mark, place), strict=True)
    )
