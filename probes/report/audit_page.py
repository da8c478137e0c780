"""The answer of an audit as one HTML file, in the style of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def render(answer: Mapping[str, Any]) -> str:
    """The page for this answer, as a whole HTML document."""
    raise NotImplementedError
