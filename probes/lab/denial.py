"""System calls that a sandbox denies here (seccomp(2)), whatever their arguments: such an error is not the kernel's.

An OSError in Python does not say which call failed, so the calls are tried once more, each with invalid arguments.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from .. import refusals, syscalls
from ..errnos import errno_name
from ..verdict import Inconclusive, NotApplicable

_ANSWERS = (errno.EPERM, errno.EACCES, errno.ENOSYS)
"""Errors that seccomp filters return."""
_NEEDED = (
    "accept4",
    "clone3",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd2",
    "fcntl",
    "flock",
    "memfd_create",
    "semget",
)
"""Calls that refuse arguments of -1 before they do anything, with EBADF, EINVAL, EFAULT or a similar error.

Calls that ordinary containers deny (namespaces, perf events, io_uring) are left out: their users check for that."""


def denied() -> dict[str, int]:
    """The calls of `_NEEDED` that are denied, and the errno of each."""
    answers = {name: -syscalls.call(number, *[-1] * 6) for name in _NEEDED if (number := syscalls.NUMBERS.get(name))}
    return {name: error for name, error in answers.items() if error in _ANSWERS}


def in_words() -> str:
    """`epoll_wait is denied here (EPERM)`; empty if nothing is."""
    return ", ".join(f"{name} is denied here ({errno_name(error)})" for name, error in denied().items())


def explained(reason: str) -> str:
    """A reason, followed by what is denied here and may be its cause."""
    words = in_words()
    return f"{reason}; {words}" if words and words not in reason else reason


def insist_on_no_denial(facts: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise Inconclusive, or NotApplicable for ENOSYS, if a fact holds the error of a call that is denied here."""
    held = {error: fact["what"] for fact in facts.values() if (error := refusals.held_by(fact["seen"])) is not None}
    for name, error in (denied() if held else {}).items():
        if error in held:
            refused = NotApplicable if error == errno.ENOSYS else Inconclusive
            raise refused(f"{held[error]}: {errno_name(error)}; {name} is denied here ({errno_name(error)})")
