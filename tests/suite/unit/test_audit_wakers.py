"""Who was woken since, also after a ring was full: then that is not known until the next count starts."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator

import pytest

from probes.audit.wakers import TracedWakeUp, Wakers, only_by_timers
from probes.observers import Lost

TID, WAKER = 7, 1
_PID_AT, _FLAGS_AT = 20, 24


class _Rings(Wakers):
    """Rings that hold what the test puts into `woken`, and are full if the test says so."""

    def __init__(self) -> None:
        # Without the kernel's rings.
        self._pid_at, self._flags_at, self._tids = _PID_AT, _FLAGS_AT, frozenset({TID})
        self._seen, self._lost, self._news = [], None, None
        self._written: list[bytes] = []
        self._at_ns = 0
        self.full = self.crowded = False
        self._unrecorded, self._events, self._records = [0], 0, 0
        self.meanwhile: list[int] = []
        """Threads that are woken between the reading of the ring and its count, one each time."""

    def unrecorded(self) -> list[int]:
        if self.meanwhile:
            self.woken(self.meanwhile.pop())
        return [self._events - self._records]

    def left_out(self) -> None:
        """The kernel counts a wake-up, and writes no record."""
        self._events += 1

    def woken(self, tid: int = TID) -> None:
        self._at_ns += 1
        self._events += 1
        self._written.append(struct.pack("=iiQiiB", 0, WAKER, self._at_ns, 0, tid, 0))

    def is_crowded(self) -> bool:
        return self.crowded

    def start_here(self) -> None: ...

    def samples(self) -> Iterator[bytes]:
        written, self._written = self._written, []
        if self.full:
            self.full = False
            raise Lost("full")
        self._records += len(written)
        yield from written


@pytest.fixture
def rings() -> _Rings:
    """Everything that was woken so far is known."""
    there = _Rings()
    assert there.news() is None
    assert there.news() == set()
    return there


def test_news(rings: _Rings) -> None:
    rings.woken()
    rings.woken(TID + 1)
    assert rings.news() == {TID}
    assert rings.news() == set()


def test_after_a_full_ring_nothing_is_known(rings: _Rings) -> None:
    rings.full = True
    assert rings.news() is None
    rings.woken()
    assert rings.news() is None
    with pytest.raises(Lost):
        rings.seen()
    assert rings.news() is None


def test_what_came_after_a_full_ring_is_no_part_of_the_next_count(rings: _Rings) -> None:
    rings.full = True
    with contextlib.suppress(Lost):
        rings.pump()
    rings.woken()
    rings.forget()
    assert rings.seen() == []
    rings.woken()
    assert [waking.wakee for waking in rings.seen()] == [TID]


def test_whom_what_is_forgotten_has_woken_is_news(rings: _Rings) -> None:
    rings.woken()
    rings.forget()
    assert (rings.seen(), rings.news()) == ([], {TID})
    rings.full = True
    assert rings.news() is None
    rings.woken()
    rings.forget()
    assert rings.news() == {TID}
    assert rings.news() == set()


def test_a_ring_that_is_full_when_the_count_starts(rings: _Rings) -> None:
    rings.full = True
    rings.forget()
    assert rings.seen() == []
    assert rings.news() is None
    assert rings.news() == set()


def test_a_crowded_ring_may_have_dropped_some(rings: _Rings) -> None:
    rings.crowded = True
    rings.woken()
    assert rings.news() is None


def test_a_wake_up_without_a_record_is_missed(rings: _Rings) -> None:
    rings.woken()
    assert not rings.missed()
    rings.left_out()
    rings.woken()
    assert rings.missed()
    assert not rings.missed()
    assert rings.news() == {TID}


@pytest.mark.parametrize(("more", "missed"), [(1, False), (4, False), (5, True)])
def test_a_wake_up_during_the_count_is_not_missed(rings: _Rings, more: int, missed: bool) -> None:
    """Unless another comes each time: then nobody can tell."""
    rings.meanwhile = [TID] * more
    assert rings.missed() == missed
    # What was taken for missing has come since, so the next call cannot tell either.
    assert rings.missed() == missed
    assert not rings.missed()


def test_while_news_are_unknown_a_wake_up_may_be_missed(rings: _Rings) -> None:
    rings.full = True
    assert rings.missed()


CALLER, SERVER = 900, (1, 2, 3, 4)
_HARDIRQ, _SOFTIRQ = 0x08, 0x10


@pytest.mark.parametrize(
    ("wakings", "by_timers"),
    [
        ([], set()),
        ([(0, 1, _HARDIRQ)], {1}),
        ([(CALLER, 1, _HARDIRQ)], {1}),
        ([(CALLER, 1, _SOFTIRQ)], set()),
        ([(0, 1, _HARDIRQ), (CALLER, 1, _SOFTIRQ)], set()),
        ([(7, 1, _SOFTIRQ)], set()),
        # Whom a thread wakes that a timer woke.
        ([(0, 1, _HARDIRQ), (1, 2, 0)], {1, 2}),
        ([(CALLER, 3, _SOFTIRQ), (0, 1, _HARDIRQ), (1, 2, 0), (3, 2, 0)], {1}),
        ([(CALLER, 3, _SOFTIRQ), (3, 1, 0), (1, 2, 0)], set()),
        ([(0, 1, _HARDIRQ), (CALLER, 1, _SOFTIRQ), (1, 2, 0)], set()),
        # Nobody saw what woke the waker.
        ([(3, 2, 0)], set()),
    ],
)
def test_who_was_woken_only_by_timers(wakings: list[tuple[int, int, int]], by_timers: set[int]) -> None:
    seen = [TracedWakeUp(at_ns, waker, wakee, flags) for at_ns, (waker, wakee, flags) in enumerate(wakings)]
    assert only_by_timers(seen, {1, 2}, CALLER, (), SERVER) == by_timers
