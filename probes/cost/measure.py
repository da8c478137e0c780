"""Measures: starts the rig, checks every reading, shows how far it is, and makes the document."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..verdict import Inconclusive
from . import answer, checks, cpus, rig
from .arguments import CostRequest
from .reading import Reading
from .session import Session
from .ways import BASE

STEPS = 10
"""Lines of progress where no bar can be drawn: in a file, through a pipe."""


def measure(request: CostRequest, console: Console) -> dict[str, Any]:
    """The document.  Raises Inconclusive if a check fails, or nothing can be measured."""
    readings: list[Reading] = []
    absent: dict[str, str] = {}
    machine: list[dict[str, float | None]] = []
    plan = request.plan
    with Session() as session:
        # A rig that is slow to fork is slow in all.
        about_s = plan.about_s(max(1.0, session.greeting["fork_s"] / rig.IDLE_FORK_S))
        console.print(
            f"{plan.count} readings of {len(plan.ways)} strategies, {plan.rounds} rounds; about {duration(about_s)}",
            highlight=False,
        )
        bar = console.is_terminal and not console.is_dumb_terminal
        with _progress(console) as progress:
            task, done = progress.add_task("", total=plan.count), 0
            for message in session.measure(plan, request.pin):
                if "machine" in message:
                    machine.append(message["machine"])
                    continue
                if "not_applicable" in message:
                    absent[message["way"]] = message["not_applicable"]
                else:
                    reading = Reading.from_json(message["reading"])
                    if problem := checks.wrong(reading):
                        raise Inconclusive(problem)
                    readings.append(reading)
                    progress.update(task, description=reading.way)
                progress.advance(task)
                done += 1
                if not bar and done % max(1, plan.count // STEPS) == 0:
                    console.print(f"{done} of {plan.count} readings", highlight=False)
        if BASE in absent:
            raise Inconclusive(f"{BASE}, which all is compared with, is not applicable here: {absent[BASE]}")
        shown = {
            "pin": request.pin,
            "apart": cpus.Shares.of(request.pin).apart,
            "loads": list(dict.fromkeys(scene.load for scene in plan.scenes)),
            "workers": sorted({scene.workers for scene in plan.scenes}),
            "work": list(dict.fromkeys(scene.work.id for scene in plan.scenes)),
        }
        return answer.document(plan, readings, absent, machine, session.greeting, shown)


def duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h`: no more exact than it is known."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _progress(console: Console) -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    return Progress(*columns, console=console, transient=True)
