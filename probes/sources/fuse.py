"""/dev/fuse, behind which a file system of one file is mounted: what the servers of a file system wait on (fuse(4))."""

from __future__ import annotations

import os
import struct

from ..refusals import unavailable
from ..scenario import Scenario
from ..syscalls import mount
from ..verdict import NotApplicable
from . import Source
from .libc import checked, libc

_DEVICE = "/dev/fuse"
_DETACH = 2  # MNT_DETACH
LARGEST = 8192
"""Bytes that a server must have room for (FUSE_MIN_READ_BUFFER, include/uapi/linux/fuse.h)."""
_QUESTION = struct.Struct("=IIQQIIII")
"""struct fuse_in_header: the kernel asks."""
_ANSWER = struct.Struct("=IiQ")
"""struct fuse_out_header: the server answers, or, with a number of 0, tells the kernel something."""
_INITIAL = struct.Struct("=IIIIHHIIHHI28x")
"""struct fuse_init_out: the version that the server speaks, and what it wants."""
_RETRIEVE = 5
"""FUSE_NOTIFY_RETRIEVE: the server asks for what the kernel has cached of a file."""
_WHAT = struct.Struct("=QQQII")
"""struct fuse_notify_retrieve_out: a number, the node, an offset, a size."""
_ROOT = 1


class Fuse(Source):
    """One device for all, and a regular file as the root of what is mounted behind it.

    The conductor asks the kernel for what it has cached of that file, which is nothing.  The kernel puts that answer
    among the requests and wakes the servers in the task that asked (fs/fuse/dev.c, fuse_retrieve and
    fuse_dev_queue_req); nobody has to reply to it.
    """

    delivery = "write to /dev/fuse returned: the task that asks puts the request into the queue and wakes itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if /dev/fuse may not be opened, or nothing may be mounted."""
        if folder is None:
            raise NotApplicable("fuse: there is no mount namespace of our own")
        self._place = os.path.join(folder, "fuse")
        self._number = 0
        try:
            self._fd = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise unavailable(f"{_DEVICE}", error) from error
        os.close(os.open(self._place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        wanted = f"fd={self._fd},rootmode=100000,user_id={os.geteuid()},group_id={os.getegid()}"
        try:
            mount("wakecheck", self._place, "fuse", data=wanted)
        except OSError as error:
            os.unlink(self._place)
            os.close(self._fd)
            raise unavailable("mounting a fuse file system", error) from error
        try:
            self._greet()
        except OSError:
            self.close()
            raise
        os.set_blocking(self._fd, scenario.takes)
        self.fds = [self._fd] * scenario.n

    def _greet(self) -> None:
        """Answer the first request, FUSE_INIT: until then there are no others."""
        asked = os.read(self._fd, LARGEST)
        unique = _QUESTION.unpack_from(asked)[2]
        wishes = _INITIAL.pack(7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0)
        os.write(self._fd, _ANSWER.pack(_ANSWER.size + len(wishes), 0, unique) + wishes)

    def happen(self) -> None:
        """One request."""
        self._number += 1
        what = _WHAT.pack(self._number, _ROOT, 0, 0, 0)
        os.write(self._fd, _ANSWER.pack(_ANSWER.size + len(what), _RETRIEVE, 0) + what)

    def close(self) -> None:
        checked(libc.umount2(self._place.encode(), _DETACH))
        os.unlink(self._place)
        os.close(self._fd)
