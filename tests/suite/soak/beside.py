"""What goes on beside a run for its whole duration: load, a quota, memory that comes and goes, another run."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

from tests.suite.system.runs import Run

from .disturbances import into, remove

Prefix = Sequence[str]
"""What to put before the command of the run."""
_QUOTAS = (
    # The hierarchy, and the contents of its files: 30 ms of each 100 ms.
    ("/sys/fs/cgroup/cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "30000"}),
    ("/sys/fs/cgroup", {"cpu.max": "30000 100000"}),
)
_HOG_BYTES = 128 << 20


@contextlib.contextmanager
def load(loops: int) -> Iterator[None]:
    """This many busy loops, each in a process of its own."""

    def spin() -> NoReturn:
        while True:
            pass

    with contextlib.ExitStack() as all_of_them:
        for _ in range(loops):
            all_of_them.enter_context(_forked(spin))
        yield


@contextlib.contextmanager
def _forked(act: Callable[[], object]) -> Iterator[None]:
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextlib.contextmanager
def _nothing(folder: Path) -> Iterator[Prefix]:
    yield ()


@contextlib.contextmanager
def _quota(folder: Path) -> Iterator[Prefix]:
    """The run gets a third of a CPU, or all CPUs if no control group can be created."""
    group = _quota_group()
    if group is None:
        yield ()
        return
    try:
        yield into(group)
    finally:
        remove(group)


def _quota_group() -> Path | None:
    for hierarchy, files in _QUOTAS:
        group = Path(hierarchy, f"wakecheck-soak-quota-{os.getpid()}")
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                for name, text in files.items():
                    (group / name).write_text(text)
            except OSError:
                group.rmdir()
                raise
            return group
    return None


@contextlib.contextmanager
def _memory(folder: Path) -> Iterator[Prefix]:
    """Somebody allocates a lot of memory and frees it, again and again."""

    def hog() -> NoReturn:
        while True:
            with mmap.mmap(-1, _HOG_BYTES) as memory:
                for at in range(0, _HOG_BYTES, mmap.PAGESIZE):
                    memory[at] = 1

    with _forked(hog):
        yield ()


@contextlib.contextmanager
def _another_run(folder: Path) -> Iterator[Prefix]:
    """Another run of the suite, in a folder of its own."""
    (folder / "beside").mkdir()
    chapters = ("tests/kernel/test_accept.py", "tests/kernel/test_accept_locks.py", "tests/kernel/test_signals.py")
    with Run(folder / "beside", *chapters, "--herd-preset=fast", "-p", "no:cacheprovider", "-q"):
        yield ()


BESIDE: Mapping[str, Callable[[Path], AbstractContextManager[Prefix]]] = {
    "nothing": _nothing,
    "a quota": _quota,
    "memory": _memory,
    "another run": _another_run,
}
"""Each gets a folder that it may use, and returns what to put before the run's command."""
