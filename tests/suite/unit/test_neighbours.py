"""What other processes of this machine do beside a measurement: freeze it, or bear the names of its waiters."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from probes.chapters import HOME
from probes.lab.session import Lab
from probes.scenario import Scenario
from probes.verdict import Inconclusive, NotApplicable
from tests.suite.soak.disturbances import freezer

from .neighbour import ACCEPT, CHILD_ENDS, MOST, neighbour


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as started:
        yield started


_OFTEN = 5
"""So many disturbed measurements are enough."""


# --- a freezer ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _frozen_now_and_then(lab: Lab) -> Iterator[None]:
    """All processes of the lab are frozen for 1 to 20 ms, again and again, as by `docker pause` or a suspend.

    The freezer of a control group (v2) interrupts every sleep that a signal can (kernel/cgroup/freezer.c,
    cgroup_freeze_task); a suspend those that are not TASK_FREEZABLE (kernel/freezer.c, freeze_task).
    """
    with freezer() as group:
        if group is None:
            pytest.skip("no control group that freezes can be made here")
        group.take(lab.greeting["pid"])
        over, dice = threading.Event(), random.Random(17)

        def freeze() -> None:
            while not over.wait(dice.uniform(0, 0.1)):  # about once in a measurement, at whatever moment of it
                group.freeze_for(dice.uniform(0.001, 0.02))

        neighbour = threading.Thread(target=freeze)
        neighbour.start()
        try:
            yield
        finally:
            over.set()
            neighbour.join()
            lab.close()


def test_waiters_that_are_frozen_break_nothing() -> None:
    with Lab() as lab, _frozen_now_and_then(lab):
        _insist_on_trials_that_break_nothing(lab, ACCEPT.id, 1)


def _insist_on_trials_that_break_nothing(lab: Lab, scenario: str, herd: int) -> None:
    """Run trials until several were disturbed: each shows a herd of the right size, or is inconclusive."""
    disturbed = 0
    for _ in range(MOST):
        trial = lab.run(Scenario.parse(scenario), traced=False)
        assert trial.inconclusive or (trial.woken, trial.returned) == (herd, herd)
        disturbed += trial.inconclusive is not None
        if disturbed == _OFTEN:
            return
    raise AssertionError(f"{disturbed} of {MOST} trials were disturbed")


def test_actors_that_are_frozen_break_nothing() -> None:
    with Lab() as lab, _frozen_now_and_then(lab):
        _insist_on_plays_that_break_nothing(lab)


def _insist_on_plays_that_break_nothing(lab: Lab) -> None:
    """Play until several experiments were disturbed: each notes the right facts, or is inconclusive."""
    disturbed = 0
    for _ in range(MOST):
        try:
            assert lab.play(*CHILD_ENDS)["server-woken"]["seen"] is False
        except Inconclusive:
            disturbed += 1
            if disturbed == _OFTEN:
                return
    raise AssertionError(f"{disturbed} of {MOST} plays were disturbed")


# --- a tracer ----------------------------------------------------------------------------------

_TRACER = """
import ctypes
SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
ptrace = ctypes.CDLL(None).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
while True:
    meant = [pid for pid, _ in tasks()]
    if meant and ptrace(SEIZE, pid := random.choice(meant), None, None) == 0:
        ptrace(INTERRUPT, pid, None, None)
        with contextlib.suppress(OSError):
            os.waitpid(pid, WALL)
        time.sleep(random.uniform(0, float(sys.argv[3])))  # how long it is traced; nothing is waited for
        # Until its tracer has waited for it, one that was killed meanwhile is nobody else's (ptrace(2)).
        if ptrace(DETACH, pid, None, None) != 0:
            with contextlib.suppress(OSError):
                os.waitpid(pid, WALL)
"""


def _traced_now_and_then(lab: Lab, whom: str, longest_s: float = 0.15) -> AbstractContextManager[None]:
    """As `strace -p` does: one task at a time is stopped, and goes on once it is detached from."""
    # A digit follows, or the conductor is meant, too: the run is traced then, which is another matter.
    return neighbour(lab, f"{whom}[0-9]", _TRACER, str(longest_s))


@pytest.mark.parametrize("call", ["accept", "epoll_wait.level.listener"])
def test_waiter_that_a_debugger_attaches_to_breaks_nothing(lab: Lab, call: str) -> None:
    """It ends epoll_wait with EINTR, and moves a waiter in accept to the end of the queue."""
    with _traced_now_and_then(lab, "w"):
        _insist_on_trials_that_break_nothing(lab, f"{call}/tcp4/n3/hold/one-connection", 1 if call == "accept" else 3)


def test_actor_that_a_debugger_attaches_to_breaks_nothing(lab: Lab) -> None:
    with _traced_now_and_then(lab, "a"):
        _insist_on_plays_that_break_nothing(lab)


_LONG_ENOUGH_NS = 5 * 10**9
"""Time enough for a debugger to come while a wait is under way."""


@pytest.mark.parametrize(
    "call", ["epoll_wait", "accept", "recvfrom", "semtimedop", "io_uring_enter", "io-uring-linked-timeout"]
)
def test_wait_with_a_limit_that_a_debugger_interrupts_breaks_nothing(lab: Lab, call: str) -> None:
    """It ends with EINTR by it, also without a handler (signal(7), Interruption of system calls by stop signals)."""
    wanted = {"call": call, "ns": _LONG_ENOUGH_NS}
    with _traced_now_and_then(lab, "a", 0), pytest.raises((Inconclusive, NotApplicable)) as told:
        lab.play("limits.expires", wanted)
    assert told.type is NotApplicable or "somebody interrupted the wait of w0" in str(told.value)


# --- names -------------------------------------------------------------------------------------

_IN_A_CONTAINER = """
import json, sys
from probes.lab.session import Lab
from probes.scenario import Scenario
with Lab() as lab:
    print(json.dumps([lab.greeting["pid"], lab.greeting["why_not"]["sched_waking"]]), flush=True)
    sys.stdin.readline()
    trials = [lab.run(Scenario.parse("accept/tcp4/n8/hold/one-connection"), traced=False) for _ in range(30)]
    print(json.dumps([[trial.inconclusive, trial.woken] for trial in trials]))
"""
_CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def test_conductors_with_the_same_pids_in_two_containers_are_no_concern_of_each_other() -> None:
    """Both see the wake-ups of the whole machine, and the process ids of both are the same."""
    if subprocess.run([*_CONTAINER, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a PID namespace takes root")
    with contextlib.ExitStack() as both:
        command = [*_CONTAINER, sys.executable, "-c", _IN_A_CONTAINER]
        made = [
            subprocess.Popen(command, cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for each in made:
            both.enter_context(each)
            both.callback(each.kill)
        greetings = [json.loads(each.stdout.readline()) for each in made if each.stdout is not None]
        assert greetings[0] == greetings[1]
        if greetings[0][1] is not None:
            pytest.skip("only the scheduler's tracepoint sees other containers")
        for each in made:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        assert [json.loads(each.communicate()[0]) for each in made] == [[[None, 1]] * 30] * 2


_IMPOSTOR = """
from probes import syscalls
a, b = os.pipe(), os.pipe()
while not (names := [name for _, name in tasks()]):
    pass
syscalls.set_name(names[0])
# Two of that name wake each other, for ever.
reads, writes = (a[0], b[1]) if os.fork() else (b[0], a[1])
syscalls.die_with_parent(os.getppid())
os.write(writes, b"x")
while True:
    os.write(writes, os.read(reads, 1))
"""


def test_task_that_takes_the_name_of_a_waiter_breaks_nothing(lab: Lab) -> None:
    """Any user may read a name and take it (prctl(2), PR_SET_NAME): then the tracepoint speaks of two tasks."""
    with neighbour(lab, "w0[.]", _IMPOSTOR):
        for _ in range(MOST):
            trial = lab.run(ACCEPT, traced=False)
            assert trial.inconclusive or (trial.woken, trial.returned) == (1, 1)
            if "w0 was woken by somebody else: process" in (trial.inconclusive or ""):
                return
    assert lab.greeting["why_not"]["sched_waking"] is not None, f"nobody was disturbed in {MOST} trials"


def test_task_that_takes_the_name_of_an_actor_breaks_nothing(lab: Lab) -> None:
    with neighbour(lab, "a0[.]", _IMPOSTOR):
        for _ in range(MOST):
            try:
                assert lab.play(*CHILD_ENDS)["server-woken"]["seen"] is False
            except Inconclusive:
                return
    assert lab.greeting["why_not"]["sched_waking"] is not None, f"nobody was disturbed in {MOST} plays"
