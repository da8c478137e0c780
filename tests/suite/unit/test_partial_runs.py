"""A run that left a case out says so, and never takes the place of the whole one; one run at a time writes there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probes import catalogue

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

FIRST = "test_inner.py::test_wakes_one[accept/tcp4/n8/hold/one-connection]"
PARTIAL = "report/partial"


@pytest.fixture(autouse=True)
def _no_other_claims(_own_registry: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  # comes after it
    monkeypatch.setattr(catalogue, "cases", cases_of_wakes_one)


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ((), "report"),
        (("--herd-preset=default",), "report"),
        (("--herd-preset=fast",), "report/fast"),
        (("--herd-sizes=2,8",), "report/other"),
        (("--herd-preset=fast", "--herd-trials=2"), "report/other"),
        (("--herd-without=switches",), "report/other"),
        (("--herd-preset=fast", "--herd-one-in=3"), "report/other"),
        (("--herd-preset=fast", "--herd-report=mine"), "mine"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_whole_run(run: Pytest, pytester: pytest.Pytester, options: tuple[str, ...], folder: str) -> None:
    """A run of a preset, or of sizes, with other cases than the default can be whole, too."""
    done = run(WAKES_ONE, *options)
    assert done.ret == pytest.ExitCode.OK
    written = run_json(pytester, folder)
    assert (written["partial"], written["partial_reason"]) == (False, None)
    assert not (pytester.path / PARTIAL).exists()
    assert "partial" not in done.stdout.str()


def test_run_with_other_options_does_not_replace_the_default_one(run: Pytest, pytester: pytest.Pytester) -> None:
    run(WAKES_ONE)
    files = {file.name: file.read_bytes() for file in (pytester.path / "report").iterdir()}
    started = run_json(pytester)["started"]
    done = run(WAKES_ONE, "--herd-preset=fast")
    assert {file.name: file.read_bytes() for file in (pytester.path / "report").glob("*.*")} == files
    done.stdout.fnmatch_lines(
        [
            "report: report/fast/run.json",
            "these options are not the default, so the report is in report/fast/; "
            f"report/ still holds the whole run of {started[:10]} {started[11:16]} UTC",
        ]
    )


@pytest.mark.parametrize("kind", [os.mkfifo, Path.touch], ids=["pipe", "file"])
@pytest.mark.parametrize("name", ["partial", "fast"])
def test_what_stands_in_the_place_of_a_folder_is_seen_before_the_run(
    run: Pytest, pytester: pytest.Pytester, kind: Callable[[Path], None], name: str
) -> None:
    (pytester.path / "report").mkdir()
    kind(pytester.path / "report" / name)
    done = run(WAKES_ONE, "--herd-preset=fast")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = (line for line in done.errlines if line)
    assert f"report/{name}/index.html cannot be written (report/{name} is not a folder)" in line


@pytest.mark.parametrize(
    ("options", "judged"),
    [
        (["-k", "poll"], 1),
        (["--deselect", FIRST], 10),
        (["--herd-claim=made.wakes-one"], 2),
        ([FIRST], 1),
        (["test_inner.py::test_also_here"], 9),
        (["-x"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_partial_run_keeps_to_its_own_place(
    run: Pytest,
    lab: type[FakeLab],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    judged: int,
) -> None:
    """In whichever way cases were left out.  The run says that the whole one is still there."""
    monkeypatch.setattr("probes.options.insist_on_known_claims", lambda config: None)
    monkeypatch.setattr("probes.plugin.insist_on_known_claims", lambda config: None)
    run(WAKES_ONE)
    files = {file.name: file.read_bytes() for file in (pytester.path / "report").iterdir()}
    started = run_json(pytester)["started"]
    lab.kernel = AcceptHerdsSilently(0)
    done = run(WAKES_ONE, *options)
    assert {file.name: file.read_bytes() for file in (pytester.path / "report").glob("*.*")} == files
    written = run_json(pytester, PARTIAL)
    assert written["partial"] is True
    assert written["partial_reason"] == f"{judged} of 11 cases were judged"
    assert sum(len(claim["cases"]) for claim in written["claims"]) == judged
    assert (pytester.path / PARTIAL / "index.html").exists()
    done.stdout.fnmatch_lines(
        [
            f"partial: {judged} of 11 cases were judged",
            "report: report/partial/run.json",
            f"report/ still holds the whole run of {started[:10]} {started[11:16]} UTC",
        ]
    )


def test_partial_run_goes_where_it_is_told(run: Pytest, pytester: pytest.Pytester) -> None:
    done = run(WAKES_ONE, "-k", "poll", "--herd-report=mine")
    assert run_json(pytester, "mine")["partial"] is True
    assert "still holds" not in done.stdout.str()
    assert not (pytester.path / "report").exists()


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"partial": true, "started": "2026-10-03T14:05"}', '{"partial": false}']
)
def test_what_is_no_whole_run_is_not_called_one(run: Pytest, pytester: pytest.Pytester, content: str) -> None:
    (pytester.path / "report").mkdir()
    (pytester.path / "report" / "run.json").write_text(content)
    assert "still holds" not in run(WAKES_ONE, "-k", "poll").stdout.str()


def test_run_without_a_claim_leaves_nothing_and_says_nothing(run: Pytest, pytester: pytest.Pytester) -> None:
    for text, options in (
        ("def test_plain(): pass", ()),
        ("def test_fails(): assert False\ndef test_more(): pass", ("-x",)),
        ("def test_interrupted(): raise KeyboardInterrupt", ()),
        (WAKES_ONE, ("-k", "nothing_is_called_so")),
        (WAKES_ONE, ("-k", "no expression")),
    ):
        done = run(text, *options)
        assert not (pytester.path / "report").exists()
        assert "= wakecheck =" not in done.stdout.str()


def test_run_whose_claims_cannot_be_told_is_partial(
    run: Pytest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chapter that was not asked for, and cannot be imported."""

    def cases(preset: str, sizes: object, one_in: int) -> dict[str, list[str]]:
        raise SyntaxError("a chapter being edited")

    monkeypatch.setattr(catalogue, "cases", cases)
    run(WAKES_ONE)
    assert run_json(pytester, PARTIAL)["partial_reason"] == "nobody knows how many cases a whole run has"


# --- stopped -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "words"), [("", "Ctrl-C"), ("SIGTERM", "SIGTERM")])
def test_stopped_run_is_partial_and_says_by_what(
    run: Pytest, pytester: pytest.Pytester, lab: type[FakeLab], value: str, words: str
) -> None:
    def stopped(self: FakeLab, scenario: object, *, traced: bool, **_: bool) -> object:
        if scenario.call == "poll":
            raise KeyboardInterrupt(*filter(None, [value]))
        return FakeLab.run(self, scenario, traced=traced)

    lab.run = stopped
    assert run(WAKES_ONE).ret == pytest.ExitCode.INTERRUPTED
    written = run_json(pytester, PARTIAL)
    assert written["partial_reason"] == f"stopped ({words}): 1 of 11 cases were judged"


def test_run_stopped_before_its_first_case_says_so(run: Pytest, pytester: pytest.Pytester, lab: type[FakeLab]) -> None:
    def stopped(self: FakeLab, scenario: object, *, traced: bool, **_: bool) -> object:
        raise KeyboardInterrupt

    lab.run = stopped
    run(WAKES_ONE)
    written = run_json(pytester, PARTIAL)
    assert (written["claims"], written["partial_reason"]) == ([], "stopped (Ctrl-C): 0 of 11 cases were judged")


# --- one run at a time -------------------------------------------------------------------------


@pytest.fixture
def _locked(pytester: pytest.Pytester) -> Iterator[None]:
    """Another run writes to the report's folder."""
    (pytester.path / "report").mkdir()
    descriptor = os.open(pytester.path / "report", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


@pytest.mark.usefixtures("_locked")
def test_second_run_into_one_folder_is_refused(run: Pytest, pytester: pytest.Pytester) -> None:
    done = run(WAKES_ONE)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    words = "ERROR: another run writes to report now: choose another place with --herd-report"
    assert [line for line in done.errlines if line] == [words]
    assert list((pytester.path / "report").iterdir()) == []


@pytest.mark.usefixtures("_locked")
@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("def test_plain(): pass", "-q"),
        (WAKES_ONE, "--collect-only"),
        (WAKES_ONE, "--herd-report=mine"),
        (WAKES_ONE, "--herd-journal=journal"),
    ],
    ids=["plain", "collect", "elsewhere", "guarded"],
)
def test_run_that_writes_nothing_there_goes_on(run: Pytest, text: str, option: str) -> None:
    """With a journal, who asked for it keeps others out (kernels/runner.py, which has this very lock)."""
    assert run(text, option).ret == pytest.ExitCode.OK


# --- what is there already ---------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--herd-report=.", "--herd-run=run.json", "--herd-journal=run.json"])
def test_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(
    run: Pytest, pytester: pytest.Pytester, option: str
) -> None:
    os.mkfifo(pytester.path / "run.json")
    done = run(WAKES_ONE, option)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = (line for line in done.errlines if line)
    assert line.endswith("run.json is not a regular file: choose another place with --herd-report or --herd-run")


def test_device_in_the_place_of_run_json_is_refused(run: Pytest) -> None:
    assert "/dev/null is not a regular file" in "\n".join(run(WAKES_ONE, "--herd-run=/dev/null").errlines)


def test_report_that_cannot_be_written_is_kept_where_nobody_can_guess(
    run: Pytest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full, say; and another user has put links to a file of ours where one would expect it."""
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (pytester.path / "ours").write_text("precious")
    for name in ("wakecheck-run.json", f"wakecheck-run-{os.getpid()}.json"):
        (pytester.path / name).symlink_to("ours")

    def full(text: str, path: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("probes.report.places.write_whole", full)
    done = run(WAKES_ONE)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["the report could not be written: No space left on device (report/run.json)"])
    assert (pytester.path / "ours").read_text() == "precious"
    (kept,) = (file for file in pytester.path.glob("wakecheck-run-*.json") if not file.is_symlink())
    assert json.loads(kept.read_text())["summary"]["held"] == 2
    assert f"report: {kept}" in done.stdout.str()
    assert kept.stat().st_mode & 0o077 == 0


def test_journal_is_not_written_through_a_planted_link(run: Pytest, pytester: pytest.Pytester) -> None:
    """A regular file that is there already is not overwritten either, but replaced: it may be linked elsewhere."""
    (pytester.path / "ours").write_text("precious")
    os.link(pytester.path / "ours", pytester.path / "journal")
    run(WAKES_ONE, "--herd-journal=journal")
    assert (pytester.path / "ours").read_text() == "precious"
    assert Path(pytester.path / "journal").read_text().startswith('["begin",')
