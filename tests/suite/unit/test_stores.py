"""Stores to memory that somebody else reads at the same time, such as the kernel a ring's tail."""

from __future__ import annotations

import mmap
import os
import sys
from typing import Literal

import pytest

from probes.stores import store

OLD, NEW = 0x0102030405060708, 0x1112131415161718


@pytest.mark.parametrize(("kind", "size"), [("I", 4), ("Q", 8)])
def test_a_store_changes_its_own_bytes_alone(kind: Literal["I", "Q"], size: int) -> None:
    memory = bytearray(b"." * 24)
    store(memory, 8, 0x01010101, kind)
    assert memory == b"." * 8 + (0x01010101).to_bytes(size, sys.byteorder) + b"." * (16 - size)


def test_nobody_sees_anything_but_the_old_value_and_the_new_one() -> None:
    """struct.pack_into shows zeros to one in a hundred looks."""
    memory, over = mmap.mmap(-1, mmap.PAGESIZE), mmap.mmap(-1, 1)
    store(memory, 0, OLD, "Q")
    pid = os.fork()
    if pid == 0:
        try:
            while not over[0]:
                store(memory, 0, NEW, "Q")
                store(memory, 0, OLD, "Q")
        finally:
            os._exit(0)
    with memoryview(memory) as whole, whole.cast("Q") as words:
        seen = {words[0] for _ in range(300_000)}
    over[0] = 1
    os.waitpid(pid, 0)
    assert seen <= {OLD, NEW}
