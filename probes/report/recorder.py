"""Collects what the tests of one session said, and writes the report when it ends."""

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
from pathlib import Path
from typing import Any

from .. import __version__, host
from ..expectations import Expectations
from . import expected
from . import run as run_json
from .assemble import Cases
from .files import write_whole
from .journal import BEGIN, CASE, CASES, GREETING, Journal


class Recorder:
    """One per session.  `add` an entry per case; `finish` judges the claims and writes the files."""

    def __init__(
        self,
        options: dict[str, Any],
        label: str,
        folder: Path,
        run: Path,
        ktap: Path | None,
        journal: Path | None = None,
        expectations: Expectations | None = None,
    ) -> None:
        self.run: dict[str, Any] | None = None
        self.crashed = False
        """Whether a process of the session died, and took a case with it that nobody judged."""
        self.complaint: str | None = None
        """Why the report could not be written where it was wanted."""
        self.unmet: list[str] = []
        """What was expected of this kernel and did not come, one sentence each."""
        self.written: dict[str, Path] = {}
        self._folder, self._run_path, self._ktap_path = folder, run, ktap
        self._cases = Cases(expectations)
        self._greeting: dict[str, Any] | None = None
        kernel = host.kernel()
        self._begin = {
            "label": label or kernel["release"],
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "suite": {"version": __version__, "revision": host.revision(), "options": options},
            "kernel": kernel,
        }
        self._splats = host.SplatWatch()
        self._journal = Journal(journal) if journal is not None else None
        self._note(BEGIN, self._begin)

    @property
    def greeting(self) -> dict[str, Any] | None:
        """What the conductor can do here, once it was asked."""
        return self._greeting

    @greeting.setter
    def greeting(self, greeting: dict[str, Any]) -> None:
        self._greeting = greeting
        self._note(GREETING, greeting)

    def expect(self, cases: int) -> None:
        """How many cases are to be judged."""
        self._note(CASES, cases)

    def add(self, entry: dict[str, Any]) -> None:
        """One case of one claim, and the controls of the process that judged it."""
        self._cases.add(entry)
        self._note(CASE, entry)

    def _note(self, kind: str, what: Any) -> None:
        if self._journal is not None:
            self._journal.add(kind, what)

    def finish(self, *, partial: bool) -> None:
        """Judge every claim and write the report; without a single case there is nothing to write."""
        splats = self._splats.close()
        if self._journal is not None:
            self._journal.close()
        if not self._cases and not partial:
            return
        self.run = self._cases.assembled(self._begin, self._greeting, cut_short=partial, splats=splats)
        self.unmet = expected.unmet(self.run) if "expectations" in self.run else []
        try:
            self._write()
        except OSError as error:
            self._keep_elsewhere(error)

    def _keep_elsewhere(self, error: OSError) -> None:
        """Where the report cannot be written after all (a full disk, say), keep run.json in the temporary folder."""
        self.complaint = f"the report could not be written: {error.strerror or error}"
        self.written = {}
        kept = Path(tempfile.gettempdir()) / f"wakecheck-run-{os.getpid()}.json"
        with contextlib.suppress(OSError):
            run_json.write(self.run or {}, kept)
            self.written = {"run.json": kept}

    def _write(self) -> None:
        from . import ktap, page

        assert self.run is not None
        run_json.write(self.run, self._run_path)
        self.written["run.json"] = self._run_path
        index = self._folder / "index.html"
        write_whole(page.render(self.run), index)
        self.written["page"] = index
        if self._ktap_path is not None:
            write_whole(ktap.render(self.run), self._ktap_path)
            self.written["KTAP"] = self._ktap_path
