"""A guest booted by virtme-ng, which kernel developers have: `vng --run bzImage --exec SCRIPT`.

It makes its own initramfs and root; slower than `qemu.py`, and right for the tree that one has just built.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from . import scripts
from .cache import Missing
from .guest import Pipes
from .processes import Processes
from .qemu import CPUS, MEMORY_MIB, Image
from .scripts import Job
from .toolbox import Toolbox

HOW_TO_GET = "pip install virtme-ng"


class Vng:
    """Boots one image with one job.  `folder`: the guest's own runtime folder."""

    ends_with_command = False

    def __init__(self, tools: Toolbox, image: Image, job: Job, folder: Path) -> None:
        beside = Path(sys.executable).with_name("vng")
        found = str(beside) if beside.exists() else shutil.which("vng")
        if found is None:
            raise Missing(f"vng (virtme-ng) is not here: {HOW_TO_GET}")
        self._vng = found
        self._tools = tools
        self._image = image
        self._job = job
        self._folder = folder

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """vng in a pseudo-terminal of its own (script(1)), because it speaks to nothing else."""
        qemu = self._folder / "qemu"
        qemu.write_text(f'#!/bin/sh\nexec {shlex.join(self._tools.qemu())} "$@"\n')
        qemu.chmod(0o755)
        # The marks and the output go to files in the result folder, which vng shares: its console carries both.
        command = vng_command(self._vng, self._image, self._job, qemu, self._folder / "job")
        (self._folder / "job").write_text(scripts.for_vng(self._job))
        raise Missing(shlex.join(command) + os.sep + str(pipes.console) + str(MEMORY_MIB * CPUS))


def vng_command(vng: str, image: Image, job: Job, qemu: Path, script: Path) -> list[str]:
    """The command line of vng."""
    command = [vng, "--run", str(image.image), "--cpus", str(CPUS), "--memory", f"{MEMORY_MIB}M", "--disable-kvm"]
    return [*command, "--qemu", str(qemu), f"--rwdir={job.results}", "--exec", f"sh {script}"]
