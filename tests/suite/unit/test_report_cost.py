"""Costs in a run: on the page, in the comparison, in the matrix, and never a verdict."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from probes.cost import into, ways
from probes.report import advice, compare, cost, herds, matrix, page
from probes.report import run as run_json

from .cost_readings import document
from .judging import run_on
from .model import Kernel
from .runs import run_of
from .test_report_page import Outline

Run = dict[str, Any]


@pytest.fixture
def run() -> Run:
    return {**run_of("a", "6.12"), "cost": into.shortened(document())}


def _cells(run: Run, way: str) -> list[Run]:
    return [cell for cell in run["cost"]["cells"] if cell["way"] == way]


def test_a_run_with_costs_is_written_and_read(run: Run, tmp_path: Path) -> None:
    run_json.write(run, tmp_path / "run.json")
    assert run_json.load(tmp_path / "run.json") == run


def test_costs_that_do_not_fit_their_schema_are_named(run: Run) -> None:
    run["cost"]["cells"][0]["workers"] = "many"
    assert run_json.violation(run) == "cost: cells[0].workers: is a string, not integer"


def test_the_page_shows_them_with_what_makes_them_doubtful(run: Run) -> None:
    run["cost"]["marks"] = ["the machine was busy: others used up to 95 % of its CPU time"]
    text = page.render(run)
    outline = Outline(text.replace("<rect", "<path").replace("<polyline", "<path"))
    assert "cost" in outline.ids
    assert max(outline.ids.count(name) for name in outline.ids) == 1
    assert '<p class="care">Take care: the machine was busy' in text
    assert "<title id=" in text  # the charts, with their titles
    del run["cost"]
    assert 'id="cost"' not in page.render(run)


def test_the_table_has_the_largest_herd_and_its_spread(run: Run) -> None:
    shown = cost.table(run)
    assert any("4 workers, rest" in heading for heading in shown.headings)
    accept = next(cells for way, _, cells in shown.rows if way == "accept")
    assert accept[0] == "1.00 (1.00 to 1.00)"


def test_a_ratio_that_moved_beyond_its_spread_is_a_number_that_changed(run: Run) -> None:
    later = copy.deepcopy(run)
    spread = _cells(later, "poll")[0]["ratios"]["cpu_us"]
    spread.update({key: value * 10 for key, value in spread.items()})
    (change,) = [change for change in compare.changes(run, later) if change.what == "cost"]
    assert (change.kind, change.figure) == (compare.NUMBERS, "cpu_us in times accept")
    assert change.case is not None
    assert change.case.startswith("poll, ")


def test_a_ratio_within_its_spread_is_no_change(run: Run) -> None:
    later = copy.deepcopy(run)
    for cell in _cells(later, "poll"):
        spread = cell["ratios"]["cpu_us"]
        spread.update(median=spread["high"], high=spread["high"] * 2)
    assert [change for change in compare.changes(run, later) if change.what == "cost"] == []
    del later["cost"]
    assert [change for change in compare.changes(run, later) if change.what == "cost"] == []


def test_a_comparison_of_figures_from_a_busy_machine_says_so(run: Run) -> None:
    later = copy.deepcopy(run)
    later["cost"]["marks"] = ["the machine was busy"]
    assert "the costs of the second run: the machine was busy" in compare.warnings(run, later)


def test_the_matrix_sets_them_side_by_side(run: Run) -> None:
    bare = run_of("b", "6.1")
    text = matrix.render([run, bare], ["a.html", "b.html"])
    assert '<h2 id="cost">' in text
    run["cost"]["marks"] = ["this kernel is emulated: times here say nothing about a real machine"]
    assert '<p class="care">a: this kernel is emulated' in matrix.render([run, bare], ["a.html", "b.html"])
    assert '<h2 id="cost">' not in matrix.render([bare, bare], ["a.html", "b.html"])


def test_advice_tells_what_was_measured(run: Run) -> None:
    for cell in _cells(run, "poll"):
        cell["way"] = "epoll_wait.exclusive.listener"
    seen = {**run_on(Kernel(1)), "cost": run["cost"]}
    many = next(each for each in advice.advice(seen) if each.situation.startswith("Many workers"))
    assert many.choices[1].strategy == "epoll_wait.exclusive.listener"
    assert "times the CPU time of accept (4 workers, rest, no work)." in many.choices[1].reason
    assert "CPU time" not in many.choices[0].reason


def test_a_figure_from_a_busy_machine_is_no_reason(run: Run) -> None:
    for cell in _cells(run, "poll"):
        cell["way"] = "epoll_wait.exclusive.listener"
    run["cost"]["marks"] = ["the machine was busy"]
    said = advice.advice({**run_on(Kernel(1)), "cost": run["cost"]})
    assert not any("CPU time" in choice.reason for each in said for choice in each.choices)


def test_a_strategy_has_one_name_on_the_page() -> None:
    measured = {way: ways.parse(way).name for way in ways.DEFAULT if way in herds.PEOPLE_USE}
    assert measured == {way: herds.name_of(way) for way in measured}


def test_fractions_have_five_digits() -> None:
    assert into.shortened({"a": [1.23456789, 7, None, True]}) == {"a": [1.2346, 7, None, True]}
    assert json.dumps(into.shortened(0.1 + 0.2)) == "0.3"


def test_figures_of_another_kernel_do_not_belong_into_a_run(run: Run) -> None:
    kernel = dict(run["kernel"])
    assert into.other_kernel(run, kernel) is None
    kernel["release"] = "6.13"
    assert into.other_kernel(run, kernel) == "release 6.12 there, 6.13 here"
