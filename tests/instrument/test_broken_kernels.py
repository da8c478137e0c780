"""A check that cannot fail is a defect: every claim is judged on model kernels, healthy and broken."""

from __future__ import annotations

import pytest

from probes.scenario import Scenario
from probes.verdict import BROKEN, HELD

from .. import test_every_strategy
from ..every import EVERY
from . import broken, broken_elsewhere
from .judging import Make, broken_on, claims_with_stars, scenarios_of, verdict_of, verdict_on, verdicts_on
from .model import Kernel

_ACCEPT = {"accept.wakes-one", "accept.one-waiter-per-connection"}
_ACCEPT_ORDER = {"accept.first-in-first-out", "accept.goes-round"}
_EXCLUSIVE = {"epoll-private.exclusive-wakes-one", "epoll-private.exclusive-one-winner"}
_EXCLUSIVE_ORDER = {"epoll-private.exclusive-first-registered", "epoll-private.exclusive-favours-first"}
_PRIVATE = {
    "epoll-private.wakes-all",
    "epoll-private.wakes-all-for-one-winner",
    "epoll-private.all-get-the-event",
}
_SHARED_EDGE = {"epoll-shared.edge-wakes-one", "epoll-shared.edge-one-winner"}
_SHARED_ORDER = {"epoll-shared.last-blocked-first", "epoll-shared.favours-last"}
_SHARED_LEVEL = {"epoll-shared.level-wakes-all", "epoll-shared.level-each-return-wakes-one"}
_POLL = {"select-poll.wakes-all", "select-poll.wakes-all-for-one-winner"}
_REUSEPORT = {"reuseport.wakes-one", "reuseport.one-winner"}
_FAMILIES = {"every.no-lost-wake-up", "every.won-once", "every.burst-won-whole"}
_RING_ORDER = {"io-uring.accept-first-in-first-out", "io-uring.multishot-favours-first"}
_OTHER_GROUPS = {"io-uring.accept-wakes-one", "signal-driven.wakes-own-process"}
_AGAIN = {"every.level-comes-again"}

BREAKS: dict[type[Kernel], set[str]] = {
    broken.AcceptHerdsSilently: _ACCEPT | _ACCEPT_ORDER,
    broken.AcceptHerdsVisibly: _ACCEPT | _ACCEPT_ORDER,
    broken.AcceptWakesTwo: _ACCEPT | _ACCEPT_ORDER,
    broken.AcceptLastInFirstOut: _ACCEPT_ORDER,
    broken.AcceptAtRandom: _ACCEPT_ORDER,
    broken.ExclusiveIgnored: _EXCLUSIVE | _EXCLUSIVE_ORDER,
    broken.ExclusiveWakesTwo: _EXCLUSIVE | _EXCLUSIVE_ORDER,
    broken.ExclusiveWakesNobody: _EXCLUSIVE
    | _EXCLUSIVE_ORDER
    | {"epoll-private.exclusive-wakes-some"}
    | _REUSEPORT
    | _FAMILIES
    | _AGAIN,
    broken.ExclusiveGoesRound: {"epoll-private.exclusive-favours-first"},
    broken.ExclusiveByBlocking: _EXCLUSIVE_ORDER,
    broken.SharedEdgeFirstInFirstOut: _SHARED_ORDER,
    broken.SharedEdgeWakesTwo: _SHARED_EDGE | {"epoll-shared.edge-just-one", "epoll-shared.favours-last"},
    broken.SharedEdgeHerdsSilently: _SHARED_EDGE
    | _SHARED_ORDER
    | {"epoll-shared.oneshot-told-once", "epoll-shared.edge-just-one"},
    broken.OneshotFiresTwice: _SHARED_EDGE | {"epoll-shared.oneshot-told-once", "epoll-shared.favours-last"},
    broken.OneshotStaysArmed: {"epoll-shared.oneshot-told-once"},
    broken.SharedLevelWakesOne: _SHARED_LEVEL,
    broken.LevelComesOnce: _SHARED_LEVEL | {"every.level-comes-again"},
    broken.PrivateLevelComesOnce: {"every.level-comes-again"},
    broken.SharedOneshotFirstInFirstOut: {"epoll-shared.favours-last"},
    broken.PhantomOnUnix: {"every.no-phantom-wake-up"},
    broken.PollWakesOne: _POLL,
    broken.PollForgetsTheLast: _POLL,
    broken.PrivateEdgeWakesOne: _PRIVATE,
    broken.PrivateLevelForgetsOne: _PRIVATE,
    broken.ReuseportTakesTheFirst: {"reuseport.spreads"},
    broken.ReuseportDeliversToTwo: _REUSEPORT | _OTHER_GROUPS | _FAMILIES,
    broken.ReuseportWakesAnother: _REUSEPORT | _OTHER_GROUPS,
    broken_elsewhere.RingAcceptHerds: {"io-uring.accept-wakes-one", "io-uring.accept-first-in-first-out"},
    broken_elsewhere.RingAcceptLastInFirstOut: {"io-uring.accept-first-in-first-out"},
    broken_elsewhere.MultishotGoesRound: {"io-uring.multishot-favours-first"},
    broken_elsewhere.RingPollWakesOne: {"io-uring.poll-wakes-all"},
    broken_elsewhere.RingWakesOneThread: {"io-uring.one-ring-wakes-all-threads"},
    broken_elsewhere.GroupSignalledByHalf: {"signal-driven.group-wakes-all", "signal-driven.losers-find-nothing"},
    broken_elsewhere.SignalTakenTwice: {"signal-driven.one-thread-receives", "signal-driven.second-thread-in-vain"},
    broken_elsewhere.SignalWakesOneThread: {"signal-driven.second-thread-in-vain"},
    broken_elsewhere.PipeHerdsSilently: {"read.pipe-wakes-one", "read.first-in-first-out"},
    broken_elsewhere.PipeLastInFirstOut: {"read.first-in-first-out"},
    broken_elsewhere.DatagramHerdsSilently: {"read.datagram-wakes-one", "read.first-in-first-out"},
    broken_elsewhere.EventfdWakesOne: {"read.eventfd-wakes-all"},
    broken.PhantomWakeUp: {"every.no-phantom-wake-up"},
    broken.WonTwice: _FAMILIES
    | _AGAIN
    | {
        "io-uring.poll-wakes-all",
        "io-uring.one-ring-wakes-all-threads",
        "signal-driven.losers-find-nothing",
        "epoll-shared.favours-last",
        "select-poll.wakes-all-for-one-winner",
        "epoll-private.wakes-all-for-one-winner",
        "epoll-shared.level-each-return-wakes-one",
    },
    broken.BurstLeavesTheLast: {"accept.one-waiter-per-connection", "every.burst-won-whole"} | _AGAIN,
    # Over TCP the lab sees that a connection is unaccounted for, and cannot say whose fault it is.
    broken.BurstLosesTheLast: {
        "?accept.one-waiter-per-connection",
        "?every.burst-won-whole",
        "?every.level-comes-again",
    },
}
"""The claims that break on each kernel, and no others; `?`: could not be judged, which fails a run too."""

GAPS = {
    broken.PrivateEdgeComesAgain: "no claim has an edge-triggered waiter wait again without taking everything",
    broken.SharedLevelFirstInFirstOut: "who is woken first is seen by sched_waking alone; who returns first is a race",
}
"""Broken kernels that pass, with the reason."""


@pytest.mark.parametrize("seed", range(20))
def test_healthy_kernel_holds_every_claim(seed: int) -> None:
    verdicts = verdicts_on(Kernel(seed))
    assert [name for name, verdict in verdicts.items() if verdict != HELD] == []


@pytest.mark.parametrize("make", BREAKS, ids=lambda make: make.__name__)
def test_broken_kernel_breaks_its_claims_and_no_others(make: Make) -> None:
    assert broken_on(make(1)) == BREAKS[make]


@pytest.mark.parametrize("make", GAPS, ids=lambda make: make.__name__)
def test_known_gap_is_still_one(make: Make) -> None:
    """A claim that closes a gap is welcome: move the kernel from GAPS to BREAKS."""
    assert broken_on(make(1)) == set()


def test_every_claim_breaks_on_some_kernel() -> None:
    """Those that only a lost wake-up breaks are found by the tests of lost wake-ups below."""
    found = set().union(*BREAKS.values(), *(broken_on(broken.SkipsOneWaiterInTwenty(seed)) for seed in range(3)))
    found |= broken_on(_WakesNobodyInPoll(0))
    assert set(claims_with_stars()) <= found


class _WakesNobodyInPoll(Kernel):
    """select and poll sleep on."""

    def poll_wakes(self, asleep: list[int]) -> list[int]:
        return []


@pytest.mark.parametrize("make", [broken.LosesOneInTwenty, broken.SkipsOneWaiterInTwenty], ids=lambda m: m.__name__)
def test_lost_wake_up_is_caught_whatever_the_seed(make: Make) -> None:
    missed = [
        seed
        for seed in range(50)
        if verdicts_on(make(seed), ["every.no-lost-wake-up"]) != {"every.no-lost-wake-up": BROKEN}
    ]
    assert missed == []


@pytest.mark.parametrize("strategy", EVERY)
def test_wake_up_lost_by_one_strategy_is_caught(strategy: str) -> None:
    """One scenario must do it: of most strategies the family sees no other."""
    family = "every.no-lost-wake-up"
    scenario = next(one for one in scenarios_of(family) if one.strategy == strategy)
    for seed in range(5):
        verdict, reason = verdict_on(broken.LosesOneInTwentyOf(seed, strategy), family, scenario)
        assert verdict == BROKEN, f"seed {seed}: {reason}"


def test_connection_that_nobody_is_told_of() -> None:
    found = broken_on(broken.TellsNobody(1))
    must = (
        {"every.no-lost-wake-up", "accept.first-in-first-out", "accept.goes-round"}
        | _EXCLUSIVE_ORDER
        | _SHARED_ORDER
        | _RING_ORDER
        | {"read.no-lost-wake-up", "read.first-in-first-out"}
    )
    # In a burst the next connection wakes somebody who then finds both; unless it goes to another socket.
    assert must <= found <= must | {"every.burst-won-whole"}


@pytest.mark.parametrize(
    ("make", "family"),
    [
        (broken.LosesOnUnix, "every.no-lost-wake-up"),
        (broken.LosesAmongThreads, "every.no-lost-wake-up"),
        (broken_elsewhere.LosesAmongReaders, "read.no-lost-wake-up"),
    ],
)
def test_wake_up_lost_off_centre_is_caught(make: Make, family: str) -> None:
    assert [seed for seed in range(5) if verdicts_on(make(seed), [family])[family] != BROKEN] == []


def test_reason_names_the_figure() -> None:
    scenario = Scenario.parse("accept/tcp4/n8/hold/one-connection")
    assert verdict_on(broken.AcceptHerdsSilently(0), "accept.wakes-one", scenario) == (
        BROKEN,
        "8 of 8 waiters were woken; the claim allows exactly 1",
    )


@pytest.mark.parametrize("size", [1, 2, 3, 200])
@pytest.mark.parametrize("claim", claims_with_stars())
def test_healthy_kernel_holds_for_any_size(claim: str, size: int) -> None:
    """--herd-sizes is the user's choice, and must not break a claim that is about another number."""
    found = {s.id: s for one in claims_with_stars()[claim].stars for s in one.scenarios((size,), ("tcp4",))}
    for scenario in found.values():
        assert verdict_on(Kernel(1), claim, scenario, untraced=1) == (HELD, None), scenario.id


@pytest.mark.parametrize("many", ["one", "as-many", "twice", "four-times"])
def test_herd_that_cpus_bound_is_caught(many: str) -> None:
    """The sweep breaks where, and only where, there are more waiters than CPUs."""

    def judged(kernel: Kernel) -> str:
        return verdict_of(kernel, lambda herd: test_every_strategy.test_cpus_do_not_bound_the_herd(herd, "poll", many))

    assert judged(Kernel(1)) == HELD
    assert judged(broken_elsewhere.HerdOfCpus(1)) == (BROKEN if many in ("twice", "four-times") else HELD)
