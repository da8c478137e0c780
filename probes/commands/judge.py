"""`wakecheck judge`: pytest on the chapters, from any folder; in a checkout, the same as `python -m pytest` there."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence

import pytest

from ..chapters import FOLDER, HOME


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own: all that follows `judge` is pytest's, --help too."""


def main(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments on the chapters that they name, or on all; its exit code.

    A chapter or a test is named as in a checkout (`tests/kernel/test_accept.py`), wherever this is called.
    """
    chosen = list(_resolved(arguments))
    command = [f"--config-file={HOME / 'pytest.ini'}", f"--rootdir={HOME}", "-p", "probes.plugin"]
    named = any(map(_is_path, chosen))
    return int(pytest.main([*command, *chosen, *([] if named else [str(HOME / FOLDER)])], plugins=[_Named()]))


class _Named:
    """A plugin that makes pytest's usage and its complaints name this command."""

    @staticmethod
    def pytest_addoption(parser: pytest.Parser) -> None:
        parser.prog = "wakecheck judge"


def _resolved(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        path = argument.partition("::")[0]
        below_home = path.startswith(f"{FOLDER}/") and not os.path.exists(path)
        yield str(HOME / path) + argument[len(path) :] if below_home else argument


def _is_path(argument: str) -> bool:
    """Whether pytest would take it for tests to run; the value of an option, such as `-k accept`, is none."""
    path = argument.partition("::")[0]
    return not argument.startswith("-") and (path.endswith(".py") or os.sep in path) and os.path.exists(path)
