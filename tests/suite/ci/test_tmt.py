"""The tmt plan: tmt finds it sound, runs it on this machine, and brings run.json back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from probes.observers import WOKEN, names
from probes.report.run import load

from .tools import copy_of_the_suite, need

TIME_S = 300
"""Far more than one claim in the fast preset takes."""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """tmt copies the folder that it is called on, so it is called on what git would hold."""
    return copy_of_the_suite(tmp_path)


def tmt(suite: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (program,) = need("tmt")
    need("rsync")
    # Its lock would otherwise stay in /var/tmp.
    environment = {**os.environ, "TMT_TEST_PIDFILE_ROOT": str(suite.parent), "TMT_WORKDIR_ROOT": str(suite.parent)}
    return subprocess.run(
        [program, "--root", str(suite), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_S,
        check=False,
    )


def run_here(suite: Path, options: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the plan on this machine with these options for pytest; and where its data are.

    Without the step `prepare`, in which tmt installs packages of its own with the machine's apt.
    `--feeling-safe`: tmt asks for it where no guest stands between a test and the machine.
    """
    folder = suite.parent / "run"
    settings = {"WAKECHECK_PYTHON": sys.executable, "WAKECHECK_OPTIONS": options}
    # tmt splits what it is told as a shell does.
    given = [word for name, value in settings.items() for word in ("--environment", f"{name}={shlex.quote(value)}")]
    steps = ("discover", "provision", "--how", "local", "execute", "report", "cleanup")
    done = tmt(suite, "--feeling-safe", "run", "--id", str(folder), *given, *steps)
    data = [path for path in folder.rglob("data") if path.parent.name.startswith("judge")]
    assert len(data) == 1, done.stdout
    return done, data[0]


def test_the_plan_is_sound(suite: Path) -> None:
    done = tmt(suite, "lint")
    assert done.returncode == 0, done.stdout
    assert "/ci/wakecheck" in done.stdout


def test_the_plan_passes_and_brings_the_results(suite: Path) -> None:
    done, data = run_here(suite, "--herd-preset=fast --herd-claim=accept.wakes-one")
    assert done.returncode == 0, done.stdout
    assert "total: 1 test passed" in done.stdout
    run = load(data / "report" / "run.json")
    assert [(claim["id"], claim["verdict"]) for claim in run["claims"]] == [("accept.wakes-one", "held")]
    assert (data / "report" / "index.html").stat().st_size > 0
    assert "accept.wakes-one" in (data / "junit.xml").read_text(encoding="utf-8")


def test_a_claim_that_cannot_be_judged_fails_the_plan(suite: Path) -> None:
    blind = " ".join(f"--herd-without={observer}" for observer in names(WOKEN))
    done, data = run_here(suite, f"--herd-preset=fast --herd-claim=accept.wakes-one {blind}")
    assert done.returncode == 1, done.stdout
    assert "total: 1 test failed" in done.stdout
    assert load(data / "report" / "run.json")["claims"][0]["verdict"] == "inconclusive"


def test_a_wrong_option_is_an_error_of_the_plan(suite: Path) -> None:
    done, data = run_here(suite, "--herd-claim=no.such-claim")
    assert done.returncode == 2, done.stdout
    assert "total: 1 error" in done.stdout
    assert not (data / "report" / "run.json").exists()
