"""The cache of kernels: nobody else can change what is run from it, and fetching into it touches nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import probes
from probes.kernels import gvisor, qemu, toolbox, uml
from probes.kernels.archive import Archive, ArchiveFailed, keep_links_inside
from probes.kernels.cache import Cache
from probes.kernels.safety import Unsafe

SOMEBODY = 65534
NO_MIRROR = "http://mirror.invalid/debian"
NOT_THERE = "apt-get install failed: The value 'trixie' is invalid"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
APT_ONLY = pytest.mark.skipif(
    not all(map(shutil.which, ("apt-get", "dpkg"))) or os.uname().machine != "x86_64", reason="apt is not here"
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """With one kernel, and a program of it."""
    cache = Cache(tmp_path / "cache")
    program = cache.place("uml-7.2") / "usr/bin/linux.uml"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o755)
    cache.keep_record("uml-7.2", {"version": "7.2um1"})
    return cache


# --- who can change it -------------------------------------------------------------------------


def _writable_program(cache: Cache) -> Path:
    path = cache.place("uml-7.2") / "usr/bin/linux.uml"
    path.chmod(0o757)
    return path


def _writable_folder(cache: Cache) -> Path:
    path = cache.place("uml-7.2") / "usr"
    path.chmod(0o777)
    return path


def _writable_cache(cache: Cache) -> Path:
    cache.folder.chmod(0o777)
    return cache.folder


def _writable_parent(cache: Cache) -> Path:
    cache.folder.parent.chmod(0o777)
    return cache.folder.parent


def _given_away(cache: Cache) -> Path:
    path = cache.place("uml-7.2") / "usr/bin/linux.uml"
    os.chown(path, SOMEBODY, SOMEBODY)
    return path


def _link_out(cache: Cache) -> Path:
    path = cache.place("uml-7.2") / "usr/bin/linux.uml"
    path.unlink()
    path.symlink_to("/usr/bin/env")
    return path


def _dangling_link_out(cache: Cache) -> Path:
    path = cache.place("uml-7.2") / "usr/lib"
    path.symlink_to("/nowhere/lib")
    return path


def _whole_kernel_is_a_link(cache: Cache) -> Path:
    place, away = cache.place("uml-7.2"), cache.folder.parent / "away"
    place.rename(away)
    place.symlink_to(away)
    return place


@pytest.mark.parametrize(
    "spoil",
    [
        _writable_program,
        _writable_folder,
        _writable_cache,
        _writable_parent,
        pytest.param(_given_away, marks=ROOT_ONLY),
        _link_out,
        _dangling_link_out,
        _whole_kernel_is_a_link,
    ],
)
def test_what_somebody_else_can_change_is_not_run(spoil: Callable[[Cache], Path], cache: Cache) -> None:
    path = spoil(cache)
    with pytest.raises(Unsafe) as refused:
        uml.fetched(cache, "uml-7.2")
    assert str(refused.value).startswith(f"{path} ")
    assert str(refused.value).endswith("remove it and fetch again, or choose another cache with --cache")


def test_what_is_ours_is_run(cache: Cache) -> None:
    """Also with links inside it, below a sticky folder, and where the cache is reached through a link."""
    cache.folder.parent.chmod(0o1777)
    (cache.place("uml-7.2") / "lib").symlink_to("usr/bin")
    assert uml.fetched(cache, "uml-7.2").binary.exists()
    beside = cache.folder.parent / "link"
    beside.symlink_to(cache.folder)
    assert uml.fetched(Cache(beside), "uml-7.2").binary.exists()


def test_a_link_to_an_absolute_path_is_made_to_stay_inside(cache: Cache) -> None:
    """libc6 of Debian 11 has /lib64/ld-linux-x86-64.so.2 -> /lib/x86_64-linux-gnu/ld-2.31.so."""
    place = cache.place("uml-7.2")
    (place / "lib").mkdir()
    (place / "lib/ld-2.31.so").write_text("loader")
    (place / "lib64").mkdir()
    link = place / "lib64/ld-linux-x86-64.so.2"
    link.symlink_to("/lib/ld-2.31.so")
    with pytest.raises(Unsafe, match="is a link out of the cache"):
        uml.fetched(cache, "uml-7.2")
    keep_links_inside(place)
    assert link.read_text() == "loader"
    assert uml.fetched(cache, "uml-7.2").binary.exists()


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("uml-7.2", lambda cache: uml.fetched(cache, "uml-7.2")),
        ("6.12", lambda cache: qemu.fetched(cache, "6.12")),
        ("gvisor-2024-ptrace", lambda cache: gvisor.fetched(cache, "gvisor-2024-ptrace")),
        pytest.param("tools", toolbox.toolbox, marks=APT_ONLY),
    ],
)
def test_every_kind_of_kernel_is_looked_at(name: str, use: Callable[[Cache], object], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.place(name).mkdir(parents=True)
    cache.keep_record(name, {"version": "1"})
    cache.place(name).chmod(0o777)
    with pytest.raises(Unsafe, match="can be written by everybody"):
        use(cache)


def test_nothing_is_fetched_into_a_cache_of_somebody_else(cache: Cache) -> None:
    cache.packages.symlink_to("/etc")
    with pytest.raises(Unsafe, match="packages is a link"), cache.sole_use(print):
        pytest.fail("it was used")


# --- fetching ----------------------------------------------------------------------------------


def test_two_fetches_take_turns(cache: Cache) -> None:
    hold = "import sys; from pathlib import Path; from probes.kernels.cache import Cache\n"
    hold += "with Cache(Path(sys.argv[1])).sole_use(print): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(cache.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        heard: list[str] = []

        def say(line: str) -> None:
            heard.append(line)
            assert other.stdin is not None
            other.stdin.close()

        with cache.sole_use(say):
            assert other.wait(60) == 0
    assert heard == [f"waiting for another fetch into {cache.folder}"]


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """One that every user may enter; tmp_path belongs to this user alone."""
    folder = Path(tempfile.mkdtemp(prefix="wakecheck-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@APT_ONLY
def test_apt_locks_the_cache_and_nothing_of_this_host(own_folder: Path) -> None:
    """Where dpkg's status was /dev/null, root left /dev/lock and /dev/lock-frontend on the host."""
    before = sorted(Path("/dev").glob("lock*"))
    cache = Cache(own_folder)
    _fetch_what_does_not_exist(cache)
    assert sorted(Path("/dev").glob("lock*")) == before
    assert (cache.apt / "dpkg/lock-frontend").exists()


@APT_ONLY
@ROOT_ONLY
def test_fetching_needs_no_root(own_folder: Path) -> None:
    os.chown(own_folder, SOMEBODY, SOMEBODY)
    # A copy, and an interpreter without packages: somebody need not be able to read this environment.
    shutil.copytree(Path(probes.__file__).parent, own_folder / "probes", ignore=shutil.ignore_patterns("__pycache__"))
    script = f"""\
import sys
from pathlib import Path
from probes.kernels.archive import Archive, ArchiveFailed, keep_links_inside
from probes.kernels.cache import Cache
cache = Cache(Path(sys.argv[1]) / "cache")
archive = Archive(cache, {NO_MIRROR!r})
with cache.sole_use(print):
    archive._configure()
    try:
        archive.download_with_all_it_needs(["no-such-package"], "trixie")
    except ArchiveFailed as failed:
        print(failed)
"""
    done = subprocess.run(
        ["python3", "-c", script, str(own_folder)],
        cwd=own_folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(own_folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        user=SOMEBODY,
        group=SOMEBODY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert NOT_THERE in done.stdout


def _fetch_what_does_not_exist(cache: Cache) -> None:
    """As far as apt goes without a network: it takes its locks, and then knows no such suite."""
    archive = Archive(cache, NO_MIRROR)
    with cache.sole_use(print):
        archive._configure()
        with pytest.raises(ArchiveFailed, match=NOT_THERE):
            archive.download_with_all_it_needs(["no-such-package"], "trixie")
