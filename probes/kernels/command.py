"""`python -m probes kernels`: list, get, run, matrix."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..report import journal
from . import fetch, matrix, runner, runtime, toolbox
from .abreast import Stop, Stopped, abreast
from .aftermath import BAD_INPUT, BROKEN, CANNOT_JUDGE, WELL, salvaged, told
from .archive import Archive, ArchiveFailed
from .cache import VARIABLE, Cache, Missing, default_folder
from .catalogue import CATALOGUE, HOST, SUBSETS, USUAL, Kernel, NoSuchKernel, find, subset
from .guest import Patience
from .progress import Line, Progress
from .runner import JOURNAL, CannotBegin, Outcome, Settings, Target

_WORST = (WELL, CANNOT_JUDGE, BROKEN, BAD_INPUT)
"""The worst last."""
TERMINATED = 128 + signal.SIGTERM

_GUIDE = """\
Runs the same suite in other kernels: emulated by QEMU, as User-Mode Linux, under gVisor.

  python -m probes kernels list                        the names, and what is fetched
  python -m probes kernels get 6.12 uml-7.2            fetch with apt into a cache; nothing is installed
  python -m probes kernels run 5.10 7.3                runs/5.10/run.json, runs/7.3/run.json
  python -m probes kernels run 6.12 -- --herd-claim accept.wakes-one
  python -m probes kernels run --image arch/x86/boot/bzImage --modules DIR
  python -m probes kernels matrix --subset fast        get, run, and the page that compares them

A guest sees this machine's files read-only, and writes to its result folder alone.
"""


class BadInput(Exception):
    """One sentence for the user; ends the program with exit code 2."""


class _Terminated(BaseException):
    """SIGTERM: unwinds everything, as Ctrl-C does."""


def add(commands: Any) -> None:
    """Register `kernels` with these subparsers."""
    parser = commands.add_parser(
        "kernels",
        help="the same suite in other kernels, and the matrix that compares them",
        description=_GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(act=lambda options: parser.print_help() or BAD_INPUT)
    inner = parser.add_subparsers(metavar="WHAT")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--cache", metavar="DIR", help=f"where kernels are kept (default: {VARIABLE} or ~/.cache)")

    def command(name: str, act: Any, summary: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = inner.add_parser(name, help=summary, description=summary, parents=[common])
        made.set_defaults(act=lambda options: _guarded(act, options))
        return made

    command("list", _list, "the names, how each boots, and what is fetched")
    get = command("get", _get, "fetch kernels, and the tools that boot them, into the cache, once")
    get.add_argument("names", nargs="*", metavar="NAME", help="as `list` prints it, or tools; without any, everything")
    _fetching(get)
    run = command("run", _run, "run the suite in these kernels, several side by side")
    run.add_argument("names", nargs="*", metavar="NAME", help="as `list` prints it")
    run.add_argument("--image", metavar="FILE", help="a kernel of your own, arch/x86/boot/bzImage")
    run.add_argument("--modules", metavar="DIR", help="its modules, where virtio_pci or virtiofs is one")
    run.add_argument("--boot", choices=("qemu", "vng"), default="qemu", help="who boots QEMU guests (default qemu)")
    _running(run)
    page = command("matrix", _matrix, "get and run them all, then make the page that compares them")
    page.add_argument("names", nargs="*", metavar="NAME", help="as `list` prints it; without any, the subset")
    page.add_argument("--subset", choices=SUBSETS, default=USUAL, help="which kernels, as `list` shows (default usual)")
    _running(page)
    _fetching(page)


def _fetching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--again", action="store_true", help="fetch anew what is there already")
    parser.add_argument("--mirror", metavar="ADDRESS", help="a Debian mirror (default: the one of this machine's apt)")


def _running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", default="runs", help="where the results go (default: runs)")
    parser.add_argument("--boot-timeout", type=_seconds, default=120.0, metavar="S", help="for booting (default 120)")
    parser.add_argument("--timeout", type=_seconds, default=1800.0, metavar="S", help="for pytest (default 1800)")
    parser.add_argument("--cpus", type=_count, default=1, metavar="N", help="of each emulated machine (default 1)")
    parser.add_argument(
        "--at-once",
        type=_count,
        metavar="N",
        help="so many kernels side by side (default: as many as the CPUs here feed)",
    )
    parser.add_argument("pytest", nargs="*", metavar="-- ARGUMENT", help="further arguments for pytest, after --")


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", text) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return float(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,2}", text) or not 0 < int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 64")
    return int(text)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What comes before the first `--` of `kernels run` and `kernels matrix`, and what pytest gets after it."""
    found = list(arguments)
    if "kernels" in found[:1] and "--" in found:
        at = found.index("--")
        return found[:at], found[at + 1 :]
    return found, []


def _guarded(act: Any, options: argparse.Namespace) -> int:
    """Runs the command; what it says in a sentence ends it with exit code 2, SIGTERM as Ctrl-C does."""

    def terminated(*_: object) -> None:
        # Once: a second one must not end the runner before its guests are ended.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        code: int = act(options)
        return code
    except (BadInput, NoSuchKernel, Missing, ArchiveFailed, CannotBegin, matrix.CannotReport) as error:
        print(f"wakecheck: {error}", file=sys.stderr)
        return BAD_INPUT
    except _Terminated:
        print("wakecheck: terminated", file=sys.stderr)
        return TERMINATED
    finally:
        signal.signal(signal.SIGTERM, before)


# --- list, get ---------------------------------------------------------------------------------


def _cache(options: argparse.Namespace) -> Cache:
    return Cache(runner.resolved(options.cache) if options.cache else default_folder())


def _list(options: argparse.Namespace) -> int:
    cache = _cache(options)
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "boots as", "fetched", "subset"):
        table.add_column(heading)
    for kernel in CATALOGUE:
        record = cache.record(kernel.name)
        have = platform.release() if kernel.boot == HOST else record["version"] if record else "no"
        table.add_row(kernel.name, kernel.how, have, kernel.subset)
    record = cache.record(toolbox.NAME)
    table.add_row(toolbox.NAME, "QEMU, virtiofsd, busybox", record["version"] if record else "no", "")
    Console().print(table, highlight=False)
    print(f"\ncache: {cache.folder}")
    return WELL


def _get(options: argparse.Namespace) -> int:
    tools = toolbox.NAME in options.names
    kernels = find(name for name in options.names if name != toolbox.NAME)
    if not options.names:
        kernels = list(CATALOGUE)
    fetched = _fetch(kernels, options, tools=tools or fetch.needs_tools(kernels))
    return CANNOT_JUDGE if fetched else WELL


def _fetch(kernels: Sequence[Kernel], options: argparse.Namespace, *, tools: bool) -> list[str]:
    """Fetch them all; the names of those that could not be, after a sentence for each."""
    cache = _cache(options)
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    fetcher = fetch.Fetcher(cache, Archive(cache, options.mirror), say, again=options.again)
    failed = []
    for name, act in [
        *([(toolbox.NAME, fetcher.tools)] if tools else []),
        *((kernel.name, lambda kernel=kernel: fetcher.kernel(kernel)) for kernel in kernels),
    ]:
        try:
            found = act()
            if found.version:
                say(f"{name}: {found.version}{'' if found.new else ' (had it)'}")
        except (ArchiveFailed, OSError) as error:
            say(f"{name}: not fetched: {error}")
            failed.append(name)
    return failed


# --- run ---------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    targets = [Target(kernel.name, kernel) for kernel in find(options.names)]
    if options.image:
        targets.append(runner.own_image(options.image, options.modules))
    elif options.modules:
        raise BadInput("--modules belongs to a kernel of your own: name it with --image")
    names = [target.name for target in targets]
    if len(set(names)) < len(names):
        raise BadInput(f"{names[-1]} is the name of a kernel here, and of the image: their results would mix")
    if not targets:
        raise BadInput("which kernel?  `python -m probes kernels list` shows the names, --image takes one of your own")
    return _run_all(targets, options, vng=options.boot == "vng")[1]


def _run_all(targets: Sequence[Target], options: argparse.Namespace, *, vng: bool = False) -> tuple[list[Outcome], int]:
    """Every target, several at once; one that fails never stops the others."""
    settings = Settings(
        _cache(options),
        runner.resolved(options.out),
        Patience(options.boot_timeout, options.timeout),
        tuple(options.pytest),
        vng,
        options.cpus,
    )
    at_once = options.at_once or max(1, len(os.sched_getaffinity(0)) // options.cpus)
    for path in runtime.sweep():
        print(f"swept up after a runner that was killed: {path}", file=sys.stderr)

    with Progress(_Console(stderr=True), len(targets), journal.lines) as progress:

        def one(target: Target, stop: Stop) -> tuple[Outcome | None, int]:
            stop.heed()
            with progress.kernel(target.name, settings.results / target.name / JOURNAL) as line:
                outcome, code, said = _run_one(target, settings, line, stop)
            progress.say(said)
            return outcome, code

        done = abreast(one, targets, at_once)
    outcomes = [outcome for outcome, _ in done if outcome is not None]
    return outcomes, max((code for _, code in done), key=_WORST.index, default=WELL)


class _Console(Console):
    """One that nobody reads any more is silent, and ends nothing: the results are in files."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def _run_one(target: Target, settings: Settings, line: Line, stop: Stop) -> tuple[Outcome | None, int, str]:
    """What became of it, the exit code that it deserves, and what to say of it.  Raises Stopped."""

    def watch(phase: str, elapsed_s: float) -> None:
        line.watch(phase, elapsed_s)
        stop.heed()

    try:
        with contextlib.ExitStack() as until_told:
            try:
                outcome = runner.run(target, settings, watch, until_told)
                return outcome, *told(outcome)
            except Stopped:
                salvaged(settings.results / target.name, "it was stopped by the user")
                raise
    except (Missing, CannotBegin, OSError) as error:
        return None, BAD_INPUT, f"{target.name}: {error}"
    except Exception as error:  # noqa: BLE001  # a mistake of ours with one kernel must not end the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return None, CANNOT_JUDGE, f"{target.name}: a mistake of wakecheck itself: {words}"


# --- matrix ------------------------------------------------------------------------------------


def _matrix(options: argparse.Namespace) -> int:
    kernels = find(options.names) if options.names else subset(options.subset)
    missing = _fetch(kernels, options, tools=fetch.needs_tools(kernels))
    targets = [Target(kernel.name, kernel) for kernel in kernels if kernel.name not in missing]
    outcomes, code = _run_all(targets, options)
    runs = [outcome.run for outcome in outcomes if outcome.run.exists()]
    if runs:
        matrix.together(runs, Path(options.out))
    return max(code, CANNOT_JUDGE if missing or not runs else WELL, key=_WORST.index)
