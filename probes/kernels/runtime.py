"""The folder of a running guest: its sockets, its initramfs.  A runner that was killed leaves one; the next sweeps it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..lab.sweep import is_alive

_PREFIX = "wakecheck-guest-"
_NAME = re.compile(re.escape(_PREFIX) + r"(\d+)-[a-z0-9_]+")


def _base() -> Path:
    """In memory where there is such a place: a full disk must not keep a guest from starting."""
    shm = Path("/dev/shm")
    return shm if os.access(shm, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A fresh one, gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_base()))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep() -> list[str]:
    """Remove the folders of this user's runners that are dead; return their paths."""
    swept = []
    with os.scandir(_base()) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if not found or entry.stat(follow_symlinks=False).st_uid != os.geteuid() or is_alive(int(found[1])):
                continue
            with contextlib.suppress(OSError):
                shutil.rmtree(entry.path)
                swept.append(entry.path)
    return swept
