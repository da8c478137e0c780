"""From figures of real traffic to a verdict, in the same words as for a plain audit."""

from __future__ import annotations

from ..judge import HERDS, INCONCLUSIVE, WAKES_ONE, Judgement
from .figures import TrafficFigures

FEWEST = 5
"""The fewest connections to judge by.  Each must have come while at least two workers slept, or the only one."""
_CLEARLY_ONE, _CLEARLY_MORE = 1.1, 1.5
"""Wake-ups per accepted connection, if connections cannot be told apart: up to, and from, which it is clear."""

_FUNCTIONS = "sure: the kernel's functions that led to each wake-up show whether"
SURE = {
    "tcp": (
        f"{_FUNCTIONS} the listener issued it, and each connection is held against the workers that slept when it came"
    ),
    "unix": f"{_FUNCTIONS} the listener issued it; how many workers slept then is not known",
    "udp": (
        f"{_FUNCTIONS} a datagram issued it, and those count whose worker received from this socket, or found nothing "
        "while another received from it; how many workers slept then is not known"
    ),
}


def judge(figures: TrafficFigures, seconds: float, kind: str, *, share_another: bool = False) -> Judgement:
    """The verdict on a listener of this kind (ListeningSocket.kind).  Single connections are seen to arrive only on
    TCP.

    `share_another`: the workers share another UDP socket, so the wake-ups counted are the most there can have been.
    """
    if kind.startswith("udp"):
        if not figures.accepted:
            return _inconclusive(f"no datagram was seen to be taken within {seconds:g} s")
        return _by_all(figures, "datagram", share_another=share_another)
    if not figures.accepted and not figures.totals.arrived:
        return _inconclusive(f"nobody connected within {seconds:g} s; a plain audit makes connections of its own")
    if not figures.accepted:
        return _inconclusive(
            f"{figures.totals.arrived} connections came, and no system call of the workers was seen to accept any"
        )
    return _by_connections(figures) if kind.startswith("tcp") else _by_all(figures, "connection")


def _by_connections(figures: TrafficFigures) -> Judgement:
    woken, asleep = figures.per_connection["woken"], figures.per_connection["asleep"]
    if figures.judged < FEWEST or woken is None or asleep is None:
        few = "two workers or more" if figures.workers > 1 else "the worker"
        return _inconclusive(
            f"{figures.judged} of {figures.totals.arrived} connections came while {few} slept, and whom a connection "
            "wakes shows only then: watch for longer, or when there is less traffic"
        )
    if woken.median == 0:
        return _inconclusive("as a rule a connection woke nobody, although workers slept: who accepts was not seen")
    if round(woken.median) == 1:
        of = f"1 of {asleep.median:g} sleeping workers wakes" if figures.workers > 1 else "the only worker wakes"
        sometimes = f" (at most {woken.max})" if woken.max > 1 else ""
        return Judgement(WAKES_ONE, f"wakes one: {of} for a connection{sometimes}", SURE["tcp"])
    in_vain = figures.each(figures.totals.in_vain) or 0.0
    return Judgement(
        HERDS,
        f"herds: {woken.median:g} of {asleep.median:g} sleeping workers wake for a connection, as a rule; "
        f"{in_vain:.2g} wake-ups in vain for each that is accepted",
        SURE["tcp"],
    )


def _by_all(figures: TrafficFigures, event: str, *, share_another: bool = False) -> Judgement:
    each = figures.each(figures.totals.woken) or 0.0
    in_vain = figures.each(figures.totals.in_vain) or 0.0
    what = "datagram that was taken" if event == "datagram" else "accepted connection"
    words = f"{each:.2g} wake-ups for each {what}, {in_vain:.2g} of them in vain"
    sure = SURE["udp" if event == "datagram" else "unix"]
    if each >= _CLEARLY_MORE and share_another:
        return _inconclusive(
            f"{words}, at most: the workers share another UDP socket, and its datagrams cannot be told from these; "
            "a plain audit, with --send or --dns, sends its own"
        )
    if each >= _CLEARLY_MORE:
        return Judgement(HERDS, f"herds: {words}", sure)
    if each <= _CLEARLY_ONE and each > 0:
        return Judgement(WAKES_ONE, f"wakes one: {words}", sure)
    which = "datagrams" if event == "datagram" else "connections to a unix socket"
    return _inconclusive(f"{words}; {which} cannot be distinguished, so this may be either")


def _inconclusive(why: str) -> Judgement:
    return Judgement(INCONCLUSIVE, f"inconclusive: {why}", "")
