"""What tables and charts say of where their figures come from."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

_LINE = 110
"""Letters that fit below a title."""


def notes(answer: Mapping[str, Any], *more: str) -> list[str]:
    """Lines below the title: kernel, CPUs, rounds; what else there is; why the figures are to be taken with care."""
    kernel = answer["kernel"]
    rounds = "1 round" if answer["rounds"] == 1 else f"{answer['rounds']} rounds"
    cpus = "1 CPU" if kernel["cpus"] == 1 else f"{kernel['cpus']} CPUs"
    first = "; ".join((f"Linux {kernel['release']} {kernel['machine']}, {cpus}, {rounds}", *more))
    return [line for text in (first, *(f"Take care: {mark}" for mark in answer["marks"])) for line in wrap(text, _LINE)]


def scene_in_words(cell: Mapping[str, Any]) -> str:
    """`8 workers, saturating, mixed work`."""
    workers = "1 worker" if cell["workers"] == 1 else f"{cell['workers']} workers"
    work = (
        "mixed work" if cell["work"] == "mixed" else "no work" if cell["work"] == "0" else f"{cell['work']} µs of work"
    )
    return f"{workers}, {cell['load']}, {work}"


def scene_in_file_names(cell: Mapping[str, Any]) -> str:
    """`saturating-mixed-8`."""
    return f"{cell['load']}-{cell['work']}-{cell['workers']}"
