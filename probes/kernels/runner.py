"""Runs pytest in one kernel after the other, and leaves a run.json for each, whole or partial."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..chapters import FOLDER, HOME
from ..exits import BadInput
from . import gvisor, here, processors, qemu, runtime, uml
from .cache import Cache
from .catalogue import GVISOR, HOST, QEMU, UML, NamedKernel
from .guest import Boot, Patience, Story, Watch, follow
from .qemu import Image
from .scripts import Job
from .toolbox import toolbox
from .vng import Vng

JOURNAL = "journal.jsonl"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Target:
    """One kernel to run in: of the catalogue, or an image of the user's own."""

    name: str
    kernel: NamedKernel | None = None
    image: Image | None = None


@dataclass(frozen=True)
class Settings:
    """What holds for every guest of a run."""

    cache: Cache
    results: Path
    """The folder that gets a subfolder for each kernel."""
    patience: Patience
    arguments: Sequence[str] = ()
    """Further arguments for pytest."""
    vng: bool = False
    """Whether QEMU guests are booted by virtme-ng."""
    cpus: int = 1
    """Of each emulated machine."""


@dataclass(frozen=True)
class GuestRun:
    """What became of one kernel's run."""

    name: str
    folder: Path
    story: Story

    @property
    def run(self) -> Path:
        """Where its run.json is, if it is."""
        return self.folder / "run.json"


class CannotBegin(BadInput):
    """Nothing can be run like this; the message is one sentence."""


def run(target: Target, settings: Settings, watch: Watch, until_summed_up: contextlib.ExitStack) -> GuestRun:
    """Boot it, run pytest in it, and follow it to its end.  Raises Missing, and CannotBegin.

    The result folder is ours alone until `until_summed_up` is left.
    """
    results = settings.results / target.name
    _insist_that_it_is_seen(target, results)
    with runtime.folder() as own, contextlib.ExitStack() as while_it_runs:
        boot = _boot(target, settings, job(target.name, results, settings), own, while_it_runs)
        _make(results)
        until_summed_up.enter_context(_sole_use(results))
        _empty(results)
        story = follow(boot, results, settings.patience, watch)
    return GuestRun(target.name, results, story)


def job(name: str, results: Path, settings: Settings) -> Job:
    """The pytest command for one kernel, in this checkout, with this interpreter."""
    if not (HOME / FOLDER).is_dir():
        raise CannotBegin(f"{HOME / FOLDER} holds no claims: install Wakecheck anew, or use a whole checkout")
    command = [sys.executable, "-m", "probes", "judge", "--herd-preset=matrix", "--color=no"]
    command += [f"--herd-report={results}", f"--herd-label={name}", f"--herd-journal={results / JOURNAL}"]
    # gvisor-2024.toml is for both gvisor-2024-systrap and gvisor-2024-ptrace.
    names = (name, name.rpartition("-")[0]) if name.startswith("gvisor-") else (name,)
    files = [HOME / "expectations" / f"{stem}.toml" for stem in names]
    if expected := next((file for file in files if file.is_file()), None):
        command.append(f"--herd-expect={expected}")
    python = os.path.dirname(sys.executable)
    environment = {
        "PATH": f"{python}:{_PATH}",
        "HOME": os.environ.get("HOME", "/root"),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "120",
    }
    return Job([*command, *settings.arguments], str(HOME), str(results), _visible(), environment, settings.cpus)


def _visible() -> list[str]:
    """Everything that this interpreter loads from: the checkout, its environment, and what that is made of."""
    places: list[str] = [
        str(HOME),
        sys.prefix,
        sys.base_prefix,
        os.path.dirname(os.path.realpath(sys.executable)),
        *sys.path,
    ]
    chosen = {os.path.realpath(place) for place in places if place and os.path.isdir(place)}
    # A virtual environment is found by the path it was started by, links and all.
    chosen |= {os.path.abspath(sys.prefix), str(HOME)}
    return sorted(chosen - {"/"})


def _boot(target: Target, settings: Settings, job: Job, own: Path, while_it_runs: contextlib.ExitStack) -> Boot:
    kernel, cache = target.kernel, settings.cache
    if kernel is not None and kernel.boot == HOST:
        return here.Here(job)
    if kernel is not None and kernel.boot == GVISOR:
        return gvisor.Gvisor(gvisor.fetched(cache, kernel.name), kernel.platform, job, own)
    tools = toolbox(cache)
    if kernel is not None and kernel.boot == UML:
        cpu = while_it_runs.enter_context(processors.one())
        return uml.Uml(tools, uml.fetched(cache, kernel.name), job, own, cpu)
    assert kernel is None or kernel.boot == QEMU
    image = target.image or qemu.fetched(cache, target.name)
    return Vng(tools, image, job, own) if settings.vng else qemu.Qemu(tools, image, job, own)


def _insist_that_it_is_seen(target: Target, results: Path) -> None:
    """Raises CannotBegin where the guest mounts something of its own over the results, or over this checkout."""
    boot = target.kernel.boot if target.kernel else QEMU
    if boot == HOST:
        return
    hidden = ("/dev", "/proc", "/sys", *(("/mnt",) if boot in (GVISOR, UML) else ()))
    for what, path in (("--out", results), ("the checkout", HOME)):
        for place in hidden:
            if path.is_relative_to(place):
                raise CannotBegin(f"{what} is {path}, and such a guest has a {place} of its own: choose another place")
    if boot == UML and "," in str(results):
        raise CannotBegin(f"--out leads to {results}, and User-Mode Linux cannot mount a path with a comma")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> CannotBegin:
    return CannotBegin(f"{folder} cannot be written ({error.strerror}): choose another place with --out")


@contextlib.contextmanager
def _sole_use(folder: Path) -> Iterator[None]:
    """Keep other runners out of this folder; the lock (flock(2), on the folder itself) leaves nothing behind."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotBegin(f"another run writes to {folder} now: choose another place with --out") from error
        yield
    finally:
        os.close(fd)


def _empty(folder: Path) -> None:
    """Remove what an earlier run left in it."""
    try:
        for name in ("run.json", "index.html", "log.txt", "console.txt", JOURNAL):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def resolved(path: str) -> Path:
    """The path without symbolic links.  Raises CannotBegin where they lead in a circle."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError before Python 3.13
        raise CannotBegin(f"{path}: its symbolic links lead in a circle") from error


def own_image(image: str, modules: str | None) -> Target:
    """A kernel of the user's own.  Raises CannotBegin where it is none."""
    path = resolved(image)
    try:
        # What is no file may keep its reader waiting.
        start = b"" if path.exists() and not path.is_file() else path.read_bytes()[:0x206]
    except OSError as error:
        raise CannotBegin(f"{image} cannot be read ({error.strerror})") from error
    # Documentation/arch/x86/boot.rst: "HdrS" at 0x202 in every bzImage.
    if start[0x202:0x206] != b"HdrS":
        raise CannotBegin(f"{image} is no bzImage (arch/x86/boot/bzImage of a built kernel tree is)")
    folder = resolved(modules) if modules else None
    if folder is not None and not folder.is_dir():
        raise CannotBegin(f"{modules} is no folder of modules (make modules_install INSTALL_MOD_PATH=DIR makes one)")
    return Target(path.name, image=Image(path, folder))


def why_not_whole(guest_run: GuestRun) -> str | None:
    """Why there is no whole run.json, or None where there is one."""
    story = guest_run.story
    if story.reason is not None:
        return story.reason
    if not guest_run.run.exists():
        problems = [note for note in story.notes if "could not be written" in note]
        return problems[0] if problems else f"wakecheck judge ended with code {story.code} and wrote no run.json"
    return None


def tidy(guest_run: GuestRun) -> None:
    """Remove the journal once run.json is there."""
    with contextlib.suppress(OSError):
        (guest_run.folder / JOURNAL).unlink(missing_ok=True)
