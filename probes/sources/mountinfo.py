"""/proc/self/mountinfo, which reports a change of the mounts, once, to the first that looks (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os

from ..scenario import Scenario
from ..sources.libc import checked, libc
from ..syscalls import mount
from ..verdict import NotApplicable
from . import Source

_DETACH = 2  # MNT_DETACH


class Mountinfo(Source):
    """The file of this mount namespace, open once for all; what they ask for is POLLPRI: it can always be read."""

    delivery = "mount returned: the task that mounts issues the wake-ups itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if there is no folder of our own mounts: then a mount would be everybody's."""
        if folder is None:
            raise NotApplicable("mountinfo: there is no mount namespace of our own")
        self._folder = folder
        self._mounted = 0
        self._fd = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self.fds = [self._fd] * scenario.n

    def happen(self) -> None:
        """Mount an empty file system over a folder that nobody uses."""
        mount("tmpfs", self._folder, "tmpfs")
        self._mounted += 1

    def close(self) -> None:
        for _ in range(self._mounted):
            checked(libc.umount2(self._folder.encode(), _DETACH))
        os.close(self._fd)
