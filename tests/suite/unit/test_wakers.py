"""A measurement is inconclusive if somebody who is no part of the lab woke one of its sleepers, and only then."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from probes.lab.sentinel import insist_on_calm
from probes.lab.session import Lab
from probes.lab.wakers import by_others, in_words, insist_on_our_wakers
from probes.observers import Waking
from probes.observers.task_files import Sighting
from probes.verdict import Inconclusive

from .neighbour import ACCEPT, CHILD_ENDS, MOST, neighbour

INIT = 1
"""A process that is surely none of ours."""
KTHREADD = 2
OURS = {100, 101}


def _ours(process: int) -> bool:
    return process in OURS


def _waking(at_ns: int, wakee: int, process: int | None) -> Waking:
    return Waking(at_ns, process or 0, wakee, process)


@pytest.mark.parametrize("process", [100, None])
def test_wake_up_by_one_of_ours_or_in_a_softirq(process: int | None) -> None:
    assert by_others([_waking(1, 0, process), _waking(2, 1, process)], _ours) is None


@pytest.mark.parametrize("process", [INIT, 0])
def test_first_wake_up_by_somebody_else(process: int) -> None:
    foreign = _waking(2, 1, process)
    assert by_others([_waking(1, 0, 100), foreign], _ours) == foreign


def test_who_runs_already_may_wait_for_anybody() -> None:
    """For a page that another process has locked, say."""
    assert by_others([_waking(1, 0, 100), _waking(2, 0, INIT)], _ours) is None


def test_thread_of_the_kernel() -> None:
    """A kworker carries what is sent over vsock."""
    comm = Path(f"/proc/{KTHREADD}/comm")
    if not comm.exists() or comm.read_text() != "kthreadd\n":
        pytest.skip("the kernel's threads are not seen from this PID namespace")
    assert by_others([_waking(1, 0, KTHREADD)], _ours) is None


def test_reason_names_the_waker() -> None:
    assert in_words(_waking(1, 0, INIT)).startswith("process 1 ('")
    assert in_words(_waking(1, 0, 0)) == "a process outside this PID namespace"
    assert in_words(_waking(1, 0, 2**22)) == "process 4194304, which is gone"


@pytest.fixture
def init_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, process 1 may have begun the very session that the tests run in; the conductor has its own."""
    monkeypatch.setattr(os, "getsid", lambda pid: INIT if pid == INIT else -1)


@pytest.mark.usefixtures("init_elsewhere")
@pytest.mark.parametrize(
    ("wakings", "disturbed"),
    [
        ([_waking(5, -1, INIT)], False),  # before it was proven to sleep: it was not ready yet
        ([_waking(15, -1, INIT)], True),
        ([_waking(15, -1, 100)], False),
        ([_waking(15, -1, 100), _waking(16, -1, INIT)], False),  # it runs already
        ([_waking(15, -1, 100), _waking(25, -1, INIT)], True),  # it was proven to sleep again
        ([_waking(15, -2, INIT)], False),  # another actor, of which nothing was proven
        ([_waking(15, 0, INIT)], False),  # no actor
    ],
)
def test_actor_that_slept(wakings: list[Waking], disturbed: bool) -> None:
    if disturbed:
        with pytest.raises(Inconclusive, match="woken by somebody else: process 1 "):
            insist_on_our_wakers(wakings, [[10, 20], []], OURS)
    else:
        insist_on_our_wakers(wakings, [[10, 20], []], OURS)


@pytest.mark.usefixtures("init_elsewhere")
def test_child_that_has_the_actors_name_hides_nothing() -> None:
    """The stage wakes the child; who wakes the actor after that still has to be one of us."""
    with pytest.raises(Inconclusive, match="woken by somebody else: process 1 "):
        insist_on_our_wakers([Waking(15, 100, -1, 100, 7), Waking(16, INIT, -1, INIT, 8)], [[10]], OURS)


def test_actor_that_the_kernels_threads_wake() -> None:
    """They stand outside every PID namespace but the first: a pseudoterminal's news are carried by one."""
    outside = [_waking(15, -1, 0)]
    insist_on_our_wakers(outside, [[10]], OURS, carried=True)
    with pytest.raises(Inconclusive, match="a process outside this PID namespace"):
        insist_on_our_wakers(outside, [[10]], OURS)


@pytest.mark.usefixtures("init_elsewhere")
def test_somebody_else_beside_the_kernels_threads() -> None:
    with pytest.raises(Inconclusive, match="process 1 "):
        insist_on_our_wakers([_waking(15, -1, INIT)], [[10]], OURS, carried=True)


def test_child_of_an_actor_is_ours() -> None:
    insist_on_our_wakers([_waking(15, -1, os.getpid())], [[10]], OURS)


def test_sentinel_that_has_run() -> None:
    asleep = Sighting("S", 5, None)
    insist_on_calm(asleep, asleep)
    insist_on_calm(None, None)
    for now in (Sighting("S", 6, None), Sighting("R", 5, None), None):
        with pytest.raises(Inconclusive, match="docker pause"):
            insist_on_calm(asleep, now)


# --- on this kernel ----------------------------------------------------------------------------

_STORM = """
while True:
    if meant := [pid for pid, _ in tasks()]:
        pid = random.choice(meant)
        with contextlib.suppress(OSError):
            for number in map(int, sys.argv[3:]):
                os.kill(pid, number)
    # About once in a measurement, at whatever moment of it: more often, and none would get to its stimulus.
    time.sleep(random.uniform(0, 0.02))
"""
_STOP_AND_CONTINUE = (str(int(signal.SIGSTOP)), str(int(signal.SIGCONT)))


def test_waiters_that_somebody_stops_and_continues() -> None:
    """SIGCONT takes back a SIGSTOP that was not heeded yet: waitid tells of neither, and accept just goes on."""
    with Lab() as lab:
        if lab.greeting["why_not"]["sched_waking"] is not None:
            pytest.skip("only the scheduler's tracepoint tells this")
        with neighbour(lab, "w", _STORM, *_STOP_AND_CONTINUE):
            for _ in range(MOST):
                trial = lab.run(ACCEPT, traced=False)
                assert trial.inconclusive or trial.woken == 1
                if "was woken by somebody else: process" in (trial.inconclusive or ""):
                    return
    raise AssertionError(f"nobody was disturbed in {MOST} trials")


def test_actor_that_somebody_stops_and_continues() -> None:
    with Lab() as lab:
        if lab.greeting["why_not"]["sched_waking"] is not None:
            pytest.skip("only the scheduler's tracepoint tells this")
        with neighbour(lab, "a", _STORM, *_STOP_AND_CONTINUE):
            for _ in range(MOST):
                try:
                    assert lab.play(*CHILD_ENDS)["server-woken"]["seen"] is False
                except Inconclusive as reason:
                    if "woken by somebody else: process" in str(reason):
                        return
    raise AssertionError(f"nobody was disturbed in {MOST} plays")


def test_sentinel_wakes_with_all_others() -> None:
    """Without any privilege: a freezer interrupts every task that it comes by, and so the sentinel."""
    with Lab(("sched_waking",)) as lab:
        assert lab.run(ACCEPT, traced=False).inconclusive is None
        with neighbour(lab, "p", _STORM, *_STOP_AND_CONTINUE):  # the sentinel alone has kept Python's name
            trials = (lab.run(ACCEPT, traced=False) for _ in range(MOST))
            assert any("docker pause" in (trial.inconclusive or "") for trial in trials)
        assert lab.run(ACCEPT, traced=False).inconclusive is None


@pytest.mark.parametrize("stopped", [False, True])
def test_sentinel_ends_with_its_conductor(stopped: bool) -> None:
    with Lab() as lab:
        session = lab.greeting["pid"]
        members = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _session(int(pid)) == session]
        assert len(members) == 2
        (sentinel,) = set(members) - {session}
        if stopped:
            os.kill(sentinel, signal.SIGSTOP)
    try:
        ending = os.pidfd_open(sentinel)
    except ProcessLookupError:
        return

    assert select.select([ending], [], [], 10)[0]
    os.close(ending)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
