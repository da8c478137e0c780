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

from .inner import ALL_LEVELS, WAKES_ONE, Pytest, _own_registry, lab_fixture, run_fixture, run_json  # noqa: F401  # fixtures

pytest_plugins = ["pytester"]

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
    """If it was named on the command line; all others are counted as deselected."""
    limits = "tests/kernel/test_limits.py"
    command = [sys.executable, "-m", "pytest", "--herd-preset=fast", "--collect-only", "-q"]
    done = subprocess.run(
        [*command, f"{limits}::{_BEYOND_FAST}"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == f"ERROR: {_BEYOND_FAST} is no case of the preset fast: choose another one"
    done = subprocess.run([*command, limits], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert re.search(r"\d+/\d+ tests collected \(\d+ deselected\)", done.stdout)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (f"test_limits.py::{_BEYOND_FAST}", f"{_BEYOND_FAST} is no case of the preset fast: choose another one"),
        (
            "test_limits.py::test_never_early[poll-3]",
            "not found: {chapters}/test_limits.py::test_never_early\n(no match in any of [<Module test_limits.py>])",
        ),
        ("test_nothing.py", "file or directory not found: {chapters}/test_nothing.py"),
    ],
)
def test_workers_of_xdist_say_why_they_refuse(test: str, said: str) -> None:
    """One sentence, as without workers, where pytest-xdist itself would say that there were no tests."""
    chapters = PROJECT / "tests/kernel"
    command = [sys.executable, "-m", "pytest", "--herd-preset=fast", "-n2", f"{chapters}/{test}"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == f"ERROR: {said.format(chapters=chapters)}"


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


def test_run_without_a_time_limit_is_refused_in_one_sentence() -> None:
    """`-p no:timeout` takes the options of pytest-timeout away, which pytest.ini names."""
    command = [sys.executable, "-m", "pytest", "-p", "no:timeout", "--collect-only", "tests/kernel/test_accept.py"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == (
        "ERROR: pytest-timeout ends a case that hangs: run without -p no:timeout, and with it installed"
    )
