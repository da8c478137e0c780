"""Claims that must hold for every strategy, however a server waits."""

from __future__ import annotations

import os

import pytest

from probes.claims import DOCUMENTED, LORE, OBSERVED, claim, kernel, man, text
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import EACH_WAY, Star, centre, over

from .every import (
    ACCEPTING,
    COUNTED_SOURCES,
    DRAINED_SOURCES,
    EVERY,
    READINESS,
    SIBLINGS,
    TAKEN_SOURCES,
    WRITTEN_SOURCES,
    answered_once,
    connections_made,
    moved,
    moved_one_by_one,
)

_READABLE = man("accept", 2, "DESCRIPTION: blocks until a connection is present; readable when there is a new one")

_WIDELY = ("accept", "poll", "epoll_wait.edge.epoll")
"""One for each kind of wait queue entry: tried on every listener, and with threads."""


_SORTS = (
    *_WIDELY,
    "accept.nothing",
    "select",
    *(f"epoll_wait.{trigger}.listener" for trigger in ("level", "edge", "exclusive")),
    "epoll_wait.level.epoll",
    "epoll_wait.oneshot.epoll",
    "rt_sigtimedwait",
    "io_uring_accept",
    "io_uring_multishot",
    "io_uring_poll",
)
"""One of each sort, which is all that a brief preset tries; but every strategy is tried for lost wake-ups."""


def _on(source: str, strategy: str, reaction: str, stimulus: str, further: str = "", size: int | None = None) -> Star:
    """One case, on a source that takes no connections."""
    return Star(strategy, reaction, stimulus, further, spokes=(), source=source, size=size, one_of_many=True)


@claim(
    "every.no-lost-wake-up",
    "No wake-up is lost: of 48 connections (or writes, or events), one by one while all waiters are idle, each is "
    "taken before the next.",
    level=DOCUMENTED,
    basis=[_READABLE, man("poll", 2, "DESCRIPTION: waits for one of a set of descriptors to become ready")],
    rows=["G4"],
)
@over(
    *(Star(strategy, "loop", "one-by-one", "k48", spokes=("sources", "threads")) for strategy in _WIDELY),
    # For presets whose spokes leave IPv6 out.
    Star("accept", "loop", "one-by-one", "k48", spokes=(), source="tcp6"),
    *(centre(strategy, "loop", "one-by-one", "k48") for strategy in (*EVERY, *SIBLINGS) if strategy not in _WIDELY),
    *(
        Star(f"{call}.ring", "loop", "one-by-one", "k48", spokes=(), waiter="thread")
        for call in ("io_uring_accept", "io_uring_multishot")
    ),
    *(
        _on(source, strategy, "loop", moved_one_by_one(source), "k48")
        for strategy, sources in (
            ("poll", tuple(source for source in EACH_WAY if source in TAKEN_SOURCES)),
            ("epoll_wait.edge.epoll", TAKEN_SOURCES),
            ("epoll_wait.exclusive.listener", ("pipe", "eventfd")),
            ("io_uring_read", ("eventfd",)),
        )
        for source in sources
    ),
    every_word=True,
)
def test_no_lost_wake_up(herd: RunTrials, scenario: Scenario) -> None:
    """
        w0 w1 ... w7      (wait, accept, and again)
          \\ |   /
            L  <- c0 ... c47 one by one

    A wake-up that is lost one time in twenty passes 4 trials of 48 with probability 0.95**192,
    less than 1 in 18,000, for each strategy.
    """
    seen = herd(scenario, in_part=True)
    assert seen.each_step("connections") == 1
    if scenario.connects:
        assert seen.each("connections answered once", answered_once) == seen.each("connections made", connections_made)


@claim(
    "every.no-phantom-wake-up",
    "A connection to another listener, or a write to another pipe, terminal, socket or eventfd, wakes nobody.",
    level=OBSERVED,
    basis=[kernel("net/core/sock.c", "sock_def_readable: wakes the queue of the one socket that became readable")],
)
@over(
    *(Star(strategy, "hold", "elsewhere", spokes=("sources", "threads")) for strategy in _WIDELY),
    *(centre(strategy, "hold", "elsewhere", one_more=True) for strategy in EVERY if strategy not in _WIDELY),
    *(centre(strategy, "hold", "nothing") for strategy in ("accept", "poll", "epoll_wait.level.listener")),
    *(_on(source, "poll", "hold", "write-elsewhere") for source in WRITTEN_SOURCES),
    every_word=True,
)
def test_no_phantom_wake_up(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... w7      (any call)
      \\ |   /
        L        K  <- c0
    """
    seen = herd(scenario)
    assert seen.returned == 0
    assert seen.woken == 0


@claim(
    "every.won-once",
    "One connection (or write, or event) is won once: one waiter takes it, however many wake.",
    level=DOCUMENTED,
    basis=[man("accept", 2, "DESCRIPTION: extracts the first connection request and creates a new connected socket")],
    rows=["L-A2", "G4"],
)
@over(
    *(centre(strategy, "accept", one_more=strategy not in _SORTS) for strategy in EVERY),
    *(_on(source, "epoll_wait.level.epoll", "read", moved(source)) for source in TAKEN_SOURCES),
    every_word=True,
)
def test_won_once(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... w7      (wait; then accept at once)
      \\ |   /
        L  <- c0
    """
    seen = herd(scenario)
    assert seen.won == 1
    assert seen.connections == 1
    if scenario.connects:
        assert seen.each("connections answered once", answered_once) == 1


@claim(
    "every.burst-won-whole",
    "A burst of 20 connections (or writes) is won 20 times by waiters that take until nothing is left.",
    level=DOCUMENTED,
    basis=[_READABLE, man("epoll", 7, "the suggested way to use an edge-triggered descriptor: until EAGAIN")],
    rows=["G4", "Q5"],
)
@over(
    *(centre(strategy, "loop", "burst", "k20", one_more=strategy not in _SORTS) for strategy in ACCEPTING),
    *(centre(strategy, "drain", "burst", "k20", one_more=strategy not in _SORTS) for strategy in READINESS),
    *(_on(source, "epoll_wait.edge.epoll", "drain", "write-burst", "k20") for source in DRAINED_SOURCES),
    every_word=True,
)
def test_burst_won_whole(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... w7      (wait, accept until EAGAIN, and again)
      \\ |   /
        L  <- c0 ... c19 at once
    """
    seen = herd(scenario)
    assert seen.connections == scenario.k
    if scenario.connects:
        assert seen.each("connections answered once", answered_once) == scenario.k


@claim(
    "every.level-comes-again",
    "Level-triggered: a connection (or write) that a waiter leaves in the queue is reported to it each time it waits.",
    level=DOCUMENTED,
    basis=[man("epoll", 7, "level-triggered epoll has the semantics of poll"), man("poll", 2, "DESCRIPTION")],
    rows=["G2", "L-C8"],
)
@over(
    *(
        Star(strategy, "loop", "burst", "k20", spokes=(), size=1)
        for strategy in (
            "select",
            "pselect6",
            "poll",
            "ppoll",
            "epoll_wait.level.listener",
            "epoll_wait.exclusive.listener",
            "epoll_wait.level.epoll",
            "epoll_wait.level.nothing",
        )
    ),
    *(_on(source, "poll", "loop", "write-burst", "k20", size=1) for source in COUNTED_SOURCES),
    every_word=True,
)
def test_level_comes_again(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0      (wait, accept one, and again)
    |
    L  <- c0 ... c19 at once
    """
    seen = herd(scenario)
    assert seen.connections == scenario.k
    if scenario.connects:
        assert seen.each("connections answered once", answered_once) == scenario.k


_CPUS = len(os.sched_getaffinity(0))
_MOST = max(1024, _CPUS + 1)
"""Waiters are processes: four times the CPUs of a very large machine would be too many."""
_SWEEP = {"one": 1, "as-many": _CPUS, "twice": 2 * _CPUS, "four-times": 4 * _CPUS}


@claim(
    "every.cpus-do-not-bound-the-herd",
    "The number of CPUs limits the herd of the multiplexers: false, one connection wakes all N waiters even if N is "
    "two or four times the number of CPUs (how many of them return is another matter).",
    level=LORE,
    truth="false",
    basis=[
        text("a well-known answer about the uWSGI article, Serializing accept()"),
        kernel("kernel/sched/wait.c", "__wake_up_common: every waiter that is not exclusive, and no CPU is asked"),
    ],
    rows=["L-A4", "L-A3", "Q1"],
)
@pytest.mark.parametrize("many", _SWEEP)
@pytest.mark.parametrize("strategy", ["poll", "epoll_wait.level.listener"])
def test_cpus_do_not_bound_the_herd(herd: RunTrials, strategy: str, many: str) -> None:
    """
    w0 w1 ... wn      (poll, epoll_wait; then accept at once)
      \\ |   /         n: 1, the number of CPUs, twice and four times as many
        L
    """
    n = min(_SWEEP[many], _MOST)
    seen = herd(Scenario.parse(f"{strategy}/tcp4/n{n}/accept/one-connection"))
    assert seen.woken == n
    assert seen.won == 1
