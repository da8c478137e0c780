"""What the audit says: the strategy's sentence, the figures, the verdict, the advice, and the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probes.audit import judge, words
from probes.audit.answer import exit_code, nothing_known, untried
from probes.audit.arguments import AuditRequest
from probes.audit.count import Connection, Effect
from probes.audit.idle import Idle
from probes.audit.judge import HERDS, INCONCLUSIVE, WAKES_ONE, figures_of, over_limit
from probes.audit.sockets import ListeningSocket
from probes.audit.strategy import WayOfWaiting, strategy_of
from probes.audit.waits import Wait
from probes.audit.watch import NotIdle
from probes.exits import BROKEN, CANNOT_JUDGE, WELL
from probes.report import audit_page
from probes.verdict import Inconclusive

ONE = ListeningSocket("tcp4", "127.0.0.1", 80, (7,), 1)
GROUP = ListeningSocket("tcp4", "127.0.0.1", 80, (7, 8, 9, 10), 1)


def _waits(call: str, trigger: str | None = None, *, n: int = 4, listener: ListeningSocket = ONE) -> list[Wait]:
    inodes = listener.inodes * n
    epolls = [(10 + i, 3) if trigger else None for i in range(n)]
    return [Wait(10 + i, 10 + i, "w", call, True, trigger, epolls[i], (inodes[i],)) for i in range(n)]


def _strategy(
    waits: list[Wait], *, peers: int = 0, listener: ListeningSocket = ONE, same: bool | None = False
) -> WayOfWaiting:
    return strategy_of(waits, peers, listener, 5, lambda thread, other: same)


@pytest.mark.parametrize(
    ("strategy", "id", "sentence"),
    [
        (
            _strategy(_waits("epoll_wait", "level")),
            "epoll_wait.level.listener",
            "4 workers, each with its own epoll instance, level-triggered, not exclusive, on one inherited listener",
        ),
        (
            _strategy(_waits("epoll_wait", "exclusive")),
            "epoll_wait.exclusive.listener",
            "4 workers, each with its own epoll instance, level-triggered with EPOLLEXCLUSIVE, "
            "on one inherited listener",
        ),
        (
            _strategy(_waits("epoll_wait", "level"), same=True),
            "epoll_wait.level.epoll",
            "4 workers, all in one shared epoll instance, level-triggered, not exclusive, on one inherited listener",
        ),
        (
            _strategy(_waits("epoll_wait", "level", listener=GROUP), listener=GROUP),
            "epoll_wait.level.nothing",
            "4 workers, each with its own epoll instance, level-triggered, not exclusive, "
            "each on a listener of its own (SO_REUSEPORT)",
        ),
        (_strategy(_waits("accept4")), "accept4", "4 workers, each blocked in accept4, on one inherited listener"),
        (_strategy(_waits("poll")), "poll", "4 workers, each in poll, on one inherited listener"),
        (
            _strategy(_waits("epoll_wait", "level", n=1), peers=3),
            "epoll_wait.level.listener",
            "4 workers, each with its own epoll instance, level-triggered, not exclusive, on one inherited listener; "
            "1 waits for it now, and the others take their turns",
        ),
        (
            _strategy(_waits("epoll_wait", "level"), same=None),
            None,
            "4 workers, in epoll_wait, level-triggered, not exclusive, and it is not known which of them share an "
            "epoll instance, on one inherited listener",
        ),
        (
            _strategy([*_waits("poll", n=1), *_waits("accept4", n=2)[1:]]),
            None,
            "2 workers, 1 in poll and 1 blocked in accept4, on one inherited listener",
        ),
    ],
    ids=("level", "exclusive", "shared", "reuseport", "accept", "poll", "turns", "unknown", "mixed"),
)
def test_strategy(strategy: WayOfWaiting, id: str | None, sentence: str) -> None:
    assert strategy.id == id
    assert strategy.sentence == sentence


def test_what_cannot_be_read_is_said() -> None:
    """select's descriptors, where the process' memory is closed: probably, and no scenario is compared."""
    unsure = [Wait(10 + i, 10 + i, "w", "select", None) for i in range(4)]
    strategy = _strategy(unsure)
    assert strategy.id is None
    assert strategy.scenario("tcp4", 4) is None
    assert "probably" in strategy.sentence


def test_scenario() -> None:
    scenario = _strategy(_waits("epoll_wait", "level")).scenario("tcp4", 4)
    assert scenario is not None
    assert scenario.id == "epoll_wait.level.listener/tcp4/n4/accept/one-connection"


def test_group_has_one_worker_per_socket() -> None:
    assert _strategy(_waits("accept4", listener=GROUP), listener=GROUP).per_socket == 1
    assert _strategy(_waits("accept4")).per_socket == 4


# --- figures and verdict -----------------------------------------------------------------------

QUIET = Idle({}, 2.5)
TICKING = Idle(dict.fromkeys(range(4), 10.0), 2.5)


def _connection(
    woken: int, winner: int | None = 0, *, window_s: float = 0.005, disturbed: bool = False, deferred: bool = False
) -> Connection:
    step = Effect(set(range(woken)), {0} if woken else set(), None if winner is None else {winner}, set())
    step.window_s, step.disturbed_by = window_s, "timer" if disturbed else None
    return Connection(step, None, deferred, frozenset(range(4)))


def _figures(tried: list[Connection], idle: Idle) -> judge.AuditFigures:
    """The figures if no more connections were asked for than were undisturbed."""
    return figures_of(tried, sum(not each.disturbed for each in tried), idle)


def _judged(tried: list[Connection], idle: Idle = QUIET, sees_wakers: bool = True) -> judge.Judgement:
    return judge.judge(_figures(tried, idle), 4, sees_wakers)


def test_herd() -> None:
    judgement = _judged([_connection(4)] * 5)
    assert judgement.verdict == HERDS
    assert judgement.sentence == "herds: 4 of 4 workers wake for each connection; 3 find nothing"


def test_herd_of_two_has_one_that_finds_nothing() -> None:
    assert _judged([_connection(2)] * 5).sentence.endswith("; 1 finds nothing")


def test_one() -> None:
    judgement = _judged([_connection(1)] * 5)
    assert judgement.verdict == WAKES_ONE
    assert judgement.sentence == "wakes one: 1 of 4 workers wakes for each connection"


@pytest.mark.parametrize("woken", [0, 1, 4])
@pytest.mark.parametrize("workers", [1, 4])
def test_the_sentence_begins_with_the_verdict(woken: int, workers: int) -> None:
    judgement = judge.judge(_figures([_connection(woken)] * 5, QUIET), workers, sees_wakers=True)
    assert judgement.sentence.startswith(f"{judgement.verdict}: ")


def test_nobody() -> None:
    assert _judged([_connection(0, None, deferred=True)] * 5).sentence.startswith(
        "wakes nobody: the listener waits for"
    )
    unseen = _judged([_connection(0, None)] * 5)
    assert unseen.verdict == INCONCLUSIVE, "that is what was seen, not what the server does"
    assert unseen.sentence.startswith("inconclusive: a connection stays in the queue, ")


@pytest.mark.parametrize(
    ("woken", "limit", "code"),
    [(0, None, WELL), (0, 1, CANNOT_JUDGE), (1, None, WELL), (1, 1, WELL), (4, None, WELL), (4, 1, BROKEN)],
)
def test_exit_code(woken: int, limit: int | None, code: int) -> None:
    """A listener that waits for data is judged; but whom it wakes in the end is not known, so no limit is kept."""
    figures = _figures([_connection(woken, deferred=not woken)] * 5, QUIET)
    verdict = judge.judge(figures, 4, sees_wakers=True).verdict
    request = AuditRequest(None, (), 5, 20.0, b"", False, limit)
    assert exit_code(verdict, figures, request, sees_wakers=True) == code
    assert (untried(verdict, limit) is not None) is (code == CANNOT_JUDGE)


def test_figures() -> None:
    figures = _figures([_connection(4, 0), _connection(4, 1), _connection(2, 1)], QUIET)
    assert figures.woken.as_dict() == {"min": 2, "median": 4, "max": 4}
    assert figures.winners == {1: 2, 0: 1}
    assert figures.in_vain is not None
    assert figures.in_vain.as_dict() == {"min": 1, "median": 3, "max": 3}


def test_not_observed_is_not_zero() -> None:
    figures = _figures([_connection(4, None)] * 3, QUIET)
    assert figures.won is None
    assert figures.in_vain is None


def test_data_that_wake_a_deferred_listener_are_the_herd() -> None:
    connection = _connection(0, None, deferred=True)
    connection.by_data = _connection(3).by_connect
    assert _figures([connection], QUIET).woken.max == 3


def test_data_do_not_hide_whom_the_connection_woke() -> None:
    connection = _connection(4)
    connection.by_data = _connection(1).by_connect
    assert _figures([connection], QUIET).woken.max == 4


def test_disturbed_connections_are_not_judged() -> None:
    figures = _figures([_connection(4), _connection(3, disturbed=True), _connection(4)], QUIET)
    assert (figures.connections, figures.disturbed, figures.woken.min) == (2, 1, 4)


def test_mostly_disturbed_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match="a timer had just woken a worker in 2 of 3 connections"):
        figures_of([_connection(4), _connection(3, disturbed=True), _connection(3, disturbed=True)], 2, QUIET)


def _contradictory() -> Connection:
    connection = _connection(3)
    connection.by_connect.contradiction = "the observers disagree about thread 7"
    return connection


def test_who_disturbed_too_many() -> None:
    tried = [_connection(4), *[_connection(4, disturbed=True)] * 3, _contradictory()]
    with pytest.raises(
        NotIdle, match=r"^a timer had just woken a worker in 3 of 5 connections: .*; in 1 the observers"
    ):
        figures_of(tried, 5, QUIET)


def test_where_nobody_disturbed_any_the_observers_are_named_alone() -> None:
    with pytest.raises(NotIdle, match=r"^in 1 of 3 connections the observers disagreed: too few are left to judge$"):
        figures_of([_connection(4), _connection(4), _contradictory()], 3, QUIET)


def test_where_the_observers_disagree_a_connection_is_not_judged() -> None:
    """Nor is one whose data nobody agrees about."""
    by_data = _connection(4)
    by_data.by_data = _contradictory().by_connect
    figures = _figures([_connection(4)] * 6 + [_contradictory(), by_data], QUIET)
    assert (figures.connections, figures.disturbed, figures.contradictory, figures.woken.min) == (6, 2, 2, 4)


def test_where_the_observers_disagree_often_nothing_is_judged() -> None:
    with pytest.raises(Inconclusive, match=r"disagree about thread 7 \(in 2 of 7 connections\)"):
        _figures([_connection(4)] * 5 + [_contradictory()] * 2, QUIET)


def test_timers_without_a_trace_are_inconclusive_where_they_count() -> None:
    """Four workers that tick ten times a second move 0.2 times in 5 ms, and twice in 50 ms."""
    assert _judged([_connection(1)] * 5, TICKING, sees_wakers=False).verdict == WAKES_ONE
    slow = [_connection(1, window_s=0.05)] * 5
    assert _judged(slow, TICKING, sees_wakers=False).verdict == INCONCLUSIVE
    assert _judged(slow, TICKING, sees_wakers=True).verdict == WAKES_ONE


def test_limit() -> None:
    """The highest counts where it is exact; where a timer may look like a wake-up, the median."""
    tried = [_connection(1), _connection(1), _connection(2)]
    assert over_limit(_figures(tried, QUIET), 1, sees_wakers=False)
    assert not over_limit(_figures(tried, TICKING), 1, sees_wakers=False)
    assert over_limit(_figures(tried, TICKING), 1, sees_wakers=True)
    assert not over_limit(_figures(tried, QUIET), 2, sees_wakers=True)


# --- the answer --------------------------------------------------------------------------------


def _answer() -> dict[str, Any]:
    spread = {"min": 4, "median": 4, "max": 4}
    answer = nothing_known()
    answer.update(
        listener={"name": "127.0.0.1:80", "kind": "tcp4", "sockets": 1, "other_namespace": True, "also": ["[::]:80"]},
        settings={"backlog": 64, "reuseport": False, "defer_accept_s": 0, "why_not": None},
        server={"name": "<script>", "pids": [10, 11], "unseen_processes": [7, 9]},
        workers=4,
        waits="4 workers, each in poll, on one inherited listener",
        waiters=[
            {"pid": 10, "tid": 10, "name": "w", "call": "poll", "trigger": None, "epoll": None, "timer_per_s": 1.0}
        ],
        connections=20,
        woken=spread,
        won={"min": 1, "median": 1, "max": 1},
        in_vain={"min": 3, "median": 3, "max": 3},
        others={"min": 0, "median": 1, "max": 2},
        winners={"10": 20},
        window_ms=3.1,
        accidents=0.01,
        observers={"switches": None, "sched_waking": "perf_event_open: Permission denied"},
        verdict=HERDS,
        sentence="herds: 4 of 4 workers wake for each connection; 3 find nothing",
        sure="nearly sure: context switches",
        lab={"scenario": "poll/tcp4/n4/accept/one-connection", "woken": spread, "why_not": None},
        advice=["do something else"],
        warnings=["mind the gap"],
    )
    return answer


def test_words() -> None:
    text = "\n".join(words.lines(_answer()))
    for said in (
        "woken     4",
        "returned  not observed",
        "in vain   3",
        "others    0 to 2, median 1",
        "herds: 4 of 4 workers wake for each connection; 3 find nothing",
        "the lab wakes 4 for poll/tcp4/n4/accept/one-connection on this kernel, now",
        "-> do something else",
        "warning: mind the gap",
        "no sched_waking: perf_event_open: Permission denied",
        "processes 7 9 cannot be inspected",
        "in a network namespace of its own",
        "not audited: [::]:80",
    ):
        assert said in text, text


def test_words_of_an_answer_that_knows_nothing() -> None:
    answer = nothing_known()
    answer.update(verdict=INCONCLUSIVE, sentence="inconclusive: it ended")
    assert "inconclusive: it ended" in "\n".join(words.lines(answer))


def test_answer_is_json() -> None:
    assert json.loads(json.dumps(_answer()))["woken"]["median"] == 4


def test_page() -> None:
    page = audit_page.render(_answer())
    assert "<script>" not in page
    assert "&lt;script&gt; on 127.0.0.1:80" in page
    assert "spurious" not in page
    for said in (
        "herds: 4 of 4 workers",
        "in vain",
        "not observed",
        "do something else",
        "mind the gap",
        "Permission denied",
    ):
        assert said in page


def test_page_of_an_answer_that_knows_nothing() -> None:
    answer = nothing_known()
    answer.update(verdict=INCONCLUSIVE, sentence="inconclusive: it ended")
    assert "inconclusive: it ended" in audit_page.render(answer)
