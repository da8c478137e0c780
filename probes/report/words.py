"""The evidence of a trial in short phrases, as the page shows them; plain text, no markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ..errnos import errno_name
from .figures import UNKNOWN

MOST_NAMED = 16
"""More waiters than this are shown as ranges: a line for each of a thousand helps nobody."""


def stand_ins(kernel: Mapping[str, Any]) -> str:
    """Which call stood for one that this architecture lacks: `poll: ppoll here`; empty where none had to."""
    return ", ".join(f"{name}: {call} here" for name, call in kernel.get("stand_ins", {}).items())


def states(trial: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What became of the waiters: (state, waiters), for example ("blocked", "w1-w2 w4")."""
    groups: dict[str, list[Mapping[str, Any]]] = {
        "returned": [],
        "woken, slept again": [],
        "blocked": [],
        "did not return": [],
        "unknown": [],
    }
    for waiter in trial["waiters"]:
        groups[_state(waiter)].append(waiter)
    states = [(state, ranges(waiter["i"] for waiter in group)) for state, group in groups.items() if group]
    if groups["returned"]:
        states[0] = ("returned", _returned(groups["returned"]))
    return states


def ranges(numbers: Iterable[int]) -> str:
    """`w0-w3 w5` for 0, 1, 2, 3, 5; two neighbours are named one by one."""
    parts = []
    for _, run in groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        if len(members) > 2:
            parts.append(f"w{members[0]}-w{members[-1]}")
        else:
            parts += [f"w{number}" for number in members]
    return " ".join(parts)


def observers(trial: Mapping[str, Any]) -> str:
    """`counters=8 switches=8 sched_waking=?`: how many waiters each observer saw."""
    names = {"syscall_exit": "syscall exits"}
    return "  ".join(
        f"{names.get(name, name)}={UNKNOWN if count is None else count}"
        for name, count in trial["observers"].items()
        # An untraced trial has no tracer to ask: that is not an observer that failed.
        if trial["traced"] or name != "syscall_exit"
    )


def timing(trial: Mapping[str, Any]) -> str:
    """`arrange 14.2  stimulate 2.0 ms`: how long each phase took."""
    phases = "  ".join(f"{phase} {us / 1000:.1f}" for phase, us in trial["timing_us"].items())
    return f"{phases} ms" if phases else ""


def remarks(trial: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else the trial tells: (what, text).  Empty where there is nothing beyond the numbers."""
    lines: list[tuple[str, str]] = []
    if trial["inconclusive"]:
        lines.append(("inconclusive", trial["inconclusive"]))
    elif not trial["agree"]:
        lines.append(("inconclusive", "observers disagree"))
    lines += [("without", f"{name}: {reason}") for name, reason in trial["missing"].items()]
    if len(trial["steps"]) > 1:
        lines.append(("step by step", _cut([_who(step["order"]) for step in trial["steps"]])))
    if any(trial["answers"]) and list(map(list, trial["answers"])) != [list(step["order"]) for step in trial["steps"]]:
        lines.append(("answered by", _cut([_who(who) for who in trial["answers"]])))
    if trial["wakings"] and not trial["traced"]:
        lines.append(("woken by", _wakers(trial["wakings"])))
    if trial["exits"]:
        lines.append(("syscalls", _exits(trial["exits"])))
    return lines


def _state(waiter: Mapping[str, Any]) -> str:
    if waiter["returned"]:
        return "returned"
    if waiter["returned"] is None:
        return "unknown"
    if waiter["woken"] is None:
        return "did not return"
    return "woken, slept again" if waiter["woken"] else "blocked"


def _returned(group: list[Mapping[str, Any]]) -> str:
    """In the order of their times.  A large herd: its range, and the first and the last time."""
    timed = sorted(group, key=lambda waiter: (waiter["at_us"] is None, waiter["at_us"]))
    if len(group) <= MOST_NAMED:
        return "  ".join(_came_back(waiter) for waiter in timed)
    times = [waiter["at_us"] for waiter in timed if waiter["at_us"] is not None]
    span = f" {_ms(times[0])} to {_ms(times[-1])}" if times else ""
    winners = [waiter["i"] for waiter in group if waiter["won"]]
    won = f", won: {ranges(winners)}" if winners else ""
    return f"{ranges(waiter['i'] for waiter in group)}{span}{won}"


def _came_back(waiter: Mapping[str, Any]) -> str:
    words = [f"w{waiter['i']}"]
    if waiter["at_us"] is not None:
        words.append(_ms(waiter["at_us"]))
    if waiter["errno"]:
        words.append(errno_name(waiter["errno"]))
    if waiter["won"]:
        words.append("won" if waiter["won"] == 1 else f"won {waiter['won']}")
    return "\N{NO-BREAK SPACE}".join(words)


def _ms(us: int) -> str:
    return f"{us / 1000:+.2f}ms"


def _who(waiters: Sequence[int]) -> str:
    """One connection's waiters: `w3`, `w0-w7`, or `none`."""
    return ranges(waiters) or "none"


def _wakers(wakings: Sequence[Mapping[str, Any]]) -> str:
    """`conductor → w3 w2; w3 → w1`: each run of wake-ups by one waker, in order."""
    runs = []
    for waker, run in groupby(wakings, key=lambda waking: str(waking["waker"])):
        wakees = [int(waking["wakee"]) for waking in run]
        shown = " ".join(f"w{i}" for i in wakees) if len(wakees) <= MOST_NAMED else ranges(set(wakees))
        runs.append(f"{waker} \N{RIGHTWARDS ARROW} {shown}")
    return _cut(runs, "; ")


def _exits(exits: Sequence[Mapping[str, Any]]) -> str:
    """`w0: poll = 1, accept4 = 9; w1-w7: poll = 1, accept4 = EAGAIN`: waiters that did the same, together."""
    histories: dict[int, list[str]] = {}
    for call in exits:
        histories.setdefault(call["i"], []).append(f"{call['call']} = {call['errno'] or call['result']}")
    alike: dict[str, list[int]] = {}
    for i, history in histories.items():
        alike.setdefault(_cut(_counted(history), ", "), []).append(i)
    return _cut([f"{ranges(who)}: {history}" for history, who in alike.items()], "; ")


def _counted(history: Sequence[str]) -> list[str]:
    """Repeats in a row as `poll = 1 (4 times)`."""
    counts = [(text, len(list(run))) for text, run in groupby(history)]
    return [text if times == 1 else f"{text} ({times} times)" for text, times in counts]


def _cut(parts: Sequence[str], between: str = ", ") -> str:
    """The first parts, and how many more there are."""
    more = len(parts) - MOST_NAMED
    shown = between.join(parts[:MOST_NAMED])
    return f"{shown}{between}and {more} more" if more > 0 else shown
