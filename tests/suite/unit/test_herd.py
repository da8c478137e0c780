"""How waiters are brought to their calls: forked together, and let go one after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from probes.chapters import HOME

_START = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from probes import syscalls
from probes.lab import board, conductor, isolation
from probes.lab.blocked import Proofs
from probes.lab.trial import TrialRun
from probes.scenario import Scenario

syscalls.adopt_orphans()
bench = conductor._set_up(None, isolation.LOOPBACK, [])
seen = []
prove, still = Proofs.prove_blocked, Proofs.still_blocked

def trial(address):
    run = TrialRun(Scenario.parse(address), bench, traced=sys.argv[2] == "traced").run()
    print(json.dumps([seen, run.inconclusive, run.woken]))
"""

DESCRIPTORS = """
def look(proofs, scale):
    seen.extend(sorted(os.readlink(f"/proc/{waiter.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{waiter.pid}/fd"))
                for waiter in proofs._herd.waiters)
    return still(proofs, scale)

Proofs.still_blocked = look
trial("accept/unix-abstract/n8/hold/one-connection")
"""

PHASES = """
def look(proofs, waiter, *scale):
    prove(proofs, waiter, *scale)
    seen.append(proofs._herd.board.column(board.PHASE))

Proofs.prove_blocked = look
trial("epoll_wait.edge.listener/unix-abstract/n4/hold/one-connection" + {0})
"""

MOVED = """
def stir(proofs, scale):
    source = opened[0]
    client = source.connect(10)
    while proofs._herd.board.column(board.RETURNED) != [1] * 4:
        os.sched_yield()
    return still(proofs, scale)

opened = []
opening = TrialRun._open
def keep(run):
    opened.append(opening(run))
    return opened[-1]

TrialRun._open = keep
Proofs.still_blocked = stir
trial("poll/unix-abstract/n4/hold/one-connection")
"""


def _trial(act: str, traced: str = "untraced") -> list[Any]:
    """What was seen, why it is inconclusive, and how many were woken, in a trial in a process of its own."""
    command = [sys.executable, "-c", _START + act, str(HOME), traced]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    answer: list[Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("traced", ["untraced", "traced"])
def test_every_waiter_has_the_same_descriptors(traced: str) -> None:
    """No waiter has inherited what the conductor opened to look at another."""
    tables, inconclusive, woken = _trial(DESCRIPTORS, traced)
    assert inconclusive is None
    assert woken == 1
    assert len(tables) == 8
    assert all(table == tables[0] for table in tables)
    assert not any("/proc/" in name for name in tables[0])


def test_one_waits_before_the_next_gets_ready() -> None:
    phases, inconclusive, _ = _trial(PHASES.format('""'))
    assert inconclusive is None
    assert phases == [[2, 0, 0, 0], [2, 2, 0, 0], [2, 2, 2, 0], [2, 2, 2, 2]]


def test_reversed_all_get_ready_in_order_and_wait_in_reverse() -> None:
    phases, inconclusive, _ = _trial(PHASES.format('"/blocked-reversed"'))
    assert inconclusive is None
    assert phases == [[1, 1, 1, 2], [1, 1, 2, 2], [1, 2, 2, 2], [2, 2, 2, 2]]


def test_who_moves_after_its_proof_makes_it_inconclusive() -> None:
    _, inconclusive, _ = _trial(MOVED)
    assert inconclusive == "w0 w1 w2 w3 moved before the stimulus"
