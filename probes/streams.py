"""Standard streams that can be written to, also where they are closed, and whatever the locale."""

from __future__ import annotations

import io
import os
import sys


def insist_on_streams() -> None:
    """Give standard output and error that were closed (`>&-`) a place: pytest ends with a traceback without them.

    Nothing else that is opened later then gets their numbers, and what is printed.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # as long as this process


def escape_what_the_locale_lacks() -> None:
    """Write `\\xb1` for a sign that the locale's encoding lacks (LANG=C with PYTHONCOERCECLOCALE=0), and go on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
            try:
                "\xb1\u2026".encode(stream.encoding)
            except UnicodeEncodeError:
                stream.reconfigure(errors="backslashreplace")
