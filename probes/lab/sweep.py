"""Clears away what a conductor left that was killed in the instant in which it bound a path socket.

Only where namespaces are denied does such a folder ever stand in a place that outlives its maker.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile

from ..listeners.unix import FOLDER_PREFIX

_NAME = re.compile(re.escape(FOLDER_PREFIX).replace(r"\{pid\}", r"(\d+)") + r"[a-z0-9_]+")


def sweep() -> list[str]:
    """Remove the folders of this user's conductors that are dead; return their paths."""
    swept = []
    with os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            if not name or not entry.is_dir(follow_symlinks=False):
                continue
            if entry.stat(follow_symlinks=False).st_uid != os.geteuid() or is_alive(int(name[1])):
                continue
            with contextlib.suppress(OSError):
                shutil.rmtree(entry.path)
                swept.append(entry.path)
    return swept


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number, whoever it belongs to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
