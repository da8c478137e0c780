"""The evidence of a trial in short phrases, as the page shows them; plain text, no markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ..errnos import errno_name
from .figures import UNKNOWN

MOST_NAMED = 16
"""More waiters than this are shown as ranges: a line for each of a thousand helps nobody."""
MOST_TIMED = 4
"""The time of each of more waiters that fared alike is for programs, and stands in run.json."""
MOST_CALLS = 8
"""System calls of one waiter, and kinds of histories, beyond which the rest is counted."""


def stand_ins(kernel: Mapping[str, Any]) -> str:
    """Which call stood for one that this architecture lacks: `poll: ppoll here`; empty if none had to."""
    return ", ".join(f"{name}: {call} here" for name, call in kernel.get("stand_ins", {}).items())


def states(*trials: Mapping[str, Any], times: bool = True) -> list[tuple[str, str]]:
    """What became of the waiters: (state, waiters), for example ("blocked", "w1-w2 w4").

    Of several trials, in which the same became of each waiter, the times are from the earliest to the latest.
    """
    groups: dict[str, list[list[Mapping[str, Any]]]] = {
        "returned": [],
        "woken, slept again": [],
        "blocked": [],
        "did not return": [],
        "unknown": [],
    }
    for same in zip(*(trial["waiters"] for trial in trials), strict=True):
        groups[_state(same[0])].append(list(same))
    states = [(state, ranges(same[0]["i"] for same in group)) for state, group in groups.items() if group]
    if groups["returned"]:
        states[0] = ("returned", _returned(groups["returned"], times))
    return states


def ranges(numbers: Iterable[int]) -> str:
    """`w0-w3 w5` for 0, 1, 2, 3, 5; two neighbours are named one by one."""
    known = sorted(numbers)
    if len(known) == 1:  # of most connections: an answer in a tenth of the time
        return f"w{known[0]}"
    parts = []
    for _, run in groupby(enumerate(known), key=lambda pair: pair[1] - pair[0]):
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


def remarks(trial: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else the trial tells: (what, text).  Empty if there is nothing beyond the numbers."""
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


def _returned(group: list[list[Mapping[str, Any]]], times: bool) -> str:
    """Who came back, each with its time, or of several trials its times; many that fared alike as a range, with the
    first and the last time."""
    fared: dict[tuple[Any, ...], list[list[Mapping[str, Any]]]] = {}
    for same in group:
        many = (same[0]["errno"], same[0]["won"])
        fared.setdefault(many, []).append(same)
    parts = []
    for members in fared.values():
        if len(members) > MOST_TIMED:
            earliest = min((_times(same) or [0])[0] for same in members)
            parts.append((earliest, _came_back(ranges(same[0]["i"] for same in members), members, times)))
        else:
            parts += [((_times(same) or [0])[0], _came_back(f"w{same[0]['i']}", [same], times)) for same in members]
    # In the order in which they came, which no two trials need to have in common.
    alone = times and len(group[0]) == 1
    return "  ".join(text for _, text in (sorted(parts, key=lambda part: part[0]) if alone else parts))


def _times(same: Sequence[Mapping[str, Any]]) -> list[int]:
    return sorted(waiter["at_us"] for waiter in same if waiter["at_us"] is not None)


def _came_back(who: str, members: Sequence[Sequence[Mapping[str, Any]]], times: bool) -> str:
    """`w3 +0.21ms won`; `w0-w7 +0.20 to +1.10ms EAGAIN`."""
    waiter = members[0][0]
    words = [who]
    if times and (known := sorted(time for same in members for time in _times(same))):
        first, last = _ms(known[0]), _ms(known[-1])
        words.append(f"{first}ms" if first == last else f"{first} to {last}ms")
    if waiter["errno"]:
        words.append(errno_name(waiter["errno"]))
    if waiter["won"]:
        words.append("won" if waiter["won"] == 1 else f"won {waiter['won']}")
    return " ".join(words) if len(members) > 1 else "\N{NO-BREAK SPACE}".join(words)


def _ms(us: int) -> str:
    return f"{us / 1000:+.2f}"


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
        alike.setdefault(_cut(_counted(history), most=MOST_CALLS), []).append(i)
    return _cut([f"{ranges(who)}: {history}" for history, who in alike.items()], "; ", MOST_CALLS)


def _counted(history: Sequence[str]) -> list[str]:
    """Repeats in a row as `poll = 1 (4 times)`."""
    counts = [(text, len(list(run))) for text, run in groupby(history)]
    return [text if times == 1 else f"{text} ({times} times)" for text, times in counts]


def _cut(parts: Sequence[str], between: str = ", ", most: int = MOST_NAMED) -> str:
    """The first parts, and how many more there are."""
    more = len(parts) - most
    shown = between.join(parts[:most])
    return f"{shown}{between}and {more} more" if more > 0 else shown
