"""The command line where something is odd: a path, a folder, a locale, a descriptor.  It works there, or says in one
sentence what is in the way; never with a traceback, and never with Python's own exit code for one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from probes.exits import BAD_INPUT, CANNOT_JUDGE, WELL

from ..installs import clone
from .runs import ROOT

SAMPLE = ROOT / "tests" / "suite" / "unit" / "samples" / "run-small.json"
CHAPTER = ("tests/kernel/test_accept.py", "--herd-preset=fast", "-k=tcp4 and n8 and not n8t")
LONG = "/".join(["a-folder-with-a-name-that-is-longer-than-most"] * 4)
"""Longer than the 107 bytes that a unix socket's path may have (unix(7))."""

_NO_SHM = """
new=$(mktemp -d) && mount -t tmpfs none "$new" || exit 99
for node in null zero random urandom full tty; do touch "$new/$node" && mount --bind "/dev/$node" "$new/$node"; done
ln -s /proc/self/fd "$new/fd"
mount --move "$new" /dev && rmdir "$new" && exec "$@"
"""
_READ_ONLY = 'mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind "$PWD" && cd "$PWD" && exec "$@"'


def _mounts(script: str) -> tuple[str, ...]:
    return ("unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh")


@dataclass(frozen=True)
class Odd:
    """A place: the checkout's name in a folder, and how a command comes there."""

    name: str
    checkout: str = "checkout"
    prefix: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    temporary: str = "tmp"
    silent: bool = False
    """Whether there is no standard output.  `python -m pytest` then ends with a traceback of its own, before it loads
    anything of ours, and as it ends (console_main, _pytest/config/__init__.py): `wakecheck judge` does not."""
    takes_root: bool = False


PLACES = (
    Odd("plain"),
    Odd("read-only", prefix=_mounts(_READ_ONLY), takes_root=True),
    Odd("path with spaces and an apostrophe", checkout="o'brien's check out"),
    Odd("long TMPDIR", temporary=LONG),
    Odd("no HOME", unset=("HOME",)),
    Odd("no /dev/shm", prefix=_mounts(_NO_SHM), takes_root=True),
    Odd("stdout closed", prefix=("sh", "-c", 'exec "$@" >&-', "sh"), silent=True),
    Odd("LANG=C", environment={"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    Odd("umask 077", prefix=("sh", "-c", 'umask 077 && exec "$@"', "sh")),
)
SERVER = "import socket,os\ns=socket.create_server(('127.0.0.1',0))\nwhile 1: s.accept()[0].close()"


@pytest.fixture(params=PLACES, ids=lambda place: place.name.replace(" ", "-"))
def odd(request: pytest.FixtureRequest) -> Odd:
    place: Odd = request.param
    if place.takes_root and os.geteuid() != 0:
        pytest.skip("a mount namespace of the test's own takes root")
    return place


@pytest.fixture
def out(folder: Path) -> Path:
    """Where a command may write, with a run.json in it."""
    (folder / "out").mkdir()
    shutil.copy(SAMPLE, folder / "out" / "run.json")
    return folder / "out"


def _commands(out: Path) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    """Each with what may come of it: judging is allowed to be impossible in such a place."""
    probes = (sys.executable, "-m", "probes")
    judged = (WELL, CANNOT_JUDGE)
    return {
        "pytest": ((sys.executable, "-m", "pytest", *CHAPTER, f"--herd-report={out / 'report'}"), (0,)),
        "pytest, report here": ((sys.executable, "-m", "pytest", *CHAPTER), (0, 4)),
        "judge": ((*probes, "judge", *CHAPTER, f"--herd-report={out / 'judged'}"), judged),
        "run": ((*probes, "run", "accept/unix/n4/hold/one-connection", "--trials=2"), judged),
        "report": ((*probes, "report", str(out / "run.json"), f"--html={out / 'page.html'}"), (WELL, 1, CANNOT_JUDGE)),
        "report, page here": ((*probes, "report", str(out / "run.json"), "--html=page.html"), (WELL, 1, 2, 3)),
        "audit": ((*probes, "audit", "--connections=3", "--", sys.executable, "-c", SERVER), judged),
        "audit of nobody": ((*probes, "audit", "--pid=1", "--port=1"), (BAD_INPUT, CANNOT_JUDGE)),
        "list": ((*probes, "list"), (WELL,)),
        "show": ((*probes, "show", "accept.wakes-one"), (WELL,)),
        "host": ((*probes, "host"), judged),
        "cost": ((*probes, "cost", "--help"), (WELL,)),
    }


def test_every_command_works_or_says_in_one_sentence_why_not(odd: Odd, folder: Path, out: Path) -> None:
    checkout = clone(folder / odd.checkout)
    temporary = folder / odd.temporary
    temporary.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", **odd.environment}
    for name in odd.unset:
        environment.pop(name, None)
    commands = {name: each for name, each in _commands(out).items() if not (odd.silent and name.startswith("pytest"))}
    for name, (command, codes) in commands.items():
        done = subprocess.run(
            [*odd.prefix, *command],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        told = f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr, told
        assert "INTERNALERROR" not in done.stdout + done.stderr, told
        if odd.silent:
            assert done.returncode in (*codes, CANNOT_JUDGE), told
        else:
            assert done.returncode in codes, told
            if done.returncode != WELL:
                assert done.stderr.strip() or done.stdout.strip(), told
    assert os.listdir(temporary) == [], "left behind"
