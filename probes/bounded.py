"""Reads a file that somebody names, of a sane size only: a pipe may be waited for, and a device never ends."""

from __future__ import annotations

import errno
import os
import stat

MOST_BYTES = 256 << 20
"""Of a run.json: over twenty times as many as a whole run has."""


class BadFile(ValueError):
    """It is not read; the message says why, and begins with `it`, without the path."""


def read(path: str | os.PathLike[str], most_bytes: int = MOST_BYTES, *, pipes: bool = False) -> str:
    """The text of this file.  With `pipes`, also what a pipe brings: `<(zcat run.json.gz)`.

    Raises BadFile if it is of another kind, or has more than `most_bytes`; OSError if it cannot be read
    (IsADirectoryError for a folder), and UnicodeDecodeError if it is not UTF-8.
    """
    # Asked before it is opened: to open a device may do something.
    _insist_on_kind(os.stat(path), pipes)
    # Not to wait if nobody has opened the other end of a named pipe (fifo(7)); it then reads as empty.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(number, "rb") as file:
        status = os.fstat(number)
        _insist_on_kind(status, pipes)
        if stat.S_ISREG(status.st_mode) and status.st_size > most_bytes:
            raise BadFile(f"it has {status.st_size:,} bytes, and there can be {most_bytes:,}")
        os.set_blocking(number, True)
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise BadFile(f"it has more than {most_bytes:,} bytes")
    return content.decode("utf-8")


def _insist_on_kind(status: os.stat_result, pipes: bool) -> None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode))):
        raise BadFile("it is not a regular file")
