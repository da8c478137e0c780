"""KTAP: a golden file, and the rules of Documentation/dev-tools/ktap.rst for every line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from probes.report.ktap import render

SAMPLES = Path(__file__).parent / "samples"
LINE = re.compile(r"KTAP version 1|1\.\.\d+|# .+|(not )?ok \d+ [^#]+( # SKIP [^#]+)?")


@pytest.fixture
def run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads((SAMPLES / "run-small-plain.json").read_text(encoding="utf-8"))
    return run


def results(text: str, indent: str) -> list[str]:
    """The result lines at this depth."""
    return [line[len(indent) :] for line in text.splitlines() if re.match(f"{indent}(not )?ok ", line)]


def test_the_sample_as_ktap(run: dict[str, Any]) -> None:
    assert render(run) == (SAMPLES / "run-small.ktap").read_text(encoding="utf-8")


def test_every_line_is_one_of_the_four_kinds(run: dict[str, Any]) -> None:
    for line in render(run).splitlines():
        assert LINE.fullmatch(line.removeprefix("  ")), line


def test_the_plan_counts_and_numbers_rise(run: dict[str, Any]) -> None:
    lines = results(render(run), "")
    assert f"1..{len(lines)}" == render(run).splitlines()[1]
    numbers = [int(line.removeprefix("not ").split()[1]) for line in lines]
    assert numbers == list(range(1, len(run["claims"]) + 1))


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        ("held", "ok 1 accept.wakes-one"),
        ("measured", "ok 1 accept.wakes-one"),
        ("broken", "not ok 1 accept.wakes-one"),
        ("inconclusive", "not ok 1 accept.wakes-one"),
        ("not applicable", "ok 1 accept.wakes-one # SKIP accept: ENOSYS"),
    ],
)
def test_a_verdict_and_its_result(verdict: str, line: str, run: dict[str, Any]) -> None:
    run["claims"][0].update(verdict=verdict, reason="accept: ENOSYS")
    assert results(render(run), "")[0] == line


def test_a_reason_of_several_lines_stays_one(run: dict[str, Any]) -> None:
    run["claims"][0].update(verdict="not applicable", reason="no\nok 9 forged # SKIP this")
    assert results(render(run), "")[0] == "ok 1 accept.wakes-one # SKIP no ok 9 forged _ SKIP this"


def test_a_claim_without_cases_has_no_subtests(run: dict[str, Any]) -> None:
    run["claims"] = [{**run["claims"][0], "cases": []}]
    assert "  " not in render(run)


def test_a_label_that_is_no_utf8_can_be_written(run: dict[str, Any]) -> None:
    run["claims"][0]["sentence"] = "\udcff"
    assert render(run).encode("utf-8")
