"""audit.schema.json: it describes each key of an answer, and no other; what departs from it is noticed.

The tests in tests/suite/audit and tests/suite/servers hold each real answer against it.
"""

from __future__ import annotations

import copy
from typing import Any

import fastjsonschema
import pytest

from probes.audit import answer, several
from probes.audit.arguments import EPILOG
from probes.audit.judge import INCONCLUSIVE, VERDICTS
from probes.audit.traffic import figures
from probes.audit.traffic.account import Totals
from probes.audit.traffic.watched import Watched
from tests.suite.audit.schema import rules, violation

RULES = rules()
PARTS = RULES["definitions"]


def _answer() -> dict[str, Any]:
    spread = {"min": 1, "median": 1.5, "max": 4}
    return {
        **answer.nothing_known(),
        "listener": {"name": "[::]:80", "kind": "tcp6", "sockets": 1, "other_namespace": False, "also": []},
        "server": {"name": "it", "pids": [7], "unseen_processes": []},
        "woken": spread,
        "verdict": INCONCLUSIVE,
        "sentence": "inconclusive: it ended",
    }


def test_schema() -> None:
    assert RULES["$schema"] == "http://json-schema.org/draft-07/schema#"
    fastjsonschema.compile(RULES)
    assert RULES["$id"] == f"urn:wakecheck:audit:{answer.SCHEMA}"
    assert PARTS["answer"]["properties"]["schema"]["const"] == answer.SCHEMA
    assert PARTS["answer"]["properties"]["verdict"]["enum"] == list(VERDICTS)


def test_every_key_is_described() -> None:
    assert set(PARTS["answer"]["properties"]) == set(answer.nothing_known()) == set(PARTS["answer"]["required"])
    shown = figures.as_dict(figures.figures_of(Totals(), [], [1]), {1: 1})
    assert set(shown) <= set(PARTS["traffic"]["properties"])
    assert set(Watched(1, 1).as_dict()) == set(PARTS["watched"]["properties"])
    assert set(several.together([_answer(), _answer()])) == set(PARTS["several"]["properties"])


def test_the_help_names_every_key() -> None:
    """Those that need no word beyond their name, too."""
    unexplained = {"schema", "kernel", "user", "exit_code"}
    assert [key for key in PARTS["answer"]["properties"] if key not in EPILOG and key not in unexplained] == []


def test_an_answer_and_that_of_several_listeners() -> None:
    assert violation(_answer()) is None
    assert violation(several.together([_answer(), _answer()])) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"woken": {"min": 1, "median": 1}}, "woken"),
        ({"woken": {"min": 1, "median": "many", "max": 1}}, "woken"),
        ({"exit_code": 2}, "exit_code"),
        ({"schema": answer.SCHEMA + 1}, "schema"),
        ({"winners": {"7": -1}}, "winners"),
        ({"color": "red"}, "must not contain"),
        ({"traffic": {"jain": None, "queue": None, "watched": None}}, "traffic"),
    ],
)
def test_what_departs_is_noticed(change: dict[str, Any], said: str) -> None:
    assert said in (violation({**_answer(), **change}) or "")


@pytest.mark.parametrize("key", sorted(answer.nothing_known()))
def test_a_key_that_is_missing_is_noticed(key: str) -> None:
    changed = copy.deepcopy(_answer())
    del changed[key]
    assert violation(changed) is not None
