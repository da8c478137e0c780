"""What a guest of another architecture has for a root: Debian's Python of that architecture, and this suite.

All of it is in its initramfs, so no kernel needs a driver to see it.  Packages are unpacked, and none of their scripts
runs.  The suite and what it needs are pure Python, or have a fallback in Python, and are copied from here.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .. import host
from ..chapters import HOME
from .cache import Missing
from .initramfs import ArchiveEntry
from .scripts import BEGAN, ENDED, FAILED, Job, judging, with_costs

PACKAGES = ("python3", "busybox-static", "base-files", "libc6")
"""And what they depend on."""
SUITES = ("trixie", "forky", "bookworm")
"""Where to look for them, in this order: a mirror may lack a package of one suite for an architecture that few use."""
ARCHIVE = "root.cpio"

PLACE = "/wakecheck"
_PYTHON = "/usr/bin/python3"
PROJECT, LIBRARIES, RESULTS = f"{PLACE}/project", f"{PLACE}/packages", f"{PLACE}/out"
"""Where the suite, what it needs, and what it writes are in the guest."""
PORTS = OUTPUT, MARKS, JOURNAL, FILES = ("output", "marks", "journal", "files")
"""What the guest says, over a serial port of this name each: as of every guest (guest.Pipes), and its results."""

_LEFT_OUT = re.compile(
    r"usr/share/(?!python3)|usr/lib/[^/]+/(gconv|perl)|usr/lib/python3\.?\d*/(test|idlelib|pydoc_data|ensurepip|turtle)"
    r"|usr/lib/python3/dist-packages|usr/include|var/|usr/lib/[^/]+/libdb-|usr/bin/(perl|dpkg|tar)|.*/__pycache__"
)
"""What no Python program here looks at, and memory would hold."""


def record_name(architecture: str) -> str:
    """Under which name the cache keeps it."""
    return f"root-{architecture}"


def tree(folder: Path) -> Iterator[ArchiveEntry]:
    """Everything below this folder that a guest needs."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if _LEFT_OUT.match(name):
            continue
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            yield ArchiveEntry(name, os.fsencode(os.readlink(path)), status.st_mode)
        elif stat.S_ISDIR(status.st_mode):
            yield ArchiveEntry(name, mode=stat.S_IFDIR | 0o755)
        elif stat.S_ISREG(status.st_mode):
            yield ArchiveEntry(name, path.read_bytes(), status.st_mode)


def _inside(home: Path) -> str:
    """Where a guest has this folder: the checkout, or what the wheel's package carries."""
    package = Path(__file__).resolve().parents[1]
    return f"{PROJECT}/probes/{home.relative_to(package)}" if home.is_relative_to(package) else PROJECT


def suite() -> Iterator[ArchiveEntry]:
    """This checkout (or what a wheel carries of it), and the packages that it needs.  Raises Missing."""
    package = Path(__file__).resolve().parents[1]
    copied = [(package, f"{PROJECT}/probes")]
    if not HOME.is_relative_to(package):
        copied += [
            (HOME / name, f"{PROJECT}/{name}") for name in ("tests", "expectations", "conftest.py", "pytest.ini")
        ]
    for source, target in copied:
        yield from _copied(source, target)
    yield ArchiveEntry(f"{PROJECT[1:]}/{host.REVISION}", host.revision().encode())
    for name in requirements("wakecheck"):
        for relative, path in _files(name):
            yield ArchiveEntry(f"{LIBRARIES[1:]}/{relative}", path.read_bytes())


def _copied(source: Path, target: str) -> Iterator[ArchiveEntry]:
    if source.is_file():
        yield ArchiveEntry(target[1:], source.read_bytes())
        return
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield ArchiveEntry(f"{target[1:]}/{path.relative_to(source)}", path.read_bytes())


def requirements(name: str) -> list[str]:
    """The distributions that this one depends on, near and far, of those that are here."""
    chosen: list[str] = []
    waiting = [name]
    while waiting:
        try:
            needed = importlib.metadata.requires(waiting.pop()) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another version of Python, or another system
        for line in needed:
            match = re.match(r"[A-Za-z0-9._-]+", line)
            if match and "extra ==" not in line and match[0] not in chosen:
                chosen.append(match[0])
                waiting.append(match[0])
    return chosen


def _files(name: str) -> Iterator[tuple[str, Path]]:
    """The files of a distribution that are of no architecture, and where they are.  Raises Missing."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return
    if distribution.files is None:
        raise Missing(
            f"nobody knows which files {name} consists of: install Wakecheck with pip, in an environment of its own"
        )
    for file in distribution.files:
        path = Path(str(distribution.locate_file(file)))
        if ".." not in file.parts and file.suffix not in (".so", ".pyc") and path.is_file():
            yield str(file), path


def with_folders(entries: Iterator[ArchiveEntry]) -> Iterator[ArchiveEntry]:
    """The entries, each after the folders that it is in: the kernel makes none by itself (init/initramfs.c)."""
    written: set[str] = set()
    for entry in entries:
        parts = entry.name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in written:
                written.add(folder)
                yield ArchiveEntry(folder, mode=stat.S_IFDIR | 0o755)
        written.add(entry.name)
        yield entry


def job(name: str, arguments: Sequence[str], *, cost: bool = False) -> Job:
    """The command for one kernel, in the guest's own copy of the suite."""
    there = (HOME / "expectations" / f"{name}.toml").is_file()
    expected = f"{_inside(HOME)}/expectations/{name}.toml" if there else None
    command = judging(_PYTHON, name, RESULTS, f"/dev/{JOURNAL}", expected)
    environment = {
        "PATH": "/usr/sbin:/usr/bin",
        "HOME": "/root",
        "USER": "root",
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
        "TERM": "dumb",
        "PYTHONPATH": f"{PROJECT}:{LIBRARIES}",
    }
    command += arguments
    if cost:
        command = with_costs(command, _PYTHON, RESULTS)
    return Job(command, PROJECT, RESULTS, [], environment)


_INIT = """\
#!/usr/bin/busybox sh
# Process 1 of the guest, from the initramfs, which is its root.
b=/usr/bin/busybox
export PATH=/usr/sbin:/usr/bin
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
while read -r module; do $b insmod /modules/$module.ko; done </modules/order
for port in /sys/class/virtio-ports/*; do
  [ -r "$port/name" ] && $b ln -s "${{port##*/}}" "/dev/$($b cat "$port/name")"
done
[ -c /dev/{marks} ] || {{ echo "Kernel panic - not syncing: it lacks virtio_pci or virtio_console"; $b poweroff -f; }}
{mounts}
$b ip link set lo up 2>/dev/null || $b ifconfig lo up
cd {folder} || {{ echo "{failed} the suite is not in the initramfs" >/dev/{marks}; $b poweroff -f; }}
echo {began} >/dev/{marks}
$b env -i {environment} {command} </dev/null >/dev/{output} 2>&1
code=$?
$b tar -C {results} -cf /dev/{files} .
echo "{ended} $code" >/dev/{marks}
$b poweroff -f
"""

_MOUNTS = (
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("tracefs", "/sys/kernel/tracing"),
    ("debugfs", "/sys/kernel/debug"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
)


def script(job: Job) -> str:
    """The first program of the guest."""
    mounts = [f"$b mkdir -p {place}; $b mount -t {kind} {kind} {place} 2>/dev/null" for kind, place in _MOUNTS]
    return _INIT.format(
        mounts="\n".join(mounts),
        folder=shlex.quote(job.folder),
        results=shlex.quote(job.results),
        environment=" ".join(shlex.quote(f"{name}={value}") for name, value in job.environment.items()),
        command=shlex.join(job.command),
        began=BEGAN,
        ended=ENDED,
        failed=FAILED,
        output=OUTPUT,
        marks=MARKS,
        files=FILES,
    )


def own(job: Job, modules: Mapping[str, bytes]) -> Iterator[ArchiveEntry]:
    """What a guest's initramfs holds beside its root: the suite, modules in loading order, and the first program."""
    for folder in ("dev", "proc", "sys", "tmp", "run", "root", "modules", RESULTS[1:]):
        yield ArchiveEntry(folder, mode=0o041777 if folder == "tmp" else 0o040755)
    # The kernel opens it for init before anybody can mount devtmpfs.
    yield ArchiveEntry("dev/console", mode=0o020600, device=(5, 1))
    yield ArchiveEntry("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    yield ArchiveEntry("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    yield ArchiveEntry("usr/bin/sh", b"busybox", 0o120777)
    yield ArchiveEntry("init", script(job).encode(), 0o100755)
    for name, content in modules.items():
        yield ArchiveEntry(f"modules/{name}.ko", content)
    yield ArchiveEntry("modules/order", "".join(f"{name}\n" for name in modules).encode())
    yield from suite()
