"""The text of a broken claim, line by line, as section 4 of the design draws it."""

from __future__ import annotations

from operator import eq

import pytest

from probes.case import Case
from probes.claims import LORE, OBSERVED, Claim, linux, man
from probes.evidence import Trial
from probes.facts import fact
from probes.failure import names, observers_line, sentence, waiters_line
from probes.scenario import Scenario
from probes.seen import Contradiction

from .builders import seen, trial

SCENARIO = Scenario.parse("epoll_wait.exclusive.listener/tcp4/n8/hold/one-connection")
CLAIM = Claim(
    "epoll.exclusive.wakes-one",
    "One connection returns from epoll_wait in exactly one of N private EPOLLEXCLUSIVE instances.",
    OBSERVED,
    (man("epoll_ctl", 2, "EPOLLEXCLUSIVE"), linux("4.5", "df0108c5da56")),
    drawing="""
    w0   w1
      \\  /
       L
    """,
)
HERDING = trial(woken=[0, 3, 5], order=[0, 3], at_us=[210, None, None, 240, None, None, None, None])

GOLDEN = """\
3 of 8 waiters were woken; the claim allows exactly 1                   epoll.exclusive.wakes-one (observed)
  returned   w0 +0.21ms  w3 +0.24ms        woken, slept again  w5        blocked  w1 w2 w4 w6 w7
  observers  counters=2  syscall_exit=-  switches=3  run_counts=3  sched_waking=3     agree
  trials     1 of 2 trials; this one is untraced
  claim      One connection returns from epoll_wait in exactly one of N private EPOLLEXCLUSIVE instances.
  kernel     6.6.30 x86_64, 8 CPUs
  basis      epoll_ctl(2) EPOLLEXCLUSIVE; Linux 4.5 df0108c5da56
  test       tests/kernel/test_epoll.py::test_one[tcp4]
  again      wakecheck run epoll_wait.exclusive.listener/tcp4/n8/hold/one-connection --trials 25 --timeline

    w0   w1
      \\  /
       L"""


FACTS = """\
connections that were lost: 2; the claim allows 0                       epoll.exclusive.wakes-one (observed)
  experiment death.killed {'call': 'accept'}
  as allowed told: w0, w1
  differs    connections that were lost: 2; the claim allows 0
  noted      how long it took: 3
  claim      One connection returns from epoll_wait in exactly one of N private EPOLLEXCLUSIVE instances.
  kernel     6.6.30 x86_64, 8 CPUs
  basis      epoll_ctl(2) EPOLLEXCLUSIVE; Linux 4.5 df0108c5da56
  test       tests/kernel/test_epoll.py::test_one[tcp4]
  again      wakecheck judge 'tests/kernel/test_epoll.py::test_one[tcp4]'

    w0   w1
      \\  /
       L"""


def _text(case: Case) -> str:
    """The failure text of a case that is broken."""
    with pytest.raises(AssertionError) as caught:
        raise AssertionError("connections that were lost: 2; the claim allows 0\nand more")
    return case.failure_text(case.judged(caught, {}, None, LORE), "6.6.30 x86_64, 8 CPUs")


def _case(*trials: Trial, scenario: Scenario = SCENARIO) -> Case:
    """A case of which `woken == 1` was asked."""
    case = Case(CLAIM, scenario.id, "tests/kernel/test_epoll.py::test_one[tcp4]", scenario)
    case.seen.append(seen(*trials, scenario=scenario))
    assert eq(case.seen[0].woken, 1) is False
    return case


def test_whole_text() -> None:
    assert _text(_case(HERDING, trial(woken=[0], order=[0]))) == GOLDEN


def test_whole_text_of_an_experiment() -> None:
    """Each fact against what the claim allows, and the experiment that noted them."""
    case = Case(CLAIM, "test_one[tcp4]", "tests/kernel/test_epoll.py::test_one[tcp4]")
    case.experiments.append("death.killed {'call': 'accept'}")
    case.facts += [
        fact("told", "told", ["w0", "w1"], expected=["w0", "w1"]),
        fact("lost", "connections that were lost", 2, expected=0),
        fact("took", "how long it took", 3),
    ]
    assert _text(case) == FACTS


def test_text_of_a_plain_assertion_has_all_but_evidence() -> None:
    text = _text(Case(CLAIM, "test_one[tcp4]", "tests/kernel/test_epoll.py::test_one[tcp4]"))
    assert [line[2:12].rstrip() for line in text.splitlines()[1:6]] == ["claim", "kernel", "basis", "test", "again"]


def test_command_in_the_text_can_be_given_back() -> None:
    """`again` must name a scenario that parses."""
    (line,) = (line for line in _text(_case(HERDING)).splitlines() if line.startswith("  again"))
    assert Scenario.parse(line.split()[3]) == SCENARIO


def test_traced_trial_is_named() -> None:
    text = _text(_case(trial(woken=[0, 1], order=[0], traced=True), scenario=Scenario("poll", reaction="accept")))
    assert "1 of 1 trials; this one is traced" in text
    assert "syscall_exit=1" in text


@pytest.mark.parametrize(
    ("what", "value", "allowed", "words"),
    [
        ("woken", 3, "exactly 1", "3 of 8 waiters were woken; the claim allows exactly 1"),
        ("returned", 0, "at least 1", "0 of 8 waiters returned; the claim allows at least 1"),
        ("won", 2, "exactly 1", "2 of 8 waiters took a connection; the claim allows exactly 1"),
        ("spurious", 2, "exactly 0", "2 of 8 waiters returned and found nothing; the claim allows exactly 0"),
        ("connections per step", 0, "exactly 1", "connections per step: 0; the claim allows exactly 1"),
        ("order of return", (1, 0), "exactly 0 1", "order of return: 1 0; the claim allows exactly 0 1"),
    ],
)
def test_sentence(what: str, value: object, allowed: str, words: str) -> None:
    assert sentence(Contradiction(what, value, allowed, HERDING), 8) == words


@pytest.mark.parametrize(
    ("woken", "order", "line"),
    [
        ([], [], "blocked  w0-w7"),
        (range(8), range(1), "returned   w0 +0.21ms        woken, slept again  w1-w7"),
        ([2, 1], [2, 1], "returned   w2 +0.21ms  w1 +0.24ms        blocked  w0 w3-w7"),
        (None, [2], "returned   w2 +0.21ms        not returned  w0 w1 w3-w7"),
    ],
)
def test_waiters_line(woken: object, order: object, line: str) -> None:
    assert waiters_line(trial(woken=woken, order=order)) == line


def test_waiters_line_of_many_that_returned() -> None:
    line = waiters_line(trial(n=64, woken=range(64), order=range(64)))
    assert line.endswith("w7 +0.42ms and 56 more")


def test_waiters_line_of_a_trial_that_never_began() -> None:
    assert waiters_line(trial(n=0)) == "nothing is known of the waiters"


def test_observers_that_disagree_are_shouted() -> None:
    assert observers_line(trial(agree=False)).endswith("     DISAGREE")


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ([], ""),
        ([5], "w5"),
        ([0, 1], "w0 w1"),
        ([0, 1, 2], "w0-w2"),
        ([7, 6, 5, 4, 2, 1], "w1 w2 w4-w7"),
        ([0, 2, 3, 4, 9, 11, 12], "w0 w2-w4 w9 w11 w12"),
        (range(64), "w0-w63"),
    ],
)
def test_names_draw_runs_together(places: list[int], words: str) -> None:
    assert names(places) == words
