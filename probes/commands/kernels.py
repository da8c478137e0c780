"""`wakecheck kernels`: list, get, run, matrix."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .. import argument
from ..exits import BAD_INPUT, CANNOT_JUDGE, WELL, BadInput, worst
from ..kernels import bytecode, fetch, foreign, runner, runtime, side_by_side, toolbox
from ..kernels.archive import Archive, ArchiveFailed
from ..kernels.cache import VARIABLE, Cache, default_folder
from ..kernels.catalogue import CATALOGUE, HOST, SUBSETS, USUAL, NamedKernel, find, subset
from ..kernels.guest import Patience
from ..kernels.machines import MACHINES, NATIVE
from ..kernels.runner import GuestRun, Settings, Target
from ..report import journal
from . import report, runs

TERMINATED = 128 + signal.SIGTERM

_GUIDE = """\
Runs the claims in other kernels: emulated by QEMU, as User-Mode Linux, under gVisor.

  wakecheck kernels list                        the names, and what is fetched
  wakecheck kernels get 6.12 uml-7.2            fetch them with apt into a cache; nothing is installed
  wakecheck kernels run 5.10 7.3                write runs/5.10/run.json and runs/7.3/run.json
  wakecheck kernels run 6.12 -- --herd-claim=accept.wakes-one
  wakecheck kernels run --image arch/x86/boot/bzImage --modules DIR
  wakecheck kernels run arm64-6.12              another architecture; with --image Image --arch arm64, your own
  wakecheck kernels run 6.12 --cost             also what each strategy costs there, marked as emulated
  wakecheck kernels matrix --subset fast        get them, run in them, and compare them on a page

A guest sees this machine's files read-only, and can write only to its result folder.
"""

_Act = Callable[[argparse.Namespace], int]


class _Terminated(BaseException):
    """SIGTERM: unwinds everything, as Ctrl-C does."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The four commands below `kernels`."""
    parser.description, parser.formatter_class = _GUIDE, argparse.RawDescriptionHelpFormatter
    parser.set_defaults(act=None, help=parser.format_help)
    inner = parser.add_subparsers(metavar="WHAT")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--cache", type=argument.path, metavar="DIR", help=f"where kernels are kept (default: {VARIABLE} or ~/.cache)"
    )

    def command(name: str, act: _Act, summary: str) -> argparse.ArgumentParser:
        subparser: argparse.ArgumentParser = inner.add_parser(name, help=summary, description=summary, parents=[common])
        subparser.set_defaults(act=act)
        return subparser

    command("list", _list, "the names, how each boots, and what is fetched")
    get = command("get", _get, "fetch kernels, and the tools that boot them, into the cache, once")
    get.add_argument("names", nargs="*", metavar="NAME", help="as `list` prints it, or tools; without any, everything")
    _fetching(get)
    run_ = command("run", _run, "run the claims in these kernels, several side by side")
    run_.add_argument("names", nargs="*", metavar="NAME", help="as `list` prints it")
    run_.add_argument(
        "--image", type=argument.path, metavar="FILE", help="a kernel that you built, arch/x86/boot/bzImage"
    )
    run_.add_argument("--arch", choices=tuple(MACHINES), default=NATIVE, help=f"its architecture (default {NATIVE})")
    run_.add_argument(
        "--modules",
        type=argument.path,
        metavar="DIR",
        help="its modules, if virtio_pci, virtiofs or virtio_console is one",
    )
    run_.add_argument("--boot", choices=("qemu", "vng"), default="qemu", help="what boots QEMU guests (default qemu)")
    _running(run_)
    page = command("matrix", _matrix, "get kernels, run in them, then make the page that compares them")
    page.add_argument("names", nargs="*", metavar="NAME", help="as `list` prints it; without any, the subset")
    page.add_argument("--subset", choices=SUBSETS, default=USUAL, help="which kernels, as `list` shows (default usual)")
    _running(page)
    _fetching(page)


def _fetching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--again", action="store_true", help="fetch again what has been fetched already")
    parser.add_argument("--mirror", metavar="ADDRESS", help="a Debian mirror (default: the one of this machine's apt)")


def _running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=argument.path, metavar="DIR", default="runs", help="where the results go (default: runs)"
    )
    parser.add_argument(
        "--boot-timeout", type=_seconds, default=240.0, metavar="S", help="seconds for booting (default 240)"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=7200.0,
        metavar="S",
        help="seconds for pytest (default 7200); a guest that prints nothing for 25 minutes is ended sooner",
    )
    parser.add_argument(
        "--cpus",
        type=_count,
        metavar="N",
        help=f"CPUs of each emulated machine (default 1, or {foreign.CPUS} for another architecture)",
    )
    parser.add_argument(
        "--at-once",
        type=_count,
        metavar="N",
        help="how many kernels run side by side (default: as many as the CPUs allow, and a gVisor beside them)",
    )
    parser.add_argument(
        "--cost",
        action="store_true",
        help="then measure what each strategy costs, in one round of `wakecheck cost --quick`",
    )
    parser.add_argument("pytest", nargs="*", metavar="-- ARGUMENT", help="further arguments for pytest, after --")


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", text) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,2}", text) or not 0 < int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Run one of the four; SIGTERM unwinds it as Ctrl-C does.  Raises BadInput."""
    if options.act is None:
        print(options.help(), end="")
        return BAD_INPUT
    try:
        with _termination_unwinds():
            act: _Act = options.act
            return act(options)
    except _Terminated:
        print("wakecheck: terminated", file=sys.stderr)
        return TERMINATED


@contextlib.contextmanager
def _termination_unwinds() -> Iterator[None]:
    def terminated(*_: object) -> None:
        # Once: a second one must not end the runner before its guests are ended.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
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
    for name in fetch.needed_beside(CATALOGUE):
        record = cache.record(name)
        what = "QEMU" if name.startswith(toolbox.NAME) else "Python and what it needs"
        table.add_row(name, what, record["version"] if record else "no", "")
    Console().print(table, highlight=False)
    print(f"\ncache: {cache.folder}")
    return WELL


def _get(options: argparse.Namespace) -> int:
    beside = {toolbox.NAME, *fetch.needed_beside(CATALOGUE)}
    kernels = find(name for name in options.names if name not in beside)
    if not options.names:
        kernels = list(CATALOGUE)
    missing = _fetch(kernels, options, [name for name in options.names if name in beside])
    return CANNOT_JUDGE if missing else WELL


def _fetch(kernels: Sequence[NamedKernel], options: argparse.Namespace, also: Sequence[str] = ()) -> list[str]:
    """Fetch them all, what they need, and `also` these tools; the names of what could not be, after a sentence each."""
    cache = _cache(options)
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    fetcher = fetch.Fetcher(cache, Archive(cache, options.mirror), say, again=options.again)
    missing = []
    for name, act in [
        *([(toolbox.NAME, fetcher.tools)] if toolbox.NAME in also or fetch.needs_tools(kernels) else []),
        *(
            (name, lambda get=get: get(fetcher))
            for name, get in (fetch.needed_beside(CATALOGUE)).items()
            if name in also or name in fetch.needed_beside(kernels)
        ),
        *((kernel.name, lambda kernel=kernel: fetcher.kernel(kernel)) for kernel in kernels),
    ]:
        try:
            fetched = act()
            if fetched.version:
                say(f"{name}: {fetched.version}{'' if fetched.new else ' (fetched before)'}")
        except (ArchiveFailed, OSError) as error:  # the others may be there
            say(f"{name}: not fetched: {error}")
            missing.append(name)
    return missing


# --- run, matrix -------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    targets = [Target(kernel.name, kernel) for kernel in find(options.names)]
    if options.image:
        targets.append(runner.own_image(options.image, options.modules, options.arch))
    elif options.modules or options.arch != NATIVE:
        option = "--modules" if options.modules else "--arch"
        raise BadInput(f"{option} belongs to a kernel of your own: name it with --image")
    _insist_on_a_place(options.out)
    names = [target.name for target in targets]
    if len(set(names)) < len(names):
        raise BadInput(f"{names[-1]} is the name of a kernel here, and of the image: their results would mix")
    if not targets:
        raise BadInput("which kernel?  `wakecheck kernels list` shows the names, --image takes one of your own")
    return _run_in(targets, options, vng=options.boot == "vng")[1]


def _insist_on_a_place(out: str) -> None:
    """Raise BadInput if the folder above --out is not there: a typing error, reported before hours of work."""
    above = Path(out).absolute().parent
    if not above.is_dir():
        raise BadInput(f"{out} cannot be made (there is no folder {above}): choose another place with --out")


def _run_in(targets: Sequence[Target], options: argparse.Namespace, *, vng: bool = False) -> tuple[list[GuestRun], int]:
    """Run in every target, several at once; what became of each, and the exit code of the worst."""
    settings = Settings(
        _cache(options),
        runner.resolved(options.out),
        Patience(options.boot_timeout, options.timeout),
        tuple(options.pytest),
        vng,
        options.cpus,
        options.cost,
    )
    for path in runtime.sweep():
        print(f"swept up after a runner that was killed: {path}", file=sys.stderr)
    if any(target.programs == NATIVE for target in targets):
        bytecode.compile_all()
    most = options.cpus or max((target.cpus for target in targets), default=1)
    at_once = options.at_once or max(1, len(os.sched_getaffinity(0)) // most)
    return side_by_side.run(targets, settings, at_once, journal.lines, one_more=not options.at_once)


def _matrix(options: argparse.Namespace) -> int:
    _insist_on_a_place(options.out)
    kernels = find(options.names) if options.names else subset(options.subset)
    missing = _fetch(kernels, options)
    targets = [Target(kernel.name, kernel) for kernel in kernels if kernel.name not in missing]
    guest_runs, code = _run_in(targets, options)
    written = [runs.read(str(guest_run.run)) for guest_run in guest_runs if guest_run.run.exists()]
    index = Path(options.out) / report.MATRIX
    if len(written) > 1:
        report.several(written, index)
    elif written:
        report.single(written[0], index)
    return worst(code, CANNOT_JUDGE if missing or not written else WELL)
