"""One guest, from its start to its end: what it prints, how far it came, and why it ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from . import console
from .processes import Processes
from .scripts import BEGAN, ENDED, FAILED

BOOTING, RUNNING = "booting", "running"
_LOOK_EVERY_S = 0.25
"""How often progress is reported; nothing waits for it."""
_LAST_WORDS_S = 5.0
"""How long the pipes of a guest that ended may stay open: until the kernel has killed the last of its processes."""


@dataclass(frozen=True)
class Pipes:
    """The three ends that a guest writes to."""

    console: int
    """What its kernel says."""
    output: int
    """What the command prints."""
    marks: int
    """How far it came (scripts.BEGAN and so on)."""


class Boot(Protocol):
    """A way to start a guest."""

    ends_with_command: bool
    """Whether the guest's own exit code is that of the command, and the marks' pipe takes its errors too."""

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        """Start it; the process whose end is the guest's end."""


@dataclass(frozen=True)
class Patience:
    """How long a guest may take, in seconds."""

    boot_s: float
    command_s: float
    silence_s: float = 1500.0
    """How long the command may print nothing.  pytest ends a case after 1,200 s (pytest.ini), if its clock goes on: an
    emulator that lost an interrupt under load slept for good, and its guest's clock with it."""


@dataclass
class Story:
    """What became of a guest."""

    began: bool = False
    """Whether the command was started."""
    code: int | None = None
    """The command's exit code; None if it did not come to its end."""
    reason: str | None = None
    """Why there is no exit code, in one sentence."""
    console: str = ""
    boots: int = 1
    booted_s: float | None = None
    """From the start until the command began."""
    took_s: float = 0.0
    notes: list[str] = field(default_factory=list)


Watch = Callable[[str, float], None]
"""Told the phase, and the seconds since the start, several times a second."""


class Keep:
    """A stream of the guest, kept in a file as it comes, and its end in memory: the disk may be full."""

    def __init__(self, path: Path, most: int = 4 << 20) -> None:
        self.text = b""
        self.problem: str | None = None
        self._most = most
        self._path = path
        self._file: int | None = None
        with self._noting():
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    def add(self, part: bytes) -> None:
        self.text = (self.text + part)[-self._most :]
        if self._file is not None and self.problem is None:
            with self._noting():
                while part:
                    part = part[os.write(self._file, part) :]

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problem = f"{self._path} could not be written whole: {error.strerror}"

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def follow(boot: Boot, folder: Path, patience: Patience, watch: Watch) -> Story:
    """Boot a guest and follow it to its end.  One that dies before the command began is booted once more.

    What it prints goes to `log.txt` and `console.txt` in `folder`.
    """
    story = _follow_once(boot, folder, patience, watch)
    if not story.began and story.code is None:
        first = story.reason
        story = _follow_once(boot, folder, patience, watch)
        story.boots = 2
        story.notes.append(f"booted twice, because the first time {first}")
    return story


def _follow_once(boot: Boot, folder: Path, patience: Patience, watch: Watch) -> Story:
    story = Story()
    ends = [os.pipe() for _ in range(3)]
    keeps = [Keep(folder / "console.txt"), Keep(folder / "log.txt")]
    writers = [writer for _, writer in ends]
    try:
        with Processes() as processes:
            process = boot.start(processes, Pipes(*writers))
            while writers:
                os.close(writers.pop())
            _read(story, boot, process, [reader for reader, _ in ends], keeps, patience, watch)
            processes.end()
            _drain([reader for reader, _ in ends[:2]], keeps)
    finally:
        for fd in (*writers, *(reader for reader, _ in ends)):
            os.close(fd)
        for keep in keeps:
            keep.close()
    # 126 and 127 are the launcher's, and above are signals: such a guest did not come to its end.
    if boot.ends_with_command and story.began and story.reason is None and 0 <= process.returncode < 126:
        story.code = process.returncode
    story.console = keeps[0].text.decode(errors="replace")
    story.notes += [keep.problem for keep in keeps if keep.problem]
    if story.code is None:
        story.reason = _in_words(story, process.returncode)
    return story


def _read(
    story: Story,
    boot: Boot,
    process: subprocess.Popen[bytes],
    readers: list[int],
    keeps: list[Keep],
    patience: Patience,
    watch: Watch,
) -> None:
    """Take in what comes until the guest has ended, or its time is up; then `story.reason` says so."""
    start = heard = time.monotonic()
    end = start + patience.boot_s
    marks = b""
    with selectors.DefaultSelector() as selector, contextlib.closing(_PidFd(process.pid)) as ended:
        for number, reader in enumerate(readers):
            selector.register(reader, selectors.EVENT_READ, number)
        selector.register(ended.fd, selectors.EVENT_READ, None)
        while True:
            now = time.monotonic()
            story.took_s = now - start
            watch(RUNNING if story.began else BOOTING, now - start)
            if now > end:
                limit = patience.command_s if story.began else patience.boot_s
                what = "the command did not end" if story.began else "the command did not begin"
                story.reason = f"{what} within {limit:.0f} s"
                return
            if story.began and now > heard + patience.silence_s:
                story.reason = f"the command printed nothing for {patience.silence_s:.0f} s: the guest hangs"
                return
            over = False
            for key, _ in selector.select(min(_LOOK_EVERY_S, end - now)):
                if key.data is None:
                    over = True
                    continue
                part = os.read(key.fd, 1 << 16)
                heard = time.monotonic()
                if not part:
                    selector.unregister(key.fd)
                elif key.data < len(keeps):
                    keeps[key.data].add(part)
                else:
                    *lines, marks = (marks + part).split(b"\n")
                    if boot.ends_with_command:
                        keeps[0].add(part)
                    for line in lines:
                        if _heed(story, line.decode(errors="replace").strip()) and story.began:
                            story.booted_s = story.booted_s or time.monotonic() - start
                            end = time.monotonic() + patience.command_s
            if over:
                # What it wrote before it ended is in the pipe still.
                while part := _now(readers[2]):
                    marks += part
                    if boot.ends_with_command:
                        keeps[0].add(part)
                for line in marks.split(b"\n"):
                    _heed(story, line.decode(errors="replace").strip())
                return


class _PidFd:
    def __init__(self, pid: int) -> None:
        self.fd = os.pidfd_open(pid)

    def close(self) -> None:
        os.close(self.fd)


def _heed(story: Story, mark: str) -> bool:
    """Take one mark into the story; whether it says that the command began just now."""
    word, _, rest = mark.partition(" ")
    if word == BEGAN and not story.began:
        story.began = True
        return True
    if word == ENDED and rest.isdigit():
        story.code = int(rest)
    elif word == FAILED:
        story.reason = rest
    return False


def _drain(readers: list[int], keeps: list[Keep]) -> None:
    """Read what is left until the last writer is gone: then nothing of the guest is alive."""
    end = time.monotonic() + _LAST_WORDS_S
    open_ = dict(zip(readers, keeps, strict=True))
    with selectors.DefaultSelector() as selector:
        for reader in open_:
            selector.register(reader, selectors.EVENT_READ)
        while open_ and time.monotonic() < end:
            for key, _ in selector.select(end - time.monotonic()):
                part = os.read(key.fd, 1 << 16)
                if part:
                    open_[key.fd].add(part)
                else:
                    selector.unregister(key.fd)
                    del open_[key.fd]


def _now(reader: int) -> bytes:
    """What can be read at once."""
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        return os.read(reader, 1 << 16) if selector.select(0) else b""


def _in_words(story: Story, code: int) -> str:
    """Why a guest came to no exit code: its own word, its kernel's last one, or how its process ended."""
    last = console.last_word(story.console)
    if story.reason:
        return f"{story.reason}{'; its kernel said: ' + last if last else ''}"
    when = "while the command ran" if story.began else "before the command began"
    if last:
        return f"the kernel died {when}: {last}"
    how = f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"
    how = f"was killed (signal {code - 128})" if 128 < code < 193 else how
    return f"the guest {how} {when}"
