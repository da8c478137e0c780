"""What is written for KernelCI is what its own library accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probes.report.kcidb import render
from probes.verdict import VERDICTS

from .tools import ROOT, need_module

SAMPLE = ROOT / "tests" / "suite" / "unit" / "samples" / "run-small-plain.json"


@pytest.fixture
def run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return run


@pytest.fixture
def schema() -> Any:
    """The newest schema that kcidb-io knows."""
    need_module("kcidb_io")
    from kcidb_io.schema import LATEST

    return LATEST


def submission(*runs: dict[str, Any], **names: str) -> Any:
    return json.loads(render(runs, **names))


def test_it_is_written_for_the_newest_schema(schema: Any, run: dict[str, Any]) -> None:
    assert submission(run)["version"] == {"major": schema.major, "minor": schema.minor}


def test_the_sample_is_accepted(schema: Any, run: dict[str, Any]) -> None:
    assert schema.validate(submission(run, {**run, "label": "again"}))


def test_a_build_that_kernelci_knows_is_accepted(schema: Any, run: dict[str, Any]) -> None:
    assert schema.validate(submission(run, origin="mylab", build="maestro:65a1"))


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("control", VERDICTS)
def test_every_verdict_is_accepted(verdict: str, control: str, schema: Any, run: dict[str, Any]) -> None:
    run["controls"] = dict.fromkeys(run["controls"], control)
    for claim in run["claims"]:
        claim["verdict"] = verdict
        for case in claim["cases"]:
            case["verdict"] = verdict
    assert schema.validate(submission(run))


def test_what_a_run_may_hold_and_the_schema_refuses(schema: Any, run: dict[str, Any]) -> None:
    """NUL, bytes that are no UTF-8, and a reason that is far too long."""
    hostile = "\0 \udcff " + "x" * 20_000
    run["label"] = run["isolation"] = hostile
    run["kernel"].update(release=hostile, version=hostile, machine="X86-64", splats=[hostile])
    run["observers"] = {hostile: hostile}
    run["controls"] = {hostile: "broken"}
    run["controls_reasons"] = {hostile: hostile}
    run["suite"]["revision"] = None
    for claim in run["claims"]:
        claim.update(sentence=hostile, reason=hostile, basis=[hostile])
        for case in claim["cases"]:
            case.update(id=hostile, reason=hostile, again=hostile, facts=[])
    assert schema.validate(submission(run))


def test_an_empty_run_is_accepted(schema: Any, run: dict[str, Any]) -> None:
    assert schema.validate(submission({**run, "claims": [], "controls": {}, "partial": True}))


def test_the_schema_would_refuse_a_wrong_status(schema: Any, run: dict[str, Any]) -> None:
    """The check can fail."""
    from jsonschema.exceptions import ValidationError

    submitted = submission(run)
    submitted["tests"][0]["status"] = "HELD"
    with pytest.raises(ValidationError):
        schema.validate(submitted)
