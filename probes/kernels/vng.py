"""A guest booted by virtme-ng, which kernel developers have: `vng --run bzImage --exec COMMAND`.

It makes its own initramfs and root, and is slower than `qemu.py`; it is there for the tree that one has just built.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .cache import Missing
from .guest import Pipes
from .processes import Processes
from .qemu import Image
from .scripts import BEGAN, Job
from .toolbox import Toolbox

HOW_TO_GET = "pip install virtme-ng"
MEMORY_MIB = 1024
"""virtme-ng's root takes more of it than ours."""


class Vng:
    """Boots one image with one job.  `folder`: the guest's own runtime folder."""

    ends_with_command = True

    def __init__(self, tools: Toolbox, image: Image, job: Job, folder: Path) -> None:
        beside = Path(sys.executable).with_name("vng")
        program = str(beside) if beside.exists() else shutil.which("vng")
        if program is None:
            raise Missing(f"vng (virtme-ng) is not here: {HOW_TO_GET}")
        for tool, package in (("script", "bsdutils"), ("depmod", "kmod")):
            if not shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"):
                raise Missing(f"{tool}, which vng needs, is not here: apt-get install {package}")
        self._vng = program
        self._tools = tools
        self._image = image
        self._job = job
        self._folder = folder

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """vng in a pseudo-terminal; what the command prints, and its exit code, come back in files."""
        for name, command in (("qemu", self._tools.qemu()), ("virtiofsd", self._tools.virtiofsd())):
            wrapper = self._folder / name
            wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
            wrapper.chmod(0o755)
        busybox = self._folder / "busybox"  # which virtme-run copies into an initramfs: a script would not do
        busybox.unlink(missing_ok=True)
        busybox.symlink_to(self._tools.busybox)
        wrapper = self._folder / "outside"
        wrapper.write_text(outside(self._vng, self._image, self._job, self._folder), encoding="utf-8")
        return processes.start(["sh", str(wrapper)], out=pipes.output, errors=pipes.marks)


def outside(vng: str, image: Image, job: Job, folder: Path) -> str:
    """The script that runs on this host: vng in a terminal of its own, then what it left."""
    log, status = (shlex.quote(f"{job.results}/vng.{name}") for name in ("log", "status"))
    return (
        f"rm -f {log} {status}; echo {BEGAN} >&2\n"
        # vng starts virtme-run, which pip puts beside it.
        f"export PATH={shlex.quote(str(folder))}:$PATH:/usr/sbin:/sbin:{shlex.quote(os.path.dirname(vng))}\n"
        f"script -qec {shlex.quote(shlex.join(command(vng, image, job, folder)))} /dev/null </dev/null >&2\n"
        f"cat {log}; code=$(cat {status}) || exit 126\n"
        f"rm -f {log} {status}; exit $code\n"
    )


def command(vng: str, image: Image, job: Job, folder: Path) -> Sequence[str]:
    """The command line of vng: emulated, with this host's root read-only, and the result folder writable."""
    environment = " ".join(shlex.quote(f"{name}={value}") for name, value in job.environment.items())
    results = shlex.quote(job.results)
    inside = f"cd {shlex.quote(job.folder)} && env -i {environment} {shlex.join(job.command)}"
    inside = f"{{ {inside}; }} >{results}/vng.log 2>&1; echo $? >{results}/vng.status"
    options = ["--run", str(image.image), "--cpus", str(job.cpus), "--memory", f"{MEMORY_MIB}M", "--disable-kvm"]
    options += ["--disable-microvm", "--qemu", str(folder / "qemu"), f"--rwdir={job.results}", "--exec", inside]
    return [vng, *options]
