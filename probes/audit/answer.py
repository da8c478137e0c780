"""The answer of an audit, as `--json` prints it: audit.schema.json says what each key is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import host
from ..exits import BROKEN, CANNOT_JUDGE, WELL
from . import judge, names
from .arguments import AuditRequest
from .find import AuditedServer
from .idle import Idle
from .namespace import network_of
from .settings import settings_of
from .waits import Wait

Answer = dict[str, Any]

SCHEMA = 2
"""The version of the format.  It changes when a key is removed or means something else."""
SCHEMA_FILE = Path(__file__).with_name("audit.schema.json")


def nothing_known() -> Answer:
    """Every key that an answer has."""
    unknown = (
        *("listener", "settings", "server", "workers", "strategy", "waits", "woken", "returned", "won", "in_vain"),
        *(
            "others",
            "handed_on",
            "timers",
            "idle",
            "window_ms",
            "accidents",
            "lab",
            "traffic",
            "verdict",
            "sentence",
            "sure",
            "reason",
        ),
    )
    return {
        "schema": SCHEMA,
        "kernel": host.in_one_line(),
        "user": host.user_in_words(),
        **dict.fromkeys(unknown),
        "connections": 0,
        "disturbed": 0,
        "shared": 0,
        "waiters": [],
        "winners": {},
        "observers": {},
        "warnings": [],
        "advice": [],
        "exit_code": CANNOT_JUDGE,
    }


def about(server: AuditedServer) -> Answer:
    """What is known before anything is measured."""
    listener = server.listener
    pid, held = next(iter(server.holders.items()))
    return {
        "listener": {
            "name": listener.name,
            "kind": listener.kind,
            "sockets": len(listener.inodes),
            "other_namespace": listener.namespace != network_of("self"),
            "also": [other.name for other in server.others],
        },
        "settings": vars(settings_of(pid, next(iter(held)))),
        "server": {
            "name": names.name_of(server.anyone),
            "pids": sorted(server.holders),
            "unseen_processes": server.unseen,
        },
    }


def described(wait: Wait, idle: Idle) -> Answer:
    """One worker, as in `waiters`."""
    return {
        "pid": wait.pid,
        "tid": wait.tid,
        "name": wait.name,
        "call": wait.call,
        "listens": wait.listens,
        "trigger": wait.trigger,
        "epoll": None if wait.epoll is None else f"{wait.epoll[0]}:{wait.epoll[1]}",
        "timer_per_s": round(idle.rates.get(wait.tid, 0.0), 2),
    }


def counted(figures: judge.AuditFigures) -> Answer:
    """What the connections showed."""
    spreads = {name: getattr(figures, name) for name in ("woken", "returned", "won", "in_vain")}
    spreads |= {name: getattr(figures, name) for name in ("others", "handed_on", "timers")}
    return {
        **{name: None if spread is None else spread.as_dict() for name, spread in spreads.items()},
        "connections": figures.connections,
        "disturbed": figures.disturbed,
        "shared": figures.shared,
        "winners": {str(who): times for who, times in figures.winners.items()},
        "window_ms": round(figures.window_ms, 2),
        "accidents": round(figures.accidents, 4),
    }


def warnings_for(
    server: AuditedServer, waiting: list[Wait], figures: judge.AuditFigures, reuseport: bool | None
) -> list[str]:
    """What else is wrong with the server, apart from a herd; `reuseport`: whether the listener has SO_REUSEPORT."""
    warnings = []
    sockets = set(server.listener.inodes)
    deserted = sockets - {inode for wait in waiting for inode in wait.inodes}
    if len(sockets) > 1 and deserted and all(wait.inodes for wait in waiting):
        warnings.append(
            f"{len(deserted)} of the {len(sockets)} listeners of this SO_REUSEPORT group have nobody who waits: "
            "a connection that the kernel gives to one of them is not served (socket(7))"
        )
    if reuseport and len(sockets) == 1 and len(waiting) > 1:
        warnings.append(
            "SO_REUSEPORT is set, and changes nothing: there is one listener, which all workers share; the kernel "
            "chooses among sockets, and each worker would have to bind one of its own (socket(7))"
        )
    if figures.contradictory:
        warnings.append(
            f"in {figures.contradictory} of {figures.connections + figures.disturbed} connections sched_waking did not "
            "show what the context switches did, so these are not judged"
        )
    if figures.woken.min == 0 and figures.woken.max > 0:
        warnings.append("some connections woke nobody who waits for the listener")
    return warnings


def untried(verdict: str, limit: int | None) -> str | None:
    """Why it is not known whether more workers than `limit` wake, or None."""
    if verdict == judge.WAKES_NOBODY and limit is not None:
        return f"whether a connection wakes more than {limit} is not known before data arrive"
    return None


def exit_code(verdict: str, figures: judge.AuditFigures, request: AuditRequest, sees_wakers: bool) -> int:
    """0; 1 if more workers wake than --max-woken allows; 3 if that, or the verdict itself, is not known.

    *Wakes nobody* (the listener waits for data) is a verdict, but says nothing about a limit.
    """
    if verdict == judge.INCONCLUSIVE or untried(verdict, request.max_woken):
        return CANNOT_JUDGE
    if request.max_woken is not None and judge.over_limit(figures, request.max_woken, sees_wakers):
        return BROKEN
    return WELL
