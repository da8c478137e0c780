"""Debian's archive through apt, with a state of its own: nothing of this host's apt or dpkg is changed.

apt checks the archive's signature and each package's hash as it always does; the host's own configuration only
lends the address of its mirror.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..exits import BadInput
from .cache import Cache, Missing
from .machines import NATIVE
from .versions import Candidate, candidates, fields

SUITES = (
    "bullseye",
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "forky",
    "sid",
    "experimental",
)
"""Where the kernels of the catalogue are.  Backports keep many old versions; the oldest suite vanishes first."""

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

LISTS_LAST_S = 24 * 3600.0
_LONGEST_S = 900.0


class ArchiveFailed(BadInput):
    """apt could not do it; the message is one sentence with apt's own reason."""


class Archive:
    """What Debian offers now for one architecture, by Debian's name of it; each has an apt state of its own."""

    def __init__(self, cache: Cache, address: str | None = None, architecture: str = NATIVE) -> None:
        self._cache = cache
        self._address = address
        self._architecture = architecture
        self._state = cache.apt if architecture == NATIVE else cache.apt / architecture
        self._conf = self._state / "apt.conf"
        self.notes: list[str] = []
        """What is gone, in sentences."""

    def of(self, architecture: str) -> Archive:
        """The same mirror, for another architecture; itself for its own."""
        return self if architecture == self._architecture else Archive(self._cache, self._address, architecture)

    def update(self, *, again: bool = False) -> None:
        """Read the lists of all suites, unless that was done within a day.  Raises ArchiveFailed and Missing."""
        self._need_apt()
        self._configure()
        stamp = self._state / "updated"
        if not again and stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_LAST_S:
            return
        done = self._run(["apt-get", "update"])
        for suite in gone_suites(done.stderr):
            self.notes.append(f"the suite {suite} has left the mirror")
        if not any((self._state / "lists").glob("*Packages*")):
            raise ArchiveFailed(f"apt-get update failed: {reason(done.stderr)}")
        stamp.touch()

    def _need_apt(self) -> None:
        if missing := [tool for tool in ("apt-get", "apt-cache", "dpkg") if not shutil.which(tool)]:
            raise Missing(
                f"{missing[0]} is not here, and kernels are fetched with it: install it (dnf install apt dpkg, "
                "zypper install ...), or use a kernel of your own with --image"
            )
        if not Path(KEYRING).exists():
            raise Missing(
                f"{KEYRING} is not here, and packages are checked against it: apt-get install debian-archive-keyring"
            )

    def _configure(self) -> None:
        for folder in ("lists/partial", "archives/partial", "dpkg"):
            (self._state / folder).mkdir(mode=0o755, parents=True, exist_ok=True)
        (self._state / "dpkg" / "status").touch()
        address = self._address or mirror(self._mirrors())
        if address is None:
            raise Missing("apt on this machine knows no Debian mirror: name one with --mirror ADDRESS")
        sources = "".join(
            f"deb [arch={self._architecture} signed-by={KEYRING}] {address} {suite} main\n" for suite in SUITES
        )
        (self._state / "sources.list").write_text(sources)
        settings = {
            "Dir::Etc::sourcelist": self._state / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::State": self._state,
            "Dir::State::Lists": self._state / "lists",
            # dpkg's database, empty.  apt locks the folder that it is in, as root on a host locks /var/lib/dpkg; beside
            # /dev/null it would write its locks to /dev.
            "Dir::State::status": self._state / "dpkg" / "status",
            "Dir::Cache": self._state,
            "Dir::Log": self._state,
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            # The cache belongs to this user; apt's own user may not even enter it.
            "APT::Sandbox::User": "",
            "APT::Architecture": self._architecture,
            "APT::Architectures": self._architecture,
        }
        self._conf.write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))

    def _mirrors(self) -> str:
        """The archives that this host's apt knows, one a line."""
        command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def find(self, kernel_packages: Iterable[str]) -> list[Candidate]:
        """Every version of every package whose name matches one of these expressions."""
        expression = "^(" + "|".join(map(_for_apt, kernel_packages)) + ")$"
        searched = self._run(["apt-cache", "search", "--names-only", expression]).stdout
        names = [line.split(" ", 1)[0] for line in searched.splitlines()]
        return candidates(self._run(["apt-cache", "madison", *names]).stdout) if names else []

    def show(self, package: str, version: str) -> dict[str, str] | None:
        """The fields of this version of a package, or None if the archive has it no more."""
        stanzas = fields(self._run(["apt-cache", "show", f"{package}={version}"]).stdout)
        return stanzas[0] if stanzas else None

    def download(self, package: str, version: str) -> Path:
        """This version of a package, from the cache or from the archive.  Raises ArchiveFailed."""
        pattern = f"{package}_{version.replace(':', '%3a')}_{self._architecture}.deb"
        if not (have := sorted(self._cache.packages.glob(pattern))):
            self._must(["apt-get", "download", f"{package}={version}"], self._cache.packages)
            have = sorted(self._cache.packages.glob(pattern))
        if not have:
            raise ArchiveFailed(f"apt-get downloaded no {pattern}")
        return have[0]

    def download_with_all_it_needs(self, packages: Sequence[str], suite: str) -> list[Path]:
        """These packages from `suite`, and everything they depend on down to libc: a world of its own."""
        archives = self._state / "archives"
        for old in archives.glob("*.deb"):
            old.unlink()
        install = ["apt-get", "install", "--download-only", "--yes", "--no-install-recommends", "-t", suite, *packages]
        self._must(install)
        return sorted(archives.glob("*.deb"))

    def _must(self, command: Sequence[str], folder: Path | None = None) -> None:
        done = self._run(command, folder)
        if done.returncode:
            raise ArchiveFailed(f"{' '.join(command[:2])} failed: {reason(done.stderr)}")

    def _run(self, command: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {"APT_CONFIG": str(self._conf), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        try:
            return subprocess.run(
                ["env", *(f"{name}={value}" for name, value in environment.items()), *command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_S,
            )
        except subprocess.TimeoutExpired as error:
            raise ArchiveFailed(f"{' '.join(command[:2])} did not end within {_LONGEST_S:.0f} s") from error


def unpack(package: Path, folder: Path) -> None:
    """dpkg -x: files only, no script of the package runs.  Raises ArchiveFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["dpkg", "-x", str(package), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ArchiveFailed(f"{package.name} could not be unpacked: {reason(done.stderr)}")


def keep_links_inside(folder: Path) -> None:
    """Have links to absolute paths lead to the same paths below `folder`: packages mean them from their own root.

    libc6 of Debian 11 names its loader so.
    """
    for path in folder.rglob("*"):
        if path.is_symlink() and (target := os.readlink(path)).startswith("/"):
            path.unlink()
            path.symlink_to(os.path.relpath(folder / target.lstrip("/"), path.parent))


def mirror(known: str) -> str | None:
    """The Debian mirror among the archives that apt knows (`ADDRESS RELEASE` a line); of several the first, or None.

    Security and updates are other archives, or other suites of this one.
    """
    for line in known.splitlines():
        address, _, release = line.partition(" ")
        path = address.rstrip("/")
        if path.endswith("/debian") and not release.endswith("-security"):
            return path
    return None


def gone_suites(errors: str) -> list[str]:
    """The suites for which apt-get update says that they have no Release file (any more)."""
    return list(dict.fromkeys(re.findall(r"^[EW]: The repository '\S+ (\S+?)(?: Release)?' ", errors, re.M)))


def reason(errors: str) -> str:
    """apt's own last error, in one line."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    errors_first = [line for line in lines if line.startswith("E: ")] or lines or ["it said nothing"]
    return errors_first[0].removeprefix("E: ")


def _for_apt(expression: str) -> str:
    """The expression in POSIX's extended syntax, wide enough: Python's own is applied to the answer."""
    return expression.replace(r"(?![\d])", "").replace(r"\d", "0-9").replace("*?", "*")
