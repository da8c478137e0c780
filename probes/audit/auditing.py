"""The audit, from a request to an answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable

from .. import syscalls
from ..exits import BROKEN, CANNOT_JUDGE, WELL
from ..verdict import Inconclusive
from . import advice, answer, compare, count, judge, names, origin
from .answer import Answer
from .arguments import AuditRequest
from .caller import Caller
from .eyes import open_eyes
from .find import AuditedServer, family_of, find
from .idle import measure
from .namespace import network_of
from .returns import why_returns_tell_nothing
from .situation import situation_of
from .sockets import destination
from .start import Started
from .traced import Traced
from .traffic import watching
from .unix_path import open_file
from .watch import NotIdle, ServerThreads
from .workers import newcomer, workers_of

Tell = Callable[[str], None]

OFFER = "add --watch 10: it connects to nothing, and counts for 10 s what the server's own clients do to it"
"""The advice for a server that does not idle."""


def audit(request: AuditRequest, tell: Tell) -> Answer:
    """Audit the server; returns the answer, as `--json` prints it.  `tell` gets what is being done, in words.

    Raises BadTarget if it cannot be audited at all.  If it cannot be judged, the answer says why.
    """
    known = answer.nothing_known()
    # A process that ignores SIGCHLD cannot wait for its children (wait(2)).  We may have inherited that, and blocked
    # signals, from whoever started us (execve(2)).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with contextlib.ExitStack() as release:
        try:
            if request.command:
                started = release.enter_context(Started(request.command))
                server = started.wait_for(request.wanted, tell)
            else:
                assert request.wanted is not None
                server = find(request.wanted)
            known.update(answer.about(server))
            _refuse_foreign_architecture(server)
            if request.watch_s is not None:
                _watch(server, request, known, tell, release)
                return known
            _examine(server, request, known, tell, release)
        except Inconclusive as reason:
            known.update(verdict=judge.INCONCLUSIVE, sentence=f"inconclusive: {reason}", reason=str(reason))
            if isinstance(reason, NotIdle) and not request.command:
                known["advice"] = [OFFER]
    return known


def _refuse_foreign_architecture(server: AuditedServer) -> None:
    """Raise Inconclusive if the server was built for another architecture, whose system calls have other numbers."""
    for pid in server.holders:
        theirs = syscalls.architecture_of(pid)
        if theirs not in (None, syscalls.ARCHITECTURE):
            raise Inconclusive(
                f"process {pid} is a program for {theirs}, whose system calls have other numbers than those of this "
                f"Python for {syscalls.ARCHITECTURE}: audit it with a Python for {theirs}"
            )


def _examine(
    server: AuditedServer, request: AuditRequest, known: Answer, tell: Tell, release: contextlib.ExitStack
) -> None:
    """Watch the server, connect to it, and judge; adds everything that becomes known to `known`."""
    # Fork before anything starts a thread (a progress display does).
    caller = _caller(server, request.data)
    release.callback(caller.close)
    if not caller.fence_proves:
        raise Inconclusive(f"nobody can say when all wake-ups were issued; fence: {caller.fence}")
    family = family_of(server.holders) - {os.getpid(), caller.pid}
    watch = ServerThreads(sorted(family))
    release.callback(watch.close)
    eyes = open_eyes(set(watch.threads), release, over_lo=bool(server.listener.port))
    watch.woken, watch.missed = eyes.woken, eyes.missed
    known["observers"] = {"switches": None, **eyes.why_not}

    idle = measure(watch, lambda: [wait.tid for wait in watch.waits(server.holders) if wait.is_candidate], eyes, tell)
    known["idle"] = idle.as_dict()
    watch.ticking = idle.ticking
    workers = workers_of(server, watch, count.REST_S)
    known.update(workers=workers.number, strategy=workers.way.id, waits=workers.way.sentence)
    # The lowest pid among those that hold the listener may be that of systemd, or of a supervisor.
    known["server"]["name"] = names.name_of(origin.first_of_program(workers.waiting[0].pid, server.holders))
    known["waiters"] = [answer.described(wait, idle) for wait in workers.waiting]
    if request.trace:
        if reason := why_returns_tell_nothing():
            raise Inconclusive(f"--trace: {reason}")
        eyes.traced = Traced(wait.tid for wait in workers.waiting)
        release.callback(eyes.traced.close)
        eyes.returns = None
        known["observers"]["syscall_exit"] = None

    holds_back = bool(known["settings"]["defer_accept_s"])
    counter = count.Counter(
        server, watch, caller, eyes, workers.way, fewest=len(workers.waiting), holds_back=holds_back
    )
    try:
        connections = count.run(
            counter,
            watch,
            request.connections,
            request.rate,
            b"" if server.listener.takes_datagrams else request.data,
            lambda i: tell(f"connection {i} of {request.connections}"),
        )
    except Inconclusive:
        if (pid := newcomer(server)) is None:
            raise
        raise Inconclusive(
            f"process {pid} ({names.name_of(pid)}) was started by a connection, and waits for the listener since: "
            "audit once more, while it runs"
        ) from None
    if (pid := newcomer(server)) is not None:
        raise Inconclusive(
            f"process {pid} came during the audit, and waits for the listener too: audit again when all workers "
            "have started"
        )
    figures = judge.figures_of(connections, request.connections, idle)
    sees_wakers = eyes.wakers is not None
    event = "datagram" if server.listener.takes_datagrams else "connection"
    verdict = judge.judge(figures, workers.number, sees_wakers, event)
    known.update(answer.counted(figures))
    known.update(verdict.as_dict())
    watch.close()  # before the lab forks
    tell("measuring the same strategy in the lab")
    scenario = workers.way.scenario(server.listener.kind, workers.way.per_socket)
    known["lab"] = compare.measure(scenario).as_dict()
    known["advice"] = advice.advice_for(situation_of(verdict.verdict, server, workers, known["settings"]))
    known["warnings"] = answer.warnings_for(server, workers.waiting, figures, known["settings"]["reuseport"])
    if reason := answer.untried(verdict.verdict, request.max_woken):
        known["warnings"].append(reason)
    known["exit_code"] = answer.exit_code(verdict.verdict, figures, request, sees_wakers)
    if verdict.verdict == judge.INCONCLUSIVE:
        known["reason"] = verdict.sentence.partition(": ")[2]
        if figures.accidents > judge.MOST_ACCIDENTS and not sees_wakers:
            known["advice"] = [OFFER]


def _watch(
    server: AuditedServer, request: AuditRequest, known: Answer, tell: Tell, release: contextlib.ExitStack
) -> None:
    """Count what the server's own clients do; adds everything that becomes known to `known`."""
    assert request.watch_s is not None
    verdict, workers = watching.watch(server, request.watch_s, known, tell, release)
    known.update(verdict.as_dict())
    tell("measuring the same strategy in the lab")
    known["lab"] = compare.measure(workers.way.scenario(server.listener.kind, workers.way.per_socket)).as_dict()
    known["advice"] = advice.advice_for(situation_of(verdict.verdict, server, workers, known["settings"]))
    if verdict.verdict == judge.INCONCLUSIVE:
        known["reason"] = verdict.sentence.partition(": ")[2]
        return
    known["exit_code"] = WELL
    if request.max_woken is not None:
        if known["woken"] is None:
            known["warnings"].append(f"whether a connection wakes more than {request.max_woken} is not known")
            known["exit_code"] = CANNOT_JUDGE
        elif known["woken"]["max"] > request.max_woken:
            known["exit_code"] = BROKEN


def _caller(server: AuditedServer, data: bytes) -> Caller:
    listener, pid = server.listener, server.anyone
    beside = None if listener.namespace == network_of("self") else pid
    if listener.kind == "unix":
        file = open_file(listener, server.holders)
        try:
            return Caller(socket.AF_UNIX, file, beside)
        finally:
            os.close(file)
    family, address = destination(listener, pid)
    return Caller(family, address, beside, data if listener.takes_datagrams else None)
