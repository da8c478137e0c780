"""Shows a run over many kernels: which one, what it does, for how long, and the verdicts so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..verdict import VERDICTS

Lines = Callable[[bytes], "list[tuple[str, Any]]"]
"""What the whole lines of a piece of a journal say (report/journal.py)."""


class Tally:
    """The verdicts in a growing journal."""

    def __init__(self, path: Path, lines: Lines) -> None:
        self.verdicts: Counter[str] = Counter()
        self.cases: int | None = None
        self._path = path
        self._lines = lines
        self._read = 0

    def look(self) -> None:
        """Take in what was added since the last look."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                part = file.read()
        except OSError:
            return
        whole = part[: part.rfind(b"\n") + 1]
        self._read += len(whole)
        for kind, what in self._lines(whole):
            if kind == "cases":
                self.cases = what
            elif kind == "case":
                self.verdicts[what["case"]["verdict"]] += 1

    def __str__(self) -> str:
        done = sum(self.verdicts.values())
        of = f" of {self.cases}" if self.cases else ""
        told = ", ".join(f"{count} {verdict}" for verdict in VERDICTS if (count := self.verdicts[verdict]))
        return f"{done}{of} cases{': ' + told if told else ''}" if done or self.cases else ""


class Progress:
    """One line that changes on a terminal; a line for each phase elsewhere."""

    def __init__(self, console: Console, kernels: int, lines: Lines) -> None:
        self._console = console
        self._kernels = kernels
        self._lines = lines
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._number = 0
        self._name = ""
        self._phase = ""
        self._began = time.monotonic()
        self._tally: Tally | None = None

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def next(self, name: str, journal: Path) -> None:
        """The next kernel, and where the journal of its run will be."""
        self._number += 1
        self._name, self._phase = name, ""
        self._tally = Tally(journal, self._lines)

    def watch(self, phase: str, elapsed_s: float) -> None:
        """What the guest does now, and since when, in seconds."""
        assert self._tally is not None
        if self._live is not None:
            self._tally.look()
            whole = _clock(time.monotonic() - self._began)
            which = f"{self._number}/{self._kernels} {self._name}"
            text = f"{which}  {phase} {_clock(elapsed_s)}  {self._tally}  (all {whole})"
            self._live.update(Text(text, overflow="ellipsis", no_wrap=True))
        elif phase != self._phase:
            self.say(f"{self._name}: {phase}")
        self._phase = phase

    def say(self, line: str) -> None:
        """One line that stays."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
