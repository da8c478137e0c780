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
from probes.lab.herd import Herd
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


AT_BIRTH = """
import signal
forking = Herd.fork

def fork(herd, *how):
    pids = forking(herd, *how)
    os.kill(pids[1], signal.SIGKILL)
    os.waitid(os.P_PID, pids[1], os.WEXITED | os.WNOWAIT)
    herd.board.line(1)[board.TID] = 0
    return pids

Herd.fork = fork
trial("accept/unix-abstract/n3/hold/one-connection")
"""

AT_ITS_GATE = """
import signal
opening = Herd.open_gate

def disturb(herd, i, *stage):
    if i == 1:
        os.kill(herd._pids[1], signal.{0})
    opening(herd, i, *stage)

Herd.open_gate = disturb
trial("accept/unix-abstract/n3/hold/one-connection")
"""

SCRIBBLED = """
opening = Herd.open_gate

def scribble(herd, i, *stage):
    line = herd.board.line(i)
    line[board.PHASE], line[board.RETURNED] = board.WAITING, 5
    opening(herd, i, *stage)

Herd.open_gate = scribble
trial("accept/unix-abstract/n3/hold/one-connection")
"""


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


def test_who_is_killed_before_it_says_that_it_lives_is_named() -> None:
    _, inconclusive, _ = _trial(AT_BIRTH)
    assert inconclusive.startswith("w1 was killed by somebody else")


@pytest.mark.parametrize("traced", ["untraced", "traced"])
@pytest.mark.parametrize(("number", "what"), [("SIGKILL", "killed"), ("SIGSTOP", "stopped")])
def test_who_is_disturbed_at_its_gate_is_named(number: str, what: str, traced: str) -> None:
    _, inconclusive, _ = _trial(AT_ITS_GATE.format(number), traced)
    assert "w1" in inconclusive or "waiter 1" in inconclusive
    if traced == "untraced":
        assert what in inconclusive


def test_what_is_scribbled_on_the_board_before_the_wait_counts_for_nothing() -> None:
    """The system call in /proc says where a waiter sleeps, and counts are compared with those before the stimulus."""
    _, inconclusive, woken = _trial(SCRIBBLED)
    assert (inconclusive, woken) == (None, 1)
