"""A guest in QEMU, every instruction emulated, with this host's root over virtiofs."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import initramfs, scripts
from .cache import Cache, Missing
from .guest import Pipes
from .processes import Processes
from .scripts import Job
from .toolbox import Toolbox

MEMORY_MIB = 512

KERNEL_OPTIONS = (
    # 5 lets warnings through (printk levels below 5), and is still little for a slow serial port.
    "console=ttyS0 loglevel=5 panic=-1 nokaslr mitigations=off nowatchdog 8250.nr_uarts=4 random.trust_cpu=on "
    # The clock is the ACPI timer.  A guest calibrates its TSC against timers that stand still while the host is busy:
    # seen to be wrong sevenfold, and every deadline with it.
    "tsc=reliable clocksource=acpi_pm no_timer_check"
)
"""panic=-1 with -no-reboot ends QEMU at once; mitigations=off makes an emulated boot quicker."""

# Two instructions that newer models have and the first Python waits 2 s without.  The name is what
# /proc/cpuinfo shows, and how a run learns that it is emulated.
_CPU = "Nehalem,+rdrand,+rdseed,model-id=QEMU TCG CPU"
_SOCKETS_WITHIN_S = 20.0


@dataclass(frozen=True)
class Image:
    """A kernel to boot: its bzImage, and the folder that holds its modules, if any."""

    image: Path
    modules: Path | None


class Qemu:
    """Boots one image with one job.  `folder`: the guest's own runtime folder."""

    ends_with_command = False

    def __init__(self, tools: Toolbox, image: Image, job: Job, folder: Path) -> None:
        self._tools = tools
        self._image = image
        self._job = job
        self._folder = folder

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """virtiofsd twice, then QEMU."""
        initrd = self._folder / "initramfs"
        modules = initramfs.modules_below(self._image.modules) if self._image.modules else {}
        files = initramfs.guest_files(self._tools.busybox.read_bytes(), scripts.for_qemu(self._job), modules)
        initrd.write_bytes(initramfs.archive(files))
        sockets = {tag: self._folder / f"{tag}.sock" for tag in ("root", "out")}
        for socket in sockets.values():
            socket.unlink(missing_ok=True)
        share = self._tools.virtiofsd()
        daemons = [
            processes.start([*share, *command], out=pipes.console, errors=pipes.console)
            for command in (
                virtiofsd_options("/", sockets["root"], read_only=True),
                virtiofsd_options(self._job.results, sockets["out"], read_only=False),
            )
        ]
        _wait_for(list(sockets.values()), daemons)
        command = [*self._tools.qemu(), *qemu_options(self._image.image, initrd, sockets, pipes, self._job.cpus)]
        ends = (pipes.console, pipes.output, pipes.marks)
        return processes.start(command, out=pipes.console, errors=pipes.console, inherited=ends)


def _wait_for(sockets: list[Path], daemons: list[subprocess.Popen[bytes]]) -> None:
    """Until every virtiofsd listens, or one has ended; QEMU says itself what is wrong with one that never does."""
    end = time.monotonic() + _SOCKETS_WITHIN_S
    while not all(socket.exists() for socket in sockets) and time.monotonic() < end:
        if any(daemon.poll() is not None for daemon in daemons):
            return
        os.sched_yield()


def virtiofsd_options(folder: str, socket: Path, *, read_only: bool) -> list[str]:
    """`folder` over this socket.  The root never changes under a guest, so everything of it may be cached."""
    options = ["--shared-dir", folder, "--socket-path", str(socket), "--sandbox", "none", "--log-level", "error"]
    return [*options, "--cache", "always", "--readonly"] if read_only else [*options, "--cache", "auto"]


def qemu_options(image: Path, initrd: Path, sockets: dict[str, Path], pipes: Pipes, cpus: int) -> list[str]:
    """The machine: its CPUs, memory that virtiofsd shares, three serial ports, and nothing else."""
    size = f"{MEMORY_MIB}M"
    options = ["-accel", "tcg,thread=multi", "-cpu", _CPU, "-smp", str(cpus), "-m", size]
    options += ["-machine", "pc,memory-backend=mem", "-object", f"memory-backend-memfd,id=mem,size={size},share=on"]
    options += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-monitor", "none"]
    for tag, socket in sockets.items():
        options += ["-chardev", f"socket,id={tag},path={_escaped(socket)}"]
        options += ["-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]
    for name, fd in (("console", pipes.console), ("output", pipes.output), ("marks", pipes.marks)):
        options += ["-chardev", f"file,id={name},path=/dev/fd/{fd}", "-serial", f"chardev:{name}"]
    return [*options, "-kernel", str(image), "-initrd", str(initrd), "-append", KERNEL_OPTIONS]


def _escaped(path: Path) -> str:
    """In QEMU's lists of options a comma is doubled."""
    return str(path).replace(",", ",,")


def fetched(cache: Cache, name: str) -> Image:
    """The image of this name in the cache.  Raises Missing and Unsafe."""
    place = cache.fetched(name)
    # ppc64el's is not compressed.
    images = sorted(place.rglob("vmlinuz*")) or sorted(place.rglob("boot/vmlinux*"))
    if not images:
        raise Missing(f"the package of {name} held no kernel image: wakecheck kernels get {name} --again")
    return Image(images[0], place)
