"""The instrument sees one wake-up, sees all of them, sees those that do not return, and sees none if there is none."""

from __future__ import annotations

import pytest

from probes.controls import CONTROLS, Control, ControlOutcome
from probes.verdict import HELD, NOT_APPLICABLE, NotApplicable


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_control(control: Control, controls: dict[str, ControlOutcome]) -> None:
    """
    eventfd --- w0 w1 ... w7            (silent, null: one eventfd, all read it)
    eventfd_i --- w_i                   (positive, negative: one eventfd each)
    """
    outcome = controls[control.name]
    if outcome.verdict == NOT_APPLICABLE:
        raise NotApplicable(str(outcome.reason))
    assert outcome.verdict == HELD, f"{control.sentence}  It was not so: {outcome.reason}"
