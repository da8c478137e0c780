"""Removes what killed conductors left behind: folders of path sockets, and System V semaphores.

Only if namespaces are denied can these outlive the process that created them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator

from ..locks import sysv
from ..sources.unix import FOLDER_PREFIX, pid_namespace
from ..verdict import NotApplicable

_NAME = re.compile(FOLDER_PREFIX.format(namespace=r"(?P<namespace>\d{1,10})", pid=r"(?P<pid>\d{1,9})") + r"[a-z0-9_]+")


def sweep() -> list[str]:
    """Remove what this user's dead conductors left behind; returns its names (paths of folders, ids of semaphores)."""
    return [*_folders(), *_semaphores()]


def _folders() -> Iterator[str]:
    here = pid_namespace()
    # Entries may disappear between listing and looking, and there may be no temporary folder at all.
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            # A pid of another PID namespace says nothing: from here we cannot see whether that process lives.
            if not name or not here or int(name["namespace"]) != here:
                continue
            with contextlib.suppress(OSError):
                mine = entry.stat(follow_symlinks=False).st_uid == os.geteuid()
                if mine and entry.is_dir(follow_symlinks=False) and not is_alive(int(name["pid"])):
                    shutil.rmtree(entry.path)
                    yield entry.path


def _semaphores() -> Iterator[str]:
    with contextlib.suppress(OSError):
        for row in sysv.rows():
            if row.creator != os.geteuid() or row.size != sysv.SIZE:
                continue
            with contextlib.suppress(OSError, NotApplicable):  # it was removed meanwhile, or is not readable
                owner = sysv.owner_of(row.id)
                if owner is not None and owner.is_gone():
                    sysv.remove(row.id)
                    yield f"System V semaphore {row.id}"


def is_alive(pid: int) -> bool:
    """Whether a process with this pid exists, whoever it belongs to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
