"""The table of docs/servers.md: what a row says, when there is none, and that there is one for every server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .audits import Audited
from .launch import ROOT
from .servers import SERVERS
from .table import BEGIN, END, HEADER, Disagree, main, row


def _audited(woken: int = 4, low: int | None = None, reason: str | None = None, **winners: int) -> Audited:
    spread = {"min": woken if low is None else low, "median": woken, "max": woken}
    answer: dict[str, Any] = {
        "waits": "4 workers, each in pselect6, on one inherited listener",
        "workers": 4,
        "woken": spread,
        "verdict": "herds",
        "reason": reason,
        "sentence": f"inconclusive: {reason}",
        "winners": winners or {"11": 15, "12": 5},
    }
    return Audited(answer, 0, "")


def test_a_row_says_it_all() -> None:
    said = row("it", [_audited(), _audited(a=10, b=10)])
    assert said == "| it | each in pselect6, on one inherited listener | 4 | **4** | 50–75, 25–50 % |"


def test_one_that_wakes_fewer_now_and_then_is_shown() -> None:
    assert "| **3–4, median 4** |" in row("it", [_audited(), _audited(low=3)])


def test_what_wakes_one_is_not_bold() -> None:
    assert "| 4 | 1 |" in row("it", [_audited(woken=1), _audited(woken=1)])


def test_audits_that_disagree_make_no_row() -> None:
    with pytest.raises(Disagree, match="the 2 audits disagree"):
        row("it", [_audited(4), _audited(1)])


def test_an_audit_that_judged_nothing_makes_no_row() -> None:
    with pytest.raises(Disagree, match="inconclusive: the server is busy"):
        row("it", [_audited(), _audited(reason="the server is busy")])


def test_an_unknown_server_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apachee"]) == 2
    assert "no server is called apachee: choose from nginx " in capsys.readouterr().err


def test_a_file_without_the_marks_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    assert main(["nginx", "--write", str(page)]) == 2
    assert "lacks the marks" in capsys.readouterr().err
    assert page.read_text() == "no marks"


def test_the_page_has_every_server() -> None:
    lines = (ROOT / "docs" / "servers.md").read_text().partition(BEGIN + "\n")[2].partition("\n" + END)[0].splitlines()
    assert tuple(lines[:2]) == HEADER
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {server.title}" for server in SERVERS]
