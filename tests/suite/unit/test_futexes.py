"""The experiments with futexes: what a debugger does to a waiter breaks no claim."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from probes.chapters import HOME

DEBUGGED = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from probes import syscalls
from probes.experiments import futexes
from probes.lab import conductor, isolation
from probes.lab.stage import Stage, play
from probes.observers.stops import request

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17  # PTRACE_...
syscalls.adopt_orphans()
# Who may read the scheduler's trace sees the debugger there.
bench = conductor._set_up(None, isolation.LOOPBACK, ["sched_waking"])
pids, noting, making = [], futexes._note, Stage.actor

def made(stage, act, name):
    actor = making(stage, act, name)
    pids.append(actor.pid)
    return actor

def noted(stage, waiters, id, what):
    noting(stage, waiters, id, what)
    if id == sys.argv[2]:
        request(SEIZE, pids[1])
        request(INTERRUPT, pids[1])
        os.waitpid(pids[1], syscalls.WALL)
        request(DETACH, pids[1])

Stage.actor, futexes._note = made, noted
print(json.dumps(play("futexes.requeued", bench, None)))
"""


def _seen_of_a_requeue(debugged: str) -> Any:
    """What the experiment saw, or why it saw nothing; once it has noted the fact `debugged`, w1 has a debugger."""
    command = [sys.executable, "-c", DEBUGGED, str(HOME), debugged]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    said = json.loads(done.stdout)
    return {name: fact["seen"] for name, fact in said.get("facts", {}).items()} or said


def test_a_requeue_is_judged() -> None:
    seen = _seen_of_a_requeue("nothing of that name")
    assert seen == {"affected": 3, "after-requeue": 1, "after-second": 3, "in-all": 4}


def test_a_waiter_that_a_debugger_sent_back_to_its_first_futex_breaks_nothing() -> None:
    """The requeue has moved it to the second one, on which it is woken in vain then."""
    reason = "somebody interrupted the wait of w1: a debugger, a freezer, or a signal"
    assert _seen_of_a_requeue("after-requeue") == {"inconclusive": reason}
