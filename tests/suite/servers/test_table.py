"""The table of docs/servers.md: what a row says, when there is none, and that the page agrees with the data."""

from __future__ import annotations

from typing import Any

import pytest

from . import independent
from .audits import Audited
from .servers import MENDED, SERVERS, named
from .table import BEGIN, DATA, END, HEADER, PAGE, REQUESTS, Disagree, data, entry_of, main, page_table, row

IT = named("gunicorn-sync")
COUNTED = {"waiters": [4, 4, 4], "others": [0, 0, 1], "names": {"it": 1}, "idle": [0, 0, 1]}


def _audited(woken: int = 4, low: int | None = None, reason: str | None = None, **winners: int) -> Audited:
    spread = {"min": woken if low is None else low, "median": woken, "max": woken}
    answer: dict[str, Any] = {
        "waits": "4 workers, each in pselect6, on one inherited listener",
        "workers": 4,
        "strategy": "pselect6",
        "woken": spread,
        "verdict": "herds",
        "reason": reason,
        "sentence": f"inconclusive: {reason}",
        "winners": winners or {"11": 15, "12": 5},
    }
    return Audited(answer, 0, "")


def _row(*audits: Audited) -> str:
    entry = {**entry_of(IT, audits), "version": "23.0", "answered": REQUESTS}
    entry["counted"] = COUNTED
    return row(entry, {IT.name: entry})


def test_a_row_says_it_all() -> None:
    said = _row(_audited(), _audited(a=10, b=10))
    assert said == (
        "| gunicorn, sync | 23.0 | each in pselect6, on one inherited listener "
        "| 4 | **4** | 4 | 50–75, 25–50 % | 2 |  |"
    )


def test_a_row_says_what_mends_it() -> None:
    entry = {**entry_of(IT, [_audited()]), "version": "23.0"}
    mended = {**entry_of(named("gunicorn-reuse-port"), [_audited(woken=1)]), "version": "23.0"}
    said = row(entry, {IT.name: entry, "gunicorn-reuse-port": mended})
    assert said.endswith("| 1 | `--reuse-port`: 1 |")


def test_one_that_wakes_fewer_now_and_then_is_shown() -> None:
    assert "| **3–4, median 4** |" in _row(_audited(), _audited(low=3))


def test_what_wakes_one_is_not_bold() -> None:
    assert "| 4 | 1 | 4 |" in _row(_audited(woken=1), _audited(woken=1))


def test_audits_that_disagree_make_no_row() -> None:
    with pytest.raises(Disagree, match="the 2 audits disagree"):
        _row(_audited(4), _audited(1))


def test_an_audit_that_judged_nothing_makes_no_row() -> None:
    with pytest.raises(Disagree, match="inconclusive: the server is busy"):
        _row(_audited(), _audited(reason="the server is busy"))


def test_an_unknown_server_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apachee"]) == 2
    assert "no server is called apachee: choose from nginx " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "4"),
        ({"others": [2, 2, 2], "names": {"a": 3, "b": 1}}, "4 + 2 others (`a`, `b`)"),
        ({"others": [1, 1, 0]}, "4 + 1 other (`it`)"),
        ({"others": [1, 1, 0], "names": {"it|sys": 2}}, r"4 + 1 other (`it\|sys`)"),
        ({"idle": [3, 3, 3]}, "4; 3 tick"),
        ({"at_rest": independent.WAITERS}, "4; others never rest"),
    ],
)
def test_what_a_counter_of_its_own_showed(changes: dict[str, Any], said: str) -> None:
    """Threads to which a connection is handed on are told from those that tick."""
    assert independent.in_words({**COUNTED, **changes}) == said


@pytest.mark.parametrize(
    ("waiters", "idle", "agrees"), [(4, 0, True), (3, 0, False), (3, 2, False), (5, 0, False), (5, 1, True)]
)
def test_when_it_agrees(waiters: int, idle: int, agrees: bool) -> None:
    assert independent.agrees({"waiters": [waiters] * 3, "others": [9] * 3, "idle": [idle] * 3}, 4) is agrees


@pytest.mark.parametrize(("others", "agrees"), [(1, True), (0, False)])
def test_where_workers_take_turns_another_waits_each_time(others: int, agrees: bool) -> None:
    assert independent.agrees({"waiters": [0] * 3, "others": [others] * 3, "idle": [0] * 3}, 1, True) is agrees


# --- the data, and the page ---------------------------------------------------------------------


def test_the_page_is_what_the_data_say() -> None:
    table = PAGE.read_text().partition(BEGIN + "\n")[2].partition("\n" + END)[0]
    assert table == page_table(data()), "python -m tests.suite.servers.table --page writes it anew"
    assert tuple(table.splitlines()[:2]) == HEADER


def test_every_server_was_measured() -> None:
    assert list(data()) == [server.name for server in SERVERS], DATA


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_what_was_measured_is_what_its_row_says(server: object) -> None:
    """The strategy, the workers, and how many wake, as a rule, by a counter of its own, too; and each request was
    answered."""
    assert isinstance(server, type(IT))
    entry = data()[server.name]
    assert (entry["strategy"], entry["workers"]) == (server.strategy, server.workers)
    assert {spread["median"] for spread in entry["woken"]} == {server.woken}
    assert entry["answered"] == REQUESTS
    assert entry["title"] == server.title
    assert len(entry["woken"]) >= 3
    # Go's threads take turns, too: one waits at a time, and each connection may be another's.
    turns = "take their turns" in entry["waits"] or (
        server.workers == 1 and any(len(who) > 1 for who in entry["winners"])
    )
    assert independent.agrees(entry["counted"], server.woken, turns), entry["counted"]


@pytest.mark.parametrize("name", MENDED)
def test_each_setting_mends(name: str) -> None:
    """According to the data, fewer wake with it, and every request was answered, with and without it."""
    after, _ = MENDED[name]
    before, mended = data()[name], data()[after]
    assert mended["woken"][0]["median"] < before["woken"][0]["median"]
    assert mended["answered"] == before["answered"] == REQUESTS
