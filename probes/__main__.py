"""The command line: `wakecheck`, or `python -m probes` in a checkout.

Each command is a module of probes/commands; only the one that is asked for is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from . import __version__, streams
from .commands import SUMMARIES
from .exits import BAD_INPUT, CANNOT_JUDGE, FAULT, OTHER_CODES, WELL, BadInput

_PROGRAM = "wakecheck"
_GUIDE = """\
What does this kernel do when many processes wait for one connection?

`wakecheck COMMAND --help` says more about each; `wakecheck run --help` explains the ids of scenarios.
"""
_EXIT_CODES = f"""\
Exit codes: 0 all is well, 1 a claim is broken or something got worse, 2 bad input, 3 it could not be judged,
{OTHER_CODES}."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    streams.escape_what_the_locale_lacks()
    if (checkout := _other_checkout()) is not None:
        print(
            f"{_PROGRAM}: this is the code in {_HOME}, not that of the checkout {checkout}; "
            f"to run that: pip install -e {shlex.quote(checkout)}",
            file=sys.stderr,
        )
    if given[:1] == ["judge"]:
        # All that follows is pytest's, --help too.
        from .commands import judge

        streams.insist_on_streams()
        return judge.main(given[1:])
    ours, for_pytest = split(given)
    parser = parser_for(ours)
    options = parser.parse_args(ours)
    if options.command is None:
        parser.print_help()
        return BAD_INPUT
    if for_pytest:
        options.pytest = for_pytest
    if sys.stdout is None:
        return CANNOT_JUDGE  # closed (>&-): there is nobody to answer
    from .interrupt import heeded_once

    with heeded_once():
        return _run(_module(options.command), options)


_HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
"""What holds this package: a checkout, or site-packages."""


def _other_checkout() -> str | None:
    """The checkout of Wakecheck that we are in, if this is not its code: an edit there would change nothing."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        return None
    while not (os.path.isfile(f"{folder}/probes/__main__.py") and os.path.isdir(f"{folder}/tests/kernel")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder if os.path.realpath(folder) != _HOME else None


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What comes before the first `--` of `kernels run` and `kernels matrix`, and what pytest gets after it."""
    ours = list(arguments)
    if ours[:1] == ["kernels"] and "--" in ours:
        at = ours.index("--")
        return ours[:at], ours[at + 1 :]
    return ours, []


class _Parser(argparse.ArgumentParser):
    """One that repeats nothing as it was given, as an argument may hold what steers a terminal; and no usage where the
    options are known, and one's value is wrong."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuses what it does not know itself: the parser above would name its own usage, not this command's."""
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return known, rest

    def error(self, message: str) -> NoReturn:
        from .printable import printable

        if message.startswith("argument "):
            self.exit(BAD_INPUT, f"{self.prog}: error: {printable(message)}\n")
        super().error(printable(message))


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser: it knows the names of all commands, and the options of the one that these arguments ask for."""
    parser = _Parser(
        prog=_PROGRAM, description=_GUIDE, epilog=_EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, summary in SUMMARIES.items():
        subparser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == asked:
            _module(name).arguments(subparser)
    return parser


def _module(command: str) -> Any:
    return importlib.import_module(f".commands.{command}", __package__)


def _run(command: Any, options: argparse.Namespace) -> int:
    """Run the command; every way in which it can end, as an exit code and one sentence."""
    from .printable import one_line
    from .verdict import Inconclusive, NotApplicable

    try:
        code: int = command.run(options)
        sys.stdout.flush()
        return code
    except Inconclusive as reason:
        print(f"inconclusive: {one_line(str(reason))}")
        return CANNOT_JUDGE
    except NotApplicable as reason:
        print(f"not applicable: {one_line(str(reason))}")
        return CANNOT_JUDGE
    except BadInput as error:
        print(f"{_PROGRAM}: {one_line(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"{_PROGRAM}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WELL
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"{_PROGRAM}: {error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    except Exception:  # noqa: BLE001 (Python's own exit code for it, 1, means that a claim is broken)
        traceback.print_exc()
        print(f"{_PROGRAM}: this is a fault of {_PROGRAM}; please report it with the lines above", file=sys.stderr)
        return FAULT


if __name__ == "__main__":
    sys.exit(main())
