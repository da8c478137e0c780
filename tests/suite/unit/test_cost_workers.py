"""Every counter sees what it is for, and every fault of a worker is seen: model workers, each with one fault."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from probes.cost import checks, ways, work, worker
from probes.cost.figures import figures
from probes.cost.reading import RETURNED, SLEPT, WOKEN, WON, Reading

WORKERS, CONNECTIONS = 4, 40  # cost_models.WORKERS, plan.CONNECTIONS


def _read(fault: str, way: str = "poll", load: str = "rest", work: str = "0") -> Reading:
    command = [sys.executable, "-m", "tests.suite.unit.cost_models", fault, way, load, work]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "NotApplicable" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return Reading.from_json(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("twice", "answers more than the"),
        ("loses", "connections got no answer"),
        ("boasts", "counted"),
        ("poses", "counted"),
        ("recounts", "went backwards"),
    ],
)
@pytest.mark.parametrize("load", ["rest", "light"])
def test_fault_is_seen(fault: str, sentence: str, load: str) -> None:
    assert sentence in (checks.wrong(_read(fault, load=load)) or "")


def test_connection_that_is_kept_is_seen() -> None:
    assert "connections got no answer" in (checks.wrong(_read("keeps", load="light")) or "")


def test_herd_is_counted() -> None:
    reading = _read("none")
    assert checks.wrong(reading) is None
    assert reading.each_woken == [WORKERS] * CONNECTIONS
    assert reading.dots.count(WON) == 1
    assert reading.dots.count(SLEPT) == 0


def test_silent_herd_is_counted_all_the_same() -> None:
    """Its own counters hide this; the kernel's show it."""
    reading = _read("herds")
    counted = figures(reading)
    assert counted["woken"] is not None
    assert counted["woken"] >= WORKERS
    assert counted["in_vain"] == pytest.approx(counted["woken"] - 1)
    assert counted["empty"] == 0
    assert set(reading.dots) <= {WON, WOKEN, RETURNED}


def test_exclusive_wakes_one() -> None:
    reading = _read("none", "epoll_wait.exclusive.listener")
    assert reading.each_woken == [1] * CONNECTIONS
    assert sorted(reading.dots) == sorted([WON, SLEPT, SLEPT, SLEPT])


def test_cpu_time_is_counted() -> None:
    """Two milliseconds for each connection, which the worker does not report."""
    burnt = figures(_read("burns"))["cpu_us"]
    assert burnt is not None
    assert burnt >= 2_000


def test_a_sleep_is_counted() -> None:
    """A worker that sleeps once more for each connection shows one switch more."""
    woken = sum(_read("dozes").gained("voluntary") or [])
    assert woken >= (WORKERS + 1) * CONNECTIONS


def test_work_that_is_not_done_is_seen() -> None:
    problem = checks.wrong(_read("hurries", load="light", work="mixed")) or ""
    assert "clients meant 20 requests to be long, and workers took 0 for that" in problem


def test_work_is_done_and_is_no_overhead() -> None:
    reading = _read("none", load="light", work="1000")
    assert checks.wrong(reading) is None
    counted = figures(reading)
    assert counted["cpu_us"] is not None
    assert counted["overhead_us"] is not None
    worked = sum(reading.gained("work_ns") or []) / reading.connections / 1000
    assert counted["cpu_us"] - counted["overhead_us"] == pytest.approx(worked)


def test_work_is_calibrated_by_the_fastest_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others were disturbed.  And a worker spins so many loops for each microsecond."""
    clock_ns, ns_per_loop = 0, iter((30, 20, 10, 20, 40))

    def spin(loops: int) -> None:
        nonlocal clock_ns
        clock_ns += loops * next(ns_per_loop)

    monkeypatch.setattr(work, "spin", spin)
    monkeypatch.setattr(time, "thread_time_ns", lambda: clock_ns)
    assert work.loops_per_us() == 100
    measured = worker.MeasuredWorker(0, ways.parse("poll"), work.parse("1000"), 100.0, memoryview(b""))
    assert measured._loops == 100_000


@pytest.mark.parametrize("way", ways.DEFAULT)
@pytest.mark.parametrize("load", ["rest", "saturating"])
def test_every_strategy_serves(way: str, load: str) -> None:
    assert checks.wrong(_read("none", way, load)) is None


@pytest.mark.parametrize("lock", ways.HANDED_OVER)
def test_nobody_waits_on_under_a_lock_when_all_are_told_to_end(lock: str) -> None:
    command = [sys.executable, "-m", "tests.suite.unit.cost_ending", f"poll+{lock}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.strip(), done.stderr) == ("ended", "")
