"""The machines of other architectures that QEMU emulates here, one row each.

Each is the machine that Debian's own kernel of that architecture boots on, with virtio for everything but the console.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

NATIVE = "amd64"
"""The architecture of the machines that boot guests (toolbox.py)."""


@dataclass(frozen=True)
class EmulatedMachine:
    """How QEMU plays one architecture, by Debian's name of it."""

    package: str
    """Debian's package that brings `program`."""
    program: str
    options: tuple[str, ...]
    console: str
    """What the kernel calls the console."""
    is_image: Callable[[bytes], bool]
    """Whether a file that begins like this is a kernel that boots on it."""
    what_an_image_is: str
    """In words, with its place in a built kernel tree."""
    kernel: str = ""
    """The end of the names of Debian's kernel packages; `cloud` kernels hold fewer drivers, and boot sooner."""
    serial: str = "virtio-serial-pci"
    """The device that carries output, marks, the journal and the results."""
    console_device: tuple[str, ...] = ("-serial", "chardev:console")
    memory_mib: int = 1024
    shares: tuple[str, ...] = ("qemu",)
    """Folders of firmware below /usr/share."""


def _magic(at: int, word: bytes) -> Callable[[bytes], bool]:
    return lambda start: start[at : at + len(word)] == word


def _elf(machine: int, order: str) -> Callable[[bytes], bool]:
    """An ELF file of this e_machine (elf(5))."""
    return lambda start: start[:4] == b"\x7fELF" and start[18:20] == struct.pack(f"{order}H", machine)


MACHINES = {
    NATIVE: EmulatedMachine(
        package="qemu-system-x86",
        program="qemu-system-x86_64",
        # As in qemu.py.
        options=("-machine", "pc", "-cpu", "Nehalem,+rdrand,+rdseed,model-id=QEMU TCG CPU"),
        console="ttyS0",
        is_image=_magic(0x202, b"HdrS"),  # Documentation/arch/x86/boot.rst
        what_an_image_is="bzImage (arch/x86/boot/bzImage)",
        kernel="cloud-amd64",
        shares=("qemu", "seabios"),
    ),
    "arm64": EmulatedMachine(
        package="qemu-system-arm",
        program="qemu-system-aarch64",
        # It has the atomic instructions of v8.1, which QEMU plays by one of this host's; `max` would add pointer
        # authentication, which it computes at length.
        options=("-machine", "virt,gic-version=3", "-cpu", "neoverse-n1"),
        console="ttyAMA0",
        is_image=_magic(0x38, b"ARMd"),  # Documentation/arch/arm64/booting.rst
        what_an_image_is="arm64 Image (arch/arm64/boot/Image)",
        kernel="cloud-arm64",
    ),
    "armhf": EmulatedMachine(
        package="qemu-system-arm",
        program="qemu-system-arm",
        # A kernel without LPAE sees 32 bits of addresses alone.
        options=("-machine", "virt,highmem=off", "-cpu", "cortex-a15"),
        console="ttyAMA0",
        is_image=_magic(0x24, struct.pack("<I", 0x016F2818)),
        what_an_image_is="ARM zImage (arch/arm/boot/zImage)",
        kernel="armmp",
    ),
    "riscv64": EmulatedMachine(
        package="qemu-system-riscv",
        program="qemu-system-riscv64",
        options=("-machine", "virt", "-cpu", "rv64"),
        console="ttyS0",
        is_image=_magic(0x38, b"RSC\x05"),
        what_an_image_is="RISC-V Image (arch/riscv/boot/Image)",
        kernel="riscv64",
        shares=("qemu", "opensbi"),
    ),
    "ppc64el": EmulatedMachine(
        package="qemu-system-ppc",
        program="qemu-system-ppc64",
        # The mitigations that `pseries` announces by itself are those of real processors.
        options=("-machine", "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken", "-cpu", "power9"),
        console="hvc0",
        is_image=_elf(21, "<"),
        what_an_image_is="ppc64el vmlinux",
        kernel="powerpc64le",
        console_device=("-device", "spapr-vty,chardev=console"),
        shares=("qemu", "slof"),
    ),
    "s390x": EmulatedMachine(
        package="qemu-system-s390x",
        program="qemu-system-s390x",
        options=("-machine", "s390-ccw-virtio", "-cpu", "max"),
        console="ttysclp0",
        is_image=_magic(0x10008, b"S390EP"),
        what_an_image_is="s390 bzImage (arch/s390/boot/bzImage)",
        kernel="s390x",
        serial="virtio-serial-ccw",
        console_device=("-device", "sclpconsole,chardev=console"),
    ),
}
