"""Puts what was measured into the run.json of the same kernel, shorter than in the document for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KERNEL = ("release", "version", "machine", "emulated")
"""What must be the same: a figure of another kernel says nothing about this one."""
DIGITS = 5
"""More say nothing: no figure is known to a part in ten thousand."""


def other_kernel(run: Mapping[str, Any], kernel: Mapping[str, Any]) -> str | None:
    """In which way the run is of another kernel than this one, in words; None if it is the same."""
    for key in KERNEL:
        if run["kernel"][key] != kernel[key]:
            return f"{key} {run['kernel'][key]} there, {kernel[key]} here"
    return None


def shortened(value: Any) -> Any:
    """The document with every fraction to DIGITS significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return value
