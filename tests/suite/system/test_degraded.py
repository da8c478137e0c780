"""Where the host denies something, the suite says what and why, judges what it can, and holds nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from probes.lab.blocked import ENTRY_STOP, MARK_AND_STATE
from probes.observers import WOKEN, names

from .runs import ROOT, Run, assert_held_by_evidence, cases, words

HERD = ("tests/kernel/test_accept.py", "tests/kernel/test_select_poll.py", "--herd-preset=fast")
ASK_WHO_WAS_WOKEN = (
    "accept.wakes-one",
    "accept.one-waiter-per-connection",
    "select-poll.wakes-all",
    "select-poll.wakes-all-for-one-winner",
)
ASK_WHO_RETURNED = ("select-poll.listener-is-readable",)
ALL_HELD, SOME_NOT_HELD = 0, 1  # pytest.ExitCode: OK, TESTS_FAILED

IS_ROOT = os.geteuid() == 0
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if IS_ROOT else ()
"""Become an ordinary user; who is one already stays so."""
needs_root = pytest.mark.skipif(not IS_ROOT, reason="a network namespace with lo down takes root")

_HEAVY = ("mypy*", "ruff*", "pip*", "setuptools*", "pkg_resources", "tox*", "virtualenv*")
"""Tools that no run of the suite loads."""
_NEEDED = ("pytest", "xdist", "pytest_timeout", "ptrace", "rich", "fastjsonschema", "jinja2")
NO_NAMESPACES = (("unshare",), ("ptrace", "unshare"), ("ptrace", "unshare", "membarrier"))


def _denied(*calls: str, python: str = sys.executable) -> tuple[str, ...]:
    """What to put before a command to which these system calls shall be denied."""
    return (python, "-m", "tests.suite.system.seccomp", *calls, "--")


class Readable(NamedTuple):
    """A checkout and an interpreter that an ordinary user can read."""

    folder: Path
    python: str
    environment: dict[str, str]

    def run(self, folder: Path, *arguments: str, prefix: tuple[str, ...] = NOBODY) -> Run:
        return Run(
            folder,
            *(*HERD, *arguments),
            prefix=prefix,
            python=self.python,
            checkout=self.folder,
            environment=self.environment,
        )


@pytest.fixture(scope="session")
def readable() -> Iterator[Readable]:
    """A copy of this checkout and of the packages it needs.  Skips where no interpreter is readable."""
    with TemporaryDirectory(prefix="wakecheck-system-", ignore_cleanup_errors=True) as name:
        copy = Path(name)
        copy.chmod(0o755)
        for folder in ("probes", "tests"):
            shutil.copytree(ROOT / folder, copy / folder)
        for file in ("conftest.py", "pytest.ini"):
            shutil.copy(ROOT / file, copy)
        packages = copy / "site-packages"
        shutil.copytree(Path(pytest.__file__).parent.parent, packages, ignore=shutil.ignore_patterns(*_HEAVY))
        environment = {"PYTHONPATH": str(packages), "HOME": "/nonexistent"}
        for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
            if _works(python, copy, environment):
                yield Readable(copy, python, environment)
                return
        pytest.skip("no interpreter that an ordinary user may run can load pytest and the packages of this one")


def _works(python: str, where: Path, environment: dict[str, str]) -> bool:
    """Whether an ordinary user can run this interpreter, and it finds all that the suite needs.

    It starts itself once more, because setpriv can execute what the user alone could not.
    """
    program = f"import {', '.join(_NEEDED)}, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    try:
        command = [*NOBODY, python, "-c", program]
        done = subprocess.run(command, cwd=where, env={**os.environ, **environment}, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _trials(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [trial for case in cases(run) for trial in case["trials"]]


def test_ordinary_user(readable: Readable, folder: Path) -> None:
    """An ordinary user gets every claim judged, and is told that the scheduler's tracepoint is closed to him."""
    with readable.run(folder) as run:
        assert run.finish() == ALL_HELD, run.output
        assert f"uid {65534 if IS_ROOT else os.geteuid()}" in run.header()
        there = ", ".join(name for name in names() if name != "sched_waking")
        assert f"observers: {there}\n" in run.header()
        assert "  no sched_waking: " in run.header()
        run.assert_no_traceback()
        assert_held_by_evidence(run.run_json())


@pytest.mark.parametrize("user", ["root", "ordinary"])
def test_without_ptrace(readable: Readable, folder: Path, user: str) -> None:
    """Without ptrace(2) every claim is judged by untraced trials alone."""
    denied = _denied("ptrace", python=readable.python)
    with readable.run(folder, prefix=denied if user == "root" else (*NOBODY, *denied)) as run:
        assert run.finish() == ALL_HELD, run.output
        assert "  no syscall_exit: ptrace: PTRACE_TRACEME: Operation not permitted\n" in run.header()
        run.assert_no_traceback()
        judged = run.run_json()
        assert_held_by_evidence(judged, traced=0)
        assert not any(trial["traced"] for trial in _trials(judged))


@pytest.mark.parametrize("calls", NO_NAMESPACES, ids=" ".join)
def test_without_namespaces(readable: Readable, folder: Path, calls: tuple[str, ...]) -> None:
    """Without unshare(2) the claims are judged on the host's own loopback, and the header says why."""
    with readable.run(folder, prefix=(*NOBODY, *_denied(*calls, python=readable.python))) as run:
        assert run.finish() == ALL_HELD, run.output
        assert "isolation: loopback (unshare with a user namespace: Operation not permitted)" in run.header()
        run.assert_no_traceback()
        judged = run.run_json()
        assert_held_by_evidence(judged, traced=0 if "ptrace" in calls else 1)
        assert all(trial["proof"]["isolation"] == "loopback" for trial in _trials(judged))


@pytest.mark.parametrize("calls", [(), ("ptrace",)], ids=["", "ptrace"])
@pytest.mark.parametrize("shape", ["/proc/*/syscall", "/proc/[0-9]*/syscall"], ids=["everybody's", "others'"])
def test_without_the_syscall_file(folder: Path, shape: str, calls: tuple[str, ...]) -> None:
    """Without /proc/PID/syscall the tracer's entry stop proves that a waiter is blocked; without that too, a mark.

    A kernel that denies it may still let a process read its own (Yama's ptrace_scope 2, kernel/ptrace.c).
    """
    prefix = (*_denied("--hide", shape), *(_denied(*calls) if calls else ()))
    with Run(folder, *HERD, prefix=prefix) as run:
        assert run.finish() == ALL_HELD, run.output
        assert "  blocked is proven without /proc/PID/syscall: /proc/PID/syscall: Permission denied\n" in run.header()
        run.assert_no_traceback()
        judged = run.run_json()
    assert_held_by_evidence(judged, traced=0 if calls else 1)
    for trial in _trials(judged):
        assert trial["proof"]["blocked"] == (ENTRY_STOP if trial["traced"] else MARK_AND_STATE)


@needs_root
@pytest.mark.parametrize("calls", NO_NAMESPACES[:2], ids=" ".join)
def test_without_loopback(readable: Readable, folder: Path, calls: tuple[str, ...]) -> None:
    """Where `lo` is down and may not be brought up, unix claims are judged, and tcp cases say what is missing."""
    prefix = ("unshare", "--net", *NOBODY, *_denied(*calls, python=readable.python))
    with readable.run(folder, prefix=prefix) as run:
        assert run.finish() == SOME_NOT_HELD, run.output
        run.assert_no_traceback()
        judged = run.run_json()
    assert_held_by_evidence(judged, traced=0 if "ptrace" in calls else 1)
    for case in cases(judged):
        if case["scenario"]["source"] == "unix":
            assert case["verdict"] == "held", words(judged)
        else:
            assert case["verdict"] == "inconclusive", words(judged)
            assert case["reason"].endswith("; is lo up?"), words(judged)


@pytest.mark.parametrize("observer", names(WOKEN))
def test_without_one_scheduler_observer(folder: Path, observer: str) -> None:
    """Any one of the scheduler's observers can be missed: the others see the same."""
    with Run(folder, *HERD, f"--herd-without={observer}") as run:
        assert run.finish() == ALL_HELD, run.output
        assert f"  no {observer}: switched off by --herd-without\n" in run.header()
        judged = run.run_json()
    assert_held_by_evidence(judged)
    assert all(trial["observers"][observer] is None for trial in _trials(judged))


def test_without_any_scheduler_observer(folder: Path) -> None:
    """Nobody sees who was woken: whatever is said about it is inconclusive, and names what is missing."""
    with Run(folder, *HERD, *(f"--herd-without={observer}" for observer in names(WOKEN))) as run:
        assert run.finish() == SOME_NOT_HELD, run.output
        run.assert_no_traceback()
        judged = run.run_json()
    assert_held_by_evidence(judged)
    assert all(trial["woken"] is None for trial in _trials(judged))
    missing = "; ".join(f"{observer}: switched off by --herd-without" for observer in names(WOKEN))
    reasons = {claim["id"]: {case["reason"] for case in claim["cases"]} for claim in judged["claims"]}
    for claim in ASK_WHO_WAS_WOKEN:
        assert reasons[claim] == {f"woken was not observed ({missing})"}, words(judged)
    for claim in ASK_WHO_RETURNED:
        assert reasons[claim] == {None}, words(judged)
