"""Facts are found by their ids: by claims, by the report, and never by a sentence."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from probes import experiments, facts, report
from probes.case import Case, Facts
from probes.report import noted
from probes.scenario import BadScenario, Scenario

from .builders import made_claim
from .claims_page import known_rows
from .test_experiments_can_fail import plays
from .tests_of_claims import by_claim

EXPERIMENTS = sorted(Path(experiments.__file__).parent.glob("[a-z]*.py"))
REPORT = sorted(Path(report.__file__).parent.glob("*.py"))


def _notes(source: str) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The id and the sentence of everything that this source notes."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("note", "outcome")
            and len(node.args) == 3
        ):
            yield node.args[0], node.args[1]


def _texts(source: str) -> set[str]:
    """Every string in this source: an id that a loop goes through stands in a tuple."""
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_every_note_has_a_literal_id_with_one_meaning(file: Path) -> None:
    meanings: dict[str, str] = {}
    for name, sentence in _notes(file.read_text(encoding="utf-8")):
        assert isinstance(name, (ast.Constant, ast.Name)), ast.unparse(name)
        if isinstance(name, ast.Constant):
            assert facts.ID.fullmatch(str(name.value)), f"{name.value!r} is not an id"
            assert meanings.setdefault(str(name.value), ast.unparse(sentence)) == ast.unparse(sentence)
    assert len(set(meanings.values())) == len(meanings), "two ids with one sentence"


@cache
def _asked() -> dict[str, set[tuple[str, str]]]:
    """For each claim that plays: the experiments that it plays, with the ids that it expects of them."""
    return plays()


@pytest.mark.parametrize("claim", sorted(_asked()))
def test_what_a_claim_expects_is_noted(claim: str) -> None:
    for experiment, fact in _asked()[claim]:
        assert fact in _ids_of(experiment), f"{experiment} notes no {fact!r}"


def _ids_of(experiment: str) -> set[str]:
    """Every string in the experiment's file that may be an id."""
    module = import_module(f"probes.experiments.{experiment.split('.')[0]}")
    return {text for text in _texts(inspect.getsource(module)) if facts.ID.fullmatch(text)}


@pytest.mark.parametrize("read", noted.READ, ids=lambda read: read.fact)
def test_what_the_report_reads_is_noted(read: noted.Noted) -> None:
    for claim in read.claims:
        test = by_claim()[claim]
        if "ask" in inspect.signature(test).parameters:
            assert f'"{read.fact}"' in inspect.getsource(test)
        else:
            experiments = {experiment for experiment, _ in _asked()[claim]}
            assert all(read.fact in _ids_of(experiment) for experiment in experiments), (
                f"{claim} notes no {read.fact!r}"
            )


def test_every_fact_that_the_report_reads_is_listed() -> None:
    assert {value for value in vars(noted).values() if isinstance(value, noted.Noted)} == set(noted.READ)


@pytest.mark.parametrize("file", REPORT, ids=lambda file: file.stem)
def test_every_claim_and_row_that_the_report_names_exists(file: Path) -> None:
    rows = {row for test in by_claim().values() for row in test.claim.rows}
    assert rows <= set(known_rows())
    names = {claim.split(".")[0] for claim in by_claim()}
    for text in _texts(file.read_text(encoding="utf-8")):
        if re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", text) and text.split(".")[0] in names and not _is_strategy(text):
            assert text in by_claim(), f"{file.name} names a claim {text!r} that nobody judges"
        if re.fullmatch(r"(L-[A-Z]|[A-Z])\d{1,2}", text):
            assert text in rows, f"{file.name} names a row {text!r} that no claim answers"


def _is_strategy(text: str) -> bool:
    """`accept.nothing`, say."""
    try:
        Scenario.parse(f"{text}/tcp4/n8/hold/one-connection")
    except BadScenario:
        return False
    return True


def test_what_was_noted_and_not_asked_is_kept() -> None:
    case = Case(made_claim())
    seen = Facts({"a": {"what": "one", "seen": 1}, "b": {"what": "two", "seen": [2]}}, case)
    seen.expect("a", 1)
    assert case.facts == [{"id": "a", "what": "one", "seen": 1, "expected": 1}, {"id": "b", "what": "two", "seen": [2]}]


@pytest.mark.parametrize(("seen", "allowed"), [(1, True), ("1", 1), ([1], [1, 1]), (None, False), ([0], [False])])
def test_values_are_compared_as_json(seen: Any, allowed: Any) -> None:
    with pytest.raises(AssertionError, match=r"in words: .*; the claim allows"):
        Facts({"a": {"what": "in words", "seen": seen}}, None).expect("a", allowed)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "yes"),
        (8, "8"),
        ("EAGAIN", "EAGAIN"),
        ([], "none"),
        (["w0", "w2"], "w0, w2"),
        ([[0, 1], [2]], "0, 1; 2"),
        (list(range(20)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, and 4 more"),
    ],
)
def test_values_in_words(value: Any, words: str) -> None:
    assert facts.in_words(value) == words
