"""Guests of other architectures: their root, their machine, and what is taken over from them; nothing is booted."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from probes.__main__ import main
from probes.kernels import fetch, foreign, initramfs, root, runner, toolbox
from probes.kernels.archive import Archive, ArchiveFailed
from probes.kernels.cache import Cache, Missing
from probes.kernels.catalogue import CATALOGUE, NamedKernel, find, subset
from probes.kernels.guest import Pipes
from probes.kernels.initramfs import ArchiveEntry
from probes.kernels.machines import MACHINES, NATIVE
from probes.kernels.qemu import Image
from probes.kernels.runner import CannotBegin, Target
from probes.kernels.versions import Candidate

FOREIGN = [kernel for kernel in CATALOGUE if kernel.programs != NATIVE]
STARTS = {
    NATIVE: bytes(0x202) + b"HdrS",
    "arm64": b"MZ".ljust(0x38, b"\0") + b"ARMd",
    "armhf": bytes(0x24) + struct.pack("<I", 0x016F2818),
    "riscv64": b"MZ".ljust(0x38, b"\0") + b"RSC\x05",
    "ppc64el": b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 21),
    "s390x": bytes(0x10008) + b"S390EP",
}
"""How an image of each architecture begins."""


@pytest.fixture
def guest(tmp_path: Path) -> foreign.Foreign:
    """One that is never started; its results go to a folder of their own."""
    for name in ("own", "results"):
        (tmp_path / name).mkdir()
    image = Image(tmp_path / "Image", None)
    job = root.job("arm64-6.12", ["-k", "it's"])
    tools = toolbox.Toolbox(tmp_path)
    return foreign.Foreign(
        tools, MACHINES["arm64"], tmp_path / "root.cpio", image, job, tmp_path / "own", tmp_path / "results"
    )


def _files(folder: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(folder / "own" / "results.tar", "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_names_say_the_architecture() -> None:
    names = [kernel.name for kernel in FOREIGN]
    assert {"arm64-6.1", "arm64-6.12", "arm64-7.3", "s390x-6.12", "armhf-6.12", "i386-on-amd64-6.12"} <= set(names)
    assert {kernel.architecture for kernel in CATALOGUE} == set(MACHINES)


def test_the_subset_of_architectures_has_one_of_x86_beside_them() -> None:
    assert [kernel.name for kernel in subset("architectures") if kernel not in FOREIGN] == ["6.12"]
    assert not [kernel for kernel in subset("all") if kernel in FOREIGN]


@pytest.mark.parametrize("kernel", FOREIGN, ids=lambda kernel: kernel.name)
def test_what_is_needed_beside_a_kernel(kernel: NamedKernel) -> None:
    """A QEMU for its machine, unless that is this machine's; and a root with programs of its architecture."""
    qemu = [] if kernel.architecture == NATIVE else [f"tools-{kernel.architecture}"]
    assert list(fetch.needed_beside([kernel])) == [*qemu, f"root-{kernel.programs}"]


def test_list_names_what_is_needed_beside(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["kernels", "list", f"--cache={tmp_path}"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("tools-arm64", "root-arm64", "arm64-6.12", "architectures"))


@pytest.mark.parametrize("architecture", MACHINES)
def test_an_image_of_another_architecture_is_refused_with_its_own(architecture: str, tmp_path: Path) -> None:
    image = tmp_path / "Image"
    image.write_bytes(STARTS[architecture])
    assert runner.own_image(str(image), None, architecture).programs == architecture
    for other in MACHINES:
        if other != architecture:
            with pytest.raises(CannotBegin, match=f"but a kernel for {architecture}: say --arch {architecture}"):
                runner.own_image(str(image), None, other)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--arch", "arm64"], "--arch belongs to a kernel of your own: name it with --image"),
        (["--image", "/dev/null", "--arch", "arm64"], "/dev/null is no arm64 Image (arch/arm64/boot/Image)"),
        (["--image", "/nowhere", "--arch", "s390x"], "/nowhere cannot be read (No such file or directory)"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernels", "run", *arguments]) == 2
    assert capsys.readouterr().err == f"wakecheck: {words}\n"


@pytest.mark.parametrize("architecture", [name for name in MACHINES if name != NATIVE])
def test_a_missing_qemu_is_told_with_its_package(architecture: str, tmp_path: Path) -> None:
    machine, name = MACHINES[architecture], f"tools-{architecture}"
    with pytest.raises(Missing) as refused:
        toolbox.of_architecture(Cache(tmp_path), architecture)
    assert str(refused.value) == (
        f"{machine.program} is not fetched: wakecheck kernels get {name} (Debian's package {machine.package})"
    )
    (tmp_path / "unpacked" / name).mkdir(parents=True)
    Cache(tmp_path).keep_record(name, {"version": "1"})
    with pytest.raises(Missing, match=rf"{machine.program} is gone from the cache: .*{machine.package}"):
        toolbox.of_architecture(Cache(tmp_path), architecture)


def test_a_missing_root_is_told_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="root-s390x is not fetched: wakecheck kernels get root-s390x"):
        foreign.fetched_root(Cache(tmp_path), "s390x")


def test_the_first_program_is_shell_and_carries_the_command_whole() -> None:
    job = root.job("arm64-6.12", ["-k", "it's a 'test'"])
    done = subprocess.run(["sh", "-n"], input=root.script(job), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = (line for line in root.script(job).splitlines() if " env -i " in line)
    echoed = line.replace("$b env -i", "env -i").partition(" </dev/null")[0].replace("/usr/bin/python3", "/bin/echo")
    said = subprocess.run(["sh", "-c", echoed], text=True, capture_output=True, check=True).stdout
    assert said.rstrip("\n").endswith("-k it's a 'test'")


def test_a_root_keeps_links_and_leaves_out_what_nobody_reads(tmp_path: Path) -> None:
    for name in (
        "usr/bin/python3",
        "usr/share/doc/x/copyright",
        "usr/lib/python3.13/os.py",
        "usr/lib/python3.13/test/a.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "bin").symlink_to("usr/bin")
    entries = {entry.name: entry for entry in root.tree(tmp_path)}
    assert entries["bin"].content == b"usr/bin"
    assert entries["bin"].mode >> 12 == 0o12
    assert {"usr/bin/python3", "usr/lib/python3.13/os.py"} <= set(entries)
    assert not [name for name in entries if "doc" in name or "test" in name]


def test_a_guest_gets_the_suite_and_all_that_it_needs_and_nothing_compiled() -> None:
    entries = {entry.name: entry for entry in root.suite()}
    assert {"wakecheck/project/probes/__main__.py", "wakecheck/project/tests/kernel/test_accept.py"} <= set(entries)
    for module in (
        "pytest",
        "xdist",
        "pytest_timeout",
        "ptrace",
        "system_calls",
        "jinja2",
        "markupsafe",
        "rich",
        "fastjsonschema",
    ):
        assert [name for name in entries if re.match(rf"wakecheck/packages/{module}(\.py|/__init__\.py)", name)], module
    assert not [name for name in entries if name.endswith((".so", ".pyc"))]
    assert entries["wakecheck/project/revision.txt"].content


def test_every_folder_comes_before_what_is_in_it() -> None:
    names = [entry.name for entry in root.with_folders(iter([ArchiveEntry("a/b/c"), ArchiveEntry("a/d")]))]
    assert names == ["a", "a/b", "a/b/c", "a/d"]


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not here")
def test_two_archives_are_one_initramfs(tmp_path: Path) -> None:
    own = initramfs.archive(root.with_folders(root.own(root.job("x", []), {"virtio_console": b"module"})))
    names = subprocess.run(["cpio", "-t"], input=own, capture_output=True, check=True).stdout.decode().splitlines()
    assert {"init", "dev/console", "modules/virtio_console.ko", "modules/order", "usr/bin/sh"} <= set(names)


@pytest.mark.parametrize("architecture", MACHINES)
def test_each_machine_has_two_cpus_and_a_port_for_each_end(architecture: str, tmp_path: Path) -> None:
    machine = MACHINES[architecture]
    options = foreign.qemu_options(machine, tmp_path / "a,b", tmp_path / "initrd", Pipes(7, 8, 9), foreign.CPUS)
    assert options[options.index("-accel") + 1] == "tcg,thread=multi"
    assert options[options.index("-smp") + 1] == "2"
    assert "file,id=output,path=/dev/fd/8" in options
    assert "virtserialport,chardev=marks,name=marks" in options
    assert options[options.index("-append") + 1].startswith(f"console={machine.console} ")
    assert "wakecheck.emulated" in options[-1]


def test_what_a_guest_hands_over_is_taken_and_nothing_else(guest: foreign.Foreign, tmp_path: Path) -> None:
    _files(
        tmp_path,
        {"./run.json": b"{}", "./index.html": b"page", "../out": b"x", "/abs": b"x", "./log.txt": b"x", "a/b": b"x"},
    )
    assert guest.collect() is None
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["index.html", "run.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "results"]


def test_results_that_did_not_arrive_whole_are_told(guest: foreign.Foreign, tmp_path: Path) -> None:
    _files(tmp_path, {"./run.json": b"x" * 5000})
    whole = (tmp_path / "own" / "results.tar").read_bytes()
    (tmp_path / "own" / "results.tar").write_bytes(whole[:2000])
    assert guest.collect() == "the guest's results did not arrive whole"


def test_a_guest_that_died_has_no_results(guest: foreign.Foreign, tmp_path: Path) -> None:
    assert guest.collect() is None
    (tmp_path / "own" / "results.tar").touch()
    assert guest.collect() is None


def test_other_architectures_have_two_cpus_unless_told() -> None:
    (arm, x86) = find(["arm64-6.12", "6.12"])
    assert (Target(arm.name, arm).cpus, Target(x86.name, x86).cpus) == (2, 1)


class LosesTrixie(Archive):
    """A mirror that has lost a package of trixie."""

    def update(self, *, again: bool = False) -> None:
        """Nothing to read."""

    def find(self, kernel_packages: Iterable[str]) -> list[Candidate]:
        return []

    def of(self, architecture: str) -> Archive:
        return self

    def download_with_all_it_needs(self, packages: Sequence[str], suite: str) -> list[Path]:
        if suite == "trixie":
            raise ArchiveFailed("404 Not Found")
        paths = [self._cache.packages / f"{name}_3.13_{suite}.deb" for name in packages]
        for path in paths:
            path.write_bytes(b"deb")
        return paths


def test_a_root_comes_from_the_next_suite_where_one_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(package: Path, folder: Path) -> None:
        (folder / "usr/bin").mkdir(parents=True, exist_ok=True)
        (folder / "usr/bin" / package.name.partition("_")[0]).write_bytes(b"program")

    monkeypatch.setattr(fetch, "unpack", unpack)
    cache, said = Cache(tmp_path / "cache"), list[str]()
    assert fetch.Fetcher(cache, LosesTrixie(cache), said.append).root("s390x").version == "3.13"
    record = cache.record("root-s390x")
    assert record is not None
    assert record["suite"] == "forky"
    assert record["notes"] == ["trixie is not whole for root-s390x, taking the next suite (404 Not Found)"]
    assert record["notes"][0] in said
    archive = foreign.fetched_root(cache, "s390x").read_bytes()
    assert b"usr/bin/python3" in archive
    assert len(record["files"]) == len(root.PACKAGES)
