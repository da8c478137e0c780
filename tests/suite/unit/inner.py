"""pytest with the plugin inside a test, in this process and on a model kernel: its fixtures, and a text of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from probes import catalogue, claims
from probes.report import run as run_files
from probes.star import PRESETS, centre, over, scenarios, star

from .fake_lab import FakeLab

WAKES_ONE = """
from probes.claims import claim, man
from probes.star import centre, over, star

@claim("made.wakes-one", "So it is.", level="observed", basis=[man("accept", 2)])
@over(centre("accept"), centre("poll", "accept"))
def test_wakes_one(herd, scenario):
    seen = herd(scenario)
    assert seen.returned >= 1
    if scenario.call == "accept":
        assert seen.woken == 1

@claim("made.also-here", "So it is.", level="observed", basis=[man("accept", 2)])
@over(star("accept"))
def test_also_here(herd, scenario):
    assert herd(scenario).won == 1
"""

ALL_LEVELS = """
import pytest
from probes.claims import claim, man

for level, truth in (("documented", None), ("observed", None), ("lore", "true")):
    def test(ask):
        ask("answer", "the answer", "EINVAL", lambda: None)
    test.__name__ = test.__qualname__ = f"test_{level}"
    globals()[test.__name__] = claim(
        f"made.{level}", "So it is.", level=level, basis=[man("poll", 2)], truth=truth
    )(test)
del test
"""


def cases_of_wakes_one(preset: str, sizes: Any = None, one_in: int = 1) -> dict[str, list[str]]:
    """What `catalogue.cases` would say if these were all claims that there are."""
    stars = {"made.wakes-one": (centre("accept"), centre("poll", "accept")), "made.also-here": (star("accept"),)}
    return {
        claim: list(scenarios(over(*of_claim)(lambda: None), PRESETS[preset], sizes))[::one_in]
        for claim, of_claim in stars.items()
    }


Pytest = Callable[..., pytest.RunResult]


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the claims of the inner tests afterwards; their runs are expected to judge these claims alone."""
    monkeypatch.setattr(claims, "_judges", dict(claims._judges))
    monkeypatch.setattr(catalogue, "cases", lambda preset, sizes=None, one_in=1: {})
    before = dict(claims.CLAIMS)
    yield
    claims.CLAIMS.clear()
    claims.CLAIMS.update(before)


@pytest.fixture(name="lab")
def lab_fixture(monkeypatch: pytest.MonkeyPatch) -> type[FakeLab]:
    """The lab that the inner run will have."""
    fake = type("Fake", (FakeLab,), {})
    monkeypatch.setattr("probes.fixtures.Lab", fake)
    return fake


@pytest.fixture(name="run")
def run_fixture(pytester: pytest.Pytester, lab: type[FakeLab]) -> Pytest:
    """Run the plugin on a text of tests."""

    def inner(text: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_inner=text)
        return pytester.runpytest_inprocess(
            *("-p", "probes.plugin", "-p", "no:cacheprovider", "-p", "no:randomly"), *options, no_reraise_ctrlc=True
        )

    return inner


def run_json(pytester: pytest.Pytester, folder: str = "report") -> dict[str, Any]:
    """The run.json that the inner run wrote."""
    return run_files.load(pytester.path / folder / "run.json")
