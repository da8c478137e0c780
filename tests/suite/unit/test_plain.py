"""Waiters that run no Python: they come to the same as those that do, and what goes wrong with them is named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from probes import syscalls
from probes.chapters import HOME
from probes.lab.board import FAILED, PARKED, PHASE, RESULT, RETURNED, SPURIOUS, TID, WON

pytestmark = pytest.mark.skipif(syscalls.ARCHITECTURE != "x86_64", reason="the machine is x86-64 code")

TRIALS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import dataclasses, os, resource
from probes import syscalls
from probes.lab import conductor, isolation
from probes.lab.herd import Herd
from probes.lab.trial import TrialRun
from probes.scenario import Scenario

syscalls.adopt_orphans()
bench = conductor._set_up(None, isolation.LOOPBACK, [])
assert bench.machine is not None
python = dataclasses.replace(bench, machine=None)

def trial(address, bench, traced=False, own_memory=False):
    run = TrialRun(Scenario.parse(address), bench, traced=traced, own_memory=own_memory).run()
    waiters = [[one.returned, one.won, one.result, one.errno] for one in run.waiters]
    return {"inconclusive": run.inconclusive, "runs": run.proof.get("waiters"), "woken": run.woken,
            "returned": run.returned, "won": run.won, "spurious": run.spurious, "connections": run.connections,
            "answers": sorted(map(len, run.answers)), "waiters": waiters}
"""
BOTH = """
for address in sys.argv[2:]:
    for traced in (False, True):
        trials = [trial(address, bench, traced, own) for own in (False, True)]
        print(json.dumps([address, *trials, trial(address, python, traced)]))
"""
RUN = (
    "they run only system calls, in the conductor's memory",
    "they run only system calls, in memory of their own",
    "they run Python",
)
"""What the waiters of the three trials run."""
SURE = (
    "accept/tcp4/n3/hold/one-connection",
    "accept/unix/n3/accept/burst",
    "accept4/unix/n1/loop/one-by-one/k3",
    "select/tcp4/n3/hold/one-connection",
    "select/tcp4/n1/loop/one-by-one/k3",
    "pselect6/tcp4/n1/accept/one-connection",
    "poll/tcp4/n3/hold/one-connection",
    "poll/tcp4/n1/drain/burst/k3",
    "ppoll/udp4/n1/drain/write-burst/k3",
    "epoll_wait.level.listener/tcp4/n3/hold/one-connection",
    "epoll_wait.edge.listener/tcp4/n3/hold/one-connection/registered-before-fork",
    "epoll_wait.oneshot.listener/tcp4/n1/loop/one-by-one/k3",
    "epoll_pwait.exclusive.listener/unix/n3/accept/one-connection",
    "epoll_pwait2.edge.epoll/tcp4/n3/hold/one-connection",
    "epoll_wait.exclusive.nothing/tcp4/n3/accept/one-connection",
    "epoll_wait.edge.epoll/tcp4/n3/accept/one-connection/blocked-reversed",
    "read/pipe/n3/hold/one-write",
    "read/eventfd-semaphore/n1/loop/writes-one-by-one/k4",
    "recvfrom/udp4/n3/hold/one-write",
    "write/pipe/n1/hold/one-read",
    "poll/tcp4/n3/hold/elsewhere",
    "rt_sigtimedwait/tcp4/n3/hold/one-connection",
    "rt_sigtimedwait.nothing/tcp4/n3/accept/one-connection",
    "io_uring_accept/tcp4/n3/hold/one-connection",
    "io_uring_accept/unix/n3/loop/one-by-one/k9",
    "io_uring_multishot/tcp4/n3/loop/one-by-one/k7",
    "io_uring_deferred/tcp4/n3/accept/one-connection",
    "io_uring_poll/tcp4/n3/hold/one-connection",
    "io_uring_poll/tcp4/n1/loop/one-by-one/k9",
    "io_uring_exclusive/tcp4/n3/hold/one-connection",
    "io_uring_read/eventfd/n1/loop/writes-one-by-one/k9",
)
"""Scenarios in which nothing races, so that waiters of both kinds must come to the same."""
REFUSED = """
def trial_of(address, spoil):
    opening = TrialRun._open
    def spoiled(run):
        source = opening(run)
        spoil(source)
        return source
    TrialRun._open = spoiled
    said = [trial(address, each)["inconclusive"] for each in (bench, python)]
    TrialRun._open = opening
    return said

def close(source):
    os.dup2(os.open("/dev/null", os.O_RDONLY), source.fds[0])

print(json.dumps(trial_of("accept/tcp4/n2/hold/one-connection", close)))
"""
NO_DESCRIPTOR = """
opening = Herd.open_gate
def starve(herd, i, *stage):
    if i == 1:
        resource.prlimit(herd._pids[1], resource.RLIMIT_NOFILE, (3, 3))
    opening(herd, i, *stage)
Herd.open_gate = starve
address = "epoll_wait.level.listener/tcp4/n3/hold/one-connection"
print(json.dumps([trial(address, each)["inconclusive"] for each in (bench, python)]))
"""
NOTHING_TOLD = """
opening = Herd.open_gate
def starve(herd, i, *stage):
    if stage != (0,):
        resource.prlimit(herd._pids[i], resource.RLIMIT_NOFILE, (3, 3))
    opening(herd, i, *stage)
Herd.open_gate = starve
address = "poll/tcp4/n1/accept/one-connection"
print(json.dumps([trial(address, each)["inconclusive"] for each in (bench, python)]))
"""
NO_GATE = """
from probes.lab.board import FAILED, PHASE
from tests.suite.system import seccomp
seccomp.deny(["futex"])
opening = Herd.open_gate
def open_late(herd, i, *stage):
    while i == 1 and herd.board.line(i)[PHASE] != FAILED:
        os.sched_yield()
    opening(herd, i, *stage)
Herd.open_gate = open_late
address = "poll/tcp4/n2/accept/one-connection"
print(json.dumps([trial(address, each)["inconclusive"] for each in (bench, python)]))
"""
SMALL_QUEUE = """
from probes.strategies import io_uring
io_uring._MOST_COMPLETIONS = 2
for address in sys.argv[2:]:
    trials = [trial(address, each) for each in (bench, python)]
    with open("/proc/self/maps") as maps:
        rings = maps.read().count("io_uring")
    print(json.dumps([*([one["inconclusive"], one["won"], one["connections"]] for one in trials), rings]))
"""
NO_MAPPING = """
opening = Herd.open_gate
def starve(herd, i, *stage):
    resource.prlimit(herd._pids[0], resource.RLIMIT_AS, (0, 0))
    opening(herd, i, *stage)
Herd.open_gate = starve
address = "io_uring_accept/tcp4/n1/hold/one-connection"
print(json.dumps([trial(address, bench)["inconclusive"]]))
"""
NO_SHARED_MEMORY = """
from tests.suite.system import seccomp
error = json.loads(sys.argv[2])
seccomp.deny_shared_memory(error)
denied = conductor._set_up(None, isolation.LOOPBACK, [])
print(json.dumps([denied.why_slow, trial("poll/tcp4/n2/accept/one-connection", denied)]))
"""
SCRIBBLED_LATER = """
from probes.lab import deadline
from probes.lab.blocked import Proofs
deadline._patience_s = 0.5
still, quiet = Proofs.still_blocked, Proofs.all_quiet
def scribble(look):
    def looked(proofs, scale):
        seen = look(proofs, scale)
        line = proofs._herd.board.line(1)
        for field, value in fields:
            line[field] = value
        return seen
    return looked
for fields in json.loads(sys.argv[2]):
    for name, look in (("still_blocked", still), ("all_quiet", quiet)):
        setattr(Proofs, name, scribble(look))
        for traced in (False, True):
            print(json.dumps([fields, name, trial("accept/tcp4/n3/hold/one-connection", bench, traced)]))
        setattr(Proofs, name, look)
"""
SCRIBBLES = (
    [(RETURNED, 1)],
    [(WON, 1)],
    [(WON, 1), (RETURNED, 1)],
    [(SPURIOUS, 1)],
    [(PHASE, PARKED)],
    [(PHASE, 77)],
    [(RESULT, -4), (PHASE, FAILED)],
    [(TID, 1)],
    [(RETURNED, 1), (PHASE, PARKED)],
)


def _answers_of(act: str, *arguments: str) -> list[Any]:
    command = [sys.executable, "-c", TRIALS + act, str(HOME), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_all_kinds_of_waiters_come_to_the_same() -> None:
    answers = _answers_of(BOTH, *SURE)
    assert len(answers) == 2 * len(SURE)
    for address, *trials in answers:
        assert [trial["inconclusive"] for trial in trials] == [None] * len(RUN), (address, trials)
        assert tuple(trial.pop("runs") for trial in trials) == RUN, address
        for trial in trials:
            if any(waits in address for waits in ("io_uring_accept", "io_uring_multishot", "io_uring_deferred")):
                # The result is a descriptor, and Python's rings open more of them: mmap keeps one of its own.
                trial["waiters"] = [[returned, won, error] for returned, won, _, error in trial["waiters"]]
            if "accept" in address.partition("/")[0] or "/hold/" not in address:
                trial["waiters"] = sorted(map(repr, trial["waiters"]))
        assert trials == [trials[0]] * len(RUN), address


def test_who_did_not_block_is_named() -> None:
    [[plain, python]] = _answers_of(REFUSED)
    assert plain == python
    assert plain.startswith("waiter 0 did not block: accept gave ENOTSOCK")


def test_who_could_not_get_ready_is_named() -> None:
    [[plain, python]] = _answers_of(NO_DESCRIPTOR)
    assert plain == python
    assert plain.startswith("waiter 1 could not get ready: EMFILE: no descriptor is left")


def test_who_may_not_sleep_at_the_gate_asks_no_more() -> None:
    """Where a sandbox denies futex(2), the wait at the gate ends at once, every time: for the second waiter, whose gate
    is opened when it is there, and for the first if it is there before."""
    [reasons] = _answers_of(NO_GATE)
    for reason in reasons:
        assert re.match("waiter [01] could not get ready: EPERM: a sandbox", reason)


def test_a_ring_goes_round_and_is_gone_afterwards() -> None:
    """Nine completions go through a queue of two; and no ring is left mapped in the conductor's memory."""
    answers = _answers_of(
        SMALL_QUEUE,
        "io_uring_accept/tcp4/n2/loop/one-by-one/k9",
        "io_uring_multishot/tcp4/n1/loop/one-by-one/k9",
        "io_uring_poll/tcp4/n2/loop/one-by-one/k9",
    )
    assert len(answers) == 3
    for plain, python, rings in answers:
        assert plain[0] is python[0] is None
        assert plain[2] == python[2] == 9
        assert rings == 0


def test_who_cannot_map_its_ring_is_named() -> None:
    [[reason]] = _answers_of(NO_MAPPING)
    assert reason.startswith("waiter 0 could not get ready: ENOMEM")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ("EPERM", "clone with CLONE_VM: EPERM"),
        ("ENOSYS", "clone with CLONE_VM: ENOSYS"),
        (None, "clone with CLONE_VM: whoever asks for it is ended by SIGSYS"),
    ],
)
def test_who_may_not_share_memory_has_its_own(error: str | None, why: str) -> None:
    """A sandbox may deny that to a process, or kill it: then a throw-away process, and not the conductor."""
    [[why_slow, seen]] = _answers_of(NO_SHARED_MEMORY, json.dumps(error))
    assert why_slow.startswith(f"waiters have memory of their own: {why}"), why_slow
    assert (seen["inconclusive"], seen["runs"]) == (None, RUN[1])


def test_an_error_that_tells_nothing_is_named() -> None:
    [[plain, python]] = _answers_of(NOTHING_TOLD)
    assert plain == python
    assert plain.startswith("w0 got EMFILE, which tells nothing of the kernel")


def test_who_scribbles_on_the_board_while_it_sleeps_is_believed_in_nothing() -> None:
    """It may write returned, won, spurious, a phase, an error or another thread's id: the verdict stays the same."""
    answers = _answers_of(SCRIBBLED_LATER, json.dumps(SCRIBBLES))
    assert len(answers) == 4 * len(SCRIBBLES)
    for fields, when, trial in answers:
        seen = (trial["woken"], trial["returned"], trial["won"], trial["connections"])
        assert trial["inconclusive"] is not None or seen == (1, 1, 1, 1), (fields, when, trial)


@pytest.mark.parametrize("share", [False, True], ids=["own memory", "our memory"])
def test_a_waiter_whose_parent_is_gone_ends(share: bool) -> None:
    """Between the fork and the wish to die with its parent nobody tells it that the parent has died: it looks."""
    code = f"""
import os, sys
sys.path.insert(0, {str(HOME)!r})
from probes.lab import machine, plain
from probes.lab.board import Board
from probes.scenario import Scenario
from probes.strategies import SystemCall, SystemCalls
real = os.getpid
plain.os.getpid = lambda: real() + 1
calls = SystemCalls(SystemCall(34, (0,)))
scenario, board = Scenario("accept", n=2), Board(2)
waiters = plain.PlainWaiters(scenario, [calls, calls], [0, 0], board, traced=False, share_memory={share})
waiters.fork(machine.start())
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in waiters.pids()])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == [1, 1]
