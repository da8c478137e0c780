"""The dots at the top of the page: what became of each worker, on this kernel and on others."""

from __future__ import annotations

from typing import Any

import pytest

from probes.report import herd_plot, herds, sizes

from . import broken
from .builders import trial
from .judging import run_on
from .model import Kernel


@pytest.fixture(scope="module")
def healthy() -> dict[str, Any]:
    return run_on(Kernel(1))


def _by_id(run: dict[str, Any]) -> dict[str, herds.ShownHerd]:
    return {herd.strategy: herd for herd in herds.herds(run)}


def test_every_strategy_that_people_use_has_a_row(healthy: dict[str, Any]) -> None:
    assert tuple(_by_id(healthy)) == herds.PEOPLE_USE
    assert all(len(herd.states) == 8 for herd in herds.herds(healthy))


def test_accept_wakes_one_and_poll_all(healthy: dict[str, Any]) -> None:
    by_id = _by_id(healthy)
    assert by_id["accept"].states == ("won", *["slept"] * 7)
    assert by_id["accept"].words == "1 of 8 woken, 1 returned, 1 took it"
    assert "slept" not in by_id["poll"].states
    assert by_id["poll"].words.startswith("8 of 8 woken, ")
    assert by_id["accept"].name == "accept, one listener"


def test_another_kernel_has_other_dots() -> None:
    assert "slept" not in _by_id(run_on(broken.AcceptHerdsSilently(1)))["accept"].states
    assert "slept" not in _by_id(run_on(broken.ExclusiveIgnored(1)))["epoll_wait.exclusive.listener"].states


def test_what_was_not_tried_has_no_dots() -> None:
    assert {herd.words for herd in herds.herds({"claims": []})} == {"not tried in this run"}
    assert herds.sentence(herds.herds({"claims": []})) == "Nobody could see whom a connection wakes."


@pytest.mark.parametrize(
    ("seen", "states"),
    [
        (trial(n=4, woken=(0, 1, 2), order=(1, 0), won=(0, 1, 0, 0)), ("returned", "won", "woken", "slept")),
        (trial(n=2, woken=None, order=(0,), won=(1, 0)), ("won", "unseen")),
        (trial(n=2, woken=(0,), order=None), ("unseen", "unseen")),
    ],
)
def test_states(seen: Any, states: tuple[str, ...]) -> None:
    assert herds.states_of(seen.as_json()) == states


def test_nobody_is_called_asleep_whom_nobody_saw() -> None:
    herd = herds.ShownHerd("poll", "poll", ("won", "unseen"), None, None)
    assert herd.words == "1 took it; nobody could see who was woken"


def test_the_sentence_says_who_herds(healthy: dict[str, Any]) -> None:
    said = herds.sentence(herds.herds(healthy))
    assert "all 8 workers under poll and epoll with an instance each" in said
    assert "one under accept, epoll with EPOLLEXCLUSIVE" in said
    assert said.endswith("and SO_REUSEPORT.")
    said = herds.sentence(herds.herds(run_on(broken.ExclusiveIgnored(1))))
    assert "all 8 workers under poll, epoll with an instance each and epoll with EPOLLEXCLUSIVE" in said


def test_the_herd_grows_with_the_number_of_workers(healthy: dict[str, Any]) -> None:
    grown = sizes.by_size(healthy)
    assert {n: str(figures["woken"]) for n, figures in grown["poll"].items()} == {1: "1", 8: "8"}
    assert {n: str(figures["woken"]) for n, figures in grown["accept"].items()} == {1: "1", 8: "1"}
    plot = herd_plot.herd_plot(healthy)
    assert plot is not None
    panels = {panel.strategy: panel for panel in plot.panels}
    assert panels["poll"].woken[0][1] > panels["poll"].woken[1][1]  # up is down in SVG
    assert panels["accept"].woken[0][1] == panels["accept"].woken[1][1]
    assert panels["accept"].words == "accept, one listener: 1 woken and 1 returned of 1; 1 woken and 1 returned of 8."


def test_one_size_makes_no_plot() -> None:
    assert herd_plot.herd_plot({"claims": []}) is None
