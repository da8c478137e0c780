"""Gets kernels and tools into the cache: download, unpack, record."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import initramfs, root, toolbox, versions
from .archive import Archive, ArchiveFailed, keep_links_inside, unpack
from .cache import Cache, sha256
from .catalogue import CATALOGUE, GVISOR, HOST, QEMU, UML, NamedKernel
from .machines import MACHINES, NATIVE
from .versions import Candidate

Say = Callable[[str], None]
"""Tells the user one line."""


@dataclass(frozen=True)
class Fetched:
    """What is in the cache under a name."""

    name: str
    version: str
    new: bool


class Fetcher:
    """Gets what is asked for and not there yet; reads the archive's lists only when something is missing."""

    def __init__(self, cache: Cache, archive: Archive, say: Say, *, again: bool = False) -> None:
        self._cache = cache
        self._archive = archive
        self._say = say
        self._again = again
        self._offered: dict[str, list[Candidate]] = {}

    def tools(self) -> Fetched:
        """QEMU, virtiofsd and busybox, with all they need.  Raises ArchiveFailed, Missing and Unsafe."""
        with self._cache.sole_use(self._say):
            return self._tools(toolbox.NAME, toolbox.PACKAGES)

    def qemu(self, architecture: str) -> Fetched:
        """QEMU for another architecture.  Raises as `tools` does."""
        with self._cache.sole_use(self._say):
            return self._tools(toolbox.record_name(architecture), (MACHINES[architecture].package,))

    def root(self, architecture: str) -> Fetched:
        """What guests with programs of another architecture have for a root.  Raises as `tools` does."""
        with self._cache.sole_use(self._say):
            return self._root(architecture)

    def kernel(self, kernel: NamedKernel) -> Fetched:
        """The newest package of this kernel that the archive still has whole.  Raises as `tools` does."""
        if kernel.boot == HOST:
            return Fetched(kernel.name, "", new=False)
        with self._cache.sole_use(self._say):
            return self._kernel(kernel)

    def _tools(self, name: str, wanted: Sequence[str]) -> Fetched:
        if (have := self._have(name)) is not None:
            return have
        self._offers()
        return self._unpacked(name, *self._world(name, self._archive, wanted, toolbox.SUITE), [])

    def _world(
        self, name: str, archive: Archive, wanted: Sequence[str], suite: str
    ) -> tuple[str, str, str, Sequence[Path]]:
        """The first of these packages, its version, the suite, and the files of all of them and what they need."""
        self._say(f"{name}: downloading {', '.join(wanted)} and what they need")
        packages = archive.download_with_all_it_needs(wanted, suite)
        named = {path.name.split("_")[0]: path for path in packages}
        if gone := [package for package in wanted if package not in named]:
            raise ArchiveFailed(f"apt-get brought no {', '.join(gone)} from {suite}")
        version = named[wanted[0]].name.split("_")[1].replace("%3a", ":")
        return wanted[0], version, suite, packages

    def _root(self, architecture: str) -> Fetched:
        name = root.record_name(architecture)
        if (have := self._have(name)) is not None:
            return have
        self._offers(architecture)
        notes: list[str] = []
        package, version, suite, packages = self._first_world(name, self._archive.of(architecture), notes)
        place = self._cache.place(name)
        shutil.rmtree(place, ignore_errors=True)
        # As one file: its links lead to places that are right in the guest alone.
        unpacked = place / "unpacked"
        for path in packages:
            unpack(path, unpacked)
        (place / root.ARCHIVE).write_bytes(initramfs.archive(root.tree(unpacked)))
        shutil.rmtree(unpacked)
        return self._recorded(name, package, version, suite, packages, notes)

    def _first_world(self, name: str, archive: Archive, notes: list[str]) -> tuple[str, str, str, Sequence[Path]]:
        """The packages of a root, from the first suite that has all of them."""
        for suite in root.SUITES[:-1]:
            try:
                return self._world(name, archive, root.PACKAGES, suite)
            except ArchiveFailed as error:
                self._note(notes, f"{suite} is not whole for {name}, taking the next suite ({error})")
        return self._world(name, archive, root.PACKAGES, root.SUITES[-1])

    def _kernel(self, kernel: NamedKernel) -> Fetched:
        if (have := self._have(kernel.name)) is not None:
            return have
        notes: list[str] = []
        for offer in versions.of_kernel(kernel, self._offers(kernel.architecture), versions.dpkg_older):
            packages = self._packages(kernel, offer, notes)
            if packages is not None:
                return self._unpacked(kernel.name, offer.package, offer.version, offer.suite, packages, notes)
        why = f" ({'; '.join(notes)})" if notes else ""
        raise ArchiveFailed(f"{kernel.name}: the archive has no such package any more{why}")

    def _have(self, name: str) -> Fetched | None:
        record = None if self._again else self._cache.record(name)
        return Fetched(name, record["version"], new=False) if record is not None else None

    def _offers(self, architecture: str = NATIVE) -> list[Candidate]:
        """Everything of the catalogue that the archive has now for this architecture, and libc for newer kernels."""
        if architecture not in self._offered:
            self._say(f"reading the archive's lists{'' if architecture == NATIVE else f' for {architecture}'}")
            archive = self._archive.of(architecture)
            archive.update(again=self._again)
            wanted = {kernel.package for kernel in CATALOGUE if kernel.package and kernel.architecture == architecture}
            self._offered[architecture] = archive.find(sorted(wanted | {"libc6"}))
        return self._offered[architecture]

    def _packages(self, kernel: NamedKernel, offer: Candidate, notes: list[str]) -> list[Path] | None:
        """The packages of this version, downloaded; None, and a note, where the archive lacks one that it needs."""
        self._say(f"{kernel.name}: downloading {offer.package} {offer.version} from {offer.suite}")
        try:
            archive = self._archive.of(kernel.architecture)
            paths = [archive.download(offer.package, offer.version)]
            if kernel.boot == QEMU:
                paths += self._parts(archive, offer, notes)
            if kernel.boot == UML and (libc := self._libc(offer.suite)) is not None:
                paths.append(self._archive.download(libc.package, libc.version))
        except ArchiveFailed as error:
            self._note(notes, f"{offer.package} {offer.version} is gone from the archive, taking the next ({error})")
            return None
        return paths

    def _parts(self, archive: Archive, offer: Candidate, notes: list[str]) -> list[Path]:
        """Image and modules, where they are packages of their own.  Without the image there is no kernel."""
        paths = []
        for package, version in versions.parts(archive.show(offer.package, offer.version) or {"Version": ""}):
            try:
                paths.append(archive.download(package, version))
            except ArchiveFailed:
                if package.startswith("linux-binary-"):
                    raise
                self._note(notes, f"{package} is gone from the archive; this kernel boots without it")
        return paths

    def _libc(self, suite: str) -> Candidate | None:
        """The libc that programs of this suite are linked against."""
        return next((offer for offer in self._offers() if (offer.package, offer.suite) == ("libc6", suite)), None)

    def _note(self, notes: list[str], sentence: str) -> None:
        notes.append(sentence)
        self._say(sentence)

    def _unpacked(
        self, name: str, package: str, version: str, suite: str, packages: Sequence[Path], notes: Iterable[str]
    ) -> Fetched:
        """Unpack these packages over each other, and write the record last.  Raises ArchiveFailed."""
        place = self._cache.place(name)
        shutil.rmtree(place, ignore_errors=True)
        for path in packages:
            unpack(path, place)
        keep_links_inside(place)
        return self._recorded(name, package, version, suite, packages, notes)

    def _recorded(
        self, name: str, package: str, version: str, suite: str, packages: Sequence[Path], notes: Iterable[str]
    ) -> Fetched:
        record: dict[str, Any] = {
            "package": package,
            "version": version,
            "suite": suite,
            "fetched": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "notes": [*self._archive.notes, *notes],
            "files": {path.name: sha256(path) for path in packages},
        }
        self._cache.keep_record(name, record)
        return Fetched(name, version, new=True)


def needs_tools(kernels: Iterable[NamedKernel]) -> bool:
    """Whether one of them boots with something from the toolbox: QEMU needs all of it, UML and gVisor busybox."""
    return any(kernel.boot in (QEMU, UML, GVISOR) and kernel.architecture == NATIVE for kernel in kernels)


def needed_beside(kernels: Iterable[NamedKernel]) -> dict[str, Callable[[Fetcher], Fetched]]:
    """What kernels of other architectures need beside themselves, by its name, and how it is fetched."""
    wanted: dict[str, Callable[[Fetcher], Fetched]] = {}
    for kernel in kernels:
        wanted |= of_architecture(kernel.architecture, kernel.programs)
    return wanted


def of_architecture(kernel: str, programs: str) -> dict[str, Callable[[Fetcher], Fetched]]:
    """The same, of one architecture of a kernel and one of its programs."""
    wanted: dict[str, Callable[[Fetcher], Fetched]] = {}
    if kernel != NATIVE:
        wanted[toolbox.record_name(kernel)] = lambda fetcher: fetcher.qemu(kernel)
    if programs != NATIVE:
        wanted[root.record_name(programs)] = lambda fetcher: fetcher.root(programs)
    return wanted
