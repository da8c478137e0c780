"""The folder of a running guest: its sockets, its initramfs.

A runner that was killed leaves one; the next sweeps it.  It is below the temporary folder: a User-Mode Linux kernel
mounts its own /dev before it starts init, and would lose sight of /dev/shm.
"""

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
_NAME = re.compile(re.escape(_PREFIX) + r"(\d{1,9})-[a-z0-9_]+")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A fresh one, gone afterwards."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def sweep() -> list[str]:
    """Remove the folders of this user's runners that are dead; return their paths."""
    swept = []
    with os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            pid = _NAME.fullmatch(entry.name)
            if not pid or is_alive(int(pid[1])):
                continue
            # Another runner may sweep it at the same time.
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                    continue
                shutil.rmtree(entry.path)
                swept.append(entry.path)
    return swept
