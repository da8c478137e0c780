"""Where the files of a run go: the report's folder, or one inside it for a lesser run; and one run at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import run as run_json
from .apart import why_not_apart
from .files import lock, resolved, why_not_writable, write_elsewhere, write_whole

FOLDER = "report"
"""The report's folder, unless the user chooses another."""
PARTIAL = "partial"
"""The folder in it for a partial run, so that the last whole run keeps its place."""


class NoPlace(Exception):
    """The report cannot go where it was wanted; the message is one sentence."""


class Places:
    """The files of one run.  `check` them before it, `occupy` the folder while it runs, `write` them after it."""

    def __init__(
        self,
        folder: str | None,
        run: str | None,
        formats: Mapping[str, str],
        journal: str | None,
        variant: str | None = None,
        reads: str | None = None,
        *,
        no_page: bool = False,
    ) -> None:
        """As the options name them; None for what was not chosen.  `formats`: the file of each of FORMATS wanted.

        `reads`: a file that the run reads, and must not write over.
        `no_page`: somebody else makes the page.
        `variant`: the folder inside the report's for a run with other options than the default; None for the default.
        """
        self.journal = Path(journal) if journal else None
        self.complaint: str | None = None
        """Why something could not be written where it was wanted."""
        self.written: list[Path] = []
        self._folder = Path(folder or FOLDER)
        self._chosen = folder is not None
        self._variant = None if self._chosen else variant
        self._run = Path(run) if run else None
        self._formats = {name: Path(path) for name, path in formats.items()}
        self._reads = [reads] if reads else []
        self._no_page = no_page
        self._lock: int | None = None
        self._missing: list[Path] = []

    def check(self) -> None:
        """Raise NoPlace if a file cannot be written: better before the run than after it."""
        # Any run may become partial: by Ctrl-C, say.
        apart = [] if self._chosen else [self._folder / name for name in (PARTIAL, self._variant) if name]
        pages = [folder / "index.html" for folder in (self._folder, *apart)]
        runs = [self._run] if self._run else [page.with_name("run.json") for page in pages]
        journal = [self.journal] if self.journal and not self._is_of_a_guest else []
        regular = [*([] if self._no_page else pages), *runs, *journal]
        problems = [why_not_writable(path, regular=True) for path in regular]
        problems += map(why_not_writable, self._formats.values())
        if problem := next(filter(None, problems), None):
            raise NoPlace(f"{problem}: choose another place with --herd-report or --herd-run")
        if problem := why_not_apart(self._reads, [*regular, *self._formats.values()]):
            raise NoPlace(problem)

    @property
    def _is_of_a_guest(self) -> bool:
        """Whether this runs in a guest, which writes its journal to a serial port: outside when the guest dies."""
        if self.journal is None or not self.journal.is_char_device():
            return False
        return not self.journal.samefile(os.devnull)

    def occupy(self) -> None:
        """Keep other runs out of the folder until `release`.  Raises NoPlace if one is there.

        With a journal, whoever asked for it has taken care of that (kernels/runner.py).
        """
        if self._lock is not None or self.journal is not None:
            return
        missing = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self._folder)
        except BlockingIOError:
            raise NoPlace(
                f"another run writes to {self._folder} now: choose another place with --herd-report"
            ) from None
        except OSError as error:
            raise NoPlace(f"{self._folder} cannot be written ({error.strerror})") from error
        self._missing = missing

    def release(self) -> None:
        """Let other runs in, and leave no empty folder behind."""
        if self._lock is not None:
            for folder in self._missing:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            os.close(self._lock)
            self._lock = None

    def write(self, run: Mapping[str, Any]) -> None:
        """Write every file; what cannot be written is in `complaint`, and run.json then in the temporary folder."""
        from .formats import render

        folder = self._folder / (self._apart(run) or "")
        text = run_json.as_text(run)
        written = self._write(text, self._run or folder / "run.json")
        if not written:
            with contextlib.suppress(OSError):
                self.written.append(write_elsewhere(text, "wakecheck-run"))
        if self._no_page:
            if written and not self._run:
                self._remove(folder / "index.html")
        else:
            from . import page

            self._write(page.render(run), folder / "index.html")
        for name, path in self._formats.items():
            self._write(render(name, run), path)

    def _write(self, text: str, path: Path) -> bool:
        try:
            write_whole(text, path)
        except OSError as error:
            self.complaint = self.complaint or f"the report could not be written: {error.strerror or error} ({path})"
            return False
        self.written.append(path)
        return True

    def _remove(self, page: Path) -> None:
        """Remove the page of an earlier run: it would be taken for that of this one."""
        try:
            if page.is_file():
                resolved(page).unlink()
        except OSError as error:
            self.complaint = self.complaint or f"the page of an earlier run stays: {error.strerror or error} ({page})"

    def remark(self, run: Mapping[str, Any]) -> str | None:
        """What is to be said where a run went apart: one with other options, or a partial one beside a whole one."""
        apart = self._apart(run)
        if apart is None:
            return None
        started = run_json.started_whole(self._folder / "run.json")
        whole = started and f"{self._folder}{os.sep} still holds the whole run of {started[:16].replace('T', ' ')} UTC"
        if apart == PARTIAL:
            return whole
        why = f"these options are not the default, so the report is in {self._folder / apart}{os.sep}"
        return f"{why}; {whole}" if whole else why

    def _apart(self, run: Mapping[str, Any]) -> str | None:
        """The folder inside the report's where this run goes, so that the whole default run keeps its place."""
        if self._chosen:
            return None
        return PARTIAL if run["partial"] else self._variant
