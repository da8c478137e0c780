"""Figures of a reading, their spread over rounds, ratios to `accept`, and growth."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from probes.cost import figures as module
from probes.cost.figures import RoundSpread, figures, growth, jain, jain_by_chance, over_rounds, quantile, ratios

from .cost_readings import reading, under_load


def test_figures_are_per_connection() -> None:
    counted = figures(reading())
    assert set(counted) == set(module.FIGURES)
    assert counted["woken"] == 4.0
    assert counted["in_vain"] == 3.0
    assert counted["returned"] == 1.2
    assert counted["empty"] == 0.2
    assert counted["preempted"] == 0.1
    assert counted["cpu_us"] == 40.0
    assert counted["busiest"] == 0.4
    assert counted["latency_median_us"] == 5.0
    assert counted["latency_p99_us"] == counted["latency_max_us"] == 10.0
    # Twelve waits, twelve accepts, a write and a close of each of ten.
    assert counted["system_calls"] == pytest.approx(4.4)
    assert counted["rate"] is None
    assert counted["short_p99_us"] is None


def test_under_load_there_are_a_rate_and_a_busy_client() -> None:
    counted = figures(under_load(elapsed_ns=1_000_000))
    assert counted["rate"] == pytest.approx(10_000)
    assert counted["client_busy"] == pytest.approx(0.03)


def test_work_is_no_overhead() -> None:
    worked = replace(reading().after, work_ns=[25_000] * 4)
    counted = figures(reading(work="10", after=worked))
    assert (counted["cpu_us"], counted["overhead_us"]) == (40.0, 30.0)


def test_in_vain_never_falls_below_nothing() -> None:
    """Under load a worker takes many connections for one wake-up; another's vain wake-ups do not vanish in that."""
    lazy = under_load()
    busy = replace(lazy.after, voluntary=[6, 15, 5, 5])
    assert figures(replace(lazy, after=busy))["in_vain"] == 0.7


def test_short_requests_stand_apart() -> None:
    mixed = reading(work="mixed", long=[False] * 9 + [True])
    assert figures(mixed)["short_p99_us"] == 9.0
    # Three calls more of each: two looks at its CPU time, and one at who connects.
    assert figures(mixed)["system_calls"] == pytest.approx(7.4)


def test_unknown_is_null() -> None:
    blind = reading(before=replace(reading().before, cpu_ns=None), way="poll+robust-mutex")
    counted = figures(blind)
    assert counted["cpu_us"] is counted["overhead_us"] is counted["system_calls"] is None


@pytest.mark.parametrize(("parts", "index"), [([1, 1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([4, 3, 2, 1], 100 / 120)])
def test_jain(parts: list[float], index: float) -> None:
    assert jain(parts) == pytest.approx(index)


def test_jain_by_chance() -> None:
    assert jain_by_chance(1, 64) == pytest.approx(1 / 64)
    assert jain_by_chance(1_000_000, 8) == pytest.approx(1, abs=1e-4)


def test_quantile_is_a_value_that_was_seen() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [quantile(ordered, part) for part in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert quantile([7.0], 0.5) == 7.0


def test_spread() -> None:
    spread = RoundSpread.of([5.0, 1.0, 2.0, 4.0, 3.0])
    assert spread == RoundSpread(median=3.0, low=1.0, high=5.0, q1=2.0, q3=4.0)
    assert RoundSpread.of([None, None]) is None
    assert RoundSpread.of([2.0]) == RoundSpread(2.0, 2.0, 2.0, 2.0, 2.0)


def test_a_ratio_is_to_the_same_round() -> None:
    """A machine that slows down from round to round changes no ratio."""
    base = [figures(reading()) for _ in range(3)]
    drifting = [{**base[0], "cpu_us": 40.0 * slow} for slow in (1, 2, 4)]
    twice = [{**base[0], "cpu_us": 80.0 * slow} for slow in (1, 2, 4)]
    assert ratios(twice, drifting)["cpu_us"] == RoundSpread(2.0, 2.0, 2.0, 2.0, 2.0)
    over = over_rounds(twice)["cpu_us"]
    assert over is not None
    assert (over.low, over.high) == (80.0, 320.0)


def test_a_ratio_to_nothing_is_unknown() -> None:
    nothing = [{**figures(reading()), "cpu_us": 0.0}]
    assert ratios([figures(reading())], nothing)["cpu_us"] is None
    assert ratios([figures(reading())], nothing)["rate"] is None


@pytest.mark.parametrize(
    ("grow", "exponent", "word"),
    [
        (lambda n: 3.0, 0.0, "flat"),
        (lambda n: 3.0 * n, 1.0, "linear"),
        (lambda n: 3.0 * math.sqrt(n), 0.5, "grows"),
        (lambda n: 3.0 / n, -1.0, "falls"),
        (lambda n: 3.0 * n * n, 2.0, "grows"),
    ],
)
def test_growth(grow: object, exponent: float, word: str) -> None:
    assert callable(grow)
    sizes = [1, 2, 8, 64]
    grown = growth(sizes, [[grow(n) for n in sizes]] * 2)
    assert grown is not None
    assert grown.exponent.median == pytest.approx(exponent)
    assert grown.word == word


def test_growth_per_worker() -> None:
    grown = growth([1, 2, 8, 64], [[10.0 + 2.5 * n for n in (1, 2, 8, 64)]])
    assert grown is not None
    assert grown.per_worker.median == pytest.approx(2.5)


def test_no_growth_without_two_sizes_and_all_figures() -> None:
    assert growth([8], [[1.0]]) is None
    assert growth([1, 8], [[1.0, None]]) is None
