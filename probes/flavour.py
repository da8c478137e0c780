"""Whose kernel this is: Linux as it comes, User-Mode Linux, or gVisor."""

from __future__ import annotations


def flavour() -> str:
    """linux, uml or gvisor."""
    if "User Mode Linux" in text("/proc/cpuinfo"):
        return "uml"
    # gVisor gives every sandbox this same constant version line (pkg/sentry/kernel: a fixed date).
    if "#1 SMP Sun Jan 10 15:06:54 PST 2016" in text("/proc/version"):
        return "gvisor"
    return "linux"


def text(path: str) -> str:
    """What a file of /proc says; nothing if it may not be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
