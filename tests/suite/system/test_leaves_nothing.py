"""However a run is ended, within five seconds nothing of it is left, and what it says is in order.

Each way of ending it is tried at ten random moments.  A moment is a number of results to wait for,
and a random while after that; nothing that is asserted hangs on how long the while was.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probes import catalogue
from probes.interrupt import ENDS
from probes.lab.sweep import sweep

from .left import Host, mount_points
from .runs import Run, assert_held_by_evidence, cases, kill, moment, words

INTERRUPTED = 2  # pytest.ExitCode
HERD = (
    *("tests/kernel/test_accept.py", "tests/kernel/test_select_poll.py", "tests/kernel/test_epoll_private.py"),
    "--herd-preset=fast",
)
"""Some fifty cases: tcp and unix paths, processes and threads, each untraced and traced."""
LAST = 20
"""After so many results no run of HERD is near its end, as test_moments_are_well_before_the_end holds it to."""
A_WHILE_S = 0.05
"""What one or two cases take."""
START_S = 1.5
"""What it takes to get from nothing to the first results."""
WITHOUT_NAMESPACES = (
    # A mount namespace of the test's own: what a run mounts by mistake does not reach this host.
    *("unshare", "--mount", "--propagation=private"),
    *("sh", "-c", 'umount -q /sys/kernel/tracing; exec "$@"', "sh"),
    *(sys.executable, "-m", "tests.suite.system.seccomp", "unshare", "--"),
)
"""How to start a run on the loopback of this host, where tracefs is not mounted."""
TRACEFS = "/sys/kernel/tracing (tracefs)"

Start = Callable[..., Run]
at_ten_moments = pytest.mark.parametrize("number", range(10))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace of the test's own takes root")


@pytest.fixture
def host() -> Host:
    """What there was before the run."""
    return Host()


@pytest.fixture
def start(host: Host, folder: Path) -> Iterator[Start]:
    """Start a run of HERD; it is over when the test is."""
    started: list[Run] = []

    def go(*arguments: str, prefix: tuple[str, ...] = ()) -> Run:
        started.append(Run(folder, *HERD, *arguments, prefix=prefix))
        return started[-1]

    yield go
    for run in started:
        run.end()


def _workers(number: int) -> tuple[str, ...]:
    """Every third moment is one of a run with two workers."""
    return ("-n2",) if number % 3 == 2 else ()


def _tests() -> dict[str, str]:
    """By each claim that a run of HERD judges, the test that judges it."""
    return {claim["id"]: claim["test"] for claim in catalogue.load() if claim["test"].partition("::")[0] in HERD}


def _collected() -> set[str]:
    """The cases that a run of HERD judges if nobody disturbs it, as pytest names them."""
    cases = catalogue.cases("fast")
    return {f"{test}[{case}]" for claim, test in _tests().items() for case in cases[claim]}


def test_moments_are_well_before_the_end() -> None:
    """What is killed has work before it: a preset that grows smaller is noticed here, and not one time in twenty."""
    assert len(_collected()) >= 2 * LAST


EVERY_KIND = (
    "tests/kernel/test_accept_locks.py",
    "tests/kernel/test_every_strategy.py",
    "tests/kernel/test_sources.py",
)
"""Locks, listeners and what else is waited for: semaphores, queues, namespaces, settings of a network."""


@pytest.mark.parametrize("prefix", [(), WITHOUT_NAMESPACES], ids=["namespaces", "loopback"])
def test_run_that_ends_by_itself(host: Host, folder: Path, prefix: tuple[str, ...]) -> None:
    """No process, socket, semaphore, queue, file, mount, tracefs instance or changed setting is left."""
    if prefix and os.geteuid() != 0:
        pytest.skip("a mount namespace of the test's own takes root")
    with Run(folder, *EVERY_KIND, "--herd-preset=fast", "-n2", prefix=prefix) as run:
        run.finish(patience_s=600)
        run.assert_no_traceback()
        host.assert_clean_after(run)
        assert {case["verdict"] for case in cases(run.run_json())} >= {"held"}, words(run.run_json())


def _kill_pytest(run: Run) -> None:
    """kill -9 of pytest itself, and nobody else."""
    kill(run.process.pid)
    assert run.process.wait() == -signal.SIGKILL, run.output


@at_ten_moments
def test_kill_pytest(host: Host, start: Start, number: int) -> None:
    """kill -9 of pytest: its conductors, their waiters and all they made go with it."""
    random = moment("pytest", number)
    run = start(*_workers(number))
    run.wait_for_results(random.randint(1, LAST))
    assert run.conductors(), "there would be nothing to clean up"
    run.go_on_for(random.uniform(0, A_WHILE_S))
    _kill_pytest(run)
    host.assert_clean_after(run)


@at_ten_moments
def test_kill_pytest_while_it_starts(host: Host, start: Start, number: int) -> None:
    """The same while it imports, starts its first conductor, collects, or runs the controls."""
    random = moment("start", number)
    run = start(*_workers(number))
    run.go_on_for(random.uniform(0, START_S))
    _kill_pytest(run)
    host.assert_clean_after(run)


@needs_root
@at_ten_moments
def test_kill_pytest_without_namespaces(host: Host, start: Start, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where unshare(2) is denied, so that sockets and folders are those of the host.

    One thing may stay: the folder of a path socket, if its maker was killed in the instant between
    mkdir and rmdir.  The sweep at the start of the next run removes it.
    """
    random = moment("loopback", number)
    run = start(*_workers(number), prefix=WITHOUT_NAMESPACES)
    run.wait_for_results(random.randint(1, LAST))
    assert "isolation: loopback (unshare" in run.header(), run.header()
    run.go_on_for(random.uniform(0, A_WHILE_S))
    _kill_pytest(run)
    monkeypatch.setattr(tempfile, "tempdir", str(run.temporary))
    host.assert_clean_after(run, sweep)


@needs_root
def test_without_namespaces_nothing_is_mounted(start: Start) -> None:
    """A run that shares the mounts of its host leaves them as they are, while it runs and after it."""
    run = start(prefix=WITHOUT_NAMESPACES)
    run.wait_for_results(1)
    assert mount_points(run.process.pid) == [point for point in mount_points(os.getpid()) if point != TRACEFS]


@at_ten_moments
def test_kill_worker(host: Host, start: Start, number: int) -> None:
    """kill -9 of a worker of xdist: its herd goes with it, the others go on, and the run fails.

    Nothing but the case that it was at may be missing from run.json.  Even that is there if its verdict was out: xdist
    calls it crashed until the worker has said that all of the test is over.
    """
    random = moment("worker", number)
    run = start("-n2")
    run.wait_for_results(random.randint(1, LAST))
    run.go_on_for(random.uniform(0, A_WHILE_S))
    workers = run.workers()
    assert len(workers) == 2, workers
    kill(random.choice(workers).pid)
    before = run.results
    assert run.finish() == 1, run.output
    assert run.results > before
    run.assert_no_traceback()
    host.assert_clean_after(run)
    judged = run.run_json()
    assert_held_by_evidence(judged)
    tests = _tests()
    names = [f"{tests[claim['id']]}[{case['id']}]" for claim in judged["claims"] for case in claim["cases"]]
    at, missing = run.crashed_at(), _collected() - set(names)
    assert len(names) == len(set(names)), words(judged)
    assert missing == {at} or (not missing and run.reports_of(at) == 2), f"{missing}\n{run.output}"


@at_ten_moments
def test_kill_conductor(host: Host, start: Start, number: int) -> None:
    """kill -9 of a conductor: the case it was at is inconclusive, and the next has a new conductor.

    With two workers the one that only wrote the header may be hit, which nobody misses.
    """
    random = moment("conductor", number)
    run = start(*_workers(number))
    run.wait_for_results(random.randint(1, LAST))
    run.go_on_for(random.uniform(0, A_WHILE_S))
    run.wait_until(lambda: bool(run.conductors()), "a conductor")
    kill(random.choice(run.conductors()).pid)
    code = run.finish()
    run.assert_no_traceback()
    host.assert_clean_after(run)
    judged = run.run_json()
    assert_held_by_evidence(judged)
    assert len(list(cases(judged))) == len(_collected()), words(judged)
    unjudged = [case["reason"] for case in cases(judged) if case["verdict"] == "inconclusive"]
    assert len(unjudged) == 1 or (_workers(number) and not unjudged), words(judged)
    assert all(reason.startswith("the conductor died (SIGKILL)") for reason in unjudged), words(judged)
    assert code == len(unjudged), run.output


@at_ten_moments
def test_kill_conductor_while_it_starts(host: Host, start: Start, number: int) -> None:
    """kill -9 of the first conductor, at the header or under the controls: said in a sentence, and nothing is held."""
    random = moment("conductor start", number)
    run = start(*_workers(number))
    run.wait_until(lambda: bool(run.conductors()), "a conductor")
    run.go_on_for(random.choice((0, random.uniform(0, 0.03), random.uniform(0, A_WHILE_S))))
    killed = [kill(conductor.pid) for conductor in run.conductors()]
    code = run.finish()
    run.assert_no_traceback()
    host.assert_clean_after(run)
    assert killed
    judged = run.run_json()
    assert_held_by_evidence(judged)
    unjudged = [case["reason"] for case in cases(judged) if case["verdict"] == "inconclusive"]
    assert all("the conductor died (SIGKILL)" in reason for reason in unjudged), words(judged)
    assert code == bool(unjudged), run.output


@at_ten_moments
def test_stop(host: Host, start: Start, number: int) -> None:
    """Ctrl-C, a terminal that closes, a machine that shuts down: pytest's exit code for it, a report that says it
    is partial, and nothing is left."""
    random = moment("ctrl-c", number)
    end = ENDS[number % len(ENDS)]
    run = start(*_workers(number))
    run.wait_for_results(random.randint(1, LAST))
    run.go_on_for(random.uniform(0, A_WHILE_S))
    os.killpg(run.process.pid, end)
    assert run.finish() == INTERRUPTED, run.output
    run.assert_no_traceback()
    host.assert_clean_after(run)
    judged = run.run_json()
    assert judged["partial_reason"].startswith(f"stopped ({'Ctrl-C' if end == signal.SIGINT else end.name}): ")
    assert_held_by_evidence(judged)
    if importlib.util.find_spec("probes.report.page"):
        assert (run.report / "index.html").stat().st_size > 0
