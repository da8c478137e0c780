"""The wheel alone, in an empty folder: every command works as it does in a checkout."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ..installs import PATIENCE_S, clone, environment, wheel

WELL, BROKEN, BAD_INPUT, CANNOT_JUDGE = 0, 1, 2, 3
FEW = ("--herd-claim=accept.wakes-one", "--herd-preset=fast")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return environment(folder / "venv", wheel(folder))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run, one after the other."""
    return tmp_path_factory.mktemp("empty")


def _call(programs: Path, cwd: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Nothing of this checkout leads the way: no PYTHONPATH, no environment that is active."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL"))}
    return subprocess.run(
        [programs / "wakecheck", *map(str, arguments)],
        cwd=cwd,
        env=kept,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_judge(programs: Path, empty: Path) -> None:
    done = _call(programs, empty, "judge", *FEW)
    assert done.returncode == WELL, done.stdout + done.stderr
    run = json.loads((empty / "report/partial/run.json").read_text())
    assert [claim["verdict"] for claim in run["claims"]] == ["held"]
    assert (empty / "report/partial/index.html").exists()


def test_judge_names_chapters_as_in_a_checkout(programs: Path, empty: Path) -> None:
    done = _call(programs, empty, "judge", "tests/kernel/test_controls.py", "--herd-report=controls")
    assert done.returncode == WELL, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("list",), WELL, "accept.wakes-one"),
        (("show", "accept.wakes-one"), WELL, "wakecheck judge --herd-claim=accept.wakes-one"),
        (("host",), WELL, "positive      held"),
        (("run", "poll/tcp4/n8/hold/one-connection", "--trials=1", "--timeline"), WELL, "woken 8"),
        (("report", "report/partial/run.json"), CANNOT_JUDGE, "cases were judged"),
        (
            ("report", "report/partial/run.json", "report/partial/run.json", "--html=matrix/index.html"),
            CANNOT_JUDGE,
            "matrix",
        ),
        (("summary", "report/partial/run.json"), WELL, "partial"),
        (("compare", "report/partial/run.json", "report/partial/run.json"), WELL, "same verdict"),
        (("kernels", "list"), WELL, "uml-7.2"),
        (("kernels", "run", "host", "--", *FEW), WELL, "host: 1 held, partial"),
        (("kernels", "run", "uml-7.2", "--cache=none"), BAD_INPUT, "wakecheck kernels get"),
        (("serve", "--help"), WELL, "accept-mutex"),
        (("bench", "--rounds=1", "--quick"), WELL, "untraced trial"),
        (("--version",), WELL, "wakecheck "),
        (("judge", "--herd-claim=accept.wake-one"), BAD_INPUT, "did you mean accept.wakes-one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_command(arguments: tuple[str, ...], code: int, words: str, programs: Path, empty: Path) -> None:
    done = _call(programs, empty, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stdout + done.stderr


def test_audit_of_a_server_that_it_starts(programs: Path, empty: Path) -> None:
    done = _call(programs, empty, "audit", "--json", "--", programs / "wakecheck", "serve", "epoll", "--workers=3")
    assert done.returncode == WELL, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["workers"], answer["woken"]["median"]) == ("herds", 3, 3)


def test_python_m_probes_is_the_same(programs: Path, empty: Path) -> None:
    done = subprocess.run(
        [programs / "python", "-m", "probes", "--help"], cwd=empty, capture_output=True, text=True, check=True
    )
    assert done.stdout == _call(programs, empty, "--help").stdout


@pytest.mark.parametrize("command", ["list", "judge"])
def test_in_another_checkout_it_says_that_it_is_not_that_code(command: str, programs: Path, tmp_path: Path) -> None:
    """Whoever edits the checkout would wonder why nothing changes."""
    checkout = clone(tmp_path / "checkout")
    below = checkout / "docs"
    done = _call(programs, below, command, *(["--herd-report=../r", "--collect-only"] if command == "judge" else []))
    assert done.returncode == WELL, done.stdout + done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("wakecheck: "))
    assert f"not that of the checkout {checkout}" in line
    assert "pip install -e" in line


def test_an_editable_install_is_the_code_of_its_checkout(tmp_path: Path) -> None:
    checkout = clone(tmp_path / "checkout")
    programs = environment(tmp_path / "venv", "-e", checkout)
    summaries = checkout / "probes/commands/__init__.py"
    summaries.write_text(summaries.read_text().replace("list the claims", "LIST THE CLAIMS"))
    done = _call(programs, checkout, "--help")
    assert "LIST THE CLAIMS" in done.stdout
    assert done.stderr == ""
