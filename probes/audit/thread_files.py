"""/proc files of all threads of a server, kept open as long as descriptors suffice: opening takes longer than
reading."""

from __future__ import annotations

import contextlib
import os
import resource

from ..observers.task_files import TaskFiles
from .waits import threads_of

_FILES_EACH = 2
"""/proc/PID/task/TID/status and /proc/PID/task/TID/syscall."""
_SPARE = 0.5
"""The part of the limit on descriptors that is left for everything else."""
_OWN_LINKS = 2
"""Link count of a directory without subdirectories; that of /proc/PID/task is higher by one for each thread
(proc_task_getattr, fs/proc/base.c)."""


class ThreadFiles:
    """The files by thread id.  After `close` no file is open, and none is kept open any more."""

    def __init__(self) -> None:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        infinite = limit == resource.RLIM_INFINITY
        self._room = 65_536 if infinite else int(limit * _SPARE)
        self._files: dict[int, TaskFiles] = {}
        self._folders: dict[int, int] = {}
        self._threads: dict[int, list[int]] = {}

    def of(self, pid: int, tid: int) -> TaskFiles:
        """The files of this thread."""
        files = self._files.get(tid)
        if files is None:
            files = TaskFiles(pid, tid, True)
            if self._room >= _FILES_EACH:
                self._room -= _FILES_EACH
                files.keep()
                self._files[tid] = files
        return files

    def threads(self, pid: int) -> list[int]:
        """Thread ids of this process.  The folder is read again only if their number changed, or a thread ended."""
        known = self._threads.get(pid)
        folder = self._folders.get(pid)
        if known is not None and folder is not None:
            with contextlib.suppress(OSError):
                if os.fstat(folder).st_nlink == len(known) + _OWN_LINKS:
                    return known
        self._threads[pid] = threads_of(pid)
        if folder is None and self._room > 0:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self._folders[pid] = os.open(f"/proc/{pid}/task", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                self._room -= 1
        return self._threads[pid]

    def list_anew(self) -> None:
        """Make `threads` read every folder again: a thread may have ended when another started."""
        self._threads.clear()

    def gone(self, pid: int, tid: int) -> None:
        """Note that this thread has ended."""
        self._threads.pop(pid, None)
        if (files := self._files.pop(tid, None)) is not None:
            files.close()
            self._room += _FILES_EACH

    def close(self) -> None:
        """Close everything."""
        for files in self._files.values():
            files.close()
        for folder in self._folders.values():
            os.close(folder)
        self._files, self._folders, self._threads, self._room = {}, {}, {}, 0
