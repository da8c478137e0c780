"""The test process's end of the lab."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from probes.lab import session
from probes.lab.session import Lab
from probes.scenario import Scenario
from probes.verdict import Inconclusive


def test_interpreter_that_cannot_be_started_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.touch(mode=0o600)
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(Inconclusive) as caught:
        Lab().greeting  # noqa: B018
    assert str(caught.value) == f"no conductor could be started: {program}: Permission denied"


@pytest.mark.parametrize(("n", "seconds"), [(8, 1), (2000, 3)])
def test_silent_conductor_is_given_up_later_where_there_are_many_waiters(
    n: int, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_PATIENCE_S", 1.0)
    with Lab() as lab:
        os.kill(lab.greeting["pid"], signal.SIGSTOP)
        with pytest.raises(Inconclusive) as caught:
            lab.run(Scenario("accept", n=n), traced=False)
    assert str(caught.value) == f"the conductor gave no answer within {seconds} s"
