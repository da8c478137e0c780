"""pytest with the plugin, in this process, on a model kernel: options, outcomes, and the files it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from probes.host import PROJECT
from probes.observers import WOKEN, names
from probes.scenario import BadScenario

from .broken import AcceptHerdsSilently, AcceptHerdsVisibly
from .fake_lab import DeadLab, FakeLab
from .inner import WAKES_ONE, Pytest, _own_registry, lab_fixture, run_fixture, run_json  # noqa: F401  # fixtures

pytest_plugins = ["pytester"]

PLAYS = '''
from probes.claims import claim, man

@claim("made.plays", "So it is.", level="observed", basis=[man("poll", 2)])
def test_plays(play):
    """
    w0 --- L
    """
    seen = play("accept_queue.order", {"n": 3})
    seen.expect("served", True)
    seen.expect("in-vain", 0)
'''

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

# --- bad values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--herd-preset", "huge"], "invalid choice: 'huge'"),
        (["--herd-trials", "0"], "--herd-trials: 0 trials: there can be 1 to 1000"),
        (["--herd-trials", "1001"], "1001 trials: there can be 1 to 1000"),
        (["--herd-trials", "many"], "'many' is not a number of trials"),
        (["--herd-sizes", "0"], "--herd-sizes: 0 waiters: a scenario has 1 to 10,000"),
        (["--herd-sizes", "8,10000000"], "--herd-sizes: 10000000 waiters: a scenario has 1 to 10,000"),
        (["--herd-sizes", "8,x"], "--herd-sizes: 'x' is not a number of waiters"),
        (["--herd-sizes="], "--herd-sizes: '' is not a number of waiters"),
        (["--herd-one-in", "0"], "--herd-one-in: 0 cases: there can be 1 to 1000"),
        (["--herd-one-in", "few"], "'few' is not a number of cases"),
        (["--herd-without", "telescope"], "invalid choice: 'telescope'"),
        (["--herd-level", "certain"], "invalid choice: 'certain'"),
        (["--herd-level", "measured"], "invalid choice: 'measured'"),
        (["--herd-report", "file"], "file/index.html cannot be written"),
        (["--herd-report", "file/inside"], "file/inside/index.html cannot be written"),
        (["--herd-run", "folder"], "folder cannot be written"),
        (["--herd-ktap", "file/out.ktap"], "file/out.ktap cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_value(run: Pytest, pytester: pytest.Pytester, options: list[str], words: str) -> None:
    (pytester.path / "file").write_text("")
    (pytester.path / "folder").mkdir()
    done = run(ALL_LEVELS, *options)
    said = "\n".join(done.errlines)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert words in said
    assert "Traceback" not in said + "\n".join(done.outlines)
    assert len([line for line in done.errlines if words in line]) == 1


_BEYOND_FAST = "test_never_early[poll-20000000]"


def test_case_that_the_preset_lacks_is_named() -> None:
    """Where it was asked for by hand; all others are counted as deselected."""
    limits = "tests/kernel/test_limits.py"
    command = [sys.executable, "-m", "pytest", "--herd-preset=fast", "--collect-only", "-q"]
    done = subprocess.run(
        [*command, f"{limits}::{_BEYOND_FAST}"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == f"ERROR: {_BEYOND_FAST} is no case of the preset fast: choose another one"
    done = subprocess.run([*command, limits], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert re.search(r"\d+/\d+ tests collected \(\d+ deselected\)", done.stdout)


def test_real_program_refuses_too() -> None:
    command = [sys.executable, "-m", "pytest", "--herd-sizes", "0", "tests/kernel/test_accept.py"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == "ERROR: --herd-sizes: 0 waiters: a scenario has 1 to 10,000"
    assert "Traceback" not in done.stdout


# --- good values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "failed", "tolerated"),
    [
        ([], 3, 0),
        (["--herd-level", "lore"], 3, 0),
        (["--herd-level", "observed"], 2, 1),
        (["--herd-level", "documented"], 1, 2),
    ],
    ids=["default", "lore", "observed", "documented"],
)
def test_level(run: Pytest, pytester: pytest.Pytester, options: list[str], failed: int, tolerated: int) -> None:
    """A claim beyond the level is broken in the report all the same."""
    done = run(ALL_LEVELS, *options)
    done.assert_outcomes(failed=failed, xfailed=tolerated)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert [claim["verdict"] for claim in run_json(pytester)["claims"]] == ["broken"] * 3


@pytest.mark.parametrize(
    ("options", "cases"),
    [
        ([], 11),
        (["--herd-preset", "fast"], 5),
        (["--herd-sizes", "2,8,2"], 9),
        (["--herd-sizes", "200"], 8),
        (["--herd-one-in", "3"], 4),
        (["--herd-one-in", "20"], 2),
        (["--herd-one-in", "3", "-k", "made.also-here"], 3),
        (["--herd-one-in", "3", "-k", "made.wakes-one and poll"], 1),
        (["-k", "made.also-here"], 9),
        (["-k", "made.wakes-one"], 2),
    ],
    ids=lambda value: " ".join(value) or "default" if isinstance(value, list) else "",
)
def test_how_many_cases(run: Pytest, options: list[str], cases: int) -> None:
    done = run(WAKES_ONE, "--collect-only", "-q", *options)
    assert sum("::test_" in line for line in done.outlines) == cases


@pytest.mark.parametrize(("options", "trials"), [([], 4), (["--herd-trials", "2"], 3), (["--herd-preset", "fast"], 2)])
def test_how_many_trials(run: Pytest, pytester: pytest.Pytester, options: list[str], trials: int) -> None:
    run(WAKES_ONE, "-k", "made.wakes-one", "--herd-report=report", *options)
    cases = [case for claim in run_json(pytester)["claims"] for case in claim["cases"]]
    assert {len(case["trials"]) for case in cases} == {trials}
    assert all([trial["traced"] for trial in case["trials"]] == [False] * (trials - 1) + [True] for case in cases)


@pytest.mark.parametrize("options", [[], ["-k", "also-here"]])
def test_star_without_sense_is_one_sentence(run: Pytest, options: list[str]) -> None:
    done = run(WAKES_ONE.replace('star("accept")', 'star("accept", stimulus="one-write")'), *options)
    assert done.ret != pytest.ExitCode.OK
    text = done.stdout.str() + done.stderr.str()
    assert "test_also_here: stimulus 'one-write': a TCP listener on 127.0.0.1 is not written to" in text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert "probes/" not in text.partition("collecting")[2]


def test_star_without_sense_in_a_chapter_is_a_usage_error(run: Pytest, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> list[dict[str, str]]:
        raise BadScenario("test_it: stimulus 'one-write': a TCP listener on 127.0.0.1 is not written to")

    monkeypatch.setattr("probes.catalogue.load", load)
    done = run(WAKES_ONE, "--herd-claim", "made.wakes-one")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: test_it: stimulus 'one-write': a TCP listener on 127.0.0.1 is not written to"])
    assert "INTERNALERROR" not in done.stdout.str() + done.stderr.str()


def test_dash_is_no_file(run: Pytest, pytester: pytest.Pytester) -> None:
    done = run(WAKES_ONE, "--herd-ktap", "-")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: - is not a file to write (for standard output name /dev/stdout)*"])
    assert not (pytester.path / "-").exists()


def test_observer_that_is_done_without(run: Pytest, pytester: pytest.Pytester) -> None:
    blind = [word for name in names(WOKEN) for word in ("--herd-without", name)]
    done = run(WAKES_ONE, "-k", "made.wakes-one", *blind)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*inconclusive: woken was not observed (switches: switched off by --herd-without;*"])
    assert run_json(pytester, "report/other")["observers"]["switches"] == "switched off by --herd-without"


def test_without_ptrace_no_trial_is_traced(run: Pytest, pytester: pytest.Pytester) -> None:
    run(WAKES_ONE, "-k", "made.wakes-one", "--herd-without", "syscall_exit").assert_outcomes(passed=2)
    (claim,) = run_json(pytester, "report/other")["claims"]
    assert not any(trial["traced"] for case in claim["cases"] for trial in case["trials"])


def test_files_go_where_they_are_told(run: Pytest, pytester: pytest.Pytester) -> None:
    run(
        WAKES_ONE,
        "--herd-report",
        "a/b",
        "--herd-run",
        "c/run.json",
        "--herd-ktap",
        "d/out.ktap",
        "--herd-label",
        "mine",
    )
    assert (pytester.path / "a" / "b" / "index.html").exists()
    assert json.loads((pytester.path / "c" / "run.json").read_text())["label"] == "mine"
    assert (pytester.path / "d" / "out.ktap").read_text().startswith("KTAP version 1\n")


# --- outcomes ----------------------------------------------------------------------------------


def test_held_passes(run: Pytest, pytester: pytest.Pytester) -> None:
    done = run(WAKES_ONE)
    done.assert_outcomes(passed=11)
    judged = run_json(pytester)
    assert judged["partial"] is False
    assert judged["summary"]["held"] == 2
    assert set(judged["controls"].values()) == {"held"}


def test_broken_fails_with_the_whole_text(run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    lab.kernel = AcceptHerdsSilently(0)
    done = run(WAKES_ONE, "-k", "made.wakes-one")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        [
            "8 of 8 waiters were woken; the claim allows exactly 1 * made.wakes-one (observed)",
            "  returned   w? *woken, slept again  w*",
            "  observers  counters=1 * sched_waking=8     agree",
            "  again      wakecheck run accept/tcp4/n8/hold/one-connection --trials 25*",
        ]
    )
    assert "Traceback" not in "\n".join(done.outlines)
    (claim,) = run_json(pytester)["claims"]
    assert (claim["verdict"], claim["reason"]) == ("broken", "8 of 8 waiters were woken; the claim allows exactly 1")


def test_broken_question_fails_with_the_whole_text(run: Pytest) -> None:
    done = run(ALL_LEVELS, "-k", "made.observed")
    done.stdout.fnmatch_lines(
        [
            "the answer: ok; the claim allows EINVAL * made.observed (observed)",
            "  differs    the answer: ok; the claim allows EINVAL",
            "  claim      So it is.",
            "  kernel     *",
            "  basis      poll(2)",
            "  test       test_inner.py::test_observed",
            "  again      wakecheck judge test_inner.py::test_observed",
        ]
    )
    assert "Traceback" not in done.stdout.str()


def test_broken_experiment_fails_with_the_whole_text(run: Pytest) -> None:
    done = run(PLAYS)
    done.stdout.fnmatch_lines(
        [
            "woken in vain: 2; the claim allows 0 * made.plays (observed)",
            "  experiment accept_queue.order {'n': 3}",
            "  as allowed served: yes",
            "  differs    woken in vain: 2; the claim allows 0",
            "  noted      how many waited: 3",
            "  claim      So it is.",
            "  again      wakecheck judge test_inner.py::test_plays",
            "*w0 --- L",
        ]
    )


def test_blind_run_breaks_what_returns_and_says_no_yes(run: Pytest, lab: type[FakeLab]) -> None:
    """Without an observer of woken a visible herd is broken still, and a silent one is not called held."""
    blind = [word for name in names(WOKEN) for word in ("--herd-without", name)]
    text = WAKES_ONE.replace("assert seen.returned >= 1", "assert seen.returned == 1 or scenario.call == 'poll'")
    for kernel, words in (
        (AcceptHerdsSilently, "inconclusive: woken was not observed"),
        (AcceptHerdsVisibly, "8 of 8"),
    ):
        lab.kernel = kernel(0)
        done = run(text, "-k", "made.wakes-one", *blind)
        done.assert_outcomes(passed=1, failed=1)
        assert words in done.stdout.str()


def test_call_that_the_kernel_has_not_is_skipped(run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    lab.lacks = "accept"
    done = run(WAKES_ONE, "-rs")
    done.assert_outcomes(passed=1, skipped=10)
    assert "not applicable: accept: ENOSYS" in done.stdout.str()
    assert [claim["verdict"] for claim in run_json(pytester)["claims"]] == ["held", "not applicable"]


@pytest.mark.parametrize("attribute", ["stuck", "run"])
def test_what_cannot_be_judged_fails(
    run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester, attribute: str
) -> None:
    setattr(lab, attribute, {"stuck": "accept", "run": _dies_at_accept}[attribute])
    done = run(WAKES_ONE, "-k", "made.wakes-one")
    done.assert_outcomes(passed=1, failed=1)
    assert "inconclusive: " in done.stdout.str()
    assert run_json(pytester)["claims"][0]["verdict"] == "inconclusive"


def _dies_at_accept(self: FakeLab, scenario: object, *, traced: bool) -> object:
    lab = DeadLab if scenario.call == "accept" else FakeLab
    return lab.run(self, scenario, traced=traced)


def test_failing_control_leaves_nothing_held(run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    lab.failing_control = "silent"
    run(WAKES_ONE).assert_outcomes(failed=11)
    judged = run_json(pytester)
    assert judged["controls"]["silent"] == "broken"
    assert {claim["verdict"] for claim in judged["claims"]} == {"inconclusive"}
    assert "the instrument failed its control: silent" in judged["claims"][0]["reason"]


@pytest.mark.parametrize("quiet", [["-q"], ["--no-header"]], ids=lambda quiet: quiet[0])
def test_quiet_run_writes_the_same_report(run: Pytest, pytester: pytest.Pytester, quiet: list[str]) -> None:
    """What the header shows must not depend on its being shown."""
    run(WAKES_ONE, *quiet)
    assert run_json(pytester)["isolation"] == "a model"


def test_junit_carries_verdict_and_figures(run: Pytest, pytester: pytest.Pytester) -> None:
    run(WAKES_ONE, "--junit-xml=out.xml")
    written = (pytester.path / "out.xml").read_text()
    for name in ("claim", "level", "verdict", "woken", "returned"):
        assert f'name="wakecheck.{name}"' in written


def test_conductor_that_replaces_another_runs_the_controls_again(
    run: Pytest, pytester: pytest.Pytester, lab: type[FakeLab]
) -> None:
    """The second conductor of this lab fails a control, so nothing of the run may be believed."""
    lab.dies_after = 1
    result = run(WAKES_ONE)
    judged = run_json(pytester)
    assert judged["controls"]["negative"] == "broken"
    assert {claim["verdict"] for claim in judged["claims"]} == {"inconclusive"}
    assert result.ret == 1


def test_run_without_a_time_limit_is_refused_in_one_sentence() -> None:
    """`-p no:timeout` takes the options of pytest-timeout away, which pytest.ini names."""
    command = [sys.executable, "-m", "pytest", "-p", "no:timeout", "--collect-only", "tests/kernel/test_accept.py"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == (
        "ERROR: pytest-timeout ends a case that hangs: run without -p no:timeout, and with it installed"
    )
