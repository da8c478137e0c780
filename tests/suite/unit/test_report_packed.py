"""run.json says once what trials have in common; whatever is read back is what was written."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from probes.report import packed, page
from probes.report.run import SCHEMA_FILE, BadRun, as_text, load, unpacked_rules, write

from . import broken
from .model import Kernel
from .runs import run_of

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"

Run = dict[str, Any]


def _trials(run: Run) -> list[Run]:
    return [trial for claim in run["claims"] for case in claim["cases"] for trial in case["trials"]]


def _sample() -> Run:
    run: Run = json.loads(SAMPLE.read_text(encoding="utf-8"))
    for trial in _trials(run):
        if trial["traced"] and trial["agree"] and trial["inconclusive"] is None:
            trial["wakings"] = []
    return run


@pytest.mark.parametrize(
    "run",
    [_sample(), run_of("a", "6.12"), run_of("b", "6.1", broken.AcceptHerdsVisibly(1)), run_of("c", "6.6", Kernel(3))],
    ids=["sample", "healthy", "broken", "another"],
)
def test_what_is_read_is_what_was_written(run: Run, tmp_path: Path) -> None:
    before = copy.deepcopy(run)
    write(run, tmp_path / "run.json")
    assert run == before
    assert load(tmp_path / "run.json") == run
    assert page.render(load(tmp_path / "run.json")) == page.render(run)


def test_the_file_fits_the_schema() -> None:
    check = fastjsonschema.compile(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")), use_default=False)
    check(json.loads(as_text(_sample())))
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        check(_sample())


def test_a_kind_of_evidence_that_is_added_later_is_packed_too() -> None:
    run = _sample()
    for trial in _trials(run):
        trial["of_a_newer_suite"] = {"any": "thing"}
        for waiter in trial["waiters"]:
            waiter["moved_to"] = 1
    file = json.loads(as_text(run))
    assert file["columns"]["waiters"][-1] == "moved_to"
    packed.unpack(file)
    assert file["claims"] == run["claims"]


def test_an_object_with_other_keys_stays_one() -> None:
    run = _sample()
    last = _trials(run)[-1]
    last["observers"] = {"switches": 1}
    last["waiters"][0]["more"] = None
    file = json.loads(as_text(run))
    assert _trials(file)[-1]["observers"] == {"switches": 1}
    assert isinstance(_trials(file)[-1]["waiters"][0], dict)
    packed.unpack(file)
    assert file["claims"] == run["claims"]


def test_wakings_of_the_tracer_are_left_out_and_of_a_doubtful_trial_are_kept() -> None:
    run = _sample()
    trial = next(trial for trial in _trials(run) if trial["traced"])
    trial["wakings"] = [{"at_us": 1, "waker": "conductor", "wakee": 0}]
    assert "wakings" not in _trials(packed.pack(run))[_trials(run).index(trial)]
    trial["agree"] = False
    assert _trials(packed.pack(run))[_trials(run).index(trial)]["wakings"] == [[1, "conductor", 0]]


def test_what_is_said_once_takes_a_third_at_most() -> None:
    run = run_of("a", "6.12")
    plain = len(json.dumps(run, separators=(",", ":")))
    assert len(as_text(run)) < plain / 2.2  # the texts of the claims themselves weigh more here than in a whole run
    trials = json.dumps(_trials(run), separators=(",", ":"))
    assert len(json.dumps(_trials(packed.pack(run)), separators=(",", ":"))) < len(trials) / 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file.update(columns=3), "is an array, not object"),
        (lambda file: file.update(columns={"waiters": 3}), "is an array, not object"),
        (lambda file: file["columns"].pop("waiters"), "waiters[0] is an array, not object"),
        (lambda file: _trials(file)[0]["waiters"][0].extend(range(20)), "waiters[0] is an array, not object"),
        (lambda file: file.update(proofs=None), "proof is a number, not object"),
        (lambda file: _trials(file)[0].update(proof=True), "proof is a boolean, not object"),
        (lambda file: _trials(file)[0].update(proof=99), "proof is a number, not object"),
        (lambda file: file.update(defaults=[]), "lacks"),
        (lambda file: file["claims"][0].update(cases=3), "cases"),
        (lambda file: file.update(claims=None), "claims"),
    ],
    ids=[
        "columns",
        "a-column",
        "no-column",
        "long-row",
        "no-proofs",
        "no-number",
        "no-such-proof",
        "defaults",
        "cases",
        "claims",
    ],
)
def test_a_file_that_cannot_be_unpacked_is_refused_in_a_sentence(change: Any, said: str, tmp_path: Path) -> None:
    file = json.loads(as_text(_sample()))
    change(file)
    (tmp_path / "run.json").write_text(json.dumps(file))
    with pytest.raises(BadRun) as caught:
        load(tmp_path / "run.json")
    assert said in str(caught.value).replace(": is", " is")


def test_changing_one_trial_changes_no_other(tmp_path: Path) -> None:
    write(_sample(), tmp_path / "run.json")
    first, second = _trials(load(tmp_path / "run.json"))[:2]
    first["missing"]["switches"] = "?"
    assert second["missing"] == {}


def test_the_rules_in_memory_are_those_of_the_file_but_for_the_packing() -> None:
    rules, file = unpacked_rules(), json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert set(file["required"]) - set(rules["required"]) == set(packed.TABLES)
    assert {name for name, rule in file["definitions"].items() if rules["definitions"][name] != rule} == {
        "packed-trial"
    }
