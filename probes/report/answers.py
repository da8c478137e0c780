"""The questions that server authors ask, answered for this kernel from the figures of this run.

No answer is canned: each is put together from verdicts and numbers, and another kernel gives another
one.  What the run did not look at is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..facts import OK
from ..verdict import BROKEN, HELD
from . import noted, orders, strategies
from .figures import Figures, Spread, conclusive, over
from .short_answers import SHORT

Run = Mapping[str, Any]

NAMES = {
    name: strategies.in_words(name)
    for name in (
        "accept",
        "select",
        "poll",
        "epoll_wait.level.listener",
        "epoll_wait.edge.listener",
        "epoll_wait.exclusive.listener",
        "epoll_wait.level.epoll",
        "epoll_wait.edge.epoll",
        "epoll_wait.oneshot.epoll",
        "accept.nothing",
    )
}
"""The strategies that people choose from, in words."""


@dataclass(frozen=True)
class Answer:
    """One question, its answer, and the claims behind it."""

    row: str
    question: str
    short: str
    """The answer in one line."""
    line: str
    """The whole answer."""
    claims: tuple[str, ...]


def answers(run: Run) -> list[Answer]:
    """Every question with its answer for the kernel of `run`."""
    given = []
    for row, (question, answer) in QUESTIONS.items():
        claims = tuple(claim["id"] for claim in run["claims"] if row in claim["rows"])
        parts = [part for part in answer(run) if part]
        line = " ".join(parts) or "This run has no answer."
        short = SHORT[row](run) if row in SHORT else None
        given.append(Answer(row, question, short or (parts[0] if parts else line), line, claims))
    return given


def _figures(run: Run, reaction: str = "accept") -> dict[str, Figures]:
    """The figures of each strategy that was tried under `reaction`, by name."""
    rows = {row.strategy: row.figures[reaction] for row in strategies.rows(run)}
    return {name: figures for name, figures in rows.items() if figures is not None and figures.trials}


def _grouped(figures: Mapping[str, Figures], column: str, names: Sequence[str]) -> str:
    """`8 of 8 under select; poll. It wakes 1 of 8 under accept`: strategies with the same number together."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if name in figures and figures[name][column].known:
            groups.setdefault(str(figures[name][column]), []).append(NAMES[name])
    pairs = sorted(groups.items(), key=lambda pair: -_last_number(pair[0]))
    return ". It wakes ".join(f"{number} of {strategies.N} under {'; '.join(who)}" for number, who in pairs)


def _last_number(spread: str) -> int:
    return int(spread.split("\N{EN DASH}")[-1])


def _verdict(run: Run, claim_id: str) -> str | None:
    return next((claim["verdict"] for claim in run["claims"] if claim["id"] == claim_id), None)


def _if_so(run: Run, claim_id: str, so: str, not_so: str) -> str:
    """One sentence or the other, as the claim was held or broken; nothing if it was not judged."""
    return {HELD: so, BROKEN: not_so}.get(_verdict(run, claim_id) or "", "")


def _as_judged(claim: Mapping[str, Any]) -> Iterator[str]:
    """Its sentence where it was held, the same as refuted where it was broken; nothing if it was not judged."""
    if claim["verdict"] in (HELD, BROKEN):
        yield claim["sentence"] if claim["verdict"] == HELD else f"Not on this kernel: {claim['sentence']}"


def _spread(figures: Mapping[str, Figures], name: str, column: str) -> Spread | None:
    spread = figures[name][column] if name in figures else None
    return spread if spread is not None and spread.known else None


def _do_all_wake(run: Run) -> Iterator[str]:
    numbers = _grouped(_figures(run), "woken", tuple(NAMES))
    if numbers:
        yield f"One connection wakes {numbers}."


def _does_exclusive_help(run: Run) -> Iterator[str]:
    figures = _figures(run)
    with_it, without = (
        _spread(figures, f"epoll_wait.{trigger}.listener", "woken") for trigger in ("exclusive", "level")
    )
    if with_it and without:
        word = "Yes" if (with_it.high or 0) < (without.low or 0) else "No"
        yield f"{word}: it wakes {with_it} of {strategies.N} instead of {without}."
    yield _if_so(
        run,
        "epoll-ctl.exclusive-not-modified",
        "An item that was added with it cannot be modified, only removed and added again.",
        "An item that was added with it can be modified here.",
    )
    yield _if_so(
        run,
        "epoll-private.exclusive-favours-first",
        "It favours the worker that registered first: as long as that one is idle, it gets every connection.",
        "It does not always favour the worker that registered first.",
    )


def _who_is_next(run: Run) -> Iterator[str]:
    wanted = ("accept", "epoll_wait.exclusive.listener", "epoll_wait.edge.epoll")
    for strip in orders.strips(run)[0]:
        if strip.strategy in wanted:
            yield f"{NAMES[strip.strategy]}: {_order_in_words(strip)}."
    yield _if_so(
        run,
        "accept.goes-round",
        "Connections go round among the workers that are idle in accept.",
        "Connections do not go round among the workers in accept.",
    )


def _order_in_words(strip: orders.Strip) -> str:
    registered = strip.strategy == "epoll_wait.exclusive.listener"
    first, last = ("registered first", "registered last") if registered else ("blocked first", "blocked last")
    if strip.several_orders:
        return "in no reliable order"
    if list(strip.waiters) == sorted(strip.waiters):
        return f"the one that {first} is next"
    if list(strip.waiters) == sorted(strip.waiters, reverse=True):
        return f"the one that {last} is next"
    return "in no reliable order"


def _shared_or_private(run: Run) -> Iterator[str]:
    figures = _figures(run)
    for trigger, word in (("level", "Level-triggered"), ("edge", "Edge-triggered")):
        shared, private = (
            _spread(figures, f"epoll_wait.{trigger}.{sharing}", "woken") for sharing in ("epoll", "listener")
        )
        if shared and private:
            yield f"{word}: a shared instance wakes {shared} of {strategies.N}, private ones wake {private}."
    threads = {
        (case["scenario"]["sharing"], case["scenario"]["trigger"]): over(case["trials"])["woken"]
        for case in strategies.cases(run)
        if case["scenario"]["waiter"] == "thread"
        and case["scenario"]["call"] == "epoll_wait"
        and case["scenario"]["reaction"] == "hold"
        and case["scenario"]["stimulus"] == "one-connection"
        and case["trials"]
    }
    shared = threads.get(("epoll", "edge"))
    if shared is not None and shared.known:
        yield f"Among threads on one edge-triggered instance, a connection wakes {shared}."


def _one_or_all(run: Run) -> Iterator[str]:
    yield _if_so(
        run,
        "every.burst-won-whole",
        "Accepting until EAGAIN takes a burst whole under every strategy.",
        "Accepting until EAGAIN does not take a burst whole under every strategy.",
    )
    yield _if_so(
        run,
        "every.level-comes-again",
        "With level-triggered readiness it is enough to accept one: the rest is reported again.",
        "Even with level-triggered readiness it is not enough to accept one.",
    )
    yield _if_so(
        run,
        "epoll-triggers.edge-told-once-per-change",
        "With edge-triggered readiness what is left is not reported again, so accept until EAGAIN.",
        "Edge-triggered readiness is not reported once per change here.",
    )


def _is_reuseport_even(run: Run) -> Iterator[str]:
    counts = [
        [waiter["won"] for waiter in trial["waiters"]]
        for case in strategies.cases(run)
        if case["scenario"]["sharing"] == "nothing" and case["scenario"]["k"] >= 64 and case["scenario"]["n"] > 1
        for trial in conclusive(case["trials"])
    ]
    if counts:
        total = [sum(won) for won in zip(*counts, strict=False)]
        how = _if_so(run, "reuseport.spreads", "spread by hash, ", "not spread evenly, ")
        yield (
            f"Of {sum(total)} connections the {len(total)} sockets got {', '.join(map(str, total))}: "
            f"{how}between {min(total) / sum(total):.0%} and {max(total) / sum(total):.0%} each."
        )
    woken = _spread(_figures(run), "accept.nothing", "woken")
    if woken:
        yield f"Each connection wakes {woken} of {strategies.N} workers."
    for claim in run["claims"]:
        if "G10" in claim["rows"]:
            yield from _as_judged(claim)


def _oneshot_or_exclusive(run: Run) -> Iterator[str]:
    figures = _figures(run)
    pairs = (
        ("ONESHOT on a shared instance", "epoll_wait.oneshot.epoll"),
        ("ONESHOT on private ones", "epoll_wait.oneshot.listener"),
        ("EXCLUSIVE on private ones", "epoll_wait.exclusive.listener"),
    )
    parts = [f"{words} wakes {spread}" for words, name in pairs if (spread := _spread(figures, name, "woken"))]
    if parts:
        yield "; ".join(parts) + f" of {strategies.N}."
    # The claim speaks of other flags too: one of those, accepted, breaks it and says nothing of these two.
    answer = noted.ADD_EXCLUSIVE_WITH.by_parameter(run).get("EPOLLONESHOT")
    if answer is not None:
        yield "The two can be combined here." if answer == OK else f"The two cannot be combined ({answer})."


def _io_uring(run: Run) -> Iterator[str]:
    for claim in run["claims"]:
        if "Q8" in claim["rows"]:
            yield from _as_judged(claim)


def _accept_lock(run: Run) -> Iterator[str]:
    woken = _spread(_figures(run), "accept", "woken")
    if woken:
        needed = "No lock is needed against a herd in accept here" if woken.high == 1 else "Yes, accept herds here"
        yield f"{needed}: one connection wakes {woken} of {strategies.N} workers that are blocked in accept."
    for claim in run["claims"]:
        if "L-A7" in claim["rows"]:
            yield from _as_judged(claim)


def _what_does_it_cost(run: Run) -> Iterator[str]:
    figures = _figures(run)
    parts = [
        f"{NAMES[name]}: {figures[name]['woken']} woken, {figures[name]['spurious']} EAGAIN"
        for name in NAMES
        if name in figures and figures[name]["woken"].known
    ]
    if parts:
        yield f"Per connection, of {strategies.N} workers: " + "; ".join(parts) + "."


QUESTIONS: dict[str, tuple[str, Callable[[Run], Iterator[str]]]] = {
    "Q1": ("Do my prefork workers all wake for each connection?", _do_all_wake),
    "Q2": ("Does EPOLLEXCLUSIVE help here, and what are its limits?", _does_exclusive_help),
    "Q3": ("Which idle worker gets the next connection?", _who_is_next),
    "Q4": ("One shared epoll instance, or one per worker?", _shared_or_private),
    "Q5": ("Accept one, or accept until EAGAIN?", _one_or_all),
    "Q6": ("Is SO_REUSEPORT even, and what about a worker that exits?", _is_reuseport_even),
    "Q7": ("ONESHOT or EXCLUSIVE?", _oneshot_or_exclusive),
    "Q8": ("io_uring: who wakes when many rings, or many threads on one ring, wait for one listener?", _io_uring),
    "Q9": ("Do I still need an accept lock, and which one survives a crash?", _accept_lock),
    "Q10": ("How many wake-ups does a connection cost under each strategy?", _what_does_it_cost),
}
