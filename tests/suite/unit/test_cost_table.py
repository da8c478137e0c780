"""The terminal: at any width every strategy keeps its name, and an ASCII terminal gets ASCII."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from probes.cost import table

from .cost_readings import IDLE, document


def _shown(width: int, encoding: str = "utf-8", machine: dict[str, float | None] | None = None) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    table.show(document(machine), Console(file=stream, width=width))
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [80, 122, 156])
def test_every_width(width: int) -> None:
    shown = _shown(width)
    for scene in ("2 workers, rest, no work", "4 workers, rest, no work", "2 workers, light, no work"):
        assert scene in shown
    assert shown.count("poll, one listener") >= 5
    assert "epoll" not in shown
    assert "not applicable here: io_uring, accept: io_uring_setup: EPERM" in shown
    assert "io_uring_accept" in shown or width >= 156
    assert ("±" in shown) == (width >= 122)
    assert "The client shares the CPUs with the workers" in shown
    tables = [line for line in shown.splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= width
    assert "…" not in shown


def test_figures_are_where_they_belong() -> None:
    (row,) = [
        line
        for line in _shown(80).split("4 workers, rest")[1].split("2 workers, light")[0].splitlines()
        if "poll" in line
    ]
    assert row.split()[3:] == ["4.00", "1.20", "40.0", "1.00", "5.00", "1.00"]


def test_ascii() -> None:
    assert "+-" in _shown(122, "ascii")


def test_busy_machine_is_said() -> None:
    assert "Take care: the machine was busy: others used up to 50 %" in _shown(80, machine={**IDLE, "foreign": 0.5})
    assert "Take care" not in _shown(80)
