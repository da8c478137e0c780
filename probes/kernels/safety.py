"""Whether somebody else could have put a program where we run it, or could lead us to another one.

The same is asked of a user's files by sshd (StrictModes, sshd_config(5)): every folder above them, and they themselves,
belong to this user or to root, and nobody else may write to them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..exits import BadInput


class Unsafe(BadInput):
    """Somebody else can change what would be run; the message is one sentence that names the path."""


def insist_on_safety(top: Path, *places: Path, whole: bool = True) -> None:
    """Raises Unsafe where somebody else than this user and root can change one of `places`, all of them below `top`.

    `whole`: look at everything in them, too.  OSError where a place is not there.
    """
    real = top.resolve()
    for folder in real.parents:
        # In a sticky folder, as /tmp is, nobody can rename or remove what belongs to another (unlink(2), EPERM).
        _insist(folder, os.lstat(folder), sticky_is_well=True)
    _insist(real, os.lstat(real))
    for place in places:
        path = real
        for part in place.relative_to(top).parts:
            path = path / part
            status = os.lstat(path)
            _insist(path, status)
            if stat.S_ISLNK(status.st_mode):
                raise Unsafe(f"{path} is a link, and may lead out of the cache: {_REMEDY}")
        for name in _inside(path) if whole else ():
            status = os.lstat(name)
            _insist(name, status)
            if stat.S_ISLNK(status.st_mode) and not Path(os.path.realpath(name)).is_relative_to(path):
                raise Unsafe(f"{name} is a link out of the cache: {_REMEDY}")


_REMEDY = "remove it and fetch again, or choose another cache with --cache"


def _inside(place: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(place):
        yield from (os.path.join(folder, name) for name in (*folders, *files))


def _insist(path: Path | str, status: os.stat_result, *, sticky_is_well: bool = False) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise Unsafe(f"{path} belongs to uid {status.st_uid}, who could change what is run from it: {_REMEDY}")
    if stat.S_ISLNK(status.st_mode) or (sticky_is_well and status.st_mode & stat.S_ISVTX):
        return
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid())
    if others or group:
        who = "everybody" if others else f"gid {status.st_gid}"
        raise Unsafe(f"{path} can be written by {who}, who could change what is run from it: {_REMEDY}")
