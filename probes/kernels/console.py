"""What a guest's console shows: how its kernel died, and what to show of that."""

from __future__ import annotations

import re

from ..splats import message

_DEATHS = re.compile(
    r"Kernel panic - not syncing: .*|VFS: Unable to mount root.*|No working init found.*"
    r"|(?:qemu|qemu-system-x86_64|runsc|virtiofsd|linux\.uml)\S*: .*|no .* for a guest: .*"
    r"|^\S+: (?:No such file or directory|Permission denied|Exec format error)$",
    re.I,
)


def last_word(console: str) -> str | None:
    """The line that says how the kernel, or the program that plays it, died: of several the first, the cause."""
    for line in console.splitlines():
        if death := _DEATHS.search(message(line)):
            return death[0].strip().removeprefix("---[ ").split(" ]---")[0]
    return None


def tail(console: str, lines: int = 12) -> list[str]:
    """Its last lines, without empty ones and control characters."""
    clean = (re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]", "", line).rstrip() for line in console.splitlines())
    return [line for line in clean if line][-lines:]
