"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path


def write_whole(text: str, path: str | os.PathLike[str]) -> None:
    """Write `text` to `path`, and make the folders above it.

    What is there and is no regular file (a device, a pipe, a terminal) is written through, never
    replaced; of a link, the file behind it is.  Raises OSError where it cannot be written; then a
    regular file is as it was.
    """
    if is_written_through(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: os.replace is atomic only within one file system.
    number, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def is_written_through(path: str | os.PathLike[str]) -> bool:
    """Whether `path` exists and is neither a regular file nor a folder."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def why_not_writable(path: Path) -> str | None:
    """Why a file cannot be written at `path`, or None: found by trying, and undoing it.

    Asked before a run, so that a report does not fail after it.
    """
    if is_written_through(path):
        return None
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            return f"{path} cannot be written ({os.strerror(errno.EISDIR)})"
        with tempfile.TemporaryFile(dir=path.parent):
            return None
    except OSError as error:
        return f"{path} cannot be written ({error.strerror})"
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK = _read_umask()
"""mkstemp gives 0600; a report is for everybody whom the umask allows.  It can only be read by setting it, which
concerns every thread: so it is done before there is another."""
