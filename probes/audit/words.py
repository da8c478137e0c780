"""The answer, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .closed import in_words
from .judge import INCONCLUSIVE, WAKES_NOBODY
from .traffic import words as traffic_words

_COUNTS = (
    ("woken", "the scheduler made it runnable"),
    ("returned", "its wait call came back"),
    ("won", "it took the connection"),
    ("in_vain", "woken, and took nothing"),
)


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """The answer, line by line; its texts must be safe to print (printable.py)."""
    if answer["listener"]:
        yield from _server(answer["listener"], answer["server"])
    yield f"kernel     {answer['kernel']}, {answer['user']}"
    if answer["waits"]:
        yield f"waits      {answer['waits']}"
    if settings := _settings(answer["settings"] or {}):
        yield f"listener   {settings}"
    timers = sum(waiter["timer_per_s"] for waiter in answer["waiters"])
    if timers:
        sources = (answer["idle"] or {}).get("sources") or {}
        by = ", ".join(f"{source} {number}" for source, number in sources.items())
        yield f"idle       the workers wake {timers:.1f} times a second before the audit connects{by and f' ({by})'}"
    if answer["traffic"]:
        yield ""
        yield from traffic_words.head(answer)
    elif answer["woken"] is not None:
        yield ""
        event = "datagram" if answer["listener"]["kind"].startswith("udp") else "connection"
        yield f"{answer['connections']} {event}s, one at a time; workers per {event}:"
    if answer["woken"] is not None:
        for name, meaning in _COUNTS:
            # A worker that one connection woke may take another one that has come meanwhile.
            meant = meaning.replace("the connection", "a connection") if answer["traffic"] else meaning
            yield f"  {name.replace('_', ' '):9} {spread_in_words(answer[name]):22} {meant}"
        if answer["disturbed"]:
            why = "a timer, another client or the server itself woke a worker, or the observers disagreed"
            yield f"  (not counted: {answer['disturbed']} more, where {why})"
        if answer["winners"] and not answer["traffic"]:
            yield f"  winners   {_winners(answer['winners'])}"
        if not answer["traffic"]:
            yield from _traffic(answer)
    if answer["traffic"]:
        yield from traffic_words.tail(answer)
    yield ""
    yield str(answer["sentence"])
    if answer["sure"] and answer["verdict"] != INCONCLUSIVE:
        yield f"  {answer['sure']}"
    if answer["lab"]:
        yield f"  {lab_in_words(answer['lab'])}"
        if answer["verdict"] == WAKES_NOBODY and answer["lab"]["woken"] is not None:
            yield "  (the lab's listener does not wait for data: expect this once data arrive)"
    yield from advice_lines(answer)
    for name, why in answer["observers"].items():
        if why is not None:
            yield f"  no {name}: {why}"
    if answer["server"] and (unseen := answer["server"]["unseen_processes"]):
        yield f"  {in_words(unseen)} cannot be inspected, so it is not known whether they hold the listener, too"


def advice_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Warnings, and what to change."""
    for warning in answer["warnings"]:
        yield f"  warning: {warning}"
    for advice in answer["advice"]:
        yield f"  -> {advice}"


def _server(listener: Mapping[str, Any], server: Mapping[str, Any]) -> Iterator[str]:
    yield f"server     {server['name']} on {listener['name']} ({listener['kind']}), {_pids(server['pids'])}"
    if listener["other_namespace"]:
        yield "           in a network namespace of its own"
    if listener["also"]:
        yield f"           not audited: {', '.join(listener['also'])}"


def spread_in_words(spread: Mapping[str, Any] | None) -> str:
    """`4`, `1 to 4, median 2`, or `not observed`."""
    if spread is None:
        return "not observed"
    if spread["min"] == spread["max"]:
        return f"{spread['min']}"
    return f"{spread['min']} to {spread['max']}, median {spread['median']:g}"


def lab_in_words(lab: Mapping[str, Any]) -> str:
    """What the lab measured, as a sentence."""
    if lab["woken"] is None:
        return f"the lab has no figure: {lab['why_not']}"
    return f"the lab wakes {spread_in_words(lab['woken'])} for {lab['scenario']} on this kernel, now"


def _pids(pids: list[int]) -> str:
    return f"process {pids[0]}" if len(pids) == 1 else f"{len(pids)} processes: {_some(pids)}"


def _some(pids: list[int]) -> str:
    return " ".join(map(str, pids[:8])) + (" ..." if len(pids) > 8 else "")


def _settings(settings: Mapping[str, Any]) -> str:
    parts = []
    if settings.get("backlog") is not None:
        parts.append(f"backlog {settings['backlog']}")
    if settings.get("reuseport"):
        parts.append("SO_REUSEPORT")
    if settings.get("defer_accept_s"):
        parts.append(f"TCP_DEFER_ACCEPT {settings['defer_accept_s']} s: it wakes nobody until data arrive")
    if settings.get("why_not"):
        parts.append(f"its settings could not be read ({settings['why_not']})")
    return ", ".join(parts)


def _winners(winners: Mapping[str, int]) -> str:
    return ", ".join(f"{who}: {times}" for who, times in winners.items())


def _traffic(answer: Mapping[str, Any]) -> Iterator[str]:
    """What moved besides the herd."""
    if answer["others"]["max"]:
        yield f"  others    {spread_in_words(answer['others']):22} threads that do not wait for the listener moved"
    if answer["handed_on"] and answer["handed_on"]["max"]:
        yield f"  handed on {spread_in_words(answer['handed_on']):22} workers that the server itself woke"
    if answer["timers"] and answer["timers"]["max"]:
        yield f"  timers    {spread_in_words(answer['timers']):22} workers that a timer woke meanwhile"
