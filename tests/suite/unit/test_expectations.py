"""Expectations: what is known does not fail, everything else does, in both directions; and bad files are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probes import catalogue, expectation_file
from probes.expectations import Expectation, Expectations, sentence
from probes.host import PROJECT
from probes.observers import WOKEN, names
from probes.report import expected, ktap, page

from .broken import AcceptHerdsSilently
from .fake_lab import FakeLab
from .inner import (  # noqa: F401  # fixtures
    WAKES_ONE,
    Pytest,
    _own_registry,
    cases_of_wakes_one,
    lab_fixture,
    run_fixture,
    run_json,
)

pytest_plugins = ["pytester"]

KNOWN = [{"id": claim, "cases": cases} for claim, cases in cases_of_wakes_one("default").items()]
SILENT = """
kernel = "a model that herds"

[[expected]]
claims = ["made.wakes-*"]
verdict = "broken"
reason = "it herds in silence"
"""


@pytest.fixture(autouse=True)
def _made_claims(_own_registry: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  # comes after it
    monkeypatch.setattr(catalogue, "load", lambda: KNOWN)
    monkeypatch.setattr(catalogue, "cases", cases_of_wakes_one)


# --- the file ----------------------------------------------------------------------------------


def entry(**changes: Any) -> str:
    """One entry as TOML; None leaves a key out."""
    keys = {"claims": ["made.wakes-one"], "verdict": "broken", "reason": "why", **changes}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value is not None]
    return "\n".join(["[[expected]]", *lines])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[expected", "is no TOML"),
        pytest.param("a = " + 5_000 * "9", "is no TOML that can be read here", id="many digits"),
        pytest.param("a = " + 5_000 * "[" + 5_000 * "]", "nests deeper than", id="deep"),
        ("expected = 3", "expected is written as [[expected]]"),
        ("kernel = 3", "kernel is a text"),
        ("# nothing yet", "it is empty: what this kernel does differently is an entry, [[expected]], each"),
        ("kernels = ''", "unknown key 'kernels' at the top; did you mean kernel"),
        (entry(reasons="x"), "unknown key 'reasons' in entry 1; did you mean reason"),
        (entry(colour="x"), "unknown key 'colour' in entry 1"),
        (entry(verdict="held"), "entry 1 expects 'held', which is none of broken, inconclusive, not applicable"),
        (entry(verdict=None), "entry 1 expects None"),
        (entry(reason=None), "entry 1 gives no reason"),
        (entry(reason=" "), "entry 1 gives no reason"),
        (entry(reason=7), "entry 1 gives no reason"),
        (entry(claims=None), "entry 1 needs either claims or controls"),
        (entry(controls=["null"]), "entry 1 needs either claims or controls"),
        (entry(claims="made.wakes-one"), "claims is a list of texts"),
        (entry(claims=["made.wakes-two"]), "'made.wakes-two' names no claim; did you mean made.wakes-one"),
        (entry(claims=["made.*", "lost.*"]), "'lost.*' names no claim"),
        (entry(cases=["select/*"]), "'select/*' names no case of its claims"),
        (entry(sometimes="yes"), "sometimes is true or false"),
        (entry(claims=None, controls=["zero"], verdict="not applicable"), "'zero' names no control"),
        (entry(claims=None, controls=["*"]), "a control can only be expected to be not applicable"),
        (entry(claims=None, controls=["*"], verdict="not applicable", cases=["*"]), "are for claims, not for controls"),
        (entry() + "\n" + entry(claims=["nobody"]), "entry 2: 'nobody' names no claim"),
    ],
)
def test_bad_file_is_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(text)
    with pytest.raises(expectation_file.BadExpectations) as caught:
        expectation_file.load(str(file))
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_file_that_never_ends_is_refused(tmp_path: Path) -> None:
    """A device and a pipe would be read, or waited for, for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * ((1 << 20) + 1))
    for name, words in (
        ("/dev/zero", "it is not a regular file"),
        (str(tmp_path / "pipe"), "it is not a regular file"),
        (str(tmp_path / "large"), "it has 1,048,577 bytes, and there can be 1,048,576"),
    ):
        with pytest.raises(expectation_file.BadExpectations) as caught:
            expectation_file.load(name)
        assert str(caught.value) == f"{name}: {words}"


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"kernel = '\xff'")
    for name, words in (
        ("none.toml", "cannot be read: No such file"),
        (".", "Is a directory"),
        ("latin.toml", "UTF-8"),
    ):
        with pytest.raises(expectation_file.BadExpectations, match=words):
            expectation_file.load(str(tmp_path / name))


def test_good_file(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(SILENT + entry(claims=["made.also-here"], cases=["*/n8t/*"], sometimes=True))
    expectations = expectation_file.load(str(file))
    assert (expectations.kernel, len(expectations.entries)) == ("a model that herds", 2)
    assert expectations.excuse("made.also-here", "accept/tcp4/n8t/hold/one-connection", "broken") == "why"


@pytest.mark.parametrize("file", sorted((PROJECT / "expectations").glob("*.toml")), ids=lambda file: file.stem)
def test_files_of_the_project_name_claims_that_exist(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    expectations = expectation_file.load(str(file))
    assert expectations.kernel
    assert expectations.entries


# --- what is expected --------------------------------------------------------------------------

ONLY_ACCEPT = Expectations("known.toml", "", (Expectation("broken", "it herds", ("made.*",), ("accept/*",)),))


def case(name: str, verdict: str) -> dict[str, str]:
    return {"id": name, "verdict": verdict}


@pytest.mark.parametrize(
    ("claim", "name", "verdict", "excuse"),
    [
        ("made.one", "accept/x", "broken", "it herds"),
        ("made.one", "accept/x", "inconclusive", None),
        ("made.one", "accept/x", "held", None),
        ("made.one", "poll/x", "broken", None),
        ("other.one", "accept/x", "broken", None),
    ],
)
def test_excuse(claim: str, name: str, verdict: str, excuse: str | None) -> None:
    assert ONLY_ACCEPT.excuse(claim, name, verdict) == excuse


@pytest.mark.parametrize(
    ("cases", "whole", "met"),
    [
        ([case("accept/x", "broken"), case("poll/x", "held")], True, True),
        ([case("accept/x", "held"), case("accept/y", "broken")], True, True),
        ([case("accept/x", "held"), case("poll/x", "broken")], True, False),
        ([case("accept/x", "inconclusive")], True, False),
        ([case("accept/x", "held")], False, None),
        ([case("accept/x", "broken")], False, True),
        ([case("poll/x", "held")], True, None),
        ([], True, None),
    ],
)
def test_whether_it_came_so(cases: list[dict[str, str]], whole: bool, met: bool | None) -> None:
    (expected,) = ONLY_ACCEPT.of_claim("made.one", cases, whole=whole)
    assert expected == {"verdict": "broken", "reason": "it herds", "pattern": "made.*", "met": met}


def test_a_race_may_be_held() -> None:
    race = Expectations("f", "", (Expectation("broken", "a race", ("made.one",), sometimes=True),))
    assert race.of_claim("made.one", [case("x", "held")], whole=True)[0]["met"] is None
    assert race.excuse("made.one", "x", "broken") == "a race"


def test_two_entries_of_one_claim_must_both_come() -> None:
    both = Expectations(
        "f", "", (Expectation("broken", "b", ("made.one",)), Expectation("inconclusive", "i", ("made.one",)))
    )
    expected = both.of_claim("made.one", [case("x", "broken"), case("y", "held")], whole=True)
    assert [expected["met"] for expected in expected] == [True, False]


def test_sentence_says_what_to_do() -> None:
    known = {"verdict": "broken", "pattern": "made.*"}
    said = sentence("made.one", "held", known, "known.toml")
    assert said.startswith("made.one was expected to be broken, and is held: remove 'made.*' from known.toml")
    assert said.endswith(", or narrow it to what still is")
    assert sentence("made.one", "held", {**known, "pattern": "made.one"}, "known.toml").endswith("from known.toml")


# --- a run -------------------------------------------------------------------------------------

Expecting = Callable[..., pytest.RunResult]


@pytest.fixture
def expecting(run: Pytest, pytester: pytest.Pytester) -> Expecting:
    """Run WAKES_ONE against this text of expectations."""

    def inner(text: str, *options: str) -> pytest.RunResult:
        (pytester.path / "known.toml").write_text(text)
        return run(WAKES_ONE, "--herd-expect", "known.toml", *options)

    return inner


def test_what_is_known_does_not_fail(expecting: Expecting, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    lab.kernel = AcceptHerdsSilently(0)
    done = expecting(SILENT, "--junit-xml=out.xml", "--herd-ktap=out.ktap")
    done.assert_outcomes(passed=10, xfailed=1)
    assert done.ret == pytest.ExitCode.OK
    assert "1, as expected: it herds in silence" in done.stdout.str()
    run = run_json(pytester)
    assert run["expectations"]["file"] == "known.toml"
    claim = run["claims"][0]
    assert (claim["verdict"], expected.reason(claim)) == ("broken", "it herds in silence")
    assert claim["expected"][0]["met"] is True
    assert 'name="wakecheck.expected" value="it herds in silence"' in (pytester.path / "out.xml").read_text()
    lines = (pytester.path / "out.ktap").read_text().splitlines()
    assert "ok 1 made.wakes-one # XFAIL broken, as expected: it herds in silence" in lines
    assert not any(line.strip().startswith("not ok") for line in lines)
    text = page.render(run)
    assert "Nothing is broken or inconclusive beyond what was expected" in text
    assert '<span class="expected">expected</span>' in text


def test_what_did_not_come_fails(expecting: Expecting, pytester: pytest.Pytester) -> None:
    done = expecting(SILENT, "--herd-ktap=out.ktap")
    done.assert_outcomes(passed=11)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    advice = "made.wakes-one was expected to be broken, and is held: remove 'made.wakes-*' from known.toml"
    assert advice in done.stdout.str().replace("\n", "")
    run = run_json(pytester)
    assert run["claims"][0]["expected"][0]["met"] is False
    assert advice in page.render(run).replace("&#39;", "'")
    assert "not ok 1 made.wakes-one" in ktap.render(run)


def test_what_is_newly_broken_fails_and_says_what_to_do(expecting: Expecting, lab: type[FakeLab]) -> None:
    lab.kernel = AcceptHerdsSilently(0)
    done = expecting('kernel = "healthy"')
    done.assert_outcomes(passed=10, failed=1)
    assert "not by known.toml" in done.stdout.str()
    assert "add 'made.wakes-one' there as 'broken', with the reason" in done.stdout.str()


def test_what_goes_beyond_the_expected_is_what_is_shown() -> None:
    claim = {
        "reason": "the known one",
        "verdict": "broken",
        "expected": [{"verdict": "broken", "reason": "known", "pattern": "*", "met": True}],
        "cases": [
            {"id": "a", "verdict": "broken", "reason": "the known one", "expected": "known"},
            {"id": "b", "verdict": "inconclusive", "reason": "too slow"},
        ],
    }
    assert expected.is_alarming(claim)
    assert expected.concern(claim) == "beyond what was expected, b is inconclusive: too slow"
    assert expected.concern({**claim, "expected": []}) == "the known one"


def test_another_verdict_than_the_expected_one_fails(expecting: Expecting, lab: type[FakeLab]) -> None:
    lab.stuck = "accept"
    done = expecting(SILENT, "-k", "made.wakes-one")
    done.assert_outcomes(passed=1, failed=1)


def test_inconclusive_can_be_expected(expecting: Expecting, lab: type[FakeLab]) -> None:
    lab.stuck = "accept"
    done = expecting(SILENT.replace('"broken"', '"inconclusive"'), "-k", "made.wakes-one")
    done.assert_outcomes(passed=1, xfailed=1)
    assert done.ret == pytest.ExitCode.OK


def test_not_applicable_can_be_expected(expecting: Expecting, lab: type[FakeLab]) -> None:
    text = entry(claims=["made.also-here"], verdict="not applicable")
    assert expecting(text).ret == pytest.ExitCode.TESTS_FAILED
    lab.lacks = "accept"
    assert expecting(text).ret == pytest.ExitCode.OK


def test_what_was_not_asked_in_full_is_not_missed(expecting: Expecting, pytester: pytest.Pytester) -> None:
    """The broken case may be among those that were left out."""
    assert expecting(SILENT, "-k", "poll").ret == pytest.ExitCode.OK
    assert run_json(pytester, "report/partial")["claims"][0]["expected"][0]["met"] is None


def test_another_claim_that_was_left_out_does_not_matter(expecting: Expecting) -> None:
    assert expecting(SILENT, "-k", "made.wakes-one").ret == pytest.ExitCode.TESTS_FAILED


def test_failing_control_excuses_nothing(expecting: Expecting, lab: type[FakeLab]) -> None:
    lab.failing_control = "silent"
    done = expecting(entry(claims=["made.*"], verdict="inconclusive"))
    done.assert_outcomes(failed=11)


def test_control_without_its_observer_can_be_expected(expecting: Expecting, pytester: pytest.Pytester) -> None:
    blind = [word for name in names(WOKEN) for word in ("--herd-without", name)]
    text = entry(claims=None, controls=["*"], verdict="not applicable")
    text += "\n" + entry(claims=["made.*"], cases=["*"], verdict="inconclusive").replace("made.*", "made.wakes-one")
    assert expecting(text, *blind).ret == pytest.ExitCode.OK
    assert run_json(pytester, "report/other")["expectations"]["controls"]["null"][0]["met"] is True
    done = expecting(entry(claims=None, controls=["null"], verdict="not applicable"))
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "control null was expected to be not applicable, and is held: remove 'null'" in done.stdout.str()


@pytest.mark.parametrize("text", ["[[expected", entry(claims=["nobody"])])
def test_bad_file_ends_pytest_before_it_begins(text: str, expecting: Expecting) -> None:
    done = expecting(text)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    said = [line for line in done.errlines if line]
    assert len(said) == 1
    assert said[0].startswith("ERROR: --herd-expect: known.toml")
