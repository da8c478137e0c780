"""No setting of the whole machine breaks a claim.  No namespace has such settings, so a guest is booted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from . import machine_wide
from .outcomes import CODE


@pytest.mark.timeout(0)  # `kernels run` has a time limit of its own
def test_nothing_is_broken(tmp_path: Path) -> None:
    measured = machine_wide.measured(tmp_path)
    assert list(measured) == machine_wide.all_labels()
    assert {each[2] for judged in measured.values() for each in judged} <= {"held", "inconclusive", "not applicable"}
    assert [each for judged in measured.values() for each in judged if each[3] and CODE.search(each[3])] == []
    for user in (machine_wide.ROOT, machine_wide.ORDINARY):
        undisturbed = Counter(each[2] for each in measured[machine_wide.label_of("", "", user)])
        assert undisturbed["held"] > 0.9 * undisturbed.total(), undisturbed
