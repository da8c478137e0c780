"""What `run` prints: figures of each trial, a histogram over all, and who woke whom, when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.box import ASCII, HEAVY_HEAD
from rich.console import Console
from rich.table import Table

from .evidence import Trial
from .failure import observers_line, waiters_line

_COUNTS = ("woken", "returned", "won", "spurious")
_BAR_WIDTH = 40
_MOST_LINES = 60


def print_histogram(trials: Sequence[Trial], console: Console) -> None:
    """How often each figure of the untraced trials came out, one row per figure and value; a traced trial apart."""
    untraced = [trial for trial in trials if not trial.traced]
    _print_table(untraced, console)
    for trial in trials:
        if trial.traced and trial.inconclusive is None:
            console.print(f"traced, and not counted above: {_figures(trial)}", highlight=False)
    for reason, times in Counter(trial.inconclusive for trial in trials if trial.inconclusive).items():
        console.print(f"inconclusive, {times} of {len(trials)}: {reason}", markup=False, highlight=False)
    _print_orders(untraced, console)


def _print_table(trials: Sequence[Trial], console: Console) -> None:
    ascii_only = not console.encoding.lower().startswith("utf")
    title = "1 untraced trial" if len(trials) == 1 else f"{len(trials)} untraced trials"
    table = Table(title=title, title_justify="left", box=ASCII if ascii_only else HEAVY_HEAD)
    for heading in ("waiters", "count", "trials", ""):
        table.add_column(heading, justify="right" if heading in ("count", "trials") else "left")
    for name in (*_COUNTS, "connections"):
        counts = Counter(getattr(trial, name) for trial in trials if trial.inconclusive is None)
        label = "taken in all" if name == "connections" else name
        for value, times in sorted(counts.items(), key=lambda pair: (pair[0] is None, pair[0] or 0)):
            width = 0 if value is None else max(1, round(_BAR_WIDTH * times / len(trials)))
            bar = ("#" if ascii_only else "█") * width
            table.add_row(label, "?" if value is None else str(value), str(times), bar)
            label = ""
    console.print(table)


def _figures(trial: Trial) -> str:
    return ", ".join(f"{name} {_shown(getattr(trial, name))}" for name in _COUNTS)


def _print_orders(trials: Sequence[Trial], console: Console) -> None:
    orders = Counter(trial.order for trial in trials if len(trial.order) > 1)
    for order, times in orders.most_common(4):
        shown = " ".join(f"w{i}" for i in order[:24]) + (" ..." if len(order) > 24 else "")
        console.print(f"order of return, {times} of {len(trials)}: {shown}", highlight=False)


def print_timeline(trial: Trial, console: Console) -> None:
    """One trial: every wake-up and every traced exit since the stimulus began, in order of time."""
    kind = "traced" if trial.traced else "untraced"
    console.print(f"\n{kind} trial: {_figures(trial)}")
    console.print(f"  {waiters_line(trial)}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"  observers  {observers_line(trial)}", markup=False, highlight=False, soft_wrap=True)
    events = sorted(_events(trial))
    for at_us, words in events[:_MOST_LINES]:
        console.print(f"  {at_us / 1000:+10.3f} ms  {words}", markup=False, highlight=False)
    if len(events) > _MOST_LINES:
        console.print(f"  ... and {len(events) - _MOST_LINES} more")
    for what, how in trial.proof.items():
        console.print(f"  {what + ':':11} {how}", markup=False, highlight=False, soft_wrap=True)


def _events(trial: Trial) -> Iterable[tuple[int, str]]:
    for waking in trial.wakings:
        yield waking.at_us, f"{waking.waker} wakes w{waking.wakee}"
    for waiter in trial.waiters:
        if waiter.returned and waiter.at_us is not None:
            yield waiter.at_us, f"w{waiter.i} is back in user space"
    for call_exit in trial.exits:
        yield call_exit.at_us, f"w{call_exit.i} {call_exit.call} = {call_exit.errno or call_exit.result}"


def _shown(count: int | None) -> str:
    return "?" if count is None else str(count)
