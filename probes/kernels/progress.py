"""Shows a run over many kernels: which ones, what they do, for how long, and the verdicts so far."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..verdict import VERDICTS

Lines = Callable[[bytes], "list[tuple[str, Any]]"]
"""What the whole lines of a piece of a journal say (report/journal.py)."""


class JournalTally:
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
        counts = ", ".join(f"{count} {verdict}" for verdict in VERDICTS if (count := self.verdicts[verdict]))
        return f"{done}{of} cases{': ' + counts if counts else ''}" if done or self.cases else ""


class Line:
    """One kernel of those that run now."""

    def __init__(self, progress: Progress, name: str, tally: JournalTally) -> None:
        self.text = ""
        self._progress = progress
        self._name = name
        self._tally = tally
        self._phase = ""

    def watch(self, phase: str, elapsed_s: float) -> None:
        """What the guest does now, and since when, in seconds."""
        if self._progress.live:
            self._tally.look()
            self.text = f"{self._name}  {phase} {_clock(elapsed_s)}  {self._tally}"
        elif phase != self._phase:
            self._progress.say(f"{self._name}: {phase}")
        self._phase = phase


class Progress:
    """A line for each kernel that runs, and one for all, which change on a terminal; a line for each phase elsewhere.

    Its methods may be called by any thread.
    """

    def __init__(self, console: Console, kernels: int, lines: Lines) -> None:
        self._console = console
        self._kernels = kernels
        self._lines = lines
        self._began = time.monotonic()
        self._running: list[Line] = []
        self._done = 0
        # It asks what is shown as soon as it is made.
        self._live = (
            Live(get_renderable=self.shown, console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def live(self) -> bool:
        """Whether lines change."""
        return self._live is not None

    @contextlib.contextmanager
    def kernel(self, name: str, journal: Path) -> Iterator[Line]:
        """One kernel, while it runs, and where the journal of its run will be."""
        line = Line(self, name, JournalTally(journal, self._lines))
        self._running.append(line)
        try:
            yield line
        finally:
            self._running.remove(line)
            self._done += 1

    def say(self, line: str) -> None:
        """One line that stays."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def shown(self) -> Text:
        """What a terminal shows now."""
        whole = f"{self._done} of {self._kernels} kernels done  {_clock(time.monotonic() - self._began)}"
        return Text("\n".join([*(line.text for line in list(self._running)), whole]), overflow="ellipsis", no_wrap=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
