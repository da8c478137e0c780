"""Runs the claims in several kernels at once; one that fails never stops the others."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ..exits import BAD_INPUT, CANNOT_JUDGE, BadInput, worst
from . import runner
from .abreast import Stop, Stopped, abreast
from .aftermath import salvaged, summed_up
from .progress import Line, Lines, Progress
from .runner import JOURNAL, GuestRun, Settings, Target


def run(
    targets: Sequence[Target], settings: Settings, at_once: int, lines: Lines, *, one_more: bool = False
) -> tuple[list[GuestRun], int]:
    """Run in each of them, `at_once` at a time; what became of those that began, and the exit code of the worst.

    With `one_more`, one that waits for part of its time runs beside them.
    `lines` reads a journal (report/journal.py), for the display.
    """
    if at_once > 1:
        settings = replace(settings, longest=max((target.takes for target in targets), default=0.0))
    with Progress(_Console(stderr=True), len(targets), lines) as progress:

        def run_one(target: Target, stop: Stop) -> tuple[GuestRun | None, int]:
            stop.heed()
            with progress.kernel(target.name, settings.results / target.name / JOURNAL) as line:
                guest_run, code, sentence = _run_one(target, settings, line, stop)
            progress.say(sentence)
            return guest_run, code

        done = abreast(run_one, targets, at_once, lambda target: one_more and target.waits, lambda target: target.takes)
    return [guest_run for guest_run, _ in done if guest_run is not None], worst(*(code for _, code in done))


class _Console(Console):
    """One that nobody reads any more is silent, and ends nothing: the results are in files."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def _run_one(target: Target, settings: Settings, line: Line, stop: Stop) -> tuple[GuestRun | None, int, str]:
    """What became of it, the exit code that it deserves, and what to say of it.  Raises Stopped."""

    def watch(phase: str, elapsed_s: float) -> None:
        line.watch(phase, elapsed_s)
        stop.heed()

    try:
        with contextlib.ExitStack() as until_summed_up:
            try:
                guest_run = runner.run(target, settings, watch, until_summed_up)
                return guest_run, *summed_up(guest_run)
            except Stopped:
                salvaged(settings.results / target.name, "it was stopped by the user")
                raise
    except (BadInput, OSError) as error:
        return None, BAD_INPUT, f"{target.name}: {error}"
    except Exception as error:  # noqa: BLE001  # a mistake of ours with one kernel must not end the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}, line {where.lineno}"
        return None, CANNOT_JUDGE, f"{target.name}: a fault of Wakecheck itself ({place}): {error}"
