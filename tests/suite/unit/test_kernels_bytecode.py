"""What guests import is compiled once, on this machine, where it can be kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probes.chapters import HOME


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy without anything compiled, and a temporary folder beside it."""
    copy = tmp_path / "checkout"
    for name in ("probes", "tests/kernel"):
        shutil.copytree(HOME / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pytest.ini"):
        shutil.copy(HOME / name, copy / name)
    (tmp_path / "tmp").mkdir()
    return copy


def _compile_all(checkout: Path, **environment: str) -> None:
    command = [sys.executable, "-c", "from probes.kernels.bytecode import compile_all; compile_all()"]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(checkout.parent / "tmp"), **environment}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list((checkout.parent / "tmp").iterdir()) == []


@pytest.mark.long
def test_chapters_and_modules_are_compiled(checkout: Path) -> None:
    _compile_all(checkout)
    for module in ("probes/lab/conductor.py", "probes/experiments/epoll.py"):
        compiled = (
            checkout / Path(module).parent / "__pycache__" / f"{Path(module).stem}.{sys.implementation.cache_tag}.pyc"
        )
        assert compiled.is_file()
    # pytest puts its own version into the name.
    chapters = {path.stem for path in (checkout / "tests/kernel").glob("test_*.py")}
    rewritten = {path.name.partition(".")[0] for path in (checkout / "tests/kernel/__pycache__").glob("*-pytest-*.pyc")}
    assert chapters <= rewritten


def test_not_where_the_user_wants_none(checkout: Path) -> None:
    _compile_all(checkout, PYTHONDONTWRITEBYTECODE="1")
    assert list(checkout.rglob("__pycache__")) == []


@pytest.mark.long
def test_a_chapter_that_cannot_be_compiled_is_left_to_the_guests(checkout: Path) -> None:
    (checkout / "tests/kernel/test_accept.py").write_text("def (")
    (checkout / "probes/lab/rest.py").write_text("def (")
    _compile_all(checkout)


@pytest.mark.long
def test_what_the_user_asks_of_pytest_is_not_asked_here(checkout: Path) -> None:
    """PYTEST_ADDOPTS may name files, which would be written over."""
    (checkout / "junit.xml").write_text("of yesterday")
    _compile_all(checkout, PYTEST_ADDOPTS=f"--junitxml={checkout / 'junit.xml'}")
    assert (checkout / "junit.xml").read_text() == "of yesterday"
    assert list((checkout / "tests/kernel/__pycache__").glob("*-pytest-*.pyc"))
