"""The `herd` fixture: which trials a case gets, and of which kind."""

from __future__ import annotations

from typing import Any

import pytest

from probes.evidence import Trial
from probes.scenario import Scenario

from .fake_lab import FakeLab
from .inner import Pytest, _own_registry, lab_fixture, run_fixture  # noqa: F401  # fixtures

pytest_plugins = ["pytester"]

SERIES = """
from probes.claims import claim, man
from probes.star import centre, over

@claim("made.each-is-taken", "So it is.", level="observed", basis=[man("accept", 2)])
@over(*(centre(call, "loop", "one-by-one", "k48") for call in ("accept", "accept4")))
def test_each_is_taken(herd, scenario):
    assert herd(scenario, in_part={in_part}).each_step("connections") == 1
"""


@pytest.mark.parametrize(
    ("options", "in_part", "trials"),
    [
        ([], False, [(48, False, True), (48, False, False), (48, False, False), (48, True, False)]),
        ([], True, [(48, False, True), (48, False, False), (48, False, False), (12, True, False)]),
        (["--herd-trials=2"], False, [(48, False, True), (48, False, False), (48, True, False)]),
        (["--herd-trials=1"], False, [(48, False, False), (48, True, False)]),
        (["--herd-preset=fast"], False, [(48, False, False), (48, True, False)]),
        (["--herd-preset=fast"], True, [(48, False, False), (12, True, False)]),
        (["--herd-preset=fast", "--herd-trials=2"], True, [(48, False, True), (48, False, False), (12, True, False)]),
    ],
)
def test_trials_of_a_case(
    run: Pytest, lab: type[FakeLab], options: list[str], in_part: bool, trials: list[tuple[int, bool, bool]]
) -> None:
    """Stimuli, traced, own memory: of several untraced trials the first is of waiters as fork(2) makes them."""
    seen = []

    def noted(self: FakeLab, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        if scenario.call == "accept":
            seen.append((scenario.k, traced, own_memory))
        answer: Any = FakeLab.run(self, scenario, traced=traced)
        return answer

    lab.run = noted
    run(SERIES.format(in_part=in_part), *options).assert_outcomes(passed=2)
    assert seen == trials


def test_own_memory_in_the_first_case(run: Pytest, lab: type[FakeLab]) -> None:
    """A claim's first case has waiters as fork(2) makes them; the others of the claim need not show that again."""
    seen = []

    def noted(self: FakeLab, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        seen.append((scenario.call, own_memory))
        answer: Any = FakeLab.run(self, scenario, traced=traced)
        return answer

    lab.run = noted
    run(SERIES.format(in_part=False)).assert_outcomes(passed=2)
    assert [call for call, own in seen if own] == ["accept"]
    assert len([call for call, _ in seen if call == "accept4"]) == 4
