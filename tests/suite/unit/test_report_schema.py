"""The schema of run.json: it takes what the suite writes, and refuses what a reader would stumble over."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from probes.claims import LEVELS, TRUTHS
from probes.evidence import CallExit, StepRecord, Trial, WaiterRecord, WakeUp
from probes.report.run import SCHEMA, SCHEMA_FILE, unpacked_rules, violation
from probes.scenario import Scenario
from probes.verdict import VERDICTS

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"
RULES: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
PARTS: dict[str, Any] = RULES["definitions"]

Run = dict[str, Any]


@pytest.fixture
def run() -> Run:
    run: Run = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return run


def test_it_is_a_schema() -> None:
    assert RULES["$schema"] == "http://json-schema.org/draft-07/schema#"
    fastjsonschema.compile(RULES)
    assert RULES["properties"]["schema"]["const"] == SCHEMA


def test_it_knows_the_words_of_the_suite() -> None:
    assert set(PARTS["verdict"]["enum"]) == set(VERDICTS)
    assert set(PARTS["claim"]["properties"]["level"]["enum"]) == set(LEVELS)
    assert set(PARTS["claim"]["properties"]["truth"]["enum"]) == {*TRUTHS, None}


def _parts(rules: Any) -> Iterator[dict[str, Any]]:
    """Every object of the schema."""
    if isinstance(rules, dict):
        yield rules
        for part in rules.values():
            yield from _parts(part)
    elif isinstance(rules, list):
        for part in rules:
            yield from _parts(part)


def test_nothing_stands_beside_a_reference_that_would_be_ignored() -> None:
    """Draft 7 ignores every key beside $ref."""
    references = [part for part in _parts(RULES) if "$ref" in part]
    assert references
    assert all(set(part) <= {"$ref", "description"} for part in references)


_TYPES = {"int": {"integer"}, "bool": {"boolean"}, "str": {"string"}, "None": {"null"}}
_CONTAINERS = {"tuple": {"array"}, "Mapping": {"object"}}


def _types(annotation: str) -> set[str]:
    """JSON's types for an annotation of probes/evidence.py."""
    container = annotation.partition("[")[0]
    if container in _CONTAINERS:
        return _CONTAINERS[container]
    return set().union(*(_TYPES[word] for word in annotation.split(" | ")))


def _resolved(rules: dict[str, Any]) -> dict[str, Any]:
    return PARTS[rules["$ref"].rpartition("/")[2]] if "$ref" in rules else rules


@pytest.mark.parametrize("kind", [Trial, StepRecord, WaiterRecord, WakeUp, CallExit], ids=lambda kind: kind.__name__)
def test_it_describes_every_field_of_a_trial_and_of_its_parts(kind: Any) -> None:
    """Names and types are the same: a field that is added to the record, or changed, needs its place in the schema."""
    keys = {StepRecord: "steps", WaiterRecord: "waiters", WakeUp: "wakings", CallExit: "exits"}
    trial = PARTS["trial"]
    rules = trial if kind is Trial else _resolved(trial["properties"][keys[kind]]["items"])
    # A named tuple has its annotations as forward references.
    annotations = {name: getattr(text, "__forward_arg__", text) for name, text in kind.__annotations__.items()}
    fields = {name: _types(text) for name, text in annotations.items()}
    described = {name: _resolved(rule)["type"] for name, rule in rules["properties"].items()}
    assert {name: {types} if isinstance(types, str) else set(types) for name, types in described.items()} == fields
    assert set(rules["required"]) == set(fields)


def test_trial_comes_back_from_json_as_it_was(run: Run) -> None:
    trials = [trial for claim in run["claims"] for case in claim["cases"] for trial in case["trials"]]
    assert any(trial["exits"] for trial in trials)
    assert any(trial["wakings"] for trial in trials)
    for trial in trials:
        assert json.loads(json.dumps(Trial.from_json(trial).as_json())) == trial
        assert Trial.from_json({**trial, "of_a_newer_suite": 1}) == Trial.from_json(trial)


def test_it_describes_every_axis_of_a_scenario() -> None:
    axes = {field.name for field in dataclasses.fields(Scenario)}
    assert set(PARTS["scenario"]["properties"]) == axes


def test_keys_that_it_does_not_know_are_allowed(run: Run) -> None:
    case = run["claims"][0]["cases"][0]
    for place in (run, run["kernel"], run["suite"], run["claims"][0], case, case["scenario"], case["trials"][0]):
        place["of_a_newer_suite"] = {"any": "thing"}
    assert violation(run) is None


@pytest.mark.parametrize("key", unpacked_rules()["required"])
def test_no_key_at_the_top_may_be_missing(key: str, run: Run) -> None:
    del run[key]
    assert violation(run) == f"the top level: lacks {key}"


def _claim(change: Callable[[Any], object]) -> Callable[[Run], object]:
    return lambda run: change(run["claims"][0])


def _trial(change: Callable[[Any], object]) -> Callable[[Run], object]:
    return _claim(lambda claim: change(claim["cases"][0]["trials"][0]))


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (lambda run: run.update(partial="no"), "partial:"),
        (lambda run: run.update(started="yesterday"), "started:"),
        (lambda run: run["kernel"].pop("cpus"), "kernel: lacks cpus"),
        (lambda run: run["observers"].update(switches=False), "observers.switches:"),
        (lambda run: run["observers"].update({"a.{b}'\"\n": False}), "observers.a.{b}"),
        (lambda run: run["controls"].update(positive="fine"), "controls.positive: 'fine' is none of"),
        (lambda run: run["summary"].update(maybe=1), "summary: 'maybe' is none of"),
        (lambda run: run["summary"].update(held=2**53), "summary.held: must be smaller than"),
        (lambda run: run["observers"].update({"\x1b[31m": 1}), "observers.\\x1b[31m: 1 is none of what is allowed"),
        (lambda run: run["summary"].update(held=-1), "summary.held:"),
        (_claim(lambda claim: claim.pop("drawing")), "claims[0]: lacks drawing"),
        (_claim(lambda claim: claim.update(id="Accept Wakes One")), "claims[0].id:"),
        (_claim(lambda claim: claim.update(verdict="passed")), "claims[0].verdict: 'passed' is none of"),
        (_claim(lambda claim: claim.update(level="lore")), "claims[0].truth: is null, not string"),
        (_claim(lambda claim: claim.update(truth="false")), "claims[0].truth: is a string, not null"),
        (_claim(lambda claim: claim.update(basis=["ok", {"man": 2}])), "claims[0].basis[1]: is an object, not string"),
        (_claim(lambda claim: claim["cases"][0].pop("again")), "claims[0].cases[0]: lacks again"),
        (_claim(lambda claim: claim["cases"][0]["facts"].append({"what": "x"})), "claims[0].cases[0].facts[0]: lacks"),
        (_claim(lambda claim: claim["cases"][0]["scenario"].pop("n")), "claims[0].cases[0].scenario: lacks n"),
        (_claim(lambda claim: claim["cases"][0].update(scenario=None)), "claims[0].cases[0].trials:"),
        (_trial(lambda trial: trial.update(woken=1e308)), "claims[0].cases[0].trials[0].woken: must be smaller"),
        (_trial(lambda trial: trial.update(woken=-1)), "claims[0].cases[0].trials[0].woken:"),
        (_trial(lambda trial: trial.update(won=None)), "claims[0].cases[0].trials[0].won:"),
        (
            _trial(lambda trial: trial["waiters"][2].pop("at_us")),
            "claims[0].cases[0].trials[0].waiters[2]: lacks at_us",
        ),
        (_trial(lambda trial: trial["order"].append("w1")), "claims[0].cases[0].trials[0].order["),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(spoil: Callable[[Run], object], place: str, run: Run) -> None:
    spoil(run)
    violated = violation(run)
    assert violated is not None
    assert violated.startswith(place)
    assert len(violated) < 300
    assert "\n" not in violated


def test_expectations_are_optional_and_checked(run: Run) -> None:
    expected = [{"verdict": "broken", "reason": "known", "pattern": "accept.*", "met": None}]
    run["expectations"] = {"file": "known.toml", "kernel": "", "controls": {"null": expected}}
    run["claims"][0]["expected"] = expected
    run["claims"][0]["cases"][0]["expected"] = "known"
    assert violation(run) is None
    run["claims"][0]["expected"] = [{**expected[0], "met": "perhaps"}]
    assert "expected[0].met" in (violation(run) or "")
    run["claims"][0]["expected"] = [{"verdict": "broken"}]
    assert "lacks met, pattern, reason" in (violation(run) or "")
