"""`wakecheck cost`: what each strategy costs a server, and who waits."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from ..cost.arguments import add_to, request_from
from ..exits import WELL, BadInput

_TERMINATED = 128 + signal.SIGTERM


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, and where to write it."""
    add_to(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, and print.  Raises BadInput, and Inconclusive if a check of the figures fails."""
    from rich.console import Console

    from ..cost import answer, charts, into, table
    from ..cost.measure import measure
    from ..report import page
    from ..report import run as run_json
    from ..report.apart import why_not_apart
    from ..report.files import why_not_writable, write_whole
    from ..verdict import Inconclusive

    request = request_from(options)
    judged = _run_to_fill(options.into)
    figures = [path for path in (request.json, request.plots and request.plots / "dots.svg") if path is not None]
    pages = [Path(options.into).with_name("index.html")] if options.into is not None else []
    problems = [why_not_apart([options.into] if pages else [], [*pages, *figures])]
    problems += [why_not_writable(path, named=path is request.json) for path in figures]
    if problem := next(filter(None, problems), None):
        raise BadInput(problem)
    with _terminated_cleanly():
        document = measure(request, Console(stderr=True))
    if problem := answer.violation(document):
        raise Inconclusive(f"the result does not fit its own schema: {problem}")
    if request.json is not None:
        write_whole(json.dumps(document, allow_nan=False, separators=(",", ":")) + "\n", request.json)
    console = Console()
    table.show(document, console)
    if judged is not None:
        judged["cost"] = into.shortened(document)
        page_path = Path(options.into).with_name("index.html")
        write_whole(run_json.as_text(judged), options.into)
        write_whole(page.render(judged), page_path)
        said = f"figures: in {options.into}, shown in {page_path}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    if request.json is not None:
        console.print(f"figures: {request.json}", markup=False, highlight=False, soft_wrap=True)
    if request.plots is not None:
        drawings = charts.draw(document)
        for name, drawing in drawings.items():
            write_whole(drawing, request.plots / name)
        said = f"plots: {', '.join(drawings)} in {request.plots}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    return WELL


def _run_to_fill(path: str | None) -> dict[str, Any] | None:
    """The run that the figures go into; asked before they are measured.  Raises BadInput."""
    if path is None:
        return None
    from .. import host
    from ..cost import into
    from ..report.files import why_not_writable
    from . import runs

    judged = runs.read(path)
    if problem := into.other_kernel(judged, host.kernel()):
        raise BadInput(f"{path} is of another kernel ({problem}), and figures of this one do not belong there")
    for file in (Path(path), Path(path).with_name("index.html")):
        if problem := why_not_writable(file, regular=True):
            raise BadInput(problem)
    return judged


@contextmanager
def _terminated_cleanly() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does: the rig is ended, and the terminal gets its cursor back."""

    def terminated(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    except SystemExit:
        print("wakecheck: terminated", file=sys.stderr)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
