"""The conductor: a small, single-threaded process that runs one trial after another.

`probes/lab/session.py` starts it, with a socket as descriptor 0.  They exchange lines of JSON: first comes a
greeting that says what can be observed here, then one answer for each request.

It is a separate process because pytest has threads, with which fork is unsafe; because ptrace belongs to one thread;
because one kill ends it together with every waiter (PR_SET_PDEATHSIG, PTRACE_O_EXITKILL); and because a small
interpreter forks several times faster than pytest's.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
from typing import Any

from .. import refusals, syscalls, sysctls
from ..flavour import flavour
from ..scenario import Scenario
from ..verdict import Inconclusive, NotApplicable
from . import denial, fence, inherited, isolation, machine, network, sentinel, slowness
from .deadline import measure_answer_patience, measure_patience
from .fork import NO_MEMORY
from .instruments import Instruments
from .stage import fault, play
from .trial import Bench, TrialRun

_REASONS = ("inconclusive", "not_applicable")


def main(parent: int, isolate: bool, without: list[str]) -> None:
    """Greet, then serve requests until the other end closes; the exit code is `NO_MEMORY` if no memory is left."""
    try:
        _main(parent, isolate, without)
    except MemoryError:
        os._exit(NO_MEMORY)


def _main(parent: int, isolate: bool, without: list[str]) -> None:
    was_otherwise = inherited.settle()
    syscalls.die_with_parent(parent)
    guard = None
    with contextlib.suppress(OSError):
        guard = sentinel.post()
    syscalls.adopt_orphans()
    syscalls.set_name("wakecheck")
    # A terminal sends Ctrl-C to the whole process group; pytest handles it, and ends the conductor.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(0, "rb", closefd=False) as requests, open(0, "wb", buffering=0, closefd=False) as answers:

        def answer(message: dict[str, Any]) -> None:
            answers.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

        if not syscalls.NUMBERS:
            answer({"failed": f"the system call numbers of {os.uname().machine} are not known to the suite"})
            return
        folder = None
        if isolate:
            try:
                folder = isolation.isolate()
                # A change of credentials would have cleared the parent-death signal (PR_SET_PDEATHSIG, prctl(2)).
                syscalls.die_with_parent(parent)
            except isolation.Denied as denied:
                answer({"denied": str(denied)})
                return
        try:
            bench = _set_up(folder, isolation.NAMESPACES if isolate else isolation.LOOPBACK, without, guard)
        except OSError as error:
            answer({"failed": denial.explained(refusals.in_words(error))})
            return
        answer(
            {
                "pid": os.getpid(),
                "inherited": was_otherwise,
                "isolation": bench.isolation,
                "fence": bench.fence_name,
                "rest_shows": bench.rest_shows,
                "why_not": bench.instruments.why_not,
                "sysctls": sysctls.read(sysctls.NETWORK),
                "why_slow": bench.why_slow,
                "why_no_syscall_file": bench.instruments.why_no_syscall_file,
            }
        )
        # Keep the garbage collector away from the objects that exist by now: touching their pages would copy them.  It
        # runs only between requests, when there are no waiters to share pages with.
        gc.collect()
        gc.freeze()
        gc.disable()
        # The other end may close before it reads our answer, or before we send it: then there is nothing left to do.
        with contextlib.suppress(ConnectionError):
            for line in requests:
                answer(_serve(json.loads(line), bench))
                gc.collect()


def _set_up(folder: str | None, isolated: str, without: list[str], guard: sentinel.Sentinel | None = None) -> Bench:
    instruments = Instruments(without, may_mount=isolated == isolation.NAMESPACES)
    chosen = fence.choose()
    measure_patience(slowness.fork_s())
    # gVisor: a task leaves its blocked state in its own goroutine, once that runs (pkg/sentry/kernel/task_block.go,
    # block and completeSleep).
    rest_shows = flavour() != "gvisor"
    if not rest_shows:
        measure_answer_patience(slowness.round_trip_s())
    runs, why_slow = None, None
    try:
        runs = machine.start()
        if runs.why_own_memory is not None:
            why_slow = f"waiters have memory of their own: {runs.why_own_memory}"
    except OSError as error:
        why_slow = f"waiters run Python: {error.strerror}"
    return Bench(
        instruments, chosen.name, chosen.proves, chosen.act, rest_shows, folder, isolated, runs, why_slow, guard
    )


def _serve(request: dict[str, Any], bench: Bench) -> dict[str, Any]:
    """Run one trial or experiment.  Every failure becomes an answer, because a dead conductor cannot say why."""
    answer = _answer(request, bench)
    trial = answer.get("trial")
    if trial is not None and trial["inconclusive"] is not None:
        trial["inconclusive"] = _explained(trial["inconclusive"])
    return {kind: _explained(said) if kind in _REASONS else said for kind, said in answer.items()}


def _explained(reason: str) -> str:
    """A reason, followed by what is denied or has unusual settings here and may be its cause."""
    odd = [words for words in network.odd_settings() if words not in reason]
    return denial.explained("; ".join((reason, *odd)))


def _answer(request: dict[str, Any], bench: Bench) -> dict[str, Any]:
    try:
        inherited.insist_on_no_tracer()
        if "experiment" in request:
            return play(request["experiment"], bench, request["argument"])
        scenario = Scenario(**request["scenario"])
        run = TrialRun(scenario, bench, traced=request["traced"], own_memory=request["own_memory"])
        return {"trial": run.run().as_json()}
    except NotApplicable as reason:
        return {"not_applicable": str(reason)}
    except Inconclusive as reason:
        return {"inconclusive": str(reason)}
    except OSError as error:
        return {"inconclusive": f"the lab could not go on: {refusals.in_words(error)}"}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the reason must get out
        return {"inconclusive": fault("the trial", error)}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "isolate", sys.argv[3:])
