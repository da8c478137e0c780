"""Small builders of evidence, for tests that have no kernel to get it from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from probes.claims import OBSERVED, Basis, Claim
from probes.evidence import StepRecord, Trial, WaiterRecord
from probes.observers import WOKEN, names
from probes.scenario import Scenario
from probes.seen import Seen

ALL_THERE: dict[str, str | None] = dict.fromkeys(names())
"""Every observer is on."""

CENTRE = Scenario("poll")
"""poll/tcp4/n8/hold/one-connection, where a test does not care which."""


def trial(
    *,
    n: int = 8,
    woken: Collection[int] | None = (),
    order: Sequence[int] | None = (),
    won: Sequence[int] = (),
    spurious: int | None = None,
    traced: bool = False,
    inconclusive: str | None = None,
    results: Sequence[int | None] = (),
    at_us: Sequence[int | None] = (),
    steps: Iterable[StepRecord] = (),
    answers: Iterable[tuple[int, ...]] = (),
    agree: bool = True,
) -> Trial:
    """A Trial from who was woken, who returned in which order, and how much each waiter won.

    None for `woken` or `order`: nobody saw it.
    """
    returned = None if order is None else set(order)
    won = list(won) or [0] * n
    results = list(results) or [1 if returned and i in returned else None for i in range(n)]
    times: list[int | None] = list(at_us) or [None] * n
    if order and not at_us:
        for place, i in enumerate(order):
            times[i] = 210 + 30 * place
    moved, back = None if woken is None else len(woken), None if returned is None else len(returned)
    return Trial(
        traced=traced,
        inconclusive=inconclusive,
        woken=moved,
        returned=back,
        won=sum(count > 0 for count in won),
        spurious=spurious,
        connections=sum(won),
        order=tuple(order or ()),
        agree=agree,
        observers={
            "counters": back,
            "syscall_exit": back if traced else None,
            "switches": moved,
            "run_counts": moved,
            "sched_waking": moved,
        },
        missing={},
        steps=tuple(steps),
        answers=tuple(answers),
        waiters=tuple(
            WaiterRecord(
                i=i,
                woken=None if woken is None else i in woken,
                returned=None if returned is None else i in returned,
                won=won[i],
                result=(result := results[i]),
                errno=-result if result is not None and result < 0 else None,
                at_us=times[i],
            )
            for i in range(n)
        ),
        proof={"blocked": "by construction"},
    )


def step(
    woken: int | None = 0,
    returned: int | None = 0,
    won: int = 0,
    *,
    order: Sequence[int] = (),
    queued: int | None = 0,
) -> StepRecord:
    """A StepRecord in which each winner took one connection, and nobody looked whether a return found nothing."""
    return StepRecord(woken, returned, won, won, None, tuple(order), queued)


def seen(*trials: Trial, scenario: Scenario = CENTRE, why_not: dict[str, str | None] | None = None) -> Seen:
    """These trials as a test gets them."""
    return Seen(scenario, trials, ALL_THERE if why_not is None else why_not, names(WOKEN))


def made_claim(level: str = OBSERVED, *, id: str = "made.up", truth: str | None = None, drawing: str = "") -> Claim:
    """A claim that no test judges, and that is not registered."""
    return Claim(id, "Nothing is claimed.", level, (Basis("poll(2) NOTES", "man"),), truth, (), drawing)
