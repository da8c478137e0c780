"""Finds a part of the lab by the place that a table names, so that a part is registered by its row alone."""

from __future__ import annotations

import importlib
from typing import Any


def find(package: str, place: str) -> Any:
    """What `place` (MODULE.NAME) is in `package`, imported now: a class or a function."""
    module, name = place.split(".")
    return getattr(importlib.import_module(f"{package}.{module}"), name)
