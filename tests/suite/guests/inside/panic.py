"""Panics the kernel, and refuses to do so anywhere but in an emulated guest."""

from __future__ import annotations

from pathlib import Path

from probes import host


def test_panic() -> None:
    assert host.kernel()["emulated"], "this is no guest"
    Path("/proc/sysrq-trigger").write_text("c")
