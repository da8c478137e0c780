"""A child that goes somewhere this process must not stay, and says what came of it there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable

from .judged_here import Outcome


def outcomes_of_child(act: Callable[[], list[Outcome]]) -> tuple[int, list[Outcome]]:
    """The exit code of a child (negative: the signal that ended it), and, where that is 0, what `act` returned there.

    What it needs is imported here already.  The child leads a session of its own; `act` may end it.
    """
    answer, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            kept = fcntl.fcntl(said, fcntl.F_DUPFD, 3)  # there may be neither stdin nor stdout where it goes
            text = json.dumps(act()).encode()
            while text:
                text = text[os.write(kept, text) :]
            code = 0
        finally:
            os._exit(code)
    os.close(said)
    with open(answer, "rb") as file:
        text = file.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, as_outcomes(json.loads(text)) if code == 0 else []


def as_outcomes(said: list[list[str]]) -> list[Outcome]:
    """As JSON gives them back, which has no tuples."""
    return [tuple(each) for each in said]
