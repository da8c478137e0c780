"""The report of a session, in the process that collects: from the options to the files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from . import catalogue
from .exits import BAD_INPUT, BROKEN
from .expectations import Expectations
from .options import formats_of, judging, variant_of
from .printable import one_line
from .report.assemble import EveryCase
from .report.exit_code import code_of
from .report.places import Places
from .report.recorder import Recorder
from .verdict import HELD, Inconclusive


class Reporting:
    """One per session.  Raises report.places.NoPlace if its files cannot go where they are wanted."""

    def __init__(self, options: Any, expectations: Expectations | None) -> None:
        self._options = options
        self._places = Places(
            options.herd_report,
            options.herd_run,
            formats_of(options),
            options.herd_journal,
            variant_of(options),
            options.herd_expect,
            no_page=options.herd_no_page,
        )
        self._places.check()
        self._recorder = Recorder(judging(options), options.herd_label, self._places.journal, expectations)

    def greet(self, greeting: Mapping[str, Any]) -> None:
        """What the conductor can do here."""
        self._recorder.greeting = greeting

    def expect(self, cases: int) -> None:
        """So many cases are to be judged; if there are any, the folder is ours from now on.  Raises NoPlace."""
        if cases and not self._options.collectonly and not self._recorder.expected_cases:
            self._places.occupy()
            self._recorder.expect(cases)

    def expect_nodes(self, nodeids: list[str]) -> None:
        """The same, of what a worker of pytest-xdist has collected: each collects all, and the controller nothing."""
        try:
            tests = {claim["test"] for claim in catalogue.load()}
        except Exception:  # noqa: BLE001  # pytest itself tells of a chapter that cannot be imported
            return
        self.expect(sum(nodeid.partition("[")[0] in tests for nodeid in nodeids))

    def add(self, judged_case: str) -> None:
        """One judged case, as text.  Raises NoPlace."""
        # Under xdist a claim that is in no chapter is heard of here for the first time.
        self.expect(1)
        self._recorder.add(judged_case)

    def stopped(self, by: str) -> None:
        """Somebody has stopped the session: Ctrl-C, or the name of a signal."""
        self._recorder.ended = f"stopped ({by})"

    def write(self, greeting: Callable[[], Mapping[str, Any]]) -> None:
        """The session is over.  `greeting` asks the conductor, if nobody has done it yet."""
        if self._recorder.greeting is None and self._recorder.expected_cases:
            with contextlib.suppress(Inconclusive):
                self._recorder.greeting = greeting()
        self._recorder.finish(self._every_case())
        if self._recorder.run is not None:
            self._places.write(self._recorder.run)

    @property
    def fails(self) -> bool:
        """Whether the session has failed: by a verdict, or because the report could not be written."""
        return self._recorder.fails or self._places.complaint is not None

    @property
    def exit_code(self) -> int | None:
        """What a failed session deserves (exits.py); None if it was to judge no claim."""
        run = self._recorder.run
        if run is None:
            return None
        code = code_of(run)
        return BAD_INPUT if self._places.complaint and code != BROKEN else code

    def release(self) -> None:
        """Other runs may write to the folder."""
        self._places.release()

    def show(self, terminal_reporter: pytest.TerminalReporter) -> None:
        """The last words on the terminal; none if no test judges a claim."""
        run = self._recorder.run
        if run is None:
            return
        from rich.console import Console  # not before there is something to show: they take longer than the rest

        from .report import terminal

        terminal_reporter.section("wakecheck")
        terminal_reporter.flush()
        if self._places.complaint:
            terminal_reporter.write_line(one_line(self._places.complaint), red=True)
        terminal.summary(run, Console(file=terminal_reporter._tw._file), self._places.written)
        for name, reason in run["controls_reasons"].items():
            if run["controls"][name] == HELD:
                terminal_reporter.write_line(f"control {name}: held {reason}")
        if remark := self._places.remark(run):
            terminal_reporter.write_line(one_line(remark))

    def _every_case(self) -> EveryCase | None:
        """What a whole run with these options judges; None if nobody knows."""
        if not self._recorder.expected_cases:
            return None
        try:
            return catalogue.cases(self._options.herd_preset, self._options.herd_sizes, self._options.herd_one_in)
        except Exception:  # noqa: BLE001  # a chapter that cannot be imported must not cost the report of the others
            return None
