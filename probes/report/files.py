"""Files that are written whole or not at all, and never through a link that somebody else has planted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from pathlib import Path

_MOST_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


def write_whole(text: str, path: str | os.PathLike[str]) -> None:
    """Write `text` to `path`, and make the folders above it.

    What is there and is not a regular file (a device, a pipe, a terminal) is written through, never
    replaced; of a link, the file behind it is.  Raises OSError if it cannot be written, as for a pipe that
    nobody reads and for a link that `resolved` refuses; then a regular file is as it was.
    """
    if is_written_through(path):
        # To open a pipe that nobody reads would wait for ever; this way it fails (fifo(7)).
        number = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        os.set_blocking(number, True)
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
        return
    target = resolved(path)
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


def write_elsewhere(text: str, name: str) -> Path:
    """Write `text` to a new file in the temporary folder, whose name begins with `name`; where it is.

    Nobody can guess the name, and nothing that is there already is opened (mkstemp(3)).  Raises OSError.
    """
    number, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".json")
    with open(number, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(path)


def resolved(path: str | os.PathLike[str]) -> Path:
    """The path without symbolic links.

    Raises OSError for one that another user has put into a folder that everybody may write to: he would choose
    which file is replaced.  It is the rule of protected_symlinks (proc_sys_fs(5)), which holds only where it is
    switched on, and not for a path that was resolved before it is opened.
    """
    at, rest, links = Path("/"), [*reversed(Path(os.path.join(os.getcwd(), path)).parts[1:])], 0
    while rest:
        name = rest.pop()
        if name == "..":
            at = at.parent
            continue
        try:
            target = Path(os.readlink(at / name))
        except OSError:  # no link, or nothing there yet
            at /= name
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
        _insist_that_it_is_trusted(at / name)
        if target.is_absolute():
            at, target = Path("/"), target.relative_to("/")
        rest += reversed(target.parts)
    return at


def _insist_that_it_is_trusted(link: Path) -> None:
    folder = os.stat(link.parent)
    if folder.st_mode & stat.S_IWOTH and os.lstat(link).st_uid not in (os.geteuid(), folder.st_uid):
        raise OSError(errno.EPERM, f"{link} is a link that another user put there", os.fspath(link))


def is_written_through(path: str | os.PathLike[str]) -> bool:
    """Whether `path` exists and is neither a regular file nor a folder."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def why_not_writable(path: Path, *, regular: bool = False, named: bool = False) -> str | None:
    """Why a file cannot be written at `path`, or None: found by trying, and undoing it.

    Asked before a run, so that a report does not fail after it.  `regular`: no device and no pipe will do.  `named`:
    the user has named this very file, and a folder that is not there is a slip of the pen.
    """
    if str(path) == "-":
        return "- is not a file to write (for standard output name /dev/stdout)"
    if is_written_through(path):
        return f"{path} is not a regular file" if regular else None
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    if obstacle := next((above for above in path.parents if above.exists() and not above.is_dir()), None):
        return f"{path} cannot be written ({obstacle} is not a folder)"
    if named and missing:
        return f"{path} cannot be written (there is no folder {missing[0]})"
    try:
        resolved(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            return f"{path} cannot be written ({os.strerror(errno.EISDIR)})"
        with tempfile.TemporaryFile(dir=path.parent):
            return None
    except OSError as error:
        return f"{path} cannot be written ({error.strerror})"
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def lock(folder: Path) -> int | None:
    """Keep other runs out of this folder until the descriptor is closed; None if nothing can be locked there.

    The lock is on the folder itself (flock(2)), so nothing is left behind.  Raises BlockingIOError where somebody
    else has it.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK = _read_umask()
"""mkstemp gives 0600; a report is for everybody whom the umask allows.  It can only be read by setting it, which
concerns every thread: so it is done before there is another."""
