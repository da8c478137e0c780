"""Never ends: waits for a byte that nobody writes."""

from __future__ import annotations

import os


def test_hang() -> None:
    reader, _writer = os.pipe()
    os.read(reader, 1)
