"""The options of a run, all with the prefix --herd-."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from . import argument, catalogue, chapters, expectation_file, observers
from .claims import FAILING_LEVELS
from .expectations import Expectations
from .report.formats import FORMATS
from .scenario import BadScenario, Scenario
from .star import PRESETS


def add_options(parser: pytest.Parser) -> None:
    """Register them all, with one prefix.  A bad value ends pytest with one sentence (UsageError)."""
    group = parser.getgroup("wakecheck", "wakecheck: which waiters does this kernel wake?")
    presets = "; ".join(f"{name}: {preset.sentence}" for name, preset in PRESETS.items())
    group.addoption("--herd-preset", choices=PRESETS, default="default", help=f"how far to vary each axis ({presets})")
    group.addoption(
        "--herd-claim",
        action="append",
        default=[],
        metavar="ID",
        help="judge only this claim (its id as `wakecheck list` prints it); may be given again",
    )
    group.addoption(
        "--herd-trials",
        type=_count("--herd-trials", "trials", 1000),
        metavar="N",
        help="untraced trials per case; one traced is added",
    )
    group.addoption("--herd-sizes", type=_sizes, metavar="N,N", help="numbers of waiters, for example 2,8,200")
    group.addoption(
        "--herd-one-in",
        type=_count("--herd-one-in", "cases", 1000),
        metavar="N",
        default=1,
        help="of each claim judge only the first of every N cases, and at least one: for slow machines",
    )
    group.addoption(
        "--herd-without",
        action="append",
        default=[],
        choices=observers.names(),
        metavar="OBSERVER",
        help=f"do without an observer, as if it were denied; may be given again ({', '.join(observers.names())})",
    )
    group.addoption(
        "--herd-level",
        choices=FAILING_LEVELS,
        default=FAILING_LEVELS[-1],
        help="the last level whose broken claims fail the run (documented < observed < lore); "
        "documented is for kernels that are not mainline",
    )
    group.addoption(
        "--herd-expect",
        type=argument.path,
        metavar="FILE",
        help="the known deviations of a kernel that is not mainline (expectations/NAME.toml): these do not fail the "
        "run; any other does, and so does one that was expected and did not happen",
    )
    group.addoption(
        "--herd-report",
        type=argument.path,
        metavar="DIR",
        help="where the report goes (default: report; report/partial for a run that left cases out; report/PRESET for "
        f"another preset; report/{OTHER} with other sizes or trials, fewer cases, or without an observer)",
    )
    group.addoption(
        "--herd-run",
        type=argument.path,
        metavar="FILE",
        help="where run.json goes (default: run.json in the report folder)",
    )
    for name, format_ in FORMATS.items():
        group.addoption(f"--herd-{name}", type=argument.path, metavar="FILE", help=f"also write {format_.meaning}")
    group.addoption(
        "--herd-journal",
        type=argument.path,
        metavar="FILE",
        help="also record each case as soon as it is judged, in case the run dies",
    )
    group.addoption(
        "--herd-no-page",
        action="store_true",
        help="write run.json without its page, which takes long in an emulator; `wakecheck report` makes it later",
    )
    group.addoption("--herd-label", metavar="NAME", default="", help="what to call this kernel in the report")


def expectations_of(config: pytest.Config) -> Expectations | None:
    """What --herd-expect names.  A file that cannot be used ends pytest with one sentence (UsageError)."""
    if config.option.herd_expect is None:
        return None
    try:
        return expectation_file.load(config.option.herd_expect)
    except (expectation_file.BadExpectations, chapters.NoChapters) as error:
        raise pytest.UsageError(f"--herd-expect: {error}") from None


_PLACES = (
    "herd_report",
    "herd_run",
    "herd_journal",
    "herd_no_page",
    "herd_label",
    *(f"herd_{name}" for name in FORMATS),
)


def formats_of(chosen: Any) -> dict[str, str]:
    """The file of each of FORMATS that is wanted."""
    paths = {name: getattr(chosen, f"herd_{name}") for name in FORMATS}
    return {name: path for name, path in paths.items() if path}


OTHER = "other"
"""What a run is called whose options are neither the default nor a preset's."""


def variant_of(chosen: Any) -> str | None:
    """The preset, or OTHER, where the options judge other cases or trials than the default; None for the default."""
    if chosen.herd_sizes or chosen.herd_trials or chosen.herd_without or chosen.herd_one_in > 1:
        return OTHER
    return None if chosen.herd_preset == "default" else str(chosen.herd_preset)


def judging(chosen: Any) -> dict[str, Any]:
    """The options that shaped the run, by name; where its report goes, and what it is called, did not."""
    named = sorted(vars(chosen).items())
    return {name: value for name, value in named if name.startswith("herd_") and name not in _PLACES}


def _count(option: str, what: str, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise pytest.UsageError(f"{option}: {text!r} is not a number of {what}") from None
        if not 1 <= value <= most:
            raise pytest.UsageError(f"{option}: {value} {what}: there can be 1 to {most}")
        return value

    return parse


def insist_on_known_claims(config: pytest.Config) -> None:
    """End pytest with one sentence (UsageError) where --herd-claim names what is no claim."""
    for name in config.option.herd_claim:
        try:
            catalogue.find(name)
        except (catalogue.NoSuchClaim, chapters.NoChapters) as error:
            raise pytest.UsageError(f"--herd-claim: {error}") from None


def _sizes(text: str) -> tuple[int, ...]:
    sizes = []
    for part in text.split(","):
        try:
            sizes.append(Scenario("poll", n=int(part)).n)
        except BadScenario as error:
            raise pytest.UsageError(f"--herd-sizes: {error}") from None
        except ValueError:
            raise pytest.UsageError(f"--herd-sizes: {part!r} is not a number of waiters") from None
    return tuple(dict.fromkeys(sizes))
