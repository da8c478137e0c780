"""The audit, from a request to an answer."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from .. import host
from ..verdict import Inconclusive
from . import advice, compare, count, judge, names, origin
from .arguments import Request
from .caller import Caller
from .find import Server, family_of, find, holders_of, parent_of, pids
from .idle import Idle, measure
from .namespace import network_of
from .returns import Returns
from .settings import settings_of
from .sockets import destination
from .start import Started
from .strategy import Strategy, strategy_of
from .traced import Traced
from .tracepoints import descriptions
from .unix_path import open_file
from .waits import Wait, threads_of, wait_of
from .wakers import Wakers, knows_our_numbers, softirq_threads
from .watch import Watch

WELL, TOO_MANY, CANNOT_JUDGE = 0, 1, 3

Tell = Callable[[str], None]
Answer = dict[str, Any]


def audit(request: Request, tell: Tell) -> Answer:
    """Do what was asked; the answer, as `--json` prints it.  `tell` hears what is being done.

    Raises BadTarget for what cannot be audited at all; what cannot be judged is in the answer.
    """
    answer = _nothing_known()
    with contextlib.ExitStack() as release:
        try:
            if request.command:
                started = release.enter_context(Started(request.command))
                server = started.wait_for(request.wanted, tell)
            else:
                assert request.wanted is not None
                server = find(request.wanted)
            answer.update(_about(server))
            _examine(server, request, answer, tell, release)
        except Inconclusive as reason:
            answer.update(verdict=judge.INCONCLUSIVE, sentence=f"inconclusive: {reason}", reason=str(reason))
    return answer


def _nothing_known() -> Answer:
    """Every key that an answer has."""
    unknown = (
        *("listener", "settings", "server", "workers", "strategy", "waits", "woken", "returned", "won", "spurious"),
        *("others", "handed_on", "timers", "window_ms", "accidents", "lab", "verdict", "sentence", "sure", "reason"),
    )
    return {
        "schema": 1,
        "kernel": host.in_one_line(),
        "user": host.user_in_words(),
        **dict.fromkeys(unknown),
        "connections": 0,
        "disturbed": 0,
        "waiters": [],
        "winners": {},
        "observers": {},
        "warnings": [],
        "advice": [],
        "exit_code": CANNOT_JUDGE,
    }


def _about(server: Server) -> Answer:
    """What is known before anything was measured."""
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


def _examine(server: Server, request: Request, answer: Answer, tell: Tell, release: contextlib.ExitStack) -> None:
    # What forks comes before what starts threads (a progress display).
    caller = _caller(server)
    release.callback(caller.close)
    if not caller.fence_proves:
        raise Inconclusive(f"nobody can say when all wake-ups were issued; fence: {caller.fence}")
    family = {one for pid in server.holders for one in family_of(pid)} - {os.getpid(), caller.pid}
    watch = Watch(sorted(family))
    release.callback(watch.close)
    eyes, missing = _open_eyes(watch, release)
    answer["observers"] = {"switches": None, **missing}

    idle = measure(watch, lambda: [one.tid for one in watch.waits(server.holders) if one.is_candidate], tell)
    waiting, peers, strategy = _arrangement(server, watch)
    workers = len(waiting) + peers
    answer.update(workers=workers, strategy=strategy.id, waits=strategy.sentence)
    answer["waiters"] = [_described(wait, idle) for wait in waiting]
    if request.trace:
        eyes.traced = Traced(wait.tid for wait in waiting)
        release.callback(eyes.traced.close)
        eyes.returns = None
        answer["observers"]["syscall_exit"] = None

    holds_back = bool(answer["settings"]["defer_accept_s"])
    counter = count.Counter(server, watch, caller, eyes, strategy, fewest=len(waiting), holds_back=holds_back)
    made = count.run(
        counter,
        watch,
        request.connections,
        request.rate,
        request.data,
        lambda i: tell(f"connection {i} of {request.connections}"),
    )
    _complain_about_newcomers(server)
    figures = judge.figures_of(made, idle)
    verdict = judge.judge(figures, workers, eyes.wakers is not None)
    _note(answer, figures, watch)
    answer.update(verdict.as_dict())
    tell("measuring the same strategy in the lab")
    answer["lab"] = compare.measure(strategy.scenario(server.listener.kind, strategy.per_socket)).as_dict()
    answer["advice"] = advice.advice_for(_situation(verdict.verdict, server, waiting, strategy, answer["settings"]))
    answer["warnings"] = _warnings(server, waiting, figures)
    answer["exit_code"] = _exit_code(verdict.verdict, figures, request, eyes.wakers is not None)
    if verdict.verdict == judge.INCONCLUSIVE:
        answer["reason"] = verdict.sentence.partition(": ")[2]


def _complain_about_newcomers(server: Server) -> None:
    """Raise Inconclusive where a process that came meanwhile waits for the listener: nobody counted its wake-ups.

    A child that was forked for one connection holds the listener too, and waits for its client.
    """
    now, _ = holders_of(server.listener.inodes)
    for pid in now.keys() - server.holders.keys():
        for tid in threads_of(pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if wait_of(pid, tid, now[pid]).listens:
                    raise Inconclusive(
                        f"process {pid} came during the audit, and waits for the listener too: "
                        "audit again when all workers have started"
                    )


def _caller(server: Server) -> Caller:
    listener, pid = server.listener, server.anyone
    beside = None if listener.namespace == network_of("self") else pid
    if listener.kind == "unix":
        file = open_file(listener, server.holders)
        try:
            return Caller(socket.AF_UNIX, file, beside)
        finally:
            os.close(file)
    family, address = destination(listener, pid)
    return Caller(family, address, beside)


def _open_eyes(watch: Watch, release: contextlib.ExitStack) -> tuple[count.Eyes, dict[str, str | None]]:
    """The observers that may be had here, and why the others may not."""
    eyes = count.Eyes(softirqs=softirq_threads(pids()))
    missing: dict[str, str | None] = {}
    names = {"sched_waking": "sched/sched_waking", "sys_exit": "raw_syscalls/sys_exit"}
    for name, found in zip(names, descriptions(list(names.values())).values(), strict=True):
        missing[name] = found if isinstance(found, str) else None
        if isinstance(found, str):
            continue
        try:
            if name == "sched_waking" and not knows_our_numbers(found):
                missing[name] = "the trace numbers threads as another pid namespace does"
            elif missing["sched_waking"] is not None:
                missing[name] = missing["sched_waking"]
            elif name == "sched_waking":
                eyes.wakers = Wakers(found, set(watch.threads))
                release.callback(eyes.wakers.close)
            else:
                eyes.returns = Returns(found, set(watch.threads))
                release.callback(eyes.returns.close)
        except OSError as error:
            missing[name] = f"perf_event_open: {error.strerror or error}"
    return eyes, missing


def _arrangement(server: Server, watch: Watch) -> tuple[list[Wait], int, Strategy]:
    """Who waits for the listener, how many of their kind do not just now, and the strategy.

    Raises Inconclusive where nobody waits.
    """
    found: list[Wait] = []

    def somebody_waits() -> bool:
        found[:] = watch.waits(server.holders)
        return any(wait.is_candidate for wait in found)

    watch.at_rest(count.REST_S, "no thread of the server was seen waiting for the listener", somebody_waits)
    waiting = [wait for wait in found if wait.is_candidate]
    if any(wait.listens for wait in waiting):
        waiting = [wait for wait in waiting if wait.listens or wait.call == waiting[0].call]
    return (
        waiting,
        _peers(server, found, waiting),
        strategy_of(waiting, _peers(server, found, waiting), server.listener, len(server.holders)),
    )


def _peers(server: Server, found: list[Wait], waiting: list[Wait]) -> int:
    """Processes that hold the listener beside the waiting ones, are of the same parent and name, and wait alike.

    They take turns, as nginx' workers do with accept_mutex: who has its turn has it registered.
    """
    busy = {wait.pid for wait in waiting}
    kinds = set()
    for wait in waiting:
        with contextlib.suppress(OSError):
            kinds.add((parent_of(wait.pid), wait.name))
    number = 0
    for wait in found:
        if wait.pid not in busy and wait.pid in server.holders and wait.tid == wait.pid:
            with contextlib.suppress(OSError):
                number += (parent_of(wait.pid), wait.name) in kinds
    return number


def _described(wait: Wait, idle: Idle) -> Answer:
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


def _note(answer: Answer, figures: judge.Figures, watch: Watch) -> None:
    for name in ("woken", "returned", "won", "spurious", "others", "handed_on", "timers"):
        spread = getattr(figures, name)
        answer[name] = None if spread is None else spread.as_dict()
    answer["connections"] = figures.connections
    answer["disturbed"] = figures.disturbed
    answer["winners"] = {str(who): times for who, times in figures.winners.items()}
    answer["window_ms"] = round(figures.window_ms, 2)
    answer["accidents"] = round(figures.accidents, 4)


def _warnings(server: Server, waiting: list[Wait], figures: judge.Figures) -> list[str]:
    """What is wrong with the server apart from a herd."""
    found = []
    sockets = set(server.listener.inodes)
    deserted = sockets - {inode for wait in waiting for inode in wait.inodes}
    if len(sockets) > 1 and deserted and all(wait.inodes for wait in waiting):
        found.append(
            f"{len(deserted)} of the {len(sockets)} listeners of this SO_REUSEPORT group have nobody who waits: "
            "a connection that the kernel gives to one of them is not served (socket(7))"
        )
    if figures.woken.min == 0 and figures.woken.max > 0:
        found.append("some connections woke nobody who waits for the listener")
    return found


def _exit_code(verdict: str, figures: judge.Figures, request: Request, sees_wakers: bool) -> int:
    if verdict in (judge.INCONCLUSIVE, judge.WAKES_NOBODY):
        return CANNOT_JUDGE
    if request.max_woken is not None and judge.over_limit(figures, request.max_woken, sees_wakers):
        return TOO_MANY
    return WELL


def _situation(
    verdict: str, server: Server, waiting: list[Wait], strategy: Strategy, settings: Answer
) -> advice.Situation:
    """What advice depends on."""
    workers = sorted({wait.pid for wait in waiting})
    try:
        program = origin.same_program(workers[0], server.holders)
        handed_over_by = origin.handed_over_by(workers, server.holders)
    except OSError as error:
        raise Inconclusive(f"process {workers[0]} of the server has just ended") from error
    first = min(program, default=workers[0])
    words = names.command_line(first)
    called = {names.name_of(pid) for pid in program} | {wait.name for wait in waiting}
    return advice.Situation(
        verdict=verdict,
        call=waiting[0].call,
        trigger=waiting[0].trigger,
        sharing=strategy.sharing,
        threads=strategy.threads,
        is_tcp=server.listener.port != 0,
        sockets=len(server.listener.inodes),
        reuseport=settings["reuseport"],
        handed_over_by=handed_over_by,
        names=frozenset(called),
        options=names.options_of(words, names.environment(first)),
        options_known=bool(words) and not names.is_title(words),
        version=names.version_of(first, names.name_of(first)),
    )
