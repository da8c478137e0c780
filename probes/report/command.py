"""What `python -m probes report` and `compare` do, once their arguments are read."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from . import compare, expected, kcidb, ktap, lineage, markdown, matrix, page, terminal
from .arguments import CannotReport
from .files import write_whole
from .run import BadRun, load

WELL, BROKEN, CANNOT_JUDGE = 0, 1, 3
MATRIX = "matrix/index.html"
"""Where the page of several runs goes, unless it is told otherwise; the runs' pages go beside it."""


@dataclass(frozen=True)
class Kcidb:
    """Where KCIDB JSON goes, and what KernelCI is to know of it."""

    path: str
    origin: str
    build: str | None


def report(files: Sequence[str], html: str | None, ktap_path: str | None, kcidb_to: Kcidb | None = None) -> int:
    """The page of one run, or the matrix of several; their exit code is that of the worst.  Raises CannotReport."""
    if len(files) > 1 and ktap_path:
        raise CannotReport("--ktap is for one run, so give one run.json at a time")
    runs = [_load(name) for name in files]
    if kcidb_to is not None:
        try:
            _write(kcidb.render(runs, kcidb_to.origin, kcidb_to.build), kcidb_to.path)
        except kcidb.BadName as error:
            raise CannotReport(str(error)) from error
    if len(files) > 1:
        return _several(runs, Path(html or MATRIX))
    run = runs[0]
    pages = {Path(html or Path(files[0]).with_name("index.html")): page.render(run)}
    if ktap_path:
        pages[Path(ktap_path)] = ktap.render(run)
    for path, text in pages.items():
        _write(text, path)
    terminal.summary(run, Console(), pages)
    return code_of(run)


def _several(runs: Sequence[dict[str, Any]], index: Path) -> int:
    kernels = lineage.ordered(runs)
    errors, console = Console(stderr=True), Console()
    for warning in matrix.warnings(kernels):
        terminal.line(errors, terminal.warning(warning))
    by_run = page_names(kernels, index.name)
    for kernel in kernels:
        _write(page.render(kernel.run), index.with_name(by_run[id(kernel.run)]))
    _write(matrix.render(runs, [by_run[id(run)] for run in runs]), index)
    terminal.kernels(kernels, console)
    rows = list(matrix.rows_of(kernels))
    terminal.differences(rows, index, console)
    return max((code_of(run) for run in runs), key=(WELL, CANNOT_JUDGE, BROKEN).index)


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


def compare_two(first: str, second: str, as_json: bool) -> int:
    """Print what differs; 1 where something got worse.  Raises CannotReport."""
    before, after = _load(first), _load(second)
    if as_json:
        print(json.dumps(compare.as_dict(before, after), indent=1))
        for warning in compare.warnings(before, after):
            print(f"wakecheck: {warning}".encode("ascii", "replace").decode(), file=sys.stderr)
    else:
        compare.show(before, after, Console())
    return BROKEN if any(one.kind == compare.WORSE for one in compare.changes(before, after)) else WELL


def summary(files: Sequence[str]) -> int:
    """Print runs as Markdown; one file that cannot be read does not keep the others back.  Raises CannotReport."""
    runs, refused = [], []
    for name in files:
        try:
            runs.append(_load(name))
        except CannotReport as error:
            refused.append(str(error))
    if runs:
        print(markdown.render(runs), end="")
    if refused:
        raise CannotReport("; ".join(refused))
    return WELL


def code_of(run: Mapping[str, Any]) -> int:
    """The exit code that a run deserves: from its claims, whatever its summary says."""
    verdicts = {claim["verdict"] for claim in run["claims"] if expected.is_alarming(claim)}
    if "broken" in verdicts or expected.unmet(run):
        return BROKEN
    failed_control = {"broken", "inconclusive"} & set(run["controls"].values())
    return CANNOT_JUDGE if run["partial"] or not run["claims"] or verdicts or failed_control else WELL


def _load(name: str) -> dict[str, Any]:
    try:
        return load(name)
    except BadRun as error:
        raise CannotReport(str(error).rstrip(".")) from error


def _write(text: str, path: str | os.PathLike[str]) -> None:
    try:
        write_whole(text, path)
    except OSError as error:
        raise CannotReport(f"{os.fspath(path)} cannot be written: {error.strerror}") from error
