"""KCIDB JSON: what each verdict becomes.  Whether the schema accepts it: tests/suite/ci/test_kcidb.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probes import __main__
from probes.exits import BAD_INPUT, BROKEN
from probes.report.kcidb import BadName, render
from probes.verdict import VERDICTS

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"


@pytest.fixture
def run() -> dict[str, Any]:
    """The sample, its controls held: one that fails changes what inconclusive means."""
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return {**run, "controls": dict.fromkeys(run["controls"], "held"), "partial": False}


def by_path(*runs: dict[str, Any], **names: Any) -> dict[str, dict[str, Any]]:
    """The tests of a submission, by their paths."""
    return {test["path"]: test for test in json.loads(render(runs, **names))["tests"]}


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("broken", "FAIL"),
        ("inconclusive", "ERROR"),
        ("held", "PASS"),
        ("measured", "DONE"),
        ("not applicable", "SKIP"),
    ],
)
def test_a_verdict_and_its_status(verdict: str, status: str, run: dict[str, Any]) -> None:
    run["claims"] = [{**run["claims"][0], "verdict": verdict}]
    tests = by_path(run)
    assert tests["wakecheck.accept.wakes-one"]["status"] == status
    # The controls passed, and in a collection that counts for more than DONE and SKIP.
    assert tests["wakecheck"]["status"] == ("PASS" if status in ("DONE", "SKIP") else status)


def test_every_verdict_has_a_status(run: dict[str, Any]) -> None:
    for verdict in VERDICTS:
        run["claims"] = [{**run["claims"][0], "verdict": verdict}]
        assert by_path(run)["wakecheck.accept.wakes-one"]["status"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "FAIL"),
        ({"claims": []}, "MISS"),
        ({"claims": [], "partial": True}, "MISS"),
    ],
)
def test_the_suite_is_as_bad_as_its_worst_test(change: dict[str, Any], status: str, run: dict[str, Any]) -> None:
    assert by_path({**run, **change})["wakecheck"]["status"] == status


def test_a_run_cut_short_has_not_passed(run: dict[str, Any]) -> None:
    run["claims"] = run["claims"][:1]
    assert by_path(run)["wakecheck"]["status"] == "PASS"
    run["partial"] = True
    assert by_path(run)["wakecheck"]["status"] == "MISS"


def test_a_failed_control_is_no_fault_of_the_kernel(run: dict[str, Any]) -> None:
    """What the instrument could not judge was not run at all, and the control itself never says FAIL."""
    run["claims"] = [claim for claim in run["claims"] if claim["verdict"] == "inconclusive"]
    run["controls"] = {"null": "broken", "silent": "inconclusive", "positive": "not applicable", "negative": "held"}
    run["controls_reasons"] = {"null": "woken 0"}
    tests = by_path(run)
    statuses = {path.rpartition(".")[2]: test["status"] for path, test in tests.items() if ".control." in path}
    assert statuses == {"null": "ERROR", "silent": "ERROR", "positive": "SKIP", "negative": "PASS"}
    assert tests["wakecheck.control.null"]["log_excerpt"] == "woken 0"
    assert tests["wakecheck.select.wakes-all"]["status"] == "MISS"
    assert tests["wakecheck"]["status"] == "ERROR"


def test_a_measured_claim_is_its_numbers(run: dict[str, Any]) -> None:
    tests = by_path(run)
    case = "wakecheck.cost.shared-edge.epoll_wait_edge_epoll_tcp4_n8_accept_one-connection"
    numbers = {path.removeprefix(f"{case}."): test for path, test in tests.items() if path.startswith(case)}
    assert {name: test["number"] for name, test in numbers.items()} == {
        "woken": {"value": 1, "unit": "waiters"},
        "returned": {"value": 1, "unit": "waiters"},
        "won": {"value": 1, "unit": "waiters"},
        "spurious": {"value": 0, "unit": "waiters"},
    }
    assert {test["status"] for test in numbers.values()} == {"DONE"}
    assert [path for path, test in tests.items() if "number" in test] == [f"{case}.{name}" for name in numbers]


def test_a_measured_fact_is_a_number_where_it_is_one(run: dict[str, Any]) -> None:
    case = {**run["claims"][-1]["cases"][0], "trials": [], "id": "cost #connect", "facts": []}
    for name, seen in (("time", 12.5), ("calls", -3), ("who", "w3"), ("woken", True), ("order", [1])):
        case["facts"].append({"id": name, "what": "in words", "seen": seen})
    run["claims"] = [{**run["claims"][-1], "cases": [case]}]
    numbers = {path: test["number"] for path, test in by_path(run).items() if "number" in test}
    assert numbers == {
        "wakecheck.cost.shared-edge.cost_connect.time": {"value": 12.5},
        "wakecheck.cost.shared-edge.cost_connect.calls": {"value": -3},
    }


def test_a_broken_claim_says_why_and_how_to_repeat_it(run: dict[str, Any]) -> None:
    excerpt = by_path(run)["wakecheck.epoll.exclusive.wakes-one"]["log_excerpt"]
    assert excerpt.startswith("3 of 8 waiters were woken; the claim allows exactly 1\n")
    assert "again: python -m " in excerpt


def test_an_expected_deviation_stays_what_it_is(run: dict[str, Any]) -> None:
    expected = [{"verdict": "broken", "reason": "it is ignored", "pattern": "epoll.*", "met": True}]
    run["claims"][3]["expected"] = expected
    test = by_path(run)["wakecheck.epoll.exclusive.wakes-one"]
    assert (test["status"], test["misc"]["expected"]) == ("FAIL", expected)


def test_two_runs_on_one_kernel_share_its_build(run: dict[str, Any]) -> None:
    submitted = json.loads(render([run, {**run, "label": "again"}]))
    assert len(submitted["builds"]) == len(submitted["checkouts"]) == 1
    assert {test["build_id"] for test in submitted["tests"]} == {submitted["builds"][0]["id"]}


def test_no_two_tests_share_an_id_and_the_same_run_has_the_same(run: dict[str, Any]) -> None:
    submitted = json.loads(render([run, {**run, "label": "again"}]))
    assert len({test["id"] for test in submitted["tests"]}) == len(submitted["tests"])
    assert render([run]) == render([run])


def test_a_build_that_kernelci_knows(run: dict[str, Any]) -> None:
    submitted = json.loads(render([run], "mylab", "maestro:65a1"))
    assert "builds" not in submitted
    assert "checkouts" not in submitted
    assert {(test["origin"], test["build_id"]) for test in submitted["tests"]} == {("mylab", "maestro:65a1")}
    assert all(test["id"].startswith("mylab:") for test in submitted["tests"])


@pytest.mark.parametrize("names", [{"origin": "My Lab"}, {"origin": ""}, {"build": "65a1"}, {"build": "A:1"}])
def test_a_name_that_the_schema_refuses(names: dict[str, str], run: dict[str, Any]) -> None:
    with pytest.raises(BadName):
        render([run], **names)


# --- the command -------------------------------------------------------------------------------


def _report(tmp_path: Path, *more: str) -> int:
    return __main__.main(["report", str(SAMPLE), "--html", str(tmp_path / "index.html"), *more])


def test_report_writes_all_runs_into_one_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run = {**json.loads(SAMPLE.read_text(encoding="utf-8")), "label": name}
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(run))
    runs = [str(tmp_path / name / "run.json") for name in ("a", "b")]
    page = str(tmp_path / "matrix.html")
    assert __main__.main(["report", *runs, "--html", page, "--kcidb", str(tmp_path / "kcidb.json")]) == BROKEN
    submitted = json.loads((tmp_path / "kcidb.json").read_text())
    assert {test["environment"]["comment"] for test in submitted["tests"]} == {"a", "b"}


def test_report_refuses_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kcidb.json"
    assert _report(tmp_path, "--kcidb", str(file), "--kcidb-origin", "My Lab") == BAD_INPUT
    assert capsys.readouterr().err == "wakecheck: 'My Lab' is not an origin: use a-z, 0-9 and _\n"
    assert not file.exists()


def test_report_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _report(tmp_path, "--kcidb", str(tmp_path)) == BAD_INPUT
    assert "cannot be written" in capsys.readouterr().err
