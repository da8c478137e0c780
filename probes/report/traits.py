"""What a strategy is like beyond its figures: its order, what a crash costs it, and whether it needs a lock.

Nothing is canned: each word follows from what this run noted.  What the run did not look at is said to
be not judged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..verdict import NOT_APPLICABLE
from . import orders
from .strategies import N, Row, cases, is_plain, place

Run = Mapping[str, Any]

NOT_JUDGED = "not judged"
LACKING = "n/a"

_CRASHES = (
    "death.all-told-nothing-lost",
    "death.shared-level-nothing-lost",
    "death.exclusive-waits-for-next",
    "death.edge-stays-behind",
    "death.oneshot-tells-no-more",
    "death.accept-goes-on",
)
_GROUP_CRASH = "reuseport-group.close-aborts-its-queue"


@dataclass(frozen=True)
class Traits:
    """The three further columns of the strategies' table."""

    order: str
    crash: str
    lock: str


MEANINGS = {
    "order": "who returns for connections that come one by one, when who returned waits again",
    "survives a crash?": "whether a connection is taken although a worker that was told of it is killed before it "
    "accepts; late: when the next one comes; its own: that worker had it already; left: of two connections, in the "
    "queue; and in a reuseport group, what a client in the dead one's queue reads",
    "needs a lock?": "whether more than one is woken for a connection that they accept at once",
}
"""The headings, and what they mean."""


@dataclass(frozen=True)
class LockRow:
    """One lock around accept."""

    lock: str
    waiting: str
    """How many wait in accept, and how many for the lock."""
    woken: str
    """How many lock waiters one unlock wakes."""
    order: str
    again: str
    """Who has it when the one that unlocks asks again at once."""
    crash: str


def of(rows: Sequence[Row], run: Run) -> dict[str, Traits]:
    """The traits of each strategy of the table, by its name."""
    strips = {strip.strategy: strip for strip in orders.strips(run)[0]}
    series = _series(run)
    return {
        row.strategy: Traits(
            _order(row, strips.get(row.strategy), series.get(row.strategy, [])), _crash(run, row.strategy), _lock(row)
        )
        for row in rows
    }


def _order(row: Row, strip: orders.Strip | None, series: Sequence[tuple[int, ...]]) -> str:
    """Several at once; else from a series in which they wait again; else from waiters that return once each."""
    hold = row.figures.get("hold")
    together = 0 if hold is None else hold["returned"].low or 0
    if together > 1:
        return "all at once" if together == N else "several at once"
    if series:
        return "no fixed one" if len(set(series)) > 1 else _in_series(series[0])
    if strip is not None:
        return "no fixed one" if strip.several_orders else _direction(strip.waiters)
    return LACKING if "hold" in row.absent else NOT_JUDGED


def _in_series(order: Sequence[int]) -> str:
    """Who returned for each connection, where each waits again at once; waiters are numbered as they blocked."""
    if len(order) > 1 and len(set(order)) == 1:
        return "always first" if order[0] == 0 else "always last" if order[0] == N - 1 else "always one"
    if len(order) >= N and list(order) == [place % N for place in range(len(order))]:
        return "goes round"
    return "no simple one"


def _direction(order: Sequence[int]) -> str:
    """Who returned first, second ..., where each returns once."""
    if list(order) == sorted(order):
        return "first come"
    return "last come" if list(order) == sorted(order, reverse=True) else "no simple one"


def _series(run: Run) -> dict[str, list[tuple[int, ...]]]:
    """For each strategy whose waiters wait again: who returned for each connection, where it was one of eight."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for case in cases(run):
        axes = case["scenario"]
        if is_plain(axes) and axes["n"] == N and (axes["reaction"], axes["stimulus"]) == ("loop", "one-by-one"):
            told = [
                [step["order"] for step in trial["steps"]] for trial in case["trials"] if trial["inconclusive"] is None
            ]
            if told and all(len(order) == 1 for steps in told for order in steps):
                found.setdefault(place(axes)[1], []).extend(tuple(order[0] for order in steps) for steps in told)
    # Series of different lengths, of several claims, are compared as far as they all go.
    return {name: [one[: min(map(len, orders))] for one in orders] for name, orders in found.items()}


def _crash(run: Run, strategy: str) -> str:
    """What becomes of a connection when the worker that was told of it is killed before it accepts."""
    group = strategy.removesuffix(".nothing")
    if group != strategy:
        name = f"{group}.listener" if group.count(".") == 1 else group
        return _what_closing_does(noted(run, _GROUP_CRASH).get(name, {}))
    for claim in _CRASHES:
        facts = noted(run, claim).get(strategy)
        if facts is not None:
            return _what_dying_does(facts)
    return NOT_JUDGED


def _what_dying_does(facts: Mapping[str, str]) -> str:
    if facts.get("left waiting", "0") != "0":
        return f"no, {facts['left waiting']} left"
    if "left waiting" not in facts or "taken by the survivor" not in facts:
        return NOT_JUDGED
    if facts["taken by the survivor"] == "1":
        return "yes, but its own"
    if facts.get("told once the first is dead", "0") != "0":
        return "yes"
    return "late"


def _what_closing_does(facts: Mapping[str, str]) -> str:
    """A worker that dies closes its own listener, with what is queued there."""
    if "the connection" not in facts:
        return NOT_JUDGED
    if facts["the connection"] == "closed":
        return f"no, {facts.get('what the client reads', 'closed')}"
    return "yes, it moves"


def _lock(row: Row) -> str:
    """Whether more than one waiter is woken for a connection that one of them takes."""
    figures = row.figures.get("accept")
    if figures is None or not figures["woken"].known:
        return LACKING if "accept" in row.absent else NOT_JUDGED
    most = figures["woken"].high or 0
    return "no" if most <= 1 else f"yes, {figures['woken']} wake"


def noted(run: Run, claim_id: str) -> dict[str, dict[str, str]]:
    """What the cases of one claim noted, by what stands in the brackets of the case's id."""
    cases = (case for claim in run["claims"] if claim["id"] == claim_id for case in claim["cases"])
    found = {}
    for case in cases:
        brackets = re.search(r"\[(.*)\]$", case["id"])
        if brackets and case["verdict"] != NOT_APPLICABLE:
            found[brackets[1]] = {fact["what"]: str(fact["seen"]) for fact in case["facts"]}
    return found


def locks(run: Run) -> list[LockRow]:
    """A row for each lock that was tried around accept, in the order of the run."""
    served = noted(run, "accept-locks.one-in-accept")
    unlocked = noted(run, "accept-locks.unlock-wakes-one")
    in_turn = noted(run, "accept-locks.first-in-first-out")
    again = noted(run, "accept-locks.last-user-again")
    killed = noted(run, "accept-locks.killed-holder") | noted(run, "accept-locks.killed-holder-stuck")
    return [
        LockRow(
            lock,
            _waiting(served.get(lock, {})),
            _most(unlocked.get(lock, {}).get("lock waiters woken by each unlock", "")),
            _turns(in_turn.get(lock, {}).get("took the connections", "")),
            _who_again(again.get(lock, {})),
            _fate(killed.get(lock, {})),
        )
        for lock in dict.fromkeys([*served, *unlocked, *in_turn, *again, *killed])
    ]


def _waiting(facts: Mapping[str, str]) -> str:
    inside, outside = (facts.get(f"wait {where}") for where in ("in accept", "for the lock"))
    return f"{inside} and {outside}" if inside and outside else NOT_JUDGED


def _most(woken: str) -> str:
    """The highest number of a list, as it was noted: `[1, 1, 1, 0]`."""
    numbers = [int(number) for number in re.findall(r"\d+", woken)]
    return str(max(numbers)) if numbers else NOT_JUDGED


def _turns(took: str) -> str:
    order = [int(number) for number in re.findall(r"\d+", took)]
    if len(order) < 2:
        return NOT_JUDGED
    return "first come" if order == sorted(order) else "another order"


def _who_again(facts: Mapping[str, str]) -> str:
    had = facts.get("the last user had it again")
    return {"True": "the last user can have it", "False": "the one that waited"}.get(str(had), NOT_JUDGED)


def _fate(facts: Mapping[str, str]) -> str:
    return {
        "has it": "yes",
        "EOWNERDEAD": "yes, with EOWNERDEAD",
        "still waits": "no: stuck",
    }.get(facts.get("the first that waited", ""), NOT_JUDGED)
