"""A guest of another architecture in QEMU, every instruction emulated, with its whole root in its initramfs.

Its kernel needs no driver but that of the virtio console: over its ports the guest says what it says (guest.Pipes),
writes its journal, and hands over its results at the end, as a tar.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from .. import host
from . import initramfs, root
from .cache import Cache, Missing
from .guest import Pipes
from .machines import EmulatedMachine
from .processes import Processes
from .qemu import Image
from .scripts import Job
from .toolbox import Toolbox

CPUS = 2
"""Unless the user says otherwise: what these machines are for shows between CPUs only."""

PORTS_NEED = ("virtio_pci", "virtio_console")
_KERNEL_OPTIONS = "loglevel=5 panic=-1 nokaslr mitigations=off nowatchdog random.trust_cpu=on"


class Foreign:
    """Boots one image with one job.  `folder`: the guest's own runtime folder; `results`: where its results go."""

    ends_with_command = False

    def __init__(
        self,
        tools: Toolbox,
        machine: EmulatedMachine,
        archive: Path,
        image: Image,
        job: Job,
        folder: Path,
        results: Path,
    ) -> None:
        """`archive`: the root of its architecture (root.ARCHIVE)."""
        self._tools = tools
        self._machine = machine
        self._archive = archive
        self._image = image
        self._job = job
        self._folder = folder
        self._results = results

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """QEMU alone."""
        needed = (*PORTS_NEED, *initramfs.LISTENERS_NEED)
        modules = initramfs.modules_below(self._image.modules, needed) if self._image.modules else {}
        initrd = self._folder / "initramfs"
        # The kernel unpacks one archive after the other (Documentation/driver-api/early-userspace/buffer-format.rst).
        with initrd.open("wb") as file:
            file.write(self._archive.read_bytes())
            file.write(initramfs.archive(root.with_folders(root.own(self._job, modules))))
        command = [
            *self._tools.qemu(self._machine.program, self._machine.shares),
            *qemu_options(self._machine, self._image.image, initrd, pipes, self._job.cpus),
            *_file_port(root.JOURNAL, self._results / "journal.jsonl"),
            *_file_port(root.FILES, self._files),
        ]
        ends = (pipes.console, pipes.output, pipes.marks)
        return processes.start(command, out=pipes.console, errors=pipes.console, inherited=ends)

    @property
    def _files(self) -> Path:
        return self._folder / "results.tar"

    def collect(self) -> str | None:
        """Take over what the guest wrote, once it has ended; why that was not possible, in one sentence, or None."""
        try:
            with tarfile.open(self._files) as archive:
                for member, name in _plain(archive):
                    content = archive.extractfile(member)
                    if content is not None:
                        (self._results / name).write_bytes(content.read())
        except FileNotFoundError:
            return None
        except (tarfile.TarError, EOFError):
            # What was cut off; a guest that died before has said so.
            return "the guest's results did not arrive whole" if self._files.stat().st_size else None
        except OSError as error:
            return f"{self._results} could not be written whole: {error.strerror}"
        return None


def _plain(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The files of the result folder itself: no guest decides where else something is written here."""
    for member in archive:
        name = member.name.removeprefix("./")
        if (
            member.isreg()
            and "/" not in name
            and name not in ("", ".", "..", "log.txt", "console.txt", "journal.jsonl")
        ):
            yield member, name


def qemu_options(machine: EmulatedMachine, image: Path, initrd: Path, pipes: Pipes, cpus: int) -> list[str]:
    """The machine: its CPUs, its console, and a serial port for each of root.PORTS."""
    # With one thread for each CPU: as sound as on the machine itself where this host orders memory no less strictly
    # (docs/devel/multi-thread-tcg.rst of QEMU), as x86_64 does.
    options = ["-accel", "tcg,thread=multi", *machine.options, "-smp", str(cpus), "-m", f"{machine.memory_mib}M"]
    options += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-monitor", "none"]
    options += ["-chardev", f"file,id=console,path=/dev/fd/{pipes.console}", *machine.console_device]
    options += ["-device", f"{machine.serial},max_ports=8"]
    for name, fd in ((root.OUTPUT, pipes.output), (root.MARKS, pipes.marks)):
        options += _file_port(name, Path(f"/dev/fd/{fd}"))
    return [*options, "-kernel", str(image), "-initrd", str(initrd), "-append", kernel_options(machine)]


def kernel_options(machine: EmulatedMachine) -> str:
    """The kernel's command line."""
    return f"console={machine.console} {_KERNEL_OPTIONS} {host.EMULATED}"


def _file_port(name: str, path: Path) -> list[str]:
    """A serial port of the guest that ends in this file; in QEMU's lists of options a comma is doubled."""
    escaped = str(path).replace(",", ",,")
    return ["-chardev", f"file,id={name},path={escaped}", "-device", f"virtserialport,chardev={name},name={name}"]


def fetched_root(cache: Cache, architecture: str) -> Path:
    """The root of this architecture in the cache.  Raises Missing and Unsafe."""
    name = root.record_name(architecture)
    archive = cache.fetched(name) / root.ARCHIVE
    if not archive.is_file():
        raise Missing(f"{archive} is gone from the cache: wakecheck kernels get {name} --again")
    return archive
