"""The folder of a running guest: its sockets, its initramfs.

A runner that was killed leaves one; the next sweeps it.  Whoever uses one holds a lock on it (flock(2)): that tells
also those in other PID namespaces, who cannot see the process, that it is in use.  It is below the temporary folder: a
User-Mode Linux kernel mounts its own /dev before it starts init, and would lose sight of /dev/shm.
"""

from __future__ import annotations

import contextlib
import fcntl
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
    lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield fresh
    finally:
        os.close(lock)
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
                if entry.stat(follow_symlinks=False).st_uid != os.geteuid() or _is_in_use(entry.path):
                    continue
                shutil.rmtree(entry.path)
                swept.append(entry.path)
    return swept


def _is_in_use(path: str) -> bool:
    """Whether somebody holds the lock.  Raises OSError if it is gone."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
