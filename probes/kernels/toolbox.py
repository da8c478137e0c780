"""The programs that boot a guest: QEMU, virtiofsd and busybox, from Debian 13, in a folder of their own.

They come with every library they need, and are started by their own dynamic loader, so that it does not matter which
distribution this host has.  Measured: QEMU 7.2 (Debian 12) fails one boot of 6.12 in six, and panics guests that
toggle tracepoints; QEMU 10 did neither in 135 boots.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .cache import Cache, Missing
from .machines import MACHINES, NATIVE

NAME = "tools"
SUITE = "trixie"
PACKAGES = ("qemu-system-x86", "virtiofsd", "busybox-static")
HOW_TO_GET = "wakecheck kernels get tools"

_LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
LOADER = "ld-linux-x86-64.so.2"


@dataclass(frozen=True)
class Toolbox:
    """The unpacked tools."""

    root: Path

    @property
    def busybox(self) -> Path:
        return self.root / "usr/bin/busybox"

    def qemu(self, program: str = "qemu-system-x86_64", shares: Sequence[str] = ("qemu", "seabios")) -> list[str]:
        """The command that starts QEMU, up to its options; `shares`: folders of firmware below /usr/share."""
        places = [part for share in shares for part in ("-L", str(self.root / "usr/share" / share))]
        return [*self._start(f"usr/bin/{program}"), *places]

    def virtiofsd(self) -> list[str]:
        """The command that starts virtiofsd, up to its options."""
        return self._start("usr/libexec/virtiofsd")

    def _start(self, program: str) -> list[str]:
        return [*loader(self.root), str(self.root / program)]


def loader(root: Path) -> list[str]:
    """The dynamic loader unpacked in `root`, made to look for libraries there first (ld.so(8))."""
    libraries = root / _LIBRARIES
    return [str(libraries / LOADER), "--library-path", str(libraries)]


def of_architecture(cache: Cache, architecture: str) -> Toolbox:
    """QEMU for this architecture, by Debian's name of it, from the cache.  Raises Missing and Unsafe."""
    if architecture == NATIVE:
        return toolbox(cache)
    machine, name = MACHINES[architecture], record_name(architecture)
    _insist_on_this_machine()
    if cache.record(name) is None:
        raise Missing(
            f"{machine.program} is not fetched: wakecheck kernels get {name} (Debian's package {machine.package})"
        )
    tools = Toolbox(cache.fetched(name))
    if not os.access(program := tools.root / "usr/bin" / machine.program, os.X_OK):
        raise Missing(f"{program} is gone from the cache: wakecheck kernels get {name} --again ({machine.package})")
    return tools


def record_name(architecture: str) -> str:
    """Under which name the cache keeps QEMU for this architecture."""
    return NAME if architecture == NATIVE else f"{NAME}-{architecture}"


def toolbox(cache: Cache) -> Toolbox:
    """The tools in the cache.  Raises Missing and Unsafe."""
    _insist_on_this_machine()
    if cache.record(NAME) is None:
        raise Missing(f"the tools that boot a guest (QEMU, virtiofsd, busybox) are not fetched: {HOW_TO_GET}")
    tools = Toolbox(cache.fetched(NAME))
    for program in (tools.busybox, tools.root / "usr/bin/qemu-system-x86_64", tools.root / "usr/libexec/virtiofsd"):
        if not os.access(program, os.X_OK):
            raise Missing(f"{program} is gone from the cache: {HOW_TO_GET} --again")
    return tools


def _insist_on_this_machine() -> None:
    if platform.machine() != "x86_64":
        raise Missing(f"guests can be booted on x86_64 only, and this is {platform.machine()}")
