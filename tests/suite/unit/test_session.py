"""The test process's end of the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.lab.session import Lab
from probes.verdict import Inconclusive


def test_interpreter_that_cannot_be_started_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.touch(mode=0o600)
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(Inconclusive) as caught:
        Lab().greeting  # noqa: B018
    assert str(caught.value) == f"no conductor could be started: {program}: Permission denied"
