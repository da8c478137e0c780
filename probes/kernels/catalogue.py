"""Every kernel that has a name here.  A new one is one row of `CATALOGUE`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..exits import BadInput
from ..nearest import did_you_mean
from .machines import MACHINES, NATIVE

FAST, USUAL, ALL, ARCHITECTURES = SUBSETS = ("fast", "usual", "all", "architectures")
"""The first three hold the ones before: of every kind, from Debian's stable releases, which stay for years; every
series, and one of each other kind; everything that runs programs of x86_64.  The last: other architectures, and the
kernel of x86_64 to compare them with."""

QEMU, UML, GVISOR, HOST = "qemu", "uml", "gvisor", "host"
"""How a kernel is booted: emulated by QEMU, as a User-Mode Linux process, under runsc, or not at all."""


class NoSuchKernel(BadInput):
    """No kernel of the catalogue has this name; the message is one sentence with the nearest."""


@dataclass(frozen=True)
class NamedKernel:
    """One kernel: its name, how it boots, and which Debian package brings it."""

    name: str
    boot: str
    package: str = ""
    """A regular expression that the whole name of the package matches."""
    version: str = ""
    """What the package's version begins with; everything does with nothing."""
    platform: str = ""
    """gVisor's, by which it intercepts system calls."""
    suite: str = ""
    """The one suite to take it from; any with nothing."""
    subset: str = USUAL
    """The smallest subset of the matrix that it belongs to."""
    architecture: str = NATIVE
    """Of the kernel and its machine, by Debian's name of it."""
    programs: str = NATIVE
    """The architecture of the programs in it; another than the kernel's shows its compatible system calls."""
    takes: float = 1.0
    """About how long it takes, as a multiple of what a kernel of x86_64 takes in QEMU."""

    @property
    def how(self) -> str:
        """How it boots, in words."""
        kind = (
            self.architecture
            if self.architecture == self.programs
            else f"{self.architecture}, {self.programs} programs"
        )
        return {
            QEMU: "QEMU, emulated" if self.programs == NATIVE else f"QEMU, emulated, {kind}",
            UML: "User-Mode Linux",
            GVISOR: f"gVisor, platform {self.platform}",
            HOST: "this machine's own kernel",
        }[self.boot]


def _debian(series: str, flavour: str = "cloud", *, subset: str = USUAL) -> NamedKernel:
    """A Debian kernel: `linux-image-6.12.43+deb12-cloud-amd64`, `linux-image-6.1.0-47-rt-amd64`."""
    name = series if flavour == "cloud" else f"{flavour}-{series}"
    return NamedKernel(
        name, QEMU, rf"linux-image-{re.escape(series)}(?![\d])[\d.+a-z-]*?-{flavour}-amd64", subset=subset
    )


def _foreign(series: str, architecture: str, programs: str = "") -> NamedKernel:
    """A Debian kernel of another architecture, or one that runs programs of another."""
    programs = programs or architecture
    name = f"{programs}-{series}" if programs == architecture else f"{programs}-on-{architecture}-{series}"
    flavour = MACHINES[architecture].kernel
    package = rf"linux-image-{re.escape(series)}(?![\d])[\d.+a-z-]*?-{flavour}"
    return NamedKernel(name, QEMU, package, subset=ARCHITECTURES, architecture=architecture, programs=programs)


def _uml(series: str, *, takes: float, subset: str = ALL) -> NamedKernel:
    return NamedKernel(f"uml-{series}", UML, "user-mode-linux", f"{series}um", subset=subset, takes=takes)


def _gvisor(year: str, suite: str, platform: str, *, subset: str = ALL) -> NamedKernel:
    # From one suite: the build of 2024 in forky, with a newer Go, crashes on ptrace where trixie's runs.
    return NamedKernel(f"gvisor-{year}-{platform}", GVISOR, "runsc", f"0.0~{year}", platform, suite, subset)


CATALOGUE = (
    _debian("7.3"),
    _debian("7.2"),
    _debian("7.1"),
    _debian("7.0"),
    _debian("6.19"),
    _debian("6.18"),
    _debian("6.17"),
    _debian("6.16"),
    _debian("6.12", subset=FAST),
    _debian("6.1"),
    _debian("5.10"),
    _debian("7.2", "rt"),
    _debian("6.12", "rt", subset=ALL),
    _uml("7.2", takes=0.5, subset=FAST),
    _uml("6.12", takes=1.4, subset=USUAL),
    _uml("6.1", takes=1.4),
    _uml("5.10", takes=1.4),
    _gvisor("2024", "trixie", "systrap", subset=FAST),
    _gvisor("2024", "trixie", "ptrace"),
    _gvisor("2022", "bookworm", "ptrace"),
    _foreign("7.3", "arm64"),
    _foreign("6.12", "arm64"),
    _foreign("6.1", "arm64"),
    _foreign("6.12", "riscv64"),
    _foreign("6.12", "ppc64el"),
    _foreign("6.12", "s390x"),
    _foreign("6.12", "armhf"),
    _foreign("6.12", NATIVE, "i386"),
    NamedKernel("host", HOST, subset=FAST, takes=0.1),
)
"""Newest first, as the matrix shows them."""


BESIDE_THEM = "6.12"
"""The kernel of x86_64 that other architectures are compared with."""


def find(names: Iterable[str]) -> list[NamedKernel]:
    """The kernels with these names, each once, in the order given.  Raises NoSuchKernel."""
    known = {kernel.name: kernel for kernel in CATALOGUE}
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            hint = did_you_mean(name, known) or "; `wakecheck kernels list` shows them"
            raise NoSuchKernel(f"no kernel {name!r}{hint}")
    return [known[name] for name in chosen]


def subset(which: str) -> list[NamedKernel]:
    """The kernels of one of SUBSETS."""
    if which == ARCHITECTURES:
        return [kernel for kernel in CATALOGUE if kernel.subset == ARCHITECTURES or kernel.name == BESIDE_THEM]
    return [kernel for kernel in CATALOGUE if SUBSETS.index(kernel.subset) <= SUBSETS.index(which)]
