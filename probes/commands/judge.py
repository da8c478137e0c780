"""`wakecheck judge`: pytest on the chapters, from any folder; in a checkout, the same as `python -m pytest` there."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence

import pytest

from ..chapters import FOLDER, HOME
from ..exits import BAD_INPUT, BROKEN, CANNOT_JUDGE, FAULT, WELL


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own: all that follows `judge` is pytest's, --help too."""


def main(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments on the chapters that they name, or on all; the exit code of exits.py.

    A chapter or a test is named as in a checkout (`tests/kernel/test_accept.py`), wherever this is called.
    """
    chosen = list(_resolved(arguments))
    command = [f"--config-file={HOME / 'pytest.ini'}", f"--rootdir={HOME}", "-p", "probes.plugin"]
    named = any(map(_is_path, chosen))
    session = _Session()
    ended = pytest.main([*command, *chosen, *([] if named else [str(HOME / FOLDER)])], plugins=[session])
    return session.code if ended == pytest.ExitCode.TESTS_FAILED else _CODES.get(ended, FAULT)


_CODES: dict[int, int] = {
    pytest.ExitCode.OK: WELL,
    # Stopped; or a chapter that cannot be imported.
    pytest.ExitCode.INTERRUPTED: BAD_INPUT,
    pytest.ExitCode.INTERNAL_ERROR: FAULT,
    pytest.ExitCode.USAGE_ERROR: BAD_INPUT,
    # Nothing was selected, so nothing is judged.
    pytest.ExitCode.NO_TESTS_COLLECTED: CANNOT_JUDGE,
}
"""What pytest's exit codes mean here; TESTS_FAILED may be of a broken claim, or of one that could not be judged."""


class _Session:
    """A plugin: makes pytest's usage and its complaints name this command, and hears how bad a failed session is."""

    def __init__(self) -> None:
        self.code = BROKEN

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        parser.prog = "wakecheck judge"

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        # Imported here: pytest has to import it first, to rewrite its asserts.
        from ..plugin import REPORTING

        reporting = config.stash.get(REPORTING, None)
        # A test that fails under no claim is as bad as a broken one.
        self.code = (reporting.exit_code if reporting is not None else None) or BROKEN


def _resolved(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        path = argument.partition("::")[0]
        below_home = path.startswith(f"{FOLDER}/") and not os.path.exists(path)
        yield str(HOME / path) + argument[len(path) :] if below_home else argument


def _is_path(argument: str) -> bool:
    """Whether pytest would take it for tests to run; the value of an option, such as `-k accept`, is none."""
    path = argument.partition("::")[0]
    return not argument.startswith("-") and (path.endswith(".py") or os.sep in path) and os.path.exists(path)
