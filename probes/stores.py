"""Stores to memory that the kernel, or another process, reads at the same time."""

from __future__ import annotations

import mmap
from typing import Literal


def store(memory: mmap.mmap | bytearray, at: int, value: int, kind: Literal["I", "Q"] = "I") -> None:
    """Write `value` at offset `at` in one go: a number of 4 bytes, or of 8 with the kind `Q` (struct), aligned.

    Not struct.pack_into, which clears the bytes before it packs anything (s_pack_internal, Modules/_struct.c): for a
    moment others read 0.
    """
    with memoryview(memory) as whole, whole.cast(kind) as words:
        words[at // words.itemsize] = value
