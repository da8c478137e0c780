"""Where kernels and tools are kept, and the record of what they are."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..exits import BadInput
from .safety import insist_on_safety

VARIABLE = "WAKECHECK_CACHE"
RECORD = "record.json"


class Missing(BadInput):
    """A kernel or a tool is not here; the message is one sentence that names the command that gets it."""


class Cache:
    """A folder with a subfolder for each kernel and each set of tools, and the packages they came from.

    Programs in it are run, often by root, so it is used only if nobody else can change it (safety.py).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def packages(self) -> Path:
        """The packages as they were downloaded: the archive forgets versions, this folder does not."""
        return self.folder / "packages"

    @property
    def apt(self) -> Path:
        return self.folder / "apt"

    def place(self, name: str) -> Path:
        """Where the unpacked kernel or tools of this name are, or would be."""
        return self.folder / "unpacked" / name

    def fetched(self, name: str) -> Path:
        """Where the unpacked kernel of this name is.  Raises Missing with the command that gets it, and Unsafe."""
        if self.record(name) is None:
            raise Missing(f"{name} is not fetched: wakecheck kernels get {name}")
        insist_on_safety(self.folder, self.place(name))
        return self.place(name)

    @contextlib.contextmanager
    def sole_use(self, say: Callable[[str], None]) -> Iterator[None]:
        """Nobody else fetches into it while this lasts; `say` hears of a wait.  Raises Unsafe and OSError.

        The lock (flock(2)) is on the folder itself, so it leaves nothing behind, and a killed process frees it.
        """
        for folder in (self.folder, self.apt, self.packages):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        insist_on_safety(self.folder, self.apt, self.packages, whole=False)
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"waiting for another fetch into {self.folder}")
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def record(self, name: str) -> dict[str, Any] | None:
        """What was fetched under this name: package, version, sha256 and more; None if nothing was, whole."""
        try:
            record = json.loads((self.place(name) / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and isinstance(record.get("version"), str) else None

    def keep_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Write the record; it comes last, so that what has one is whole."""
        text = json.dumps(record, indent=1, sort_keys=True)
        (self.place(name) / RECORD).write_text(text + "\n", encoding="utf-8")


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """WAKECHECK_CACHE, or `wakecheck/kernels` below the user's cache folder (XDG Base Directory Specification)."""
    if chosen := environment.get(VARIABLE):
        return Path(chosen)
    base = environment.get("XDG_CACHE_HOME", "")
    # A relative path is to be ignored, says the specification.
    parent = Path(base) if base.startswith("/") else Path(environment.get("HOME") or Path.home()) / ".cache"
    return parent / "wakecheck" / "kernels"


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()
