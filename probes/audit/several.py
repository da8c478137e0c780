"""A server with several listeners: each is audited, one after the other, and one answer holds all the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..exits import BROKEN, CANNOT_JUDGE, WELL
from .answer import Answer
from .arguments import AuditRequest
from .find import listeners_of
from .words import advice_lines, spread_in_words

_ORDER = (BROKEN, CANNOT_JUDGE, WELL)


def requests_for(request: AuditRequest) -> list[AuditRequest]:
    """One request for each listener to audit: several if `--pid` alone names a server with several listeners.

    Raises BadTarget if there is none.
    """
    wanted = request.wanted
    if request.command or wanted is None or wanted.pid is None or wanted.port is not None or wanted.path is not None:
        return [request]
    listeners = listeners_of(wanted)
    if len({listener.port or listener.address for listener in listeners}) < 2:
        return [request]
    return [
        replace(
            request,
            wanted=replace(wanted, port=listener.port, host=listener.address)
            if listener.port
            else replace(wanted, path=listener.address),
        )
        for listener in listeners
    ]


def together(answers: Sequence[Answer]) -> Answer:
    """One answer that holds those of all listeners, and the worst exit code; an exceeded limit is the worst."""
    codes = {answer["exit_code"] for answer in answers}
    return {
        "schema": answers[0]["schema"],
        "kernel": answers[0]["kernel"],
        "listeners": list(answers),
        "exit_code": next((code for code in _ORDER if code in codes), CANNOT_JUDGE),
    }


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """The table, line by line; its texts must be safe to print."""
    yield f"kernel     {answer['kernel']}"
    yield ""
    rows = [("listener", "workers", "woken", "in vain", "verdict"), *(cells(judged) for judged in answer["listeners"])]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
    for judged in answer["listeners"]:
        yield ""
        yield f"{name_of(judged)}: {judged['sentence']}"
        if judged["waits"]:
            yield f"  {judged['waits']}"
        yield from advice_lines(judged)


def name_of(answer: Mapping[str, Any]) -> str:
    """The listener's name."""
    return str(answer["listener"]["name"]) if answer["listener"] else "a listener"


def cells(answer: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """One row of the table."""
    workers = "?" if answer["workers"] is None else str(answer["workers"])
    figures = ("?" if answer[name] is None else spread_in_words(answer[name]) for name in ("woken", "in_vain"))
    woken, in_vain = figures
    return name_of(answer), workers, woken, in_vain, str(answer["verdict"])
