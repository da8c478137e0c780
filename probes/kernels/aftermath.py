"""What is left of a guest that ended: its run, whole or partial, what to say of it, and the exit code it deserves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import expectation_file
from ..chapters import NoChapters
from ..exits import BAD_INPUT, BROKEN, CANNOT_JUDGE, WELL
from ..expectations import Expectations
from ..printable import one_line
from ..report import assemble, page
from ..report import run as run_json
from ..report.exit_code import code_of
from ..report.files import write_whole
from ..splats import in_log, in_words
from . import runner
from .console import tail
from .runner import JOURNAL, GuestRun


def summed_up(guest_run: GuestRun) -> tuple[int, str]:
    """The exit code that one kernel's run deserves, and what to say of it."""
    story = guest_run.story
    if story.code == CANNOT_JUDGE and not guest_run.run.exists():
        runner.tidy(guest_run)
        return BAD_INPUT, f"{guest_run.name}: these arguments for pytest select no test"
    why = runner.why_not_whole(guest_run)
    run, problem = _made_whole(guest_run, why)
    lines = [f"{guest_run.name}: {_in_short(run)}, {story.took_s:.0f} s" if run else f"{guest_run.name}: no run.json"]
    lines += [f"  {note}" for note in story.notes]
    lines += [f"  {problem}"] if problem else []
    lines += complaints(run) if run else []
    if why is not None:
        lines.append(f"  {why}")
        shown = tail(_log(guest_run)) if story.code else tail(story.console)
        lines += [f"  | {line}" for line in shown]
        if story.code == BAD_INPUT and "report could not be written" not in _log(guest_run):
            return BAD_INPUT, "\n".join(lines)
        return CANNOT_JUDGE, "\n".join(lines)
    assert run is not None
    # A test that fails under no claim (of the suite itself, say) is as bad as a broken one.
    codes = {WELL: WELL, BROKEN: code_of(run) or BROKEN, CANNOT_JUDGE: CANNOT_JUDGE}
    log = _log(guest_run)
    lines += [f"  {line}" for line in log.splitlines() if "could not be written" in line]
    if story.code not in codes:
        lines += [f"  wakecheck judge ended with code {story.code}", *(f"  | {line}" for line in tail(log))]
    code = codes.get(story.code or 0, CANNOT_JUDGE)
    return CANNOT_JUDGE if problem and code == WELL else code, "\n".join(lines)


def _log(guest_run: GuestRun) -> str:
    return (guest_run.folder / "log.txt").read_text(errors="replace")


def complaints(run: dict[str, Any]) -> list[str]:
    """What its kernel complained of, a line each; no more than the first five."""
    return [f"  its kernel complained: {one_line(in_words(splat))}" for splat in run["kernel"]["splats"][:5]]


def salvaged(folder: Path, reason: str) -> dict[str, Any] | None:
    """The partial run that the journal in this folder tells of, written down beside it; None if it tells nothing."""
    run = assemble.rebuild(folder / JOURNAL, reason, _expectations)
    if run is not None and _kept(run, folder) is None:
        (folder / JOURNAL).unlink(missing_ok=True)
    return run


def _expectations(file: str) -> Expectations | None:
    """Of a run that did not end; None if the file is no longer as it was."""
    try:
        return expectation_file.load(file)
    except (expectation_file.BadExpectations, NoChapters):
        return None


def _kept(run: dict[str, Any], folder: Path) -> str | None:
    """Write run and page; why that failed, in one sentence, or None."""
    place = folder / "run.json"
    try:
        run_json.write(run, place)
    except OSError as error:
        return _not_written("run.json", error, place)
    return _shown(run, folder)


def _shown(run: dict[str, Any], folder: Path) -> str | None:
    """Write the page of this run; why that failed, in one sentence, or None."""
    place = folder / "index.html"
    try:
        write_whole(page.render(run), place)
    except OSError as error:
        return _not_written("the page", error, place)
    return None


def _not_written(what: str, error: OSError, place: Path) -> str:
    return f"{what} could not be written: {error.strerror or error} ({place})"


def _in_short(run: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in run_json.summary(run["claims"]).items() if count)
    return f"{counts or 'no claim judged'}{', partial' if run['partial'] else ''}"


def _made_whole(guest_run: GuestRun, why: str | None) -> tuple[dict[str, Any] | None, str | None]:
    """The run of this kernel, as pytest wrote it or from its journal, with the splats of its console; and what of it
    could not be written."""
    run: dict[str, Any] | None
    if why is None or guest_run.run.exists():
        try:
            run = run_json.load(guest_run.run)
        except run_json.BadRun:
            run = assemble.rebuild(guest_run.folder / JOURNAL, why or "run.json is unreadable", _expectations)
    else:
        run = assemble.rebuild(guest_run.folder / JOURNAL, why, _expectations)
    if run is None:
        return None, None
    splats = list(dict.fromkeys([*run["kernel"]["splats"], *in_log(guest_run.story.console)]))
    if why is not None or splats != run["kernel"]["splats"]:
        run["kernel"]["splats"] = splats
        problem = _kept(run, guest_run.folder)
    else:
        problem = _shown(run, guest_run.folder)
    if guest_run.run.exists():
        runner.tidy(guest_run)
    return run, problem
