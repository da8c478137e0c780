"""docs/published.md: it is what the kept figures make of it, and every figure has its source and its rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probes.cost import arguments, plan, ways
from probes.cost.figures import RoundSpread
from probes.exits import CANNOT_JUDGE
from tests.suite.cost import published
from tests.suite.cost.figures import DIRECTION, NO, PART, PUBLISHED, UNCLEAR, YES
from tests.suite.cost.measured import Measured

from .cost_readings import document


def test_page_is_up_to_date() -> None:
    """`python -m tests.suite.cost.published page` writes it."""
    assert published.PAGE.read_text(encoding="utf-8") == published.page(published.kept())


def test_kept_figures_are_those_of_the_page() -> None:
    measured = published.kept()
    if measured is None:
        pytest.skip("nothing was measured yet")
    assert list(measured["here"]) == [figure.title for figure in PUBLISHED]


def test_every_figure_has_a_source() -> None:
    assert len(PUBLISHED) >= 8
    assert len({figure.title for figure in PUBLISHED}) == len(PUBLISHED)
    assert all("commit " in figure.source or "](http" in figure.source for figure in PUBLISHED)


class Everything(Measured):
    """Answers every question with the same spread, and remembers what was asked."""

    def __init__(self, value: float) -> None:
        super().__init__([])
        self.asked: set[tuple[str, str, int, str]] = set()
        self._spread = RoundSpread(value, value, value, value, value)

    def value(self, figure: str, way: str, load: str, workers: int, work: str = "0") -> RoundSpread:
        self.asked.add((way, load, workers, work))
        return self._spread

    def ratio(self, figure: str, way: str, other: str, load: str, workers: int, work: str = "0") -> RoundSpread:
        self.asked.add((other, load, workers, work))
        return self.value(figure, way, load, workers, work)

    def most_to_least(self, way: str, load: str, workers: int, work: str = "0") -> RoundSpread:
        return self.value("busiest", way, load, workers, work)


def _measured_by_runs() -> set[tuple[str, str, int, str]]:
    """What the commands of the page measure."""
    import argparse

    cells = set()
    for run in published.RUNS:
        parser = argparse.ArgumentParser()
        arguments.add_to(parser)
        planned = arguments.request_from(parser.parse_args(run)).plan
        cells |= {
            (way.id, scene.load, scene.workers, scene.work.id) for way in planned.ways for scene in planned.scenes
        }
    return cells


def test_commands_measure_what_the_page_asks_for() -> None:
    everything = Everything(1.0)
    for figure in PUBLISHED:
        list(figure.here(everything))
    assert everything.asked <= _measured_by_runs()


@pytest.mark.parametrize("figure", PUBLISHED, ids=lambda figure: figure.title)
def test_every_rule_can_say_no(figure: Any) -> None:
    """And it can say yes: a rule that always says the same compares nothing."""
    said = set()
    values = (0.1, 0.3, 0.9, 0.97, 1.0, 1.3, 2.0, 3.0, 40.0)
    number = len(list(figure.here(Everything(1.0))))
    for first in values:
        for rest in values:
            for last in values:
                given = [first, *[rest] * (number - 2), last][:number]
                said.add(figure.agrees([RoundSpread(value, value, value, value, value) for value in given]))
    assert {YES, NO} <= said


@pytest.mark.parametrize("figure", PUBLISHED, ids=lambda figure: figure.title)
def test_no_rule_decides_where_the_rounds_do_not(figure: Any) -> None:
    """The middle half of the rounds lies on both sides of the limit."""
    for median in (0.01, 1.0, 100.0):
        wide = RoundSpread(median, 0.001, 1_000.0, 0.001, 1_000.0)
        assert figure.agrees([wide] * len(list(figure.here(Everything(1.0))))) == UNCLEAR


def test_of_marks_that_differ_in_their_number_the_worst_is_shown() -> None:
    marks = ["busy: 4 %", "steal: 9 %", "busy: 18 %", "emulated"]
    assert published.worst_of(marks) == ["busy: 18 %", "steal: 9 %", "emulated"]


def test_a_lock_and_none_are_told_apart() -> None:
    (figure,) = (figure for figure in PUBLISHED if figure.title.startswith("Tengine"))
    slower, little, more, most = (RoundSpread(value, value, value, value, value) for value in (0.7, 1.2, 1.5, 2.5))
    assert figure.agrees([slower, most]) == figure.agrees([most, slower]) == PART
    assert figure.agrees([most, more]) == YES
    assert figure.agrees([more, little]) == DIRECTION
    assert figure.agrees([slower, slower]) == NO


def test_ratios_are_within_a_round() -> None:
    measured = Measured([document()])
    assert measured.ratio("woken", "poll", "accept", "rest", 4).median == 4
    assert measured.value("woken", "accept", "rest", 2).median == 1
    assert measured.most_to_least("poll", "rest", 4).median == 4
    with pytest.raises(LookupError):
        measured.value("rate", "accept", "rest", 4)
    with pytest.raises(LookupError):
        measured.value("woken", "accept", "rest", 64)


def test_page_of_some_figures() -> None:
    spread = RoundSpread(2.0, 1.0, 3.0, 1.5, 2.5).as_json()
    here = {figure.title: [["so", spread]] * len(list(figure.here(Everything(1.0)))) for figure in PUBLISHED}
    measured = {"kernel": "Linux 6.18", "marks": ["the machine was busy"], "rounds": 9, "here": here}
    page = published.page(json.loads(json.dumps(measured)))
    assert "Take care: the machine was busy" in page
    assert "| so | 2.00 | 1.50–2.50 |" in page
    assert page.count("\n## ") == len(PUBLISHED)


def test_bad_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert published.main(["measur"]) == 2
    assert "measure" in capsys.readouterr().err


def test_names_of_strategies_exist() -> None:
    for run in published.RUNS:
        for word in run[: next(i for i, each in enumerate(run) if each.startswith("--"))]:
            assert ways.parse(word).id == word
    assert published.ROUNDS <= plan.MOST_ROUNDS


def test_it_measures_unattended_and_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every command once and small; the page is what the figures make of it."""
    monkeypatch.setattr(published, "ROUNDS", 1)
    monkeypatch.setattr(published, "RUNS", ((*published.RUNS[2],),))
    monkeypatch.setattr(
        published, "PUBLISHED", tuple(figure for figure in PUBLISHED if figure.title == MULTISHOT_CHEAPER)
    )
    monkeypatch.setattr(published, "KEPT", tmp_path / "published.json")
    monkeypatch.setattr(published, "PAGE", tmp_path / "published.md")
    code = published.main(["measure"])
    said = capfd.readouterr()
    if code == CANNOT_JUDGE and "not applicable" in said.err:
        pytest.skip("this kernel has no io_uring")
    assert code == 0
    assert said.out.startswith("1 of 1, 0 s: wakecheck cost ")
    assert "3 of 3 readings" in said.err
    assert published.PAGE.read_text(encoding="utf-8") == published.page(published.kept())
    assert "| not yet | | |" not in published.PAGE.read_text(encoding="utf-8")


def test_a_command_that_fails_leaves_the_page_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(published, "RUNS", (("no-such-strategy",),))
    monkeypatch.setattr(published, "KEPT", tmp_path / "published.json")
    monkeypatch.setattr(published, "PAGE", tmp_path / "published.md")
    assert published.main(["measure"]) == CANNOT_JUDGE
    assert list(tmp_path.iterdir()) == []
    assert "nothing was written" in capfd.readouterr().err


MULTISHOT_CHEAPER = "Multishot accept is a little cheaper"
