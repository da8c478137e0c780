"""Panics the kernel, and refuses to do so anywhere but in an emulated guest."""

from __future__ import annotations

from pathlib import Path


def test_panic() -> None:
    assert "QEMU TCG" in Path("/proc/cpuinfo").read_text(), "this is no guest"
    Path("/proc/sysrq-trigger").write_text("c")
