"""A small initial file system for a guest: busybox, two scripts, and the modules that it needs."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .cache import Missing

ROOT_NEEDS = ("virtio_pci", "virtiofs")
"""What a guest needs to see its root; cloud kernels from 6.12 have both built in."""

LISTENERS_NEED = ("vsock_loopback",)
"""What claims listen on and Debian builds as a module (net/vmw_vsock/vsock_loopback.c: AF_VSOCK to this machine
itself).  A guest cannot ask for a module later: its root holds those of the host."""

_SUFFIXES = (".ko", ".ko.xz", ".ko.gz", ".ko.zst")


@dataclass(frozen=True)
class ArchiveEntry:
    """One file, folder (ends in /) or character device of the archive."""

    name: str
    content: bytes = b""
    mode: int = 0o100644
    device: tuple[int, int] = (0, 0)


def archive(entries: Iterable[ArchiveEntry]) -> bytes:
    """A cpio archive in the one format that the kernel unpacks (`newc`,
    Documentation/driver-api/early-userspace/buffer-format.rst): a header of hexadecimal fields, the name with
    its NUL, and the content, the latter two padded to four bytes.
    """
    whole = b"".join(_packed(number, entry) for number, entry in enumerate(entries, 1))
    return whole + _packed(0, ArchiveEntry("TRAILER!!!", mode=0))


def _packed(number: int, entry: ArchiveEntry) -> bytes:
    name = entry.name.encode() + b"\0"
    #         ino     mode        uid gid nlink mtime filesize
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def guest_files(busybox: bytes, scripts: Mapping[str, str], modules: Mapping[str, bytes]) -> Iterator[ArchiveEntry]:
    """Everything in a guest's initramfs: the scripts by name (one is `init`), the modules in loading order."""
    for folder in ("bin", "dev", "proc", "sys", "root", "seen", "modules"):
        yield ArchiveEntry(folder, mode=0o040755)
    # The kernel opens it for init before anybody can mount devtmpfs.
    yield ArchiveEntry("dev/console", mode=0o020600, device=(5, 1))
    yield ArchiveEntry("bin/busybox", busybox, 0o100755)
    for name, text in scripts.items():
        yield ArchiveEntry(name, text.encode(), 0o100755)
    for name, content in modules.items():
        yield ArchiveEntry(f"modules/{name}.ko", content)
    yield ArchiveEntry("modules/order", "".join(f"{name}\n" for name in modules).encode())


def modules_below(folder: Path, needed: Iterable[str] = (*ROOT_NEEDS, *LISTENERS_NEED)) -> dict[str, bytes]:
    """The modules that a guest needs and that are below `folder`, uncompressed, each after what it depends on.

    What is not there is taken to be built in; the guest says so where it is not.  Raises Missing if a
    module is compressed in a way that cannot be undone here.
    """
    files = {_name(path): path for path in folder.rglob("*.ko*") if path.name.endswith(_SUFFIXES)}
    modules: dict[str, bytes] = {}
    begun: set[str] = set()

    def add(name: str) -> None:
        if name in begun or name not in files:
            return
        begun.add(name)
        try:
            content = _uncompressed(files[name])
            others = depends(content)
        except (OSError, EOFError, ValueError, lzma.LZMAError, subprocess.CalledProcessError) as error:
            raise Missing(f"{files[name]} is damaged ({error}): fetch it again, or build it anew") from error
        for other in others:
            add(other)
        modules[name] = content

    for name in needed:
        add(name)
    return modules


def depends(module: bytes) -> list[str]:
    """What a module says that it depends on, in its section .modinfo: `depends=virtio,virtio_ring`."""
    field = re.search(rb"\0depends=([^\0]*)\0", module)
    return [_kernel_name(name) for name in field[1].decode().split(",") if name] if field else []


def _name(path: Path) -> str:
    return _kernel_name(path.name.partition(".ko")[0])


def _kernel_name(name: str) -> str:
    """A module's name: its file may be spelt with dashes."""
    return name.replace("-", "_")


def _uncompressed(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix == ".gz":
        return gzip.decompress(content)
    if path.suffix == ".zst":
        if not shutil.which("zstd"):
            raise Missing(f"{path.name} is compressed with zstd, which is not here: apt-get install zstd")
        return subprocess.run(["zstd", "-dc"], input=content, capture_output=True, check=True).stdout
    return content
