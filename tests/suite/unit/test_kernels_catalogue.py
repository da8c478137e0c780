"""The catalogue of kernels, and the choice of a package: pure, without apt."""

from __future__ import annotations

import re
import shutil

import pytest

from probes.kernels import archive, versions
from probes.kernels.cache import default_folder
from probes.kernels.catalogue import CATALOGUE, QEMU, NoSuchKernel, find, subset
from probes.kernels.machines import MACHINES, NATIVE
from probes.kernels.versions import Candidate

MADISON = """\
linux-image-6.1.0-50-cloud-amd64 |  6.1.176-1 | http://mirror/debian bookworm/main amd64 Packages
linux-image-6.1.0-47-cloud-amd64 |  6.1.170-3 | http://mirror/debian bookworm/main amd64 Packages
linux-image-6.12.9+deb12-cloud-amd64 | 6.12.9-1~bpo12+1 | http://mirror/debian bookworm-backports/main amd64 Packages
linux-image-6.12.107+deb13-cloud-amd64 | 6.12.107-1 | http://mirror/debian trixie/main amd64 Packages
linux-image-6.12.107+deb13-cloud-amd64-unsigned | 6.12.107-1 | http://mirror/debian trixie/main amd64 Packages
linux-image-6.12.107+deb13-cloud-amd64-dbg | 6.12.107-1 | http://mirror/debian trixie/main amd64 Packages
linux-image-6.12.200+deb13-rt-amd64 | 6.12.200-1 | http://mirror/debian trixie/main amd64 Packages
linux-image-7.3-cloud-amd64 | 7.3~rc7-1~exp1 | http://mirror/debian experimental/main amd64 Packages
linux-image-7.3-cloud-amd64 | 7.3-1 | http://mirror/debian sid/main amd64 Packages
     runsc | 0.0~20240729.0-7+b1 | http://mirror/debian forky/main amd64 Packages
     runsc | 0.0~20240729.0-4+b7 | http://mirror/debian trixie/main amd64 Packages
     linux | 6.1.176-1 | http://mirror/debian bookworm/main Sources
"""


def _newest(name: str) -> Candidate:
    (kernel,) = find([name])
    return versions.of_kernel(kernel, versions.candidates(MADISON), _older)[0]


def _older(a: str, b: str) -> bool:
    """dpkg's order for the versions above, without dpkg: `~` sorts before the end."""

    def key(text: str) -> list[tuple[int, int]]:
        parts = re.findall(r"\d+|~", text)
        return [(-1, 0) if part == "~" else (1, int(part)) for part in parts] + [(0, 0)]

    return key(a) < key(b)


def test_names_are_unique_and_newest_first() -> None:
    names = [kernel.name for kernel in CATALOGUE]
    assert len(set(names)) == len(names)
    debian = [name for name in names if re.fullmatch(r"\d+\.\d+", name)]
    assert debian == sorted(debian, key=lambda name: [int(part) for part in name.split(".")], reverse=True)
    assert len(debian) >= 10


def test_the_fast_subset_has_every_way_to_boot() -> None:
    assert {kernel.boot for kernel in subset("fast")} == {kernel.boot for kernel in CATALOGUE}
    assert subset("all") == [kernel for kernel in CATALOGUE if kernel.programs == NATIVE]


def test_find_gives_each_once_in_order_also_from_a_generator() -> None:
    assert [kernel.name for kernel in find(name for name in ("6.1", "5.10", "6.1"))] == ["6.1", "5.10"]


@pytest.mark.parametrize(
    ("name", "near"), [("6.13", "did you mean"), ("uml-6.2", "uml-6.12"), ("zzz", "kernels list` shows them")]
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(NoSuchKernel) as refused:
        find([name])
    assert near in str(refused.value)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "package", "version"),
    [
        # 6.1 is not the beginning of 6.12 or 6.16.
        ("6.1", "linux-image-6.1.0-50-cloud-amd64", "6.1.176-1"),
        # By version, not by name, by which 6.12.9 would be the highest; without -unsigned, -dbg and the rt flavour.
        ("6.12", "linux-image-6.12.107+deb13-cloud-amd64", "6.12.107-1"),
        ("rt-6.12", "linux-image-6.12.200+deb13-rt-amd64", "6.12.200-1"),
        # A release is newer than its candidates.
        ("7.3", "linux-image-7.3-cloud-amd64", "7.3-1"),
        # Of one suite only.
        ("gvisor-2024-ptrace", "runsc", "0.0~20240729.0-4+b7"),
    ],
)
def test_the_newest_of_a_series(name: str, package: str, version: str) -> None:
    assert (_newest(name).package, _newest(name).version) == (package, version)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is not here")
@pytest.mark.parametrize(
    ("a", "b"), [("7.3~rc7-1~exp1", "7.3-1"), ("6.12.9-1", "6.12.10-1"), ("6.12.5-1~bpo12+1", "6.12.5-1")]
)
def test_dpkg_decides_which_is_older(a: str, b: str) -> None:
    assert versions.dpkg_older(a, b)
    assert not versions.dpkg_older(b, a)


def test_a_kernel_in_parts_names_them() -> None:
    stanza = {
        "Package": "linux-image-7.2.13-cloud-amd64",
        "Version": "7.2.13-1",
        "Depends": "dracut | initramfs-tools (>= 0.120), linux-base-7.2.13-cloud-amd64 (= 7.2.13-1), "
        "linux-binary-7.2.13-cloud-amd64 (= 7.2.13-1), linux-modules-7.2.13-cloud-amd64",
    }
    assert versions.parts(stanza) == [
        ("linux-binary-7.2.13-cloud-amd64", "7.2.13-1"),
        ("linux-modules-7.2.13-cloud-amd64", "7.2.13-1"),
    ]
    assert versions.parts({"Version": "6.1-1", "Depends": "kmod, linux-base (>= 4.3)"}) == []


def test_fields_of_a_stanza() -> None:
    shown = "Package: a\nVersion: 1\nDescription: one\n more\nDepends: b\n\nPackage: c\nVersion: 2\n"
    assert versions.fields(shown) == [
        {"Package": "a", "Version": "1", "Description": "one", "Depends": "b"},
        {"Package": "c", "Version": "2"},
    ]
    assert versions.fields("N: no such package\n") == []


def test_the_mirror_is_the_machines_own() -> None:
    known = (
        "http://m.example/debian-security/ bookworm-security\n"
        "http://other.example/node nodistro\nhttps://m.example/debian/ bookworm\n"
    )
    assert archive.mirror(known) == "https://m.example/debian"
    assert archive.mirror("http://m.example/ubuntu/ noble\n") is None


def test_a_suite_that_left_is_named() -> None:
    errors = (
        "E: The repository 'http://m.example/debian bullseye Release' does not have a Release file.\n"
        "W: The repository 'http://m.example/debian bullseye Release' does not have a Release file.\n"
    )
    assert archive.gone_suites(errors) == ["bullseye"]
    assert archive.gone_suites("E: Unable to locate package x\n") == []


def test_apts_own_reason_is_told() -> None:
    assert archive.reason("W: slow\nE: Version '1' for 'x' was not found\n") == "Version '1' for 'x' was not found"
    assert archive.reason("") == "it said nothing"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"WAKECHECK_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/wakecheck/kernels"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/wakecheck/kernels"),
        ({"HOME": "/h"}, "/h/.cache/wakecheck/kernels"),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], folder: str) -> None:
    assert str(default_folder(environment)) == folder


def test_every_debian_expression_is_understood_by_apt() -> None:
    """apt-cache search takes POSIX expressions: no look-ahead, no lazy repetition."""
    for kernel in CATALOGUE:
        if kernel.boot == QEMU:
            wide = archive._for_apt(kernel.package)
            assert "(?" not in wide
            assert "*?" not in wide
            series = kernel.name.rpartition("-")[2]
            flavour = "rt-amd64" if kernel.name.startswith("rt-") else MACHINES[kernel.architecture].kernel
            assert re.fullmatch(wide, f"linux-image-{series}.0-1-{flavour}")
