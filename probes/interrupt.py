"""A signal ends a run once: a second one must not interrupt the cleanup after the first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import NoReturn

CTRL_C = (signal.SIGINT,)
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals by which a user, a terminal that closes, or a machine that shuts down ends a program."""

_DEFAULTS = dict.fromkeys(ENDS, signal.SIG_DFL) | {signal.SIGINT: signal.default_int_handler}


def _first(number: int, frame: FrameType | None) -> NoReturn:
    for later in ENDS:
        if signal.getsignal(later) is _first:
            signal.signal(later, signal.SIG_IGN)
    name = signal.Signals(number).name
    raise KeyboardInterrupt(*([] if number == signal.SIGINT else [name]))


def _too_late(number: int, frame: FrameType | None) -> None:
    """All is about to end anyway."""


def heed_once(numbers: Iterable[signal.Signals] = CTRL_C) -> list[signal.Signals]:
    """From now on the first of these signals raises KeyboardInterrupt, and the others are ignored.

    All but SIGINT are named in the exception.  The signals for which that could be set.  Left alone: a handler that
    somebody else has set, an ignored signal (nohup), a thread that may set none.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    heeded = [number for number in numbers if signal.getsignal(number) is _DEFAULTS[number]]
    for number in heeded:
        signal.signal(number, _first)
    return heeded


def ignore(heeded: Iterable[signal.Signals]) -> None:
    """From now on none of these interrupts: what is done now must be done whole."""
    for number in heeded:
        if signal.getsignal(number) is _first:
            signal.signal(number, _too_late)


def heed_again(heeded: Iterable[signal.Signals]) -> None:
    """Take `heed_once` back, unless it was used: then everything is about to end."""
    for number in heeded:
        if signal.getsignal(number) in (_first, _too_late):
            signal.signal(number, _DEFAULTS[number])


@contextlib.contextmanager
def heeded_once() -> Iterator[None]:
    """`heed_once` while this lasts."""
    heeded = heed_once()
    try:
        yield
    finally:
        heed_again(heeded)
