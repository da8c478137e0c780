"""A check that cannot fail is a defect: every claim is judged on model kernels, healthy and broken."""

from __future__ import annotations

import pytest

from probes.scenario import Scenario
from probes.star import PRESETS
from probes.verdict import BROKEN, HELD
from tests.kernel import test_every_strategy
from tests.kernel.every import EVERY, SIBLINGS

from . import broken, broken_elsewhere, broken_sources, chances
from .breaks import BREAKS, EXCLUSIVE_ORDER, GAPS, RING_ORDER, SHARED_ORDER
from .judging import Make, broken_on, claims_with_stars, scenarios_of, verdict_of, verdict_on, verdicts_on
from .model import Kernel

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", range(20))
def test_healthy_kernel_holds_every_claim(seed: int) -> None:
    verdicts = verdicts_on(Kernel(seed))
    assert [name for name, verdict in verdicts.items() if verdict != HELD] == []


@pytest.mark.parametrize("make", BREAKS, ids=lambda make: make.__name__)
def test_broken_kernel_breaks_its_claims_and_no_others(make: Make) -> None:
    # With another seed, one socket may get 14 of 64 connections, which a kernel that hands out each twice makes 28.
    assert broken_on(make(2)) == BREAKS[make]


@pytest.mark.parametrize("make", BREAKS, ids=lambda make: make.__name__)
def test_fast_preset_breaks_on_every_broken_kernel(make: Make) -> None:
    """At least one claim breaks, if not each that breaks in the default preset, unless the preset lacks the source."""
    assert bool(broken_on(make(1), PRESETS["fast"]) & BREAKS[make]) == (make not in _BEYOND_FAST)


_BEYOND_FAST = {
    broken_sources.FanotifyWakesOne,
    broken_sources.FuseForgetsOne,
    broken_sources.FullPipeWakesOnePoller,
    broken_sources.InotifyForgetsOne,
}


@pytest.mark.parametrize("make", GAPS, ids=lambda make: make.__name__)
def test_known_gap_is_still_one(make: Make) -> None:
    """A claim that closes a gap is welcome: move the kernel from GAPS to BREAKS."""
    assert broken_on(make(1)) == set()


def test_every_claim_breaks_on_some_kernel() -> None:
    """Those that only a lost wake-up breaks are found by the tests of lost wake-ups below."""
    broken_claims = set().union(
        *BREAKS.values(), *(broken_on(broken.SkipsOneWaiterInTwenty(seed)) for seed in range(3))
    )
    broken_claims |= broken_on(_WakesNobodyInPoll(0))
    assert set(claims_with_stars()) <= broken_claims


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


@pytest.mark.parametrize("claim", chances.IN_PART)
def test_wake_up_lost_late_in_a_series_is_caught_by_the_fast_preset(claim: str) -> None:
    """Its traced trial takes the first stimuli alone; the untraced one takes all."""
    fast = PRESETS["fast"]
    found = {s.id: verdict_on(broken.LosesTheFortieth(1), claim, s, 1, fast)[0] for s in scenarios_of(claim, fast)}
    assert found == dict.fromkeys(found, BROKEN)


@pytest.mark.parametrize("strategy", [*EVERY, *SIBLINGS, "io_uring_multishot.ring", "io_uring_read"])
def test_wake_up_lost_by_one_strategy_is_caught(strategy: str) -> None:
    """One scenario must do it: of most strategies the family sees no other."""
    family = "every.no-lost-wake-up"
    scenario = next(candidate for candidate in scenarios_of(family) if candidate.strategy == strategy)
    for seed in range(5):
        verdict, reason = verdict_on(broken.LosesOneInTwentyOf(seed, strategy), family, scenario)
        assert verdict == BROKEN, f"seed {seed}: {reason}"


def test_connection_that_nobody_is_told_of() -> None:
    broken_claims = broken_on(broken.TellsNobody(1))
    must = (
        {"every.no-lost-wake-up", "accept.first-in-first-out", "accept.goes-round"}
        | EXCLUSIVE_ORDER
        | SHARED_ORDER
        | RING_ORDER
        | {"read.no-lost-wake-up", "read.first-in-first-out"}
        | {"listeners.no-lost-wake-up", "listeners.mptcp-order"}
    )
    # In a burst the next connection wakes somebody who then finds both; unless it goes to another socket.
    assert must <= broken_claims <= must | {"every.burst-won-whole", "io-uring.multishot-takes-a-burst"}


@pytest.mark.parametrize("strategy", ["mq_timedreceive", "msgrcv"])
def test_wake_up_lost_by_one_kind_of_queue_is_caught(strategy: str) -> None:
    family = "read.no-lost-wake-up"
    scenario = next(star for star in scenarios_of(family) if star.strategy == strategy)
    for seed in range(5):
        assert verdict_on(broken.LosesOneInTwentyOf(seed, strategy), family, scenario)[0] == BROKEN, seed


def test_waiter_that_is_never_woken_is_caught_in_every_strategy() -> None:
    """One waiter of eight stays asleep, another one in each trial."""
    strategies = {scenario.strategy for name in claims_with_stars() for scenario in scenarios_of(name)}
    missed = []
    for strategy in strategies - _ONE_WRITE:
        for seed in range(3):
            kernel = broken.NeverWakesOne(seed, strategy)
            if not any(
                verdict_on(kernel, name, scenario)[0] == BROKEN
                for name in claims_with_stars()
                for scenario in scenarios_of(name)
                if scenario.strategy == strategy
            ):
                missed.append((strategy, seed))
    assert missed == []


_ONE_WRITE = {"write"}
"""A gap: a full pipe is read once in a trial, so that of its writers the first alone has a chance to be forgotten."""


@pytest.mark.parametrize(
    ("make", "family"),
    [
        (broken.LosesOnUnix, "every.no-lost-wake-up"),
        (broken.LosesAmongThreads, "every.no-lost-wake-up"),
        (broken_elsewhere.LosesAmongReaders, "read.no-lost-wake-up"),
        (broken_elsewhere.LosesOnRareListeners, "listeners.no-lost-wake-up"),
        (broken_sources.LosesOnSources, "every.no-lost-wake-up"),
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
    by_id = {s.id: s for star in claims_with_stars()[claim].stars for s in star.scenarios((size,), ("tcp4", "pipe"))}
    for scenario in by_id.values():
        assert verdict_on(Kernel(1), claim, scenario, untraced=1) == (HELD, None), scenario.id


@pytest.mark.parametrize("many", ["one", "as-many", "twice", "four-times"])
def test_herd_that_cpus_bound_is_caught(many: str) -> None:
    """The sweep breaks where, and only where, there are more waiters than CPUs."""

    def judged(kernel: Kernel) -> str:
        return verdict_of(kernel, lambda herd: test_every_strategy.test_cpus_do_not_bound_the_herd(herd, "poll", many))

    assert judged(Kernel(1)) == HELD
    assert judged(broken_elsewhere.HerdOfCpus(1)) == (BROKEN if many in ("twice", "four-times") else HELD)
