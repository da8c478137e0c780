"""Ctrl-C ends a run once: who presses it again must not tear apart what clears up after the first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


def _first(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def heed_once() -> bool:
    """From now on the first SIGINT raises KeyboardInterrupt, and the others are ignored; whether that could be set.

    Left alone: a handler that somebody else has set, an ignored SIGINT (nohup), a thread that may set none.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    signal.signal(signal.SIGINT, _first)
    return True


def heed_again() -> None:
    """Take `heed_once` back, unless it was used: then everything is about to end."""
    if signal.getsignal(signal.SIGINT) is _first:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def heeded_once() -> Iterator[None]:
    """`heed_once` while this lasts."""
    heed_once()
    try:
        yield
    finally:
        heed_again()
