"""Which package is the newest of a series: dpkg's order over what apt-cache printed.  Nothing here runs apt."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cmp_to_key

from .catalogue import NamedKernel

Older = Callable[[str, str], bool]
"""Whether the first version is older than the second."""


@dataclass(frozen=True)
class Candidate:
    """One version of one package that the archive has now."""

    package: str
    version: str
    suite: str


def candidates(madison: str) -> list[Candidate]:
    """What `apt-cache madison` printed: `package | version | address suite/component architecture Packages`."""
    offers = []
    for line in madison.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 3 and fields[2].endswith("Packages"):
            place = fields[2].split()
            offers.append(Candidate(fields[0], fields[1], place[1].split("/")[0] if len(place) > 1 else ""))
    return offers


def of_kernel(kernel: NamedKernel, all_candidates: Iterable[Candidate], older: Older) -> list[Candidate]:
    """The candidates for this kernel, the newest first.  `-unsigned`, `-dbg` and other flavours do not match."""
    wanted = [
        candidate
        for candidate in all_candidates
        if re.fullmatch(kernel.package, candidate.package)
        and candidate.version.startswith(kernel.version)
        and kernel.suite in ("", candidate.suite)
        and "unsigned" not in candidate.package
    ]

    def order(a: Candidate, b: Candidate) -> int:
        return -1 if older(b.version, a.version) else int(older(a.version, b.version))

    return sorted(dict.fromkeys(wanted), key=cmp_to_key(order))


def dpkg_older(a: str, b: str) -> bool:
    """Debian's own order of versions (deb-version(7)), asked of dpkg: `7.3~rc7` is older than `7.3`."""
    return subprocess.run(["dpkg", "--compare-versions", a, "lt", b], check=False).returncode == 0


def fields(show: str) -> list[dict[str, str]]:
    """The stanzas of `apt-cache show`, each as its fields; continued lines are left out."""
    stanzas = []
    for stanza in show.strip().split("\n\n"):
        pairs = (line.partition(": ") for line in stanza.splitlines() if line[:1].strip())
        stanzas.append({name.rstrip(":"): value for name, _, value in pairs})
    return [stanza for stanza in stanzas if "Package" in stanza]


_PARTS = re.compile(r"(linux-(?:binary|modules)-\S+)(?: \(= ([^)]+)\))?")


def parts(stanza: Mapping[str, str]) -> list[tuple[str, str]]:
    """The packages that hold the rest of a kernel: from 6.19 on image and modules are apart.

    Package and version of each `linux-binary-` and `linux-modules-` in its Depends.
    """
    matches = (_PARTS.fullmatch(dependency.strip()) for dependency in stanza.get("Depends", "").split(","))
    return [(match[1], match[2] or stanza["Version"]) for match in matches if match]
