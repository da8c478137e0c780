"""Several kernels side by side: started in order, no more at once than asked for, and all ended if one is stopped."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from probes.kernels.abreast import Stop, Stopped, abreast
from probes.kernels.progress import Progress

PATIENCE_S = 60.0


def test_results_come_in_the_order_of_the_items() -> None:
    second_is_done = threading.Event()

    def work(item: int, stop: Stop) -> int:
        if item == 1:
            assert second_is_done.wait(PATIENCE_S)
        else:
            second_is_done.set()
        return item * 10

    assert abreast(work, [1, 2], 2) == [10, 20]
    assert abreast(work, [], 2) == []


def test_those_that_take_longest_begin_first() -> None:
    begun: list[str] = []

    def work(item: tuple[str, float], stop: Stop) -> str:
        begun.append(item[0])
        return item[0]

    items = [("6.12", 1.0), ("uml", 0.5), ("6.1", 1.0), ("slow", 1.4)]
    assert abreast(work, items, 1, takes=lambda item: item[1]) == ["6.12", "uml", "6.1", "slow"]
    assert begun == ["slow", "6.12", "6.1", "uml"]


def test_no_more_run_at_once_than_asked_for() -> None:
    running: list[int] = []
    most: list[int] = []
    both = threading.Barrier(2)

    def work(item: int, stop: Stop) -> None:
        running.append(item)
        both.wait(PATIENCE_S)
        most.append(len(running))
        both.wait(PATIENCE_S)
        running.remove(item)

    abreast(work, range(6), 2)
    assert max(most) == 2


@pytest.mark.parametrize("items", [(1, 2, 3, -1, -2), (-1, -2)])
def test_what_waits_runs_beside_the_others_one_at_a_time(items: tuple[int, ...]) -> None:
    """If all of them mostly wait, they count as any other kernels."""
    together = threading.Barrier(2 if max(items) < 0 else 3)
    running: list[int] = []
    most: list[list[int]] = []
    lock = threading.Lock()

    def work(item: int, stop: Stop) -> int:
        with lock:
            running.append(item)
            most.append(running.copy())
        if (item != 3 and item != -2) or max(items) < 0:
            together.wait(PATIENCE_S)
        with lock:
            running.remove(item)
        return item

    assert abreast(work, items, 2, lambda item: item < 0) == list(items)
    waiting = max(sum(item < 0 for item in some) for some in most)
    assert (max(map(len, most)), waiting) == ((2, 2) if max(items) < 0 else (3, 1))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_ends_one_ends_them_all(error: type[BaseException]) -> None:
    heeded: list[int] = []
    first_began = threading.Event()

    def work(item: int, stop: Stop) -> None:
        if item == 1:
            assert first_began.wait(PATIENCE_S)
            raise error
        first_began.set()
        try:
            while True:
                stop.heed()
        except Stopped:
            heeded.append(item)
            raise

    with pytest.raises(error):
        abreast(work, [1, 2], 2)
    assert heeded == [2]


def _console(text: io.StringIO, *, terminal: bool) -> Console:
    return Console(file=text, force_terminal=terminal, width=100)


def test_without_a_terminal_each_phase_is_a_line(tmp_path: Path) -> None:
    text = io.StringIO()
    with Progress(_console(text, terminal=False), 2, lambda part: []) as progress:
        with progress.kernel("6.1", tmp_path / "a") as first, progress.kernel("5.10", tmp_path / "b") as other:
            first.watch("booting", 0)
            other.watch("booting", 0)
            first.watch("booting", 1)
            first.watch("running", 2)
        progress.say("6.1: done")
    assert text.getvalue().splitlines() == ["6.1: booting", "5.10: booting", "6.1: running", "6.1: done"]


def test_a_terminal_shows_every_kernel_that_runs_and_how_many_are_done(tmp_path: Path) -> None:
    text = io.StringIO()
    with Progress(_console(text, terminal=True), 3, lambda part: []) as progress:
        with progress.kernel("7.3", tmp_path / "c"):
            pass
        with progress.kernel("6.1", tmp_path / "a") as first, progress.kernel("5.10", tmp_path / "b") as other:
            first.watch("running", 65)
            other.watch("booting", 1)
            shown = progress.shown().plain.splitlines()
    assert [line.rstrip() for line in shown[:2]] == ["6.1  running 1:05", "5.10  booting 0:01"]
    assert shown[2].startswith("1 of 3 kernels done")
