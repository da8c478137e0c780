"""A guest that is a User-Mode Linux process, with this host's root through hostfs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import scripts
from .cache import Cache
from .guest import Pipes
from .processes import Processes
from .scripts import Job
from .toolbox import LOADER, Toolbox

MEMORY_MIB = 512


@dataclass(frozen=True)
class UmlKernel:
    """A User-Mode Linux kernel and how its process is started."""

    binary: Path
    libraries: Path | None
    """Where the newer libc is that it was linked against, if one was fetched with it."""


class Uml:
    """Starts one kernel with one job.  `folder`: the guest's own runtime folder; `cpu`: the number of its CPU;
    `makes_way`: whether it leaves most of that CPU to other guests, because it will not be the last to end.

    It has one CPU, and each of its system calls goes to and fro between the process that makes it and the one that is
    the kernel (userspace(), arch/um/os-Linux/skas/process.c).  On two CPUs each has to wake the other's from idleness:
    that took 2.1 to 2.6 times as long.
    """

    ends_with_command = False

    def __init__(
        self, tools: Toolbox, program: UmlKernel, job: Job, folder: Path, cpu: int, *, makes_way: bool
    ) -> None:
        self._tools = tools
        self._program = program
        self._job = job
        self._folder = folder
        self._cpu = cpu
        self._makes_way = makes_way

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """The kernel's process; its root is read-only already outside it, so no guest can change that."""
        # A copy: the path of the cache may hold what a `#!` line cannot, a space for one.
        busybox = self._folder / "busybox"
        busybox.write_bytes(self._tools.busybox.read_bytes())
        busybox.chmod(0o755)
        init = self._folder / "init"
        init.write_text(scripts.for_uml(self._job, str(busybox)), encoding="utf-8")
        init.chmod(0o755)
        options = uml_options(init, self._folder, pipes)
        # Its memory is a file, and this is the one place that is surely in memory itself.
        launch = [
            "--set=TMPDIR=/dev/shm",
            f"--cpu={self._cpu}",
            *(["--make-way"] if self._makes_way else []),
            f"--writable={self._job.results}",
            f"--writable={self._folder}",
        ]
        if self._program.libraries is not None:
            launch += [f"--set=LD_LIBRARY_PATH={self._program.libraries}", f"--folder={self._folder}"]
        return processes.start(
            [str(self._binary()), *options],
            options=launch,
            out=pipes.console,
            errors=pipes.console,
            inherited=(pipes.console, pipes.output, pipes.marks),
        )

    def _binary(self) -> Path:
        """The kernel; where it needs a newer libc, a copy that is started by that libc's own loader.

        Naming the loader on the command line would not do: it would own the heap that the kernel puts
        its memory behind (arch/um/os-Linux/main.c).  So the copy names it, relative to the folder it starts in.
        """
        if self._program.libraries is None:
            return self._program.binary
        loader = self._folder / "ld.so"
        loader.unlink(missing_ok=True)
        loader.symlink_to(self._program.libraries / LOADER)
        copy = self._folder / "linux.uml"
        copy.write_bytes(with_interpreter(self._program.binary.read_bytes(), loader.name))
        copy.chmod(0o755)
        return copy


def with_interpreter(program: bytes, name: str) -> bytes:
    """This ELF program with another loader, whose name is no longer than the usual one.

    The kernel wants no more than that the name ends in a NUL (load_elf_binary, fs/binfmt_elf.c).
    """
    usual = f"/lib64/{LOADER}".encode()
    return program.replace(usual + b"\0", name.encode().ljust(len(usual), b"\0") + b"\0", 1)


def uml_options(init: Path, folder: Path, pipes: Pipes) -> list[str]:
    """The kernel's command line: hostfs as root, and pipes for the console and two serial lines."""
    return [
        f"mem={MEMORY_MIB}M",
        "loglevel=5",
        "panic=-1",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"init={init}",
        f"uml_dir={folder}",
        "umid=guest",
        "con=null",
        f"con0=null,fd:{pipes.console}",
        "ssl=null",
        f"ssl0=null,fd:{pipes.output}",
        f"ssl1=null,fd:{pipes.marks}",
    ]


def fetched(cache: Cache, name: str) -> UmlKernel:
    """The kernel of this name in the cache.  Raises Missing and Unsafe."""
    place = cache.fetched(name)
    libraries = place / "usr/lib/x86_64-linux-gnu"
    return UmlKernel(place / "usr/bin/linux.uml", libraries if (libraries / "libc.so.6").exists() else None)
