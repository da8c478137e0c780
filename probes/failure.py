"""The text of a broken claim: what was seen, what is allowed, what it rests on, how to see it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import facts
from .claims import Claim
from .evidence import Trial
from .seen import Contradiction, Seen, plain

_COUNTED = {
    "woken": "were woken",
    "returned": "returned",
    "won": "took a connection",
    "spurious": "returned and found nothing",
}


def explain(claim: Claim, first: str, evidence: Iterable[str], *, kernel: str, test: str, command: str) -> str:
    """The whole failure text of a broken claim.

    `first` is one sentence on what was seen, and `evidence` the lines of `of_trials` or `of_facts`; `kernel` is
    host.in_one_line(), `test` where the test is, and `command` what repeats the case.
    """
    lines = [
        f"{first:<70}  {claim.id} ({claim.level})",
        *evidence,
        f"  claim      {claim.sentence}",
        f"  kernel     {kernel}",
        f"  basis      {'; '.join(map(str, claim.basis))}",
        f"  test       {test}",
        f"  again      {command}",
    ]
    if claim.drawing.strip():
        lines += ["", *claim.drawing.rstrip().strip("\n").splitlines()]
    return "\n".join(lines)


def of_trials(seen: Seen) -> list[str]:
    """What the first trial that contradicted the claim showed."""
    worst = seen.contradictions[0]
    kind = "traced" if worst.trial.traced else "untraced"
    return [
        f"  {waiters_line(worst.trial)}",
        f"  observers  {observers_line(worst.trial)}",
        f"  trials     {len(seen.contradictions)} of {len(seen.trials)} trials; this one is {kind}",
    ]


def of_facts(experiments: Iterable[str], noted: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each fact against what the claim allows; those of which it asks nothing, too.  `experiments` noted them."""
    lines = [f"  experiment {experiment}" for experiment in experiments]
    for fact in noted:
        if not facts.is_met(fact):
            lines.append(f"  differs    {facts.complaint(fact)}")
        else:
            how = "as allowed" if "expected" in fact else "noted"
            lines.append(f"  {how:10} {fact['what']}: {facts.in_words(fact['seen'])}")
    return lines


def again(scenario_id: str) -> str:
    """The command that repeats a scenario."""
    return f"wakecheck run {scenario_id} --trials 25 --timeline"


def sentence(contradiction: Contradiction, n: int) -> str:
    """One sentence: what was seen, and what the claim allows."""
    what, value, allowed = contradiction.what, contradiction.value, contradiction.allowed
    if what in _COUNTED:
        return f"{value} of {n} waiters {_COUNTED[what]}; the claim allows {allowed}"
    return f"{what}: {plain(value)}; the claim allows {allowed}"


def waiters_line(trial: Trial) -> str:
    """Every waiter in one of three states, those that returned with the time since the stimulus."""
    returned = sorted((w for w in trial.waiters if w.returned), key=lambda w: w.at_us or 0)
    silent = [w for w in trial.waiters if w.woken and not w.returned]
    still = [w for w in trial.waiters if not w.woken and not w.returned]
    parts = []
    if returned:
        times = "  ".join(f"w{w.i} {(w.at_us or 0) / 1000:+.2f}ms" for w in returned[:8])
        parts.append(f"returned   {times}" + (f" and {len(returned) - 8} more" if len(returned) > 8 else ""))
    if silent:
        parts.append(f"woken, slept again  {names(w.i for w in silent)}")
    if still:
        unknown = any(w.woken is None for w in still)
        parts.append(f"{'not returned' if unknown else 'blocked'}  {names(w.i for w in still)}")
    return "        ".join(parts) or "nothing is known of the waiters"


def observers_line(trial: Trial) -> str:
    """What each observer counted, and whether they agree."""
    counted = "  ".join(f"{name}={'-' if count is None else count}" for name, count in trial.observers.items())
    return f"{counted}     {'agree' if trial.agree else 'DISAGREE'}"


def names(places: Iterable[int]) -> str:
    """`w1 w2 w4-w7`: waiters by name, runs of three and more drawn together."""
    numbers = sorted(places)
    parts: list[str] = []
    start = 0
    for end in range(1, len(numbers) + 1):
        if end < len(numbers) and numbers[end] == numbers[end - 1] + 1:
            continue
        run = numbers[start:end]
        parts += [f"w{run[0]}-w{run[-1]}"] if len(run) > 2 else [f"w{i}" for i in run]
        start = end
    return " ".join(parts)
