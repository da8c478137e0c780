"""A guest under gVisor's runsc: this host's root, and a kernel written in Go that answers every system call."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import scripts
from .cache import Cache
from .guest import Pipes
from .processes import Processes
from .scripts import Job


class Gvisor:
    """Starts one job under runsc.  `folder`: the guest's own runtime folder."""

    ends_with_command = True

    def __init__(self, runsc: Path, platform: str, job: Job, folder: Path) -> None:
        self._runsc = runsc
        self._platform = platform
        self._job = job
        self._folder = folder

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """runsc in a PID namespace of its own, so that the sandbox and its file server die with it."""
        return processes.start(
            [str(self._runsc), *runsc_options(self._platform, self._folder), "sh", "-c", scripts.for_gvisor(self._job)],
            options=[
                f"--set=TMPDIR={self._folder}",
                f"--writable={self._job.results}",
                f"--writable={self._folder}",
            ],
            out=pipes.output,
            errors=pipes.marks,
        )


def runsc_options(platform: str, folder: Path) -> list[str]:
    """`do` runs a command on the host's root.  Without the overlay, results are seen outside; the launcher has made
    everything else read-only."""
    options = [f"--root={folder}", f"--platform={platform}", "--network=none", "--ignore-cgroups"]
    return [*options, "do", "-force-overlay=false"]


def fetched(cache: Cache, name: str) -> Path:
    """runsc of this name in the cache.  Raises Missing and Unsafe."""
    return cache.fetched(name) / "usr/bin/runsc"
