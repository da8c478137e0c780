"""How a command ends: its exit codes, and the error that is one sentence for the user."""

from __future__ import annotations

WELL, BROKEN, BAD_INPUT, CANNOT_JUDGE, FAULT = 0, 1, 2, 3, 4
"""All is well; a claim is broken, or something got worse; bad input; it could not be judged; a fault of Wakecheck's."""

OTHER_CODES = "4 a fault of Wakecheck itself, 130 stopped by Ctrl-C"
"""What every command's help says after the codes that mean something of its own."""

WORST_LAST = (WELL, CANNOT_JUDGE, BROKEN, BAD_INPUT, FAULT)
"""The order in which several runs make one exit code: that of the worst."""


class BadInput(Exception):
    """The message is one sentence for the user, without a full stop; the command ends with BAD_INPUT."""


def worst(*codes: int) -> int:
    """The worst of these exit codes; WELL for none."""
    return max(codes, key=WORST_LAST.index, default=WELL)
