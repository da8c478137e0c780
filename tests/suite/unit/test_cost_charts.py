"""The charts: whole SVG without script, for light and dark, with every number in words."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from probes.cost import answer, charts
from probes.cost.charts.dots import row_in_words
from probes.cost.charts.paper import Scale, count, in_two_lines, microseconds
from probes.cost.reading import RETURNED, SLEPT, WOKEN, WON

from .cost_readings import IDLE, document

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """An answer that fits the schema."""
    measured = document()
    assert answer.violation(measured) is None
    return measured


@pytest.fixture(scope="module")
def drawn(measured: dict[str, Any]) -> dict[str, str]:
    """All charts of it."""
    return charts.draw(measured)


def test_there_is_a_chart_of_each_kind(drawn: dict[str, str]) -> None:
    scenes = [f"{load}-0-{size}" for load in ("rest", "light") for size in (2, 4)]
    rows = [f"{kind}-{scene}.svg" for scene in scenes for kind in ("latency", "shares")]
    assert list(drawn) == ["dots.svg", "woken.svg", "cpu.svg", *rows]


def test_every_chart_can_be_read_without_seeing_it(drawn: dict[str, str]) -> None:
    ids = []
    for name, text in drawn.items():
        svg = ElementTree.fromstring(text)
        assert svg.tag == f"{_SVG}svg"
        assert svg.get("role") == "img"
        title, words = svg[0], svg[1]
        assert (title.tag, words.tag) == (f"{_SVG}title", f"{_SVG}desc")
        assert svg.get("aria-labelledby") == f"{title.get('id')} {words.get('id')}"
        assert "accept, one listener: " in (words.text or ""), name
        assert "poll, one listener: " in (words.text or ""), name
        ids += [element.get("id") for element in svg.iter() if element.get("id")]
    # Several of them may stand in one page.
    assert len(ids) == len(set(ids))


def test_nothing_is_run_or_loaded(drawn: dict[str, str]) -> None:
    for text in drawn.values():
        assert "<script" not in text
        assert not re.search(r"(href|src|url\(|@import|\son\w+=)", text)
        assert "prefers-color-scheme: dark" in text


def test_everything_is_within_the_picture(drawn: dict[str, str]) -> None:
    for name, text in drawn.items():
        svg = ElementTree.fromstring(text)
        width = float(svg.get("viewBox", "").split()[2])
        for element in svg.iter():
            for key in ("x", "cx"):
                assert 0 <= float(element.get(key, "0")) <= width, name


def test_dots(drawn: dict[str, str]) -> None:
    words = ElementTree.fromstring(drawn["dots.svg"])[1].text
    assert words == (
        "accept, one listener: 1 of 4 woken, 1 returned, 1 took it. "
        "poll, one listener: 4 of 4 woken, 1 returned, 1 took it."
    )
    assert row_in_words("x", [WON, RETURNED, WOKEN, SLEPT]) == "x: 3 of 4 woken, 2 returned, 1 took it."


def test_growth_in_words(drawn: dict[str, str]) -> None:
    words = ElementTree.fromstring(drawn["woken.svg"])[1].text or ""
    assert "accept, one listener: 1 with 2, 1 with 4; exponent 0.00, flat." in words
    assert "poll, one listener: 2 with 2, 4 with 4; exponent 1.00, linear." in words


def test_busy_machine_is_said_in_every_chart() -> None:
    busy = charts.draw(document({**IDLE, "foreign": 0.6}))
    assert busy
    assert all("Take care: the machine was busy" in text for text in busy.values())


def test_names_cannot_break_the_markup(measured: dict[str, Any]) -> None:
    ways = [{**way, "name": "<script>&\"'"} for way in measured["ways"]]
    for text in charts.draw({**measured, "ways": ways}).values():
        ElementTree.fromstring(text)
        assert "<script" not in text


def test_nothing_to_draw() -> None:
    assert charts.draw({"cells": [], "ways": [], "growth": [], "marks": [], "kernel": {}, "rounds": 1}) == {}


def test_scale() -> None:
    scale = Scale(1, 100, 0, 200)
    assert [scale(1), scale(10), scale(100)] == [0, 100, 200]
    assert scale.ticks() == [1, 10, 100]
    assert Scale(12, 19, 0, 1).ticks() == [12, 19]
    assert Scale(90, 260, 0, 1).ticks() == [100, 200]
    assert Scale(40, 500, 0, 1).ticks() == [100, 300]
    # All values alike still have room.
    assert 0 < Scale.over([5.0, 5.0], 0, 10)(5.0) < 10


@pytest.mark.parametrize(
    ("us", "text"),
    [(0.5, "0.5 µs"), (62.4, "62 µs"), (9.96, "10 µs"), (1500, "1.5 ms"), (99_950, "100 ms"), (2e6, "2.0 s")],
)
def test_microseconds(us: float, text: str) -> None:
    assert microseconds(us) == text


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (64.0, "64"), (7.94, "7.9"), (0.05, "0.05")])
def test_count(value: float, text: str) -> None:
    assert count(value) == text


def test_names_in_two_lines() -> None:
    assert in_two_lines("epoll, an instance each, level") == ("epoll, an instance each", "level")
    assert in_two_lines("signal-driven (SIGIO)") == ("signal-driven", "(SIGIO)")
    assert in_two_lines("epoll_pwait2.level.listener") == ("epoll_pwait2.level.listener", "")
