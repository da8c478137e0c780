"""Runs pytest in one kernel after the other, and leaves a run.json for each, whole or partial."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import host
from ..chapters import FOLDER, HOME
from ..exits import BadInput
from . import foreign, gvisor, here, processors, qemu, root, runtime, toolbox, uml
from .cache import Cache
from .catalogue import GVISOR, HOST, QEMU, UML, NamedKernel
from .guest import Boot, Patience, Story, Watch, follow
from .machines import MACHINES, NATIVE
from .qemu import Image
from .scripts import Job, judging, with_costs
from .vng import Vng

JOURNAL = "journal.jsonl"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Target:
    """One kernel to run in: of the catalogue, or an image of the user's own."""

    name: str
    kernel: NamedKernel | None = None
    image: Image | None = None
    architecture: str = NATIVE
    """Of an image of the user's own."""

    @property
    def programs(self) -> str:
        """The architecture of the programs in it."""
        return self.kernel.programs if self.kernel else self.architecture

    @property
    def waits(self) -> bool:
        """Whether a run waits for part of its time: gVisor never answers some questions, each until its deadline."""
        return self.kernel is not None and self.kernel.boot == GVISOR

    @property
    def takes(self) -> float:
        """About how long it takes, as in the catalogue."""
        return self.kernel.takes if self.kernel is not None else 1.0

    @property
    def cpus(self) -> int:
        """Of its machine, unless the user says otherwise."""
        return 1 if self.programs == NATIVE else foreign.CPUS


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
    cpus: int | None = None
    """Of each emulated machine; None: as many as it shows what it is for."""
    cost: bool = False
    """Whether to measure what the strategies cost, too."""
    longest: float = 0.0
    """What the longest takes of those that run side by side (`Target.takes`); 0 if none runs beside another."""


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
        boot = _boot(target, settings, results, own, while_it_runs)
        _make(results)
        until_summed_up.enter_context(_sole_use(results))
        _empty(results)
        story = follow(boot, results, settings.patience, watch)
        if isinstance(boot, foreign.Foreign) and (note := boot.collect()):
            story.notes.append(note)
        guest_run = GuestRun(target.name, results, story)
        if settings.cost and story.reason is None and guest_run.run.exists() and not _has_costs(guest_run.run):
            story.notes.append("what the strategies cost was not measured: log.txt says why, at its end")
    return guest_run


def _has_costs(run: Path) -> bool:
    try:
        return "cost" in json.loads(run.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def job(name: str, results: Path, settings: Settings) -> Job:
    """The pytest command for one kernel, in this checkout, with this interpreter."""
    if not (HOME / FOLDER).is_dir():
        raise CannotBegin(f"{HOME / FOLDER} holds no claims: install Wakecheck anew, or use a whole checkout")
    # gvisor-2024.toml is for both gvisor-2024-systrap and gvisor-2024-ptrace.
    names = (name, name.rpartition("-")[0]) if name.startswith("gvisor-") else (name,)
    files = [HOME / "expectations" / f"{stem}.toml" for stem in names]
    expected = next((str(file) for file in files if file.is_file()), None)
    command = judging(sys.executable, name, str(results), str(results / JOURNAL), expected)
    python = os.path.dirname(sys.executable)
    environment = {
        "PATH": f"{python}:{_PATH}",
        "HOME": os.environ.get("HOME", "/root"),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "120",
        "TERM": "dumb",
        host.TOLD_REVISION: host.revision(),
    }
    command += settings.arguments
    if settings.cost:
        command = with_costs(command, sys.executable, str(results))
    return Job(command, str(HOME), str(results), _visible(), environment, settings.cpus or 1)


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


def _boot(target: Target, settings: Settings, results: Path, own: Path, while_it_runs: contextlib.ExitStack) -> Boot:
    if target.programs != NATIVE:
        return _foreign(target, settings, results, own)
    kernel, cache = target.kernel, settings.cache
    work = job(target.name, results, settings)
    if kernel is not None and kernel.boot == HOST:
        return here.Here(work)
    if kernel is not None and kernel.boot == GVISOR:
        return gvisor.Gvisor(gvisor.fetched(cache, kernel.name), kernel.platform, work, own)
    tools = toolbox.toolbox(cache)
    if kernel is not None and kernel.boot == UML:
        cpu = while_it_runs.enter_context(processors.lent())
        binary = uml.fetched(cache, kernel.name)
        return uml.Uml(tools, binary, work, own, cpu, makes_way=kernel.takes < settings.longest)
    assert kernel is None or kernel.boot == QEMU
    image = target.image or qemu.fetched(cache, target.name)
    return Vng(tools, image, work, own) if settings.vng else qemu.Qemu(tools, image, work, own)


def _foreign(target: Target, settings: Settings, results: Path, own: Path) -> Boot:
    architecture = target.kernel.architecture if target.kernel else target.architecture
    if settings.vng:
        raise CannotBegin(f"{target.name}: --boot vng is for {NATIVE} only")
    tools = toolbox.of_architecture(settings.cache, architecture)
    archive = foreign.fetched_root(settings.cache, target.programs)
    image = target.image or qemu.fetched(settings.cache, target.name)
    job = root.job(target.name, settings.arguments, cost=settings.cost)
    job = dataclasses.replace(job, cpus=settings.cpus or target.cpus)
    return foreign.Foreign(tools, MACHINES[architecture], archive, image, job, own, results)


def _insist_that_it_is_seen(target: Target, results: Path) -> None:
    """Raises CannotBegin if the guest mounts something of its own over the results, or over this checkout."""
    boot = target.kernel.boot if target.kernel else QEMU
    if boot == HOST or target.programs != NATIVE:
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
    """The path without symbolic links.  Raises CannotBegin if they lead in a circle."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError before Python 3.13
        raise CannotBegin(f"{path}: its symbolic links lead in a circle") from error


def own_image(image: str, modules: str | None, architecture: str = NATIVE) -> Target:
    """A kernel of the user's own, for this architecture.  Raises CannotBegin if it is none."""
    path = resolved(image)
    try:
        # What is not a file may keep its reader waiting.
        with path.open("rb") if path.is_file() or not path.exists() else contextlib.nullcontext(None) as file:
            start = file.read(_START) if file is not None else b""
    except OSError as error:
        raise CannotBegin(f"{image} cannot be read ({error.strerror})") from error
    if not MACHINES[architecture].is_image(start):
        others = [name for name, machine in MACHINES.items() if machine.is_image(start)]
        hint = f", but a kernel for {others[0]}: say --arch {others[0]}" if others else ""
        raise CannotBegin(f"{image} is no {MACHINES[architecture].what_an_image_is}{hint}")
    folder = resolved(modules) if modules else None
    if folder is not None and not folder.is_dir():
        raise CannotBegin(f"{modules} is not a folder of modules (make modules_install INSTALL_MOD_PATH=DIR makes one)")
    return Target(path.name, image=Image(path, folder), architecture=architecture)


_START = 0x10010
"""How much of an image is looked at: s390x's says what it is at 0x10008."""


def why_not_whole(guest_run: GuestRun) -> str | None:
    """Why there is no whole run.json, or None if there is one."""
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
