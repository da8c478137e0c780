"""The sweep before a run: it removes what dead conductors left, and nobody can stop or mislead it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.chapters import HOME
from probes.lab.sweep import sweep
from probes.locks import sysv
from probes.verdict import NotApplicable

HERE = os.stat("/proc/self/ns/pid").st_ino
DEAD = 2**22
"""Larger than any process id (PID_MAX_LIMIT, include/linux/threads.h)."""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_only_the_folder_of_a_dead_conductor_goes(temporary: Path) -> None:
    left, alive, other = (
        temporary / name for name in (f"wakecheck-{HERE}-{DEAD}-ab", f"wakecheck-{HERE}-{os.getpid()}-cd", "other")
    )
    for folder in (left, alive, other):
        folder.mkdir()
    (temporary / f"wakecheck-{HERE}-{DEAD}-link").symlink_to(other)
    assert sweep() == [str(left)]
    assert alive.exists()
    assert other.exists()


def test_folder_of_another_pid_namespace_stays(temporary: Path) -> None:
    """Containers may share the temporary folder: a number that is free here may be a living conductor's there."""
    there = temporary / f"wakecheck-{HERE + 1}-{DEAD}-ab"
    there.mkdir()
    assert sweep() == []
    assert there.exists()


def test_folder_of_a_path_socket_that_was_left_goes(temporary: Path) -> None:
    """What the maker of a path socket is killed with, is known to the sweep by its name."""
    program = (
        "import os, tempfile; from probes.sources import unix; unix.Unix = lambda *_, folder: os.kill(os.getpid(), 9)"
    )
    act = "from probes.scenario import Scenario; unix.path(Scenario('accept'), None)"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", f"{program}; {act}"], env=environment, cwd=HOME, check=False)
    assert done.returncode == -signal.SIGKILL
    [left] = temporary.iterdir()
    assert sweep() == [str(left)]


def test_folders_that_come_and_go_stop_nothing(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any user of the machine can have them: a folder is listed, and gone at the next look at it."""
    for number in range(3):
        (temporary / f"wakecheck-{HERE}-{DEAD}-{number}").mkdir()
    listing = os.scandir

    @contextlib.contextmanager
    def gone_once_listed(folder: str) -> Iterator[list[os.DirEntry[str]]]:
        with listing(folder) as entries:
            listed = list(entries)
        for entry in listed[1:]:
            os.rmdir(entry.path)
        yield [*listed[1:], listed[0]]

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", gone_once_listed)
        patched.setattr(shutil, "rmtree", os.rmdir)  # it lists folders, too
        assert len(sweep()) == 1
    assert list(temporary.iterdir()) == []


def test_number_that_is_no_process_id(temporary: Path) -> None:
    (temporary / f"wakecheck-{HERE}-{'9' * 40}-ab").mkdir()
    assert sweep() == []


def test_without_a_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert sweep() == []


# --- System V semaphores ------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_semaphore_more(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None is left; and by a signature of its own, what this test makes is swept by no test beside it."""
    monkeypatch.setattr(sysv, "_SIGNATURE", tuple(os.urandom(len(sysv._SIGNATURE))))
    if not os.path.exists("/proc/sysvipc/sem"):
        pytest.skip("this kernel has no System V semaphores")
    yield
    for row in list(sysv.rows()):
        with contextlib.suppress(OSError):  # somebody else's
            if row.size == sysv.SIZE and sysv.owner_of(row.id) is not None:
                sysv.remove(row.id)


_LEAVES = """
import os
from probes.locks import sysv
sysv._SIGNATURE = {signature}
print(sysv.Semaphore(undo=False, key={key}).id, flush=True)
{end}
"""


def _semaphore_of(end: str, key: int = 0) -> tuple[subprocess.Popen[bytes], int]:
    """A process that makes a semaphore, and ends so; the semaphore's id."""
    program = _LEAVES.format(signature=sysv._SIGNATURE, key=key, end=end)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _ids() -> set[int]:
    return {row.id for row in sysv.rows()}


@pytest.mark.parametrize("key", [0, 0x4A00_1234])
def test_semaphore_of_a_killed_process_goes(temporary: Path, key: int) -> None:
    process, left = _semaphore_of("os.kill(os.getpid(), 9)", key)
    process.communicate()
    assert left in _ids()
    assert sweep() == [f"System V semaphore {left}"]
    assert left not in _ids()


def test_semaphore_of_a_living_process_stays(temporary: Path) -> None:
    process, left = _semaphore_of("input()")
    try:
        assert sweep() == []
        assert left in _ids()
    finally:
        process.kill()
        process.communicate()


def test_semaphore_of_somebody_else_stays(temporary: Path) -> None:
    """One that another program left, with as many semaphores in the set."""
    foreign = sysv.create(0)
    try:
        assert sweep() == []
        assert foreign in _ids()
    finally:
        sysv.remove(foreign)


def test_semaphore_whose_owners_number_went_to_another_process_goes(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = sysv.Owner.of(os.getpid())._replace(began=1)
    monkeypatch.setattr(sysv, "_owner", lambda: earlier)
    left = sysv.Semaphore(undo=False).id
    assert sweep() == [f"System V semaphore {left}"]


def test_semaphore_of_another_pid_namespace_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container shares the host's semaphores, and it cannot be seen from here whether its processes live."""
    mine = sysv.Owner.of(os.getpid())
    foreign = mine._replace(pid=DEAD - 1, namespace=mine.namespace + 1)
    monkeypatch.setattr(sysv, "_owner", lambda: foreign)
    left = sysv.Semaphore(undo=False).id
    assert sweep() == []
    sysv.remove(left)


def test_semaphore_still_works() -> None:
    semaphore = sysv.Semaphore(undo=False)
    try:
        assert sysv.value(semaphore.id) == 1
        semaphore.acquire()
        assert sysv.value(semaphore.id) == 0
        semaphore.release()
        assert sysv.value(semaphore.id) == 1
    finally:
        semaphore.destroy()


def test_kernel_without_them(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    def lacks() -> Iterator[sysv.Row]:
        raise FileNotFoundError(2, "/proc/sysvipc/sem")

    with monkeypatch.context() as lacking:
        lacking.setattr(sysv, "rows", lacks)
        assert sweep() == []
    with pytest.raises(NotApplicable, match="CONFIG_SYSVIPC"):
        sysv._checked(-38)
