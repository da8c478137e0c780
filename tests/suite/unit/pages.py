"""The pages of docs/ that are made from the tests: `python -m tests.suite.unit.pages` writes them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from math import factorial

from probes import catalogue, host
from probes.experiments import evenness, modified

from . import chances
from .breaks import BREAKS, GAPS
from .caught import CAUGHT
from .claims_page import claims_page
from .peers_page import peers_page
from .regressions_page import regressions_page

BROKEN_KERNELS = host.PROJECT / "docs" / "broken-kernels.md"
CLAIMS = host.PROJECT / "docs" / "claims.md"
STATISTICS = host.PROJECT / "docs" / "statistics.md"

_MAKE = "`python -m tests.suite.unit.pages` writes this page, and a test compares it."


def chance(value: float) -> str:
    """`5e-05`, or `0` for what a double cannot hold any more."""
    return f"{value:.0e}" if value else "less than 1e-300"


def statistics_page() -> str:
    """docs/statistics.md"""
    return "\n".join([*_two_errors(), *_orders(), *_lost_wake_ups(), *_ratios(), *_COUNTS]) + "\n"


def _wrapped(text: str, first: str = "") -> list[str]:
    """Prose in lines of the repository's width; `first` stands before it, and nothing under that."""
    return textwrap.wrap(
        text,
        118,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _under(values: Iterable[str]) -> str:
    """`1 under `default`, 2 under `fast` ...`: one value for each preset."""
    return ", ".join(f"{value} under `{cut}`" for value, cut in zip(values, chances.CUTS, strict=True))


def _two_errors() -> list[str]:
    tried = _under(f"{chances.trials(cut)} times" for cut in chances.cuts())
    return [
        "# How sure is a verdict?",
        "",
        *_wrapped(
            "For each claim with an order, a spread or a ratio: how much is looked at, by which statistic, and "
            f"how often it errs.  {_MAKE}"
        ),
        "",
        *_wrapped(
            "Two errors are possible: a healthy kernel *fails*, or a broken one *passes*.  Each case is tried "
            f"{tried}, the last time under the tracer, and is held only if every trial is as the claim says."
        ),
    ]


def _orders() -> list[str]:
    lines = [
        "",
        "## Orders",
        "",
        *_wrapped(
            "The statistic is the order of return itself, step by step, and it must be equal in every trial.  A "
            "step is one connection (or one write) to waiters that all sleep; it is over when they sleep again, "
            "so that no load can change the order: it is that of a wait queue, decided under its lock.  A "
            "healthy kernel fails never.  A kernel with any other fixed order passes never.  Two that could "
            "pass: one that wakes *any* of its waiters, and one that errs *one time in twenty*."
        ),
        "",
        _row("claim", f"steps ({', '.join(chances.CUTS)})", "any order passes", "one in twenty passes"),
        "|---|---|---|---|",
    ]
    for claim in chances.ORDERS:
        counts = [chances.steps(claim, cut) for cut in chances.cuts()]
        lines.append(
            _row(
                claim,
                ", ".join(f"{count:,}" for count in counts),
                ", ".join(chance(chances.random_order_passes(claim, cut)) for cut in chances.cuts()),
                ", ".join(chance(chances.rare_fault_passes(count)) for count in counts),
            )
        )
    return [*lines, *_orders_of_experiments()]


def _orders_of_experiments() -> list[str]:
    by_chance = f"{chance(chances.round_robin_by_chance())}, counted"
    return [
        "",
        *_wrapped(
            "Orders of experiments are looked at once in each run, for each strategy or lock, in the same way, "
            "whatever the preset.  A healthy kernel fails never; one that chooses at random passes"
        ),
        "",
        _row("claim", "statistic", "a random choice passes"),
        "|---|---|---|",
        _row(
            "accept-locks.first-in-first-out", "8 that ask, one has it; per lock", f"1/7! = {chance(1 / factorial(7))}"
        ),
        _row("accept-locks.semaphores-go-round", "9 connections to 3 in turn; per lock", f"3^-8 = {chance(3.0**-8)}"),
        _row("mixed.busy-favourite-comes-back", "3, 2 and 2 are idle; per strategy", f"1/12 = {chance(1 / 12)}"),
        _row("mixed.busy-accept-goes-round", "3, 2 and 2 are idle; per call", f"1/12 = {chance(1 / 12)}"),
        _row("epoll-instances.maxevents-round-robin", "any 3 of 5 calls with room for 2 tell all 5", by_chance),
        _row("epoll-instances.maxevents-order", "5 calls with room for 2, of 5", f"20^-5 = {chance(20.0**-5)}"),
        "",
        *_wrapped(
            "The one race among them is accept-locks.last-user-again: one that unlocks and asks again at once "
            "must have the lock again in one of 12 rounds.  It runs on the CPU of the one that waits, which is "
            "SCHED_BATCH and cannot preempt it, so that a round is lost only to a third task that takes the CPU "
            "within those few instructions.  Even if that were one round in four, a healthy kernel would fail "
            f"with 0.25^12 = {chance(0.25**12)} per lock; a kernel that hands every lock over passes never."
        ),
    ]


def _lost_wake_ups() -> list[str]:
    lines = [
        "",
        "## Lost wake-ups",
        "",
        *_wrapped(
            "every.no-lost-wake-up: 48 connections one by one to waiters that are all idle; each must be taken "
            "before the next.  A healthy kernel fails never: a connection that nobody takes ends as "
            "inconclusive, unless it is proven to be queued, with every wake-up issued and all waiters asleep.  "
            "A kernel that loses one wake-up in twenty, under one strategy alone, on tcp4, passes with "
            "0.95^chances:"
        ),
        "",
        _row("preset", "trials of 48", "chances, of the strategy tried the least", "passes", "is caught"),
        "|---|---:|---:|---:|---:|",
    ]
    for name, cut in zip(chances.CUTS, chances.cuts(), strict=True):
        count = chances.fewest_chances(cut)
        passes = chances.rare_fault_passes(count)
        lines.append(_row(name, f"{chances.trials(cut)}", f"{count}", chance(passes), f"{1 - passes:.3%}"))
    untraced = chances.rare_fault_passes(48 * chances.cuts()[0].untraced)
    everywhere = [chances.steps("every.no-lost-wake-up", cut) for cut in chances.cuts()]
    readers = [chances.steps("read.no-lost-wake-up", cut) // 5 for cut in chances.cuts()]
    herds = [chances.wake_ups("select-poll.wakes-all", cut) for cut in chances.cuts()]
    return [
        *lines,
        "",
        f"Without ptrace there is no traced trial, and a default run catches it with {1 - untraced:.3%}.",
        "",
        *_wrapped(
            "One that loses them whatever the strategy has "
            f"{_under(f'{count:,} chances' for count in everywhere)}, and passes with "
            f"{', '.join(chance(chances.rare_fault_passes(count)) for count in everywhere)}."
        ),
        "",
        *_wrapped(
            "read.no-lost-wake-up looks in the same way at a pipe, an eventfd, a UDP socket and two message queues: "
            "each has "
            f"{_under(f'{count} chances' for count in readers)}."
        ),
        "",
        *_wrapped(
            "Where all waiters are woken, one of them that is forgotten one time in twenty is seen by the "
            f"count: select-poll.wakes-all waits for {_under(f'{count:,} wake-ups' for count in herds)}."
        ),
        "",
        *_wrapped(
            f"epoll-instances.mod-beside-a-wait: {modified.ROUNDS:,} times in a run a waiter must be told of an "
            "EPOLL_CTL_MOD before the next one comes; it comes back to epoll_wait up to "
            f"{modified.LATEST_NS // 1000} us later each time, so that the MOD finds it on its way, or asleep.  A "
            "healthy kernel fails never: that nobody was told is believed once the waiter is proven to sleep.  One "
            f"that loses one MOD in two hundred passes with {chance((1 - 1 / 200) ** modified.ROUNDS)}, one that "
            f"loses one in a thousand with {chance((1 - 1 / 1000) ** modified.ROUNDS)}."
        ),
    ]


def _ratios() -> list[str]:
    few, many = chances.within_half_of_the_sockets(), chances.one_socket_gets(28)
    default = chances.cuts()[0]
    count = len(chances.scenarios("reuseport.spreads", default)) * chances.trials(default)
    return [
        "",
        "## Ratios",
        "",
        *_wrapped(
            "reuseport.spreads: 64 connections to 8 sockets, under two strategies.  A healthy kernel chooses by "
            "a hash of the flow, whose seed is drawn at boot, so that each socket is as likely as any other.  "
            "Two statistics, each in every trial:"
        ),
        "",
        f"- more than 4 sockets are reached.  A healthy kernel fails with at most C(8,4) (1/2)^64 = {chance(few)};",
        f"- no socket gets 28.  A healthy kernel fails with at most 8 P(Bin(64, 1/8) >= 28) = {chance(many)}.",
        "",
        *_wrapped(
            f"So in the {count} trials of a default run it fails with at most {chance(count * (few + many))}: "
            'less than once in a million runs.  "Always the first socket" passes never.  A kernel that gives '
            "one socket half of all connections, and spreads the rest, passes with "
            f"{_under(chance(chances.favourite_passes(cut)) for cut in chances.cuts())}."
        ),
        "",
        *_wrapped(
            f"reuseport.even-shares: {evenness.CONNECTIONS:,} connections to {evenness.MEMBERS} sockets, once in a "
            f"run; each gets from {evenness.FEWEST} to {evenness.MOST}.  A healthy kernel fails with at most "
            f"{chance(chances.share_outside())}.  One on which a socket gets twice what each of the others gets passes "
            f"with {chance(chances.share_within(2))}; one on which it gets half as much, with "
            f"{chance(chances.share_within(0.5))}."
        ),
        "",
        *_wrapped(
            "reuseport-group.invalid-index-falls-back: 64 connections reach more than one of 4 sockets; a "
            f"healthy kernel fails with 4 (1/4)^64 = {chance(4 * 0.25**64)}."
        ),
    ]


_COUNTS = [
    "",
    "## Counts",
    "",
    *_wrapped(
        "Every other number (woken, returned, won) is exact, and must be so in every trial: nothing is "
        "averaged, and no tolerance is allowed.  Where a number is a race (who returns, once waiters take the "
        "connection), no claim rests on it but by a relation that holds however the race goes."
    ),
]


def broken_kernels_page() -> str:
    """docs/broken-kernels.md"""
    lines = [
        "# Which broken kernel would this catch?",
        "",
        f"A check that cannot fail is a defect.  {_MAKE}",
        "",
        *_wrapped(
            "*by a model*: a kernel that is wrong in this one way, in `tests/suite/unit/broken*.py`; a test plays the "
            "claims on it, and these break, and no others.  A healthy model, with twenty seeds, breaks none.",
            "- ",
        ),
        *_wrapped(
            "*by its facts*: what the claim names could not be noted on such a kernel; a test alters each fact of each "
            "experiment, and the claim breaks.",
            "- ",
        ),
    ]
    for chapter in dict.fromkeys(claim["chapter"] for claim in catalogue.load()):
        lines += ["", f"## {chapter}", "", "| a kernel on which | breaks | seen |", "|---|---|---|"]
        for make, claims in BREAKS.items():
            judging = sorted(claim for claim in claims if claim.lstrip("?").startswith(f"{chapter}."))
            if judging:
                words = ", ".join(
                    f"{claim.lstrip('?')} (inconclusive)" if claim[0] == "?" else claim for claim in judging
                )
                lines.append(f"| {_what(make)} | {words} | by a model |")
        lines += [f"| {what} | {claim} | by its facts |" for what, claim in CAUGHT.get(chapter, {}).items()]
    lines += ["", "## What no claim catches", "", "| a kernel on which | why |", "|---|---|"]
    lines += [f"| {_what(make)} | {why} |" for make, why in GAPS.items()]
    return "\n".join(lines) + "\n"


def _what(make: type) -> str:
    return " ".join(inspect.cleandoc(make.__doc__ or "").split()).removesuffix(".")


PAGES = {
    CLAIMS: lambda: claims_page(catalogue.load()),
    BROKEN_KERNELS: broken_kernels_page,
    STATISTICS: statistics_page,
    host.PROJECT / "docs" / "peers.md": peers_page,
    host.PROJECT / "docs" / "regressions.md": regressions_page,
}


def _write() -> None:
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")
        print(f"written: {path.relative_to(host.PROJECT)}")


if __name__ == "__main__":
    _write()
