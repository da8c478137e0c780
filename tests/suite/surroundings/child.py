"""A child that moves to a place from which there is no way back, judges there, and returns the outcomes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable

from .judged_here import Outcome


def outcomes_of_child(act: Callable[[], list[Outcome]]) -> tuple[int, list[Outcome]]:
    """The exit code of a child (negative: the signal that ended it), and, if that is 0, what `act` returned in it.

    This process must have imported everything that the child needs.  The child has a session of its own; `act` may end
    the child.
    """
    answer, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            kept = fcntl.fcntl(ours, fcntl.F_DUPFD, 3)  # the place may have neither stdin nor stdout
            text = json.dumps(act()).encode()
            while text:
                text = text[os.write(kept, text) :]
            code = 0
        finally:
            os._exit(code)
    os.close(ours)
    with open(answer, "rb") as file:
        text = file.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, as_outcomes(json.loads(text)) if code == 0 else []


def as_outcomes(rows: list[list[str]]) -> list[Outcome]:
    """Outcomes from JSON, which has lists instead of tuples."""
    return [tuple(row) for row in rows]
