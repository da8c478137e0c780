"""What kernel this is, and what its user may see.  Read from /proc and /sys; nothing is changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from . import axes, splats, syscalls, sysctls
from .chapters import CARRIED, FOLDER, HOME
from .flavour import flavour, text

PROJECT = Path(__file__).resolve().parent.parent
_JUDGING = ("probes", FOLDER, "conftest.py", "pytest.ini")


EMULATED = "wakecheck.emulated"
"""On the command line of a kernel whose /proc/cpuinfo does not tell: `model name` is x86's."""


def kernel() -> dict[str, Any]:
    """The kernel's facts, as run.json keeps them."""
    name = os.uname()
    return {
        "release": name.release,
        "version": name.version,
        "machine": name.machine,
        "flavour": flavour(),
        "cpus": len(os.sched_getaffinity(0)),
        "emulated": "TCG" in text("/proc/cpuinfo") or EMULATED in text("/proc/cmdline") or flavour() != "linux",
        "sysctls": sysctls.read((*sysctls.NETWORK, *sysctls.HOST)),
        "stand_ins": stand_ins(),
        "splats": [],
    }


def stand_ins() -> dict[str, str]:
    """The wait calls that this architecture lacks, and what does the work of each."""
    calls = dict.fromkeys(kind.system_call or name for name, kind in axes.CALLS.items())
    serving = {name: syscalls.serving(name) for name in calls}
    return {name: call for name, call in serving.items() if call not in (name, None)}


def in_one_line() -> str:
    """For headers and failure texts: release, machine, CPUs."""
    facts = kernel()
    kind = "" if facts["flavour"] == "linux" else f" ({facts['flavour']})"
    cpus = facts["cpus"]
    return f"{facts['release']}{kind} {facts['machine']}, {cpus} CPU{'s' if cpus != 1 else ''}"


def user_in_words() -> str:
    """root or the user's number, and how much of root it is."""
    if os.geteuid() != 0:
        return f"uid {os.geteuid()}"
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)", text("/proc/self/status"), re.M)
    return "root" if effective and int(effective[1], 16) & (1 << 21) else "root without CAP_SYS_ADMIN"


REVISION = "revision.txt"
"""Beside the chapters of a copy that has no history of its own: the revision that it was made of."""
TOLD_REVISION = "WAKECHECK_REVISION"
"""In a guest's environment: the revision, which its runner has found out.  Where git is emulated it takes seconds."""


def revision() -> str:
    """The git commit, where what judges is as it was committed; otherwise a hash of what judges."""
    if copied := text(str(HOME / REVISION)).strip():
        return copied
    told = os.environ.get(TOLD_REVISION, "")
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}|sha256:[0-9a-f]{16}", told):
        return told
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        git = ["git", "-C", str(HOME)]
        at = subprocess.run([*git, "rev-parse", "--show-toplevel", "HEAD"], capture_output=True, text=True, check=True)
        top, commit = at.stdout.splitlines()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", *_JUDGING], capture_output=True, text=True, check=True
        )
        if Path(top) == HOME and not changed.stdout.strip():
            return commit
    digest = hashlib.sha256()
    # The same from a checkout and from a wheel, which carries the chapters inside the package.
    for home, folder in ((PROJECT, "probes"), (HOME, FOLDER)):
        for path in sorted((home / folder).rglob("*.py")):
            if CARRIED not in path.parents or folder == FOLDER:
                digest.update(str(path.relative_to(home)).encode() + b"\0" + path.read_bytes())
    return f"sha256:{digest.hexdigest()[:16]}"


class SplatWatch:
    """Kernel complaints (WARNING, BUG, Oops, lockdep, hung task) printed since it was made."""

    def __init__(self) -> None:
        self._fd = -1
        with contextlib.suppress(OSError):
            self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._fd, 0, os.SEEK_END)

    def close(self) -> list[str]:
        """What was complained about; empty also where the log may not be read."""
        complaints: list[str] = []
        if self._fd < 0:
            return complaints
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    record = os.read(self._fd, 8192)
                except BrokenPipeError:
                    continue  # records were overwritten meanwhile (Documentation/ABI/testing/dev-kmsg)
                # Programs can write to the log too; the kernel's own lines have facility 0.
                priority = record.split(b",", 1)[0]
                text = record.split(b";", 1)[-1].split(b"\n", 1)[0].decode(errors="replace")
                if priority.isdigit() and int(priority) >> 3 == 0 and splats.is_splat(text):
                    complaints.append(text)
        os.close(self._fd)
        self._fd = -1
        return complaints
