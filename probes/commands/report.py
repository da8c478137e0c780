"""`wakecheck report`: the page of a run, or of several runs."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from .. import argument
from ..exits import BadInput, worst
from ..report import kcidb, lineage, matrix, page, pictures, terminal
from ..report.apart import why_not_apart
from ..report.exit_code import code_of
from ..report.formats import FORMATS, render
from . import runs

MATRIX = "matrix/index.html"
"""Where the page of several runs goes unless --html says otherwise; the runs' pages go beside it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The runs, and what to write."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="run.json of a run")
    parser.add_argument(
        "--html",
        type=argument.path,
        metavar="FILE",
        help="where to write the page (default: index.html beside the run.json; of several runs: matrix/index.html, "
        "with the page of each run beside it)",
    )
    for name, format_ in FORMATS.items():
        parser.add_argument(
            f"--{name}", type=argument.path, metavar="FILE", help=f"also write {format_.meaning} (of one run only)"
        )
    parser.add_argument(
        "--plots",
        type=argument.path,
        metavar="DIR",
        help="also draw the plots of one run as SVG: herds, and costs if any",
    )
    parser.add_argument(
        "--kcidb",
        type=argument.path,
        metavar="FILE",
        help="write KCIDB JSON here, for KernelCI: all runs as one submission",
    )
    parser.add_argument(
        "--kcidb-origin",
        default="wakecheck",
        metavar="NAME",
        help="who submits, as KernelCI knows it (default: wakecheck)",
    )
    parser.add_argument(
        "--kcidb-build", metavar="ID", help="the id of the build that was judged, if KernelCI has it already"
    )


def run(options: argparse.Namespace) -> int:
    """Write what was asked for; the exit code is that of the worst run.  Raises BadInput."""
    chosen = {name: path for name in FORMATS if (path := getattr(options, name))}
    if len(options.files) > 1 and chosen:
        raise BadInput(f"--{next(iter(chosen))} is for one run, so give one run.json at a time")
    if len(options.files) > 1 and options.plots:
        raise BadInput("--plots is for one run, so give one run.json at a time")
    all_runs = [runs.read(name) for name in options.files]
    alone = len(all_runs) == 1
    html = Path(options.html or (Path(options.files[0]).with_name("index.html") if alone else MATRIX))
    drawn = _drawn(all_runs[0], options.plots)
    pages = [html] if alone else [html, *pages_of(lineage.ordered(all_runs), html).values()]
    kcidb_files = [Path(options.kcidb)] if options.kcidb is not None else []
    if problem := why_not_apart(options.files, [*pages, *map(Path, chosen.values()), *kcidb_files, *drawn]):
        raise BadInput(problem)
    if options.kcidb is not None:
        try:
            runs.write(kcidb.render(all_runs, options.kcidb_origin, options.kcidb_build), options.kcidb)
        except kcidb.BadName as error:
            raise BadInput(str(error)) from error
    if not alone:
        return several(all_runs, html)
    code = single(all_runs[0], html, chosen)
    if options.plots:
        for path, drawing in drawn.items():
            runs.write(drawing, path)
        names = ", ".join(path.name for path in drawn)
        said = f"plots: {names} in {options.plots}" if drawn else "plots: the run has nothing to plot"
        terminal.line(Console(), Text(said))
    return code


def _drawn(run: dict[str, Any], folder: str | None) -> dict[Path, str]:
    """The plots of this run, by where they go; none if nobody wants them."""
    return {Path(folder) / name: drawing for name, drawing in pictures.pictures(run).items()} if folder else {}


_NONE: Mapping[str, str] = {}


def single(run: dict[str, Any], html: Path, formats: Mapping[str, str] = _NONE) -> int:
    """Write the page of one run, and the files in other `formats`; its exit code.  Raises BadInput."""
    texts = {html: page.render(run)}
    texts |= {Path(path): render(name, run) for name, path in formats.items()}
    for path, text in texts.items():
        runs.write(text, path)
    terminal.summary(run, Console(), texts)
    return code_of(run)


def several(all_runs: Sequence[dict[str, Any]], index: Path) -> int:
    """Write the matrix of several runs, and the page of each beside it; the worst exit code.  Raises BadInput."""
    kernels = lineage.ordered(all_runs)
    errors, console = Console(stderr=True), Console()
    for warning in matrix.warnings(kernels):
        terminal.line(errors, terminal.warning(warning))
    pages = pages_of(kernels, index)
    for kernel in kernels:
        runs.write(page.render(kernel.run), pages[id(kernel.run)])
    runs.write(matrix.render(all_runs, [pages[id(run)].name for run in all_runs]), index)
    terminal.kernels(kernels, console)
    terminal.differences(list(matrix.rows_of(kernels)), index, console)
    return worst(*map(code_of, all_runs))


def pages_of(kernels: Sequence[lineage.Kernel], index: Path) -> dict[int, Path]:
    """Where each kernel's page goes, beside the matrix; by the identity of its run."""
    return {run: index.with_name(name) for run, name in page_names(kernels, index.name).items()}


def page_names(kernels: Sequence[lineage.Kernel], index: str) -> dict[int, str]:
    """A file name for each kernel's page, from its label; by the identity of its run."""
    taken = {index.lower()}
    names: dict[int, str] = {}
    for kernel in kernels:
        plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", kernel.label).strip("-.")[:80] or "kernel"
        name, number = f"{plain}.html", 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}.html"
        taken.add(name.lower())
        names[id(kernel.run)] = name
    return names
