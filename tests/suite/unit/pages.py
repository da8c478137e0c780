"""The pages of docs/ that are made from the tests: `python -m tests.suite.unit.pages` writes them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from math import factorial

from probes import catalogue, host
from probes.experiments import evenness, looks, modified

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
    """Text in lines of the repository's width, after `first`; further lines are indented as far as that is long."""
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
            "For each claim about an order, a spread or a ratio, this page gives the sample, the statistic, and the "
            f"probability of error.  {_MAKE}"
        ),
        "",
        *_wrapped(
            "There are two kinds of error: a healthy kernel *fails*, or a broken one *passes*.  Each case runs "
            f"{tried}, the last time under the tracer, and is held only if every trial agrees with the claim."
        ),
    ]


def _orders() -> list[str]:
    lines = [
        "",
        "## Orders",
        "",
        *_wrapped(
            "The statistic is the order of return itself, step by step, and it must be the same in every trial.  In "
            "each step one connection (or one write) arrives while all waiters sleep, and the step ends when they "
            "sleep again.  Load cannot change this order: it is that of a wait queue, which the kernel decides under "
            "the queue's lock.  A healthy kernel never fails.  A kernel with any other fixed order never passes.  Two "
            "broken kernels could pass: one that picks a waiter at *random*, and one that errs *one time in twenty*."
        ),
        "",
        _row("claim", f"steps ({', '.join(chances.CUTS)})", "random order passes", "one in twenty passes"),
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
            "Experiments check orders in the same way, but once per run for each strategy or lock that the preset "
            "tries.  A healthy kernel never fails.  The last column is the probability that a kernel that chooses at "
            "random passes."
        ),
        "",
        _row("claim", "statistic", "a random choice passes"),
        "|---|---|---|",
        _row(
            "accept-locks.first-in-first-out",
            "8 ask, one holds the lock; per lock",
            f"1/7! = {chance(1 / factorial(7))}",
        ),
        _row(
            "accept-locks.semaphores-go-round",
            "9 connections, 3 workers in turn; per lock",
            f"3^-8 = {chance(3.0**-8)}",
        ),
        _row("mixed.busy-favourite-comes-back", "3, 2 and 2 are idle; per strategy", f"1/12 = {chance(1 / 12)}"),
        _row("mixed.busy-accept-goes-round", "3, 2 and 2 are idle; per call", f"1/12 = {chance(1 / 12)}"),
        _row(
            "epoll-instances.maxevents-round-robin",
            "in 5 calls with room for 2 events, any 3 in a row report all 5",
            by_chance,
        ),
        _row("epoll-instances.maxevents-order", "5 calls with room for 2 of 5 events", f"20^-5 = {chance(20.0**-5)}"),
        "",
        *_wrapped(
            "One of them is a race: in accept-locks.last-user-again, a process that unlocks and asks again at once "
            "must get the lock back in one of 12 rounds.  It shares a CPU with the process that waits, which is "
            "SCHED_BATCH and cannot preempt it.  A round is therefore lost only if a third task takes the CPU within "
            "those few instructions.  Even if that happened in every fourth round, a healthy kernel would fail with "
            f"probability 0.25^12 = {chance(0.25**12)} per lock.  A kernel that hands every lock over never passes."
        ),
    ]


def _lost_wake_ups() -> list[str]:
    lines = [
        "",
        "## Lost wake-ups",
        "",
        *_wrapped(
            "every.no-lost-wake-up makes 48 connections, one by one, while all waiters are idle; each must be taken "
            "before the next.  A healthy kernel never fails: a connection that nobody takes makes the case "
            "inconclusive, unless it is proven that the connection is queued, that every wake-up was issued, and that "
            "all waiters are asleep.  Take a kernel that loses one wake-up in twenty, under one strategy only, on "
            "tcp4.  It passes with probability 0.95^chances:"
        ),
        "",
        _row("preset", "untraced", "traced", "chances, for the strategy tried least", "passes", "is caught"),
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, cut in zip(chances.CUTS, chances.cuts(), strict=True):
        count = chances.fewest_chances(cut)
        passes = chances.rare_fault_passes(count)
        traced = min(48, cut.traced_part or 48)
        lines.append(
            _row(name, f"{cut.untraced} of 48", f"1 of {traced}", f"{count}", chance(passes), f"{1 - passes:.3%}")
        )
    untraced = chances.rare_fault_passes(48 * chances.cuts()[0].untraced)
    everywhere = [chances.steps("every.no-lost-wake-up", cut) for cut in chances.cuts()]
    readers = [chances.steps("read.no-lost-wake-up", cut) // 5 for cut in chances.cuts()]
    herds = [chances.wake_ups("select-poll.wakes-all", cut) for cut in chances.cuts()]
    return [
        *lines,
        "",
        f"Without ptrace there is no traced trial, and a default run catches it with probability {1 - untraced:.3%}.",
        "",
        *_wrapped(
            "A kernel that loses wake-ups under every strategy has "
            f"{_under(f'{count:,} chances' for count in everywhere)}, and passes with probability "
            f"{', '.join(chance(chances.rare_fault_passes(count)) for count in everywhere)}."
        ),
        "",
        *_wrapped(
            "read.no-lost-wake-up does the same on a pipe, an eventfd, a UDP socket and two message queues.  Each has "
            f"{_under(f'{count} chances' for count in readers)}."
        ),
        "",
        *_wrapped(
            "Where every waiter must wake, the count shows a waiter that is forgotten one time in twenty: "
            f"select-poll.wakes-all counts {_under(f'{count:,} wake-ups' for count in herds)}."
        ),
        "",
        *_wrapped(
            f"epoll-instances.mod-beside-a-wait issues {modified.ROUNDS:,} EPOLL_CTL_MODs in a run, and each must be "
            "reported to the waiter before the next.  The waiter returns to epoll_wait after a delay that varies up to "
            f"{modified.LATEST_NS // 1000} us, so that some MODs find it asleep and others on its way to sleep.  A "
            "healthy kernel never fails: a MOD counts as lost only once the waiter is proven asleep.  A kernel that "
            f"loses one MOD in two hundred passes with probability {chance((1 - 1 / 200) ** modified.ROUNDS)}; one "
            f"that loses one in a thousand, with {chance((1 - 1 / 1000) ** modified.ROUNDS)}."
        ),
        "",
        *_wrapped(
            f"epoll-instances.looks-beside-each-other makes {looks.LOOKERS * looks.LOOKS:,} looks at an instance that "
            "has something to report, and each must find it.  A kernel that misses it in one look of a thousand passes "
            f"with probability {chance((1 - 1 / 1000) ** (looks.LOOKERS * looks.LOOKS))}; one that misses it in one of "
            f"ten thousand, with {chance((1 - 1 / 10000) ** (looks.LOOKERS * looks.LOOKS))}."
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
            "reuseport.spreads makes 64 connections to 8 sockets, under two strategies.  A healthy kernel chooses by a "
            "hash of the flow, seeded at boot, so each socket is equally likely.  Two statistics are checked in every "
            "trial:"
        ),
        "",
        "- More than 4 sockets are reached.  A healthy kernel fails with probability at most "
        f"C(8,4) (1/2)^64 = {chance(few)}.",
        "- No socket gets 28 or more.  A healthy kernel fails with probability at most "
        f"8 P(Bin(64, 1/8) >= 28) = {chance(many)}.",
        "",
        *_wrapped(
            f"So it fails in the {count} trials of a default run with probability at most "
            f"{chance(count * (few + many))}, less than once in a million runs.  A kernel that always chooses the "
            "first socket never passes.  One that gives a socket half of all connections, and spreads the rest, passes "
            "with probability "
            f"{_under(chance(chances.favourite_passes(cut)) for cut in chances.cuts())}."
        ),
        "",
        *_wrapped(
            f"reuseport.even-shares makes {evenness.CONNECTIONS:,} connections to {evenness.MEMBERS} listeners, and "
            f"sends as many datagrams to {evenness.MEMBERS} UDP sockets, once per run; each must get from "
            f"{evenness.FEWEST} to {evenness.MOST}.  A healthy kernel fails either with probability at most "
            f"{chance(chances.share_outside())}.  A kernel that gives one socket twice as much as each of the others "
            f"passes with {chance(chances.share_within(2))}; one that gives it half as much, with "
            f"{chance(chances.share_within(0.5))}."
        ),
        "",
        *_wrapped(
            "reuseport-group.invalid-index-falls-back makes 64 connections, which must reach more than one of 4 "
            f"sockets.  A healthy kernel fails with probability 4 (1/4)^64 = {chance(4 * 0.25**64)}."
        ),
    ]


_COUNTS = [
    "",
    "## Counts",
    "",
    *_wrapped(
        "Every other number (woken, returned, won) is exact, in every trial: nothing is averaged, and there is no "
        "tolerance.  Some numbers are races, such as how many waiters return once they take the connection.  A claim "
        "uses those only in relations that hold however the race ends."
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
            "*by a model*: `tests/suite/unit/broken*.py` has a model of a kernel with just this fault.  A test judges "
            "all claims on it; those listed break, and no others do.  A healthy model, with twenty seeds, breaks none.",
            "- ",
        ),
        *_wrapped(
            "*by its facts*: on such a kernel the experiment would find other facts than the claim names.  A test "
            "alters each fact of each experiment in turn, and the claim breaks each time.",
            "- ",
        ),
    ]
    for chapter in dict.fromkeys(claim["chapter"] for claim in catalogue.load()):
        lines += ["", f"## {chapter}", "", "| a kernel on which | breaks | shown |", "|---|---|---|"]
        for make, claims in BREAKS.items():
            judging = sorted(claim for claim in claims if claim.lstrip("?").startswith(f"{chapter}."))
            if judging:
                words = ", ".join(
                    f"{claim.lstrip('?')} (inconclusive)" if claim[0] == "?" else claim for claim in judging
                )
                lines.append(f"| {_what(make)} | {words} | by a model |")
        lines += [f"| {what} | {claim} | by its facts |" for what, claim in CAUGHT.get(chapter, {}).items()]
    lines += ["", "## Broken kernels that no claim catches", "", "| a kernel on which | why |", "|---|---|"]
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
