"""The terminal: short, the bad news first, and readable on any console."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from probes.report import terminal

from . import broken
from .judging import run_on
from .model import Kernel

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"


@pytest.fixture
def run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return run


class Screen:
    """A console that remembers what was printed."""

    def __init__(self, width: int, encoding: str = "utf-8") -> None:
        self._bytes = io.BytesIO()
        self._file = io.TextIOWrapper(self._bytes, encoding=encoding)
        self.console = Console(file=self._file, width=width, color_system=None)

    def lines(self) -> list[str]:
        self._file.flush()
        return [line.rstrip() for line in self._bytes.getvalue().decode(self._file.encoding).splitlines()]


def summary(run: dict[str, Any], width: int = 100, encoding: str = "utf-8") -> list[str]:
    screen = Screen(width, encoding)
    terminal.summary(run, screen.console, [Path("report/index.html"), "report/run.json"])
    return screen.lines()


def table(run: dict[str, Any], width: int, encoding: str = "utf-8") -> list[str]:
    screen = Screen(width, encoding)
    terminal.table(run, screen.console)
    return screen.lines()


def test_the_summary_of_the_sample(run: dict[str, Any]) -> None:
    assert summary(run) == [
        "claims:  ✗ broken 1  ? inconclusive 1  ✓ held 4  ◆ measured 1  - not applicable 1",
        "partial: not every claim was judged",
        "? inconclusive control sees-all: 7 of 8 waiters were seen",
        "✗ broken epoll.exclusive.wakes-one",
        "  3 of 8 waiters were woken; the claim allows exactly 1",
        "? inconclusive select.wakes-all",
        "  observers disagree in step 1: switches saw 4, sched_waking 3",
        "report: report/index.html",
        "report: report/run.json",
    ]


def test_the_claims_are_counted_whatever_the_file_says_of_their_number(run: dict[str, Any]) -> None:
    before = summary(run)
    run["summary"] = {"held": 99}
    assert summary(run) == before


def test_a_run_in_which_all_is_well_takes_one_line_and_its_files(run: dict[str, Any]) -> None:
    run.update(partial=False, controls={"sees-all": "held"}, summary={"held": 1}, claims=run["claims"][:1])
    assert summary(run)[0] == "claims:  ✓ held 1"
    assert len(summary(run)) == 3


def test_a_reason_is_one_line_and_no_markup(run: dict[str, Any]) -> None:
    run["claims"][3]["reason"] = "3 of 8\nwaiters [bold]were[/bold] woken"
    assert "  3 of 8 waiters [bold]were[/bold] woken" in summary(run)


def test_a_splat_is_told(run: dict[str, Any]) -> None:
    run["kernel"]["splats"] = ["WARNING: CPU: 0 PID: 1 at fs/eventpoll.c:1"]
    assert "the kernel complained during the run: WARNING: CPU: 0 PID: 1 at fs/eventpoll.c:1" in summary(run)
    run["kernel"]["splats"] = ["psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=0 clear=1 set=4"]
    (kernel_line,) = [line for line in summary(run) if "the kernel" in line]
    assert kernel_line.startswith("the kernel logged psi: inconsistent task state!")
    assert "(known: " in kernel_line


def test_a_console_that_knows_ascii_only(run: dict[str, Any]) -> None:
    run["claims"][3]["reason"] = "drei von acht \N{EN DASH} für einen"
    lines = summary(run, encoding="ascii")
    assert lines[0] == "claims:  x broken 1  ? inconclusive 1  + held 4  * measured 1  - not applicable 1"
    assert "  drei von acht - f?r einen" in lines
    assert "".join(table(run, 120, "ascii")).isascii()


def test_hold_and_accept_stand_side_by_side_where_there_is_room(run: dict[str, Any]) -> None:
    lines = table(run, 120)
    assert sum("strategy" in line for line in lines) == 1
    row = next(line.split() for line in lines if line.split()[:1] == ["poll"])
    assert row[:6] == ["poll", "8", "8", "0", "?", "8"]


@pytest.mark.parametrize("width", [72, 80, 100])
def test_a_narrow_terminal_gets_one_table_after_the_other(width: int, run: dict[str, Any]) -> None:
    lines = table(run, width)
    assert sum("strategy" in line for line in lines) == 2
    assert max(map(len, lines)) <= width
    assert "epoll_pwait2.level.listener" in "\n".join(lines)


def test_a_run_without_the_standard_scene_says_so(run: dict[str, Any]) -> None:
    run["claims"] = []
    assert table(run, 80) == ["no strategy was tried with 8 processes on tcp4"]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_bytes_that_are_no_text_are_shown_as_something(run: dict[str, Any], encoding: str) -> None:
    run["controls"] = {"positive": "broken"}
    run["controls_reasons"] = {"positive": "waiter \udcff is gone"}
    assert any("control positive: waiter \\xff is gone" in line for line in summary(run, encoding=encoding))


def test_a_run_ends_with_its_dots(run: dict[str, Any]) -> None:
    run["claims"] = _claims(Kernel(1))
    shown = summary(run)
    assert "  ●○○○○○○○  accept, one listener" in shown
    assert any(line.startswith("one connection, 8 workers:  ● won") for line in shown)
    assert "  #.......  accept, one listener" in summary(run, encoding="ascii")
    run["claims"] = _claims(broken.AcceptHerdsSilently(1))
    assert "  ●○○○○○○○  accept, one listener" not in summary(run)


def _claims(kernel: Kernel) -> list[dict[str, Any]]:
    return [{**claim, "reason": None} for claim in run_on(kernel)["claims"]]


def test_a_run_that_saw_one_strategy_has_nothing_to_compare(run: dict[str, Any]) -> None:
    run["claims"] = [claim for claim in _claims(Kernel(1)) if claim["id"].startswith("accept.")]
    assert not any("accept, one listener" in line for line in summary(run))
