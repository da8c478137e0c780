"""Takes what becomes known in a session, case by case, and makes the run of it when it ends."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__, host
from ..expectations import Expectations
from ..judged import JudgedCase
from . import expected
from .assemble import EveryCase, run_of
from .journal import BEGIN, CASE, CASES, GREETING, Journal


class Recorder:
    """One per session, in the process that collects: `add` each judged case; `finish` makes the run."""

    def __init__(
        self, options: Mapping[str, Any], label: str, journal: Path | None, expectations: Expectations | None
    ) -> None:
        self.run: dict[str, Any] | None = None
        """The run, once the session has ended and judged a claim."""
        self.ended: str | None = None
        """What ended the session early, in words."""
        self.expected_cases = 0
        """How many cases were collected."""
        self._expectations = expectations
        self._cases: list[JudgedCase] = []
        self._greeting: Mapping[str, Any] | None = None
        kernel = host.kernel()
        self._begin = {
            "label": label or kernel["release"],
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "suite": {"version": __version__, "revision": host.revision(), "options": options},
            "kernel": kernel,
        }
        self._splats = host.SplatWatch()
        self._journal = Journal(journal) if journal is not None else None
        self._note(BEGIN, json.dumps(self._begin))

    @property
    def greeting(self) -> Mapping[str, Any] | None:
        """What the conductor can do here, once it was asked."""
        return self._greeting

    @greeting.setter
    def greeting(self, greeting: Mapping[str, Any]) -> None:
        self._greeting = greeting
        self._note(GREETING, json.dumps(greeting))

    def expect(self, cases: int) -> None:
        """How many cases are to be judged."""
        self.expected_cases = cases
        self._note(CASES, str(cases))

    def add(self, text: str) -> None:
        """One judged case, as `JudgedCase.as_text` gives it."""
        self._cases.append(JudgedCase.from_text(text))
        self._note(CASE, text)

    def _note(self, kind: str, text: str) -> None:
        if self._journal is not None:
            self._journal.add(kind, text)

    def finish(self, every_case: EveryCase | None) -> None:
        """Judge every claim.  A session that was to judge none has no run.

        `every_case`: what a whole run with these options judges; None if nobody knows.
        """
        splats = self._splats.close()
        if self._journal is not None:
            self._journal.close()
        if not self._cases and not self.expected_cases:
            return
        self.run = run_of(
            self._begin,
            self._greeting,
            self._cases,
            expectations=self._expectations,
            every_case=every_case,
            ended=self.ended,
            splats=splats,
        )

    @property
    def fails(self) -> bool:
        """Whether a verdict of the run fails it, or an expectation that was not met."""
        unmet = self.run is not None and "expectations" in self.run and expected.unmet(self.run)
        return bool(unmet) or any(case.fails for case in self._cases)
