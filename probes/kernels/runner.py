"""Runs pytest in one kernel after the other, and leaves a run.json for each, whole or partial."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..host import PROJECT
from . import gvisor, here, qemu, runtime, uml
from .cache import Cache
from .catalogue import GVISOR, HOST, QEMU, UML, Kernel
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
    kernel: Kernel | None = None
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
class Outcome:
    """What became of one kernel's run."""

    name: str
    folder: Path
    story: Story

    @property
    def run(self) -> Path:
        """Where its run.json is, if it is."""
        return self.folder / "run.json"


class CannotBegin(Exception):
    """Nothing can be run like this; the message is one sentence."""


def run(target: Target, settings: Settings, watch: Watch) -> Outcome:
    """Boot it, run pytest in it, and follow it to its end.  Raises Missing, and CannotBegin."""
    results = (settings.results / target.name).resolve()
    with runtime.folder() as own:
        boot = _boot(target, settings, job(target.name, results, settings), own)
        _empty(results)
        story = follow(boot, results, settings.patience, watch)
    return Outcome(target.name, results, story)


def job(name: str, results: Path, settings: Settings) -> Job:
    """The pytest command for one kernel, in this checkout, with this interpreter."""
    if not (PROJECT / "tests").is_dir():
        raise CannotBegin(f"{PROJECT} holds no tests: run this in a checkout")
    command = [sys.executable, "-m", "pytest", "--herd-preset=matrix", "-m", "not instrument", "--color=no"]
    # Only to read the suite's own tests takes an emulated machine ten seconds.
    command.append("--ignore=tests/instrument")
    command += [f"--herd-report={results}", f"--herd-label={name}", f"--herd-journal={results / JOURNAL}"]
    # gvisor-2024.toml is for both gvisor-2024-systrap and gvisor-2024-ptrace.
    files = [PROJECT / "expectations" / f"{one}.toml" for one in (name, name.rpartition("-")[0])]
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
    return Job([*command, *settings.arguments], str(PROJECT), str(results), _visible(), environment, settings.cpus)


def _visible() -> list[str]:
    """Everything that this interpreter loads from: the checkout, its environment, and what that is made of."""
    places: list[str] = [
        str(PROJECT),
        sys.prefix,
        sys.base_prefix,
        os.path.dirname(os.path.realpath(sys.executable)),
        *sys.path,
    ]
    chosen = {os.path.realpath(place) for place in places if place and os.path.isdir(place)}
    # A virtual environment is found by the path it was started by, links and all.
    chosen |= {os.path.abspath(sys.prefix), str(PROJECT)}
    return sorted(chosen - {"/"})


def _boot(target: Target, settings: Settings, job: Job, own: Path) -> Boot:
    kernel, cache = target.kernel, settings.cache
    if kernel is not None and kernel.boot == HOST:
        return here.Here(job)
    if kernel is not None and kernel.boot == GVISOR:
        return gvisor.Gvisor(gvisor.fetched(cache, kernel.name), kernel.platform, job, own)
    tools = toolbox(cache)
    if kernel is not None and kernel.boot == UML:
        return uml.Uml(tools, uml.fetched(cache, kernel.name), job, own)
    assert kernel is None or kernel.boot == QEMU
    image = target.image or qemu.fetched(cache, target.name)
    return Vng(tools, image, job, own) if settings.vng else qemu.Qemu(tools, image, job, own)


def _empty(folder: Path) -> None:
    """Make the result folder, without what an earlier run left in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("run.json", "index.html", "log.txt", "console.txt", JOURNAL):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise CannotBegin(f"{folder} cannot be written ({error.strerror}): choose another place with --out") from error


def own_image(image: str, modules: str | None) -> Target:
    """A kernel of the user's own.  Raises CannotBegin where it is none."""
    path = Path(image).resolve()
    try:
        with path.open("rb") as file:
            start = file.read(0x206)
    except OSError as error:
        raise CannotBegin(f"{image} cannot be read ({error.strerror})") from error
    # Documentation/arch/x86/boot.rst: "HdrS" at 0x202 in every bzImage.
    if start[0x202:0x206] != b"HdrS":
        raise CannotBegin(f"{image} is no bzImage (arch/x86/boot/bzImage of a built kernel tree is)")
    folder = Path(modules).resolve() if modules else None
    if folder is not None and not folder.is_dir():
        raise CannotBegin(f"{modules} is no folder of modules (make modules_install INSTALL_MOD_PATH=DIR makes one)")
    return Target(path.name, image=Image(path, folder))


def why_not_whole(outcome: Outcome) -> str | None:
    """Why there is no whole run.json, or None where there is one."""
    story = outcome.story
    if story.reason is not None:
        return story.reason
    if not outcome.run.exists():
        problems = [note for note in story.notes if "could not be written" in note]
        return problems[0] if problems else f"pytest ended with code {story.code} and wrote no run.json"
    return None


def tidy(outcome: Outcome) -> None:
    """Remove the journal once run.json is there."""
    with contextlib.suppress(OSError):
        (outcome.folder / JOURNAL).unlink(missing_ok=True)
