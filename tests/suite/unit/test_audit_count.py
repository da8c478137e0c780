"""What is made of the observers' counts of one connection: whether another client came meanwhile."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, cast

import pytest

from probes.audit import count
from probes.audit.count import Connection, Counter, Effect
from probes.audit.idle import Idle
from probes.audit.judge import figures_of
from probes.audit.returns import Return
from probes.audit.strategy import WayOfWaiting
from probes.audit.wakers import TracedWakeUp
from probes.audit.watch import NotIdle, ThreadLook

CALLER, WORKERS = 900, (1, 2, 3, 4)
_HARDIRQ, _SOFTIRQ = 0x08, 0x10


def _took(*tids: int, call: str = "accept4") -> list[Return]:
    return [Return(at_ns, tid, call, 9) for at_ns, tid in enumerate(tids)]


def _counter(watch: Any, eyes: Any, way: Any = None, *, datagrams: bool = False) -> Counter:
    return Counter(
        cast("Any", SimpleNamespace(listener=SimpleNamespace(takes_datagrams=datagrams))),
        watch,
        cast("Any", SimpleNamespace(pid=CALLER)),
        eyes,
        way,
        fewest=4,
        holds_back=False,
    )


def _read(
    returns: list[Return],
    *,
    shares: bool = False,
    datagrams: bool = False,
    wakes: bool = True,
    instead: TracedWakeUp | None = None,
    beside: dict[int, TracedWakeUp] | None = None,
    unrecorded: int = 0,
) -> Effect:
    """The effect of a connection that wakes all workers (or nobody), but for the one that something wakes `instead`.
    `beside` are other threads of the server, and what wakes them.  Of the one that is `unrecorded`, one more sleep is
    counted than wake-ups were recorded."""
    beside = beside or {}
    wakings = [TracedWakeUp(tid, CALLER, tid, _SOFTIRQ) for tid in WORKERS if wakes]
    if instead is not None:
        wakings = [instead if waking.wakee == instead.wakee else waking for waking in wakings]
    wakings = sorted([*wakings, *beside.values()])
    eyes: Any = SimpleNamespace(
        wakers=SimpleNamespace(seen=lambda: wakings),
        returns=SimpleNamespace(seen=lambda: returns),
        traced=None,
        softirqs=(),
    )
    way = WayOfWaiting("epoll_wait.level.epoll", "", "epoll", 4, False, (frozenset(WORKERS),) if shares else ())
    counter = _counter(SimpleNamespace(threads=dict.fromkeys((*WORKERS, *beside), 1)), eyes, way, datagrams=datagrams)
    counter._all_issued_ns = WORKERS[-1]
    before = {tid: ThreadLook("S", 1) for tid in (*WORKERS, *beside)}
    after = {tid: ThreadLook("S", 1 + (wakes or tid in beside) + (tid == unrecorded)) for tid in before}
    return counter._read(before, after, frozenset(WORKERS))


def test_the_audits_own_connection() -> None:
    step = _read(_took(2))
    assert (step.taken, step.shared, step.winners, step.disturbed_by) == (1, False, {2}, None)


def test_a_second_that_was_taken_is_another_clients() -> None:
    """The second connection came while all workers were awake, so it woke nobody."""
    step = _read(_took(2, 3))
    assert (step.taken, step.shared, step.winners, step.returned) == (2, True, None, None)
    # Whom the audit's own connection woke is known all the same.
    assert (step.woken, step.disturbed_by) == (set(WORKERS), None)


def test_a_timer_that_is_quicker_than_the_connection() -> None:
    """The timer wakes the worker that the connection would have woken next.  Three are woken, which proves nothing."""
    for interrupts in (0, 2, CALLER, os.getpid()):
        step = _read(_took(2), instead=TracedWakeUp(4, interrupts, 4, _HARDIRQ))
        assert (step.woken, step.timers, step.disturbed_by) == ({1, 2, 3}, {4}, "timer")


def test_a_worker_that_was_awake_before_and_then_waits_for_a_lock() -> None:
    """A timer woke it, and left no record; then another worker did, with the listener's lock.  Three are woken, which
    proves nothing."""
    step = _read(_took(2), instead=TracedWakeUp(4, 1, 4, 0), unrecorded=4)
    assert (step.woken, step.handed_on, step.disturbed_by) == ({1, 2, 3}, {4}, None)
    assert step.contradiction == "the observers disagree about thread 4: context switches against sched_waking"
    assert _read(_took(2), instead=TracedWakeUp(4, 1, 4, 0)).contradiction is None
    # Whatever else woke one that the connection woke, it is counted.
    assert _read(_took(2), unrecorded=4).contradiction is None


def test_a_packet_that_interrupts_a_worker_may_be_another_clients() -> None:
    """The softirq runs in that worker's context, and wakes the one that the connection would have woken next."""
    step = _read(_took(2), instead=TracedWakeUp(4, 1, 4, _SOFTIRQ))
    assert (step.woken, step.disturbed_by, step.shared) == ({1, 2, 3}, "packet", False)


def test_a_packet_that_interrupts_the_audit_is_another_clients() -> None:
    step = _read(_took(2), instead=TracedWakeUp(4, os.getpid(), 4, _SOFTIRQ))
    assert (step.woken, step.disturbed_by, step.shared) == ({1, 2, 3}, "client", True)


def test_who_lets_a_worker_go_on_does_not_disturb() -> None:
    """With --trace the audit wakes the workers, too, from their ptrace stops."""
    step = _read(_took(2), instead=TracedWakeUp(4, os.getpid(), 4, 0))
    assert (step.woken, step.disturbed_by, step.shared) == ({1, 2, 3}, None, False)


@pytest.mark.parametrize(
    ("woken_by", "flags", "disturbed_by"),
    [(1, 0, None), (0, _HARDIRQ, "server"), (50, 0, "server")],
    ids=["a worker that the connection woke", "a timer", "nobody"],
)
def test_a_thread_of_the_server_wakes_a_worker(woken_by: int, flags: int, disturbed_by: str | None) -> None:
    """It is part of what the connection does only if the connection had woken it, too.  (One whose own wake-up is not
    seen was awake all the time.)"""
    helper = TracedWakeUp(2, woken_by, 51, flags)
    step = _read(_took(2), instead=TracedWakeUp(4, 51, 4, 0), beside={51: helper})
    assert (step.woken, step.handed_on, step.disturbed_by) == ({1, 2, 3}, {4}, disturbed_by)


def test_another_thread_that_a_timer_wakes_is_none_of_the_others() -> None:
    """The connection has nothing to do with it; but with a thread that a worker wakes."""
    ticks, works = TracedWakeUp(8, 0, 50, _HARDIRQ), TracedWakeUp(9, 2, 51, 0)
    step = _read(_took(2), beside={50: ticks, 51: works})
    assert (step.woken, step.others, step.disturbed_by) == (set(WORKERS), {51}, None)


def test_the_same_worker_may_take_both() -> None:
    assert _read(_took(2, 2)).shared


def test_in_an_instance_that_they_share_it_is_not_judged() -> None:
    """It is not known whose connection a worker found when it woke the next one."""
    assert _read(_took(2, 3), shares=True).disturbed_by == "client"
    assert _read(_took(2), shares=True).disturbed_by is None


def test_what_others_of_the_server_accept_is_not_the_listeners() -> None:
    assert not _read(_took(2, 50)).shared


def test_datagrams_may_be_answers_that_a_worker_waited_for() -> None:
    step = _read(_took(2, 3, call="recvfrom"), datagrams=True)
    assert (step.shared, step.winners) == (False, {2, 3})


@pytest.mark.parametrize(("by_data", "won"), [(0, 1), (1, None)])
def test_one_that_is_taken_when_data_come_is_another_clients(by_data: int, won: int | None) -> None:
    """The audit's own connection was taken before."""
    then = _read(_took(*WORKERS[:by_data]), wakes=False)
    connection = Connection(_read(_took(2)), then, False, frozenset(WORKERS))
    assert connection.shared == (by_data > 0)
    assert not connection.disturbed
    figures = figures_of([connection], 1, Idle({}, 1.0))
    assert (None if figures.won is None else figures.won.max) == won
    assert figures.woken.max == 4


def test_a_server_that_moves_again_and_again_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server did come back to its wait; the audit suggests --watch for such a server (auditing.audit)."""
    monkeypatch.setattr(count, "REST_S", 0.0)
    rests: Any = SimpleNamespace(threads={}, at_rest=lambda *_: None, looks=dict, still=lambda _: False)
    eyes: Any = SimpleNamespace(forget=lambda _: None, let_go_on=lambda: None)
    with pytest.raises(NotIdle, match="moved again whenever it had come to rest"):
        _counter(rests, eyes)._ready()
