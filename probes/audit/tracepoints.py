"""Descriptions of tracepoints.  If tracefs is not mounted, a child mounts it in a mount namespace of its own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence

from .. import syscalls
from ..observers.perf_rings import Tracepoint, describe
from ..observers.tracefs import tracefs

_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 1 << 14, 1 << 18


def descriptions(names: Sequence[str]) -> dict[str, Tracepoint | str]:
    """For each tracepoint (group/event), its description, or why there is none."""
    try:
        folder = tracefs(may_mount=False)
    except OSError:
        return _from_a_child(names)
    return _described(names, folder)


def _described(names: Sequence[str], folder: str) -> dict[str, Tracepoint | str]:
    described: dict[str, Tracepoint | str] = {}
    for name in names:
        try:
            described[name] = describe(name, folder)
        except OSError as error:
            described[name] = f"{name} in tracefs: {error.strerror}"
    return described


def _from_a_child(names: Sequence[str]) -> dict[str, Tracepoint | str]:
    """Let a child mount tracefs where nobody else sees it; the mount ends with the child (mount_namespaces(7))."""
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        answer: dict[str, Tracepoint | str] = {}
        with contextlib.suppress(BaseException):
            syscalls.die_with_parent(parent)
            os.close(reader)
            answer = _in_own_mounts(names)
            with open(writer, "w") as out:
                json.dump(answer, out)
        os._exit(0)
    os.close(writer)
    with open(reader) as opened:
        text = opened.read()
    os.waitpid(child, 0)
    fields = json.loads(text) if text else dict.fromkeys(names, "tracefs could not be read")
    return {
        name: described if isinstance(described, str) else Tracepoint(*described) for name, described in fields.items()
    }


def _in_own_mounts(names: Sequence[str]) -> dict[str, Tracepoint | str]:
    try:
        result = syscalls.call(syscalls.NUMBERS["unshare"], _NEWNS)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        syscalls.mount("none", "/", "", _MS_REC | _MS_PRIVATE)
        folder = tracefs(may_mount=True)
    except OSError as error:
        return dict.fromkeys(names, f"tracefs, which describes it, is not mounted: {error.strerror}")
    return _described(names, folder)
