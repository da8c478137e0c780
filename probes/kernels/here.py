"""No guest at all: the same command on this machine's own kernel, for the column `host` of the matrix."""

from __future__ import annotations

import shlex
import subprocess

from .guest import Pipes
from .processes import Processes
from .scripts import BEGAN, Job


class Here:
    """Runs the job where we are."""

    ends_with_command = True

    def __init__(self, job: Job) -> None:
        self._job = job

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """A shell that marks the beginning and becomes the command."""
        where = shlex.quote(self._job.folder)
        script = f"echo {BEGAN} >&2; cd {where} && exec {shlex.join(self._job.command)} 2>&1"
        environment = [f"--set={name}={value}" for name, value in self._job.environment.items() if name != "HOME"]
        return processes.start(["sh", "-c", script], options=environment, out=pipes.output, errors=pipes.marks)
