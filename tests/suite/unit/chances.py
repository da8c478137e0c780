"""How much the claims look at, and how likely each error is: the numbers of docs/statistics.md."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from math import comb, exp, factorial, fsum, lgamma, log, log1p, prod

from probes import star
from probes.experiments import evenness
from probes.scenario import Scenario
from probes.star import PRESETS, Preset
from tests.kernel.every import EVERY

from .judging import claims_with_stars

CUTS = ("default", "fast")
IN_PART = ("every.no-lost-wake-up", "listeners.no-lost-wake-up", "read.no-lost-wake-up")
"""Claims whose traced trial takes a part of the series (Preset.traced_part)."""
ORDERS = (
    "accept.first-in-first-out",
    "accept.goes-round",
    "epoll-private.exclusive-first-registered",
    "epoll-private.exclusive-favours-first",
    "epoll-shared.last-blocked-first",
    "epoll-shared.favours-last",
    "io-uring.accept-first-in-first-out",
    "io-uring.multishot-favours-first",
    "listeners.mptcp-order",
    "read.first-in-first-out",
)
"""Claims whose statistic is the order of return, step by step, equal in every trial."""
RARE = 0.05
"""How often a kernel that fails now and then does so: one time in twenty."""


def cuts() -> list[Preset]:
    """The presets, in the order in which the page names them."""
    return [PRESETS[cut] for cut in CUTS]


def scenarios(claim: str, preset: Preset) -> list[Scenario]:
    """The scenarios that a claim is judged on under this preset, each once."""
    return list(star.scenarios(claims_with_stars()[claim], preset).values())


def trials(preset: Preset) -> int:
    """Trials of one case: the untraced ones, and a traced one."""
    return preset.untraced + 1


def steps(claim: str, preset: Preset) -> int:
    """Connections, or writes, that are looked at one by one, over all trials of all cases."""
    cut = preset if claim in IN_PART else replace(preset, traced_part=0)
    return sum(_series(scenario, cut) for scenario in scenarios(claim, preset))


def _series(scenario: Scenario, preset: Preset) -> int:
    """Stimuli of a series, over all trials of a case."""
    return preset.untraced * scenario.k + preset.traced(scenario).k


def random_order_passes(claim: str, preset: Preset) -> float:
    """The chance that a kernel which wakes any one of those that wait has the order right in every trial.

    Under hold each waiter returns once, so n of them have n! orders; in a loop each of k steps is a
    choice among n.
    """

    def of(scenario: Scenario) -> float:
        orders = factorial(scenario.n) if scenario.reaction == "hold" else float(scenario.n) ** scenario.k
        return 1 / orders

    return float(prod(of(scenario) ** trials(preset) for scenario in scenarios(claim, preset)))


def rare_fault_passes(chances: int) -> float:
    """The chance that a fault which comes one time in twenty comes never in so many chances."""
    return float((1 - RARE) ** chances)


def lost_wake_up_chances(strategy: str, preset: Preset) -> int:
    """Wake-ups of one strategy on tcp4 that every.no-lost-wake-up waits for."""
    known = scenarios("every.no-lost-wake-up", preset)
    return sum(_series(s, preset) for s in known if s.strategy == strategy and s.source == "tcp4")


def fewest_chances(preset: Preset) -> int:
    """The same for the strategy that is tried the least."""
    return min(lost_wake_up_chances(strategy, preset) for strategy in EVERY)


def within_half_of_the_sockets() -> float:
    """An upper bound: 64 connections go to only 4 of 8 sockets, whichever these are."""
    return comb(8, 4) * 0.5**64


def one_socket_gets(least: int) -> float:
    """An upper bound: of 64 connections that are spread evenly, one of 8 sockets gets so many, whichever that is."""
    share = 1 / 8
    return 8 * float(sum(comb(64, k) * share**k * (1 - share) ** (64 - k) for k in range(least, 65)))


def favourite_gets_fewer_than(least: int, share: float) -> float:
    """A socket that is given this share of 64 connections gets fewer than `least` of them."""
    return float(sum(comb(64, k) * share**k * (1 - share) ** (64 - k) for k in range(least)))


def favourite_passes(preset: Preset) -> float:
    """The same in every trial of reuseport.spreads, for a socket that is given half, and its share of the rest."""
    count = len(scenarios("reuseport.spreads", preset)) * trials(preset)
    return favourite_gets_fewer_than(28, 0.5 + 0.5 / 8) ** count


def share_outside() -> float:
    """An upper bound: a member of a healthy group gets more or less than reuseport.even-shares allows."""
    share = 1 / evenness.MEMBERS
    return evenness.MEMBERS * (1 - _binomial(evenness.FEWEST, evenness.MOST, share))


def share_within(times: float) -> float:
    """A member that gets so many times what each of the others gets stays within what is allowed."""
    return _binomial(evenness.FEWEST, evenness.MOST, times / (evenness.MEMBERS - 1 + times))


def _binomial(least: int, most: int, share: float) -> float:
    """The chance that of CONNECTIONS this share is at least, and at most, so many.  In logarithms: comb overflows."""
    n = evenness.CONNECTIONS
    return fsum(
        exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(share) + (n - k) * log1p(-share))
        for k in range(least, most + 1)
    )


def round_robin_by_chance() -> float:
    """Five calls that tell any 2 of 5 each tell all of them in every three calls in a row."""
    pairs = [set(pair) for pair in combinations(range(5), 2)]
    good = sum(
        all(len(calls[i] | calls[i + 1] | calls[i + 2]) == 5 for i in range(3)) for calls in product(pairs, repeat=5)
    )
    return good / len(pairs) ** 5


def wake_ups(claim: str, preset: Preset) -> int:
    """Waiters that a claim on a herd expects to be woken, over all trials of all cases."""
    return trials(preset) * sum(scenario.n for scenario in scenarios(claim, preset))
