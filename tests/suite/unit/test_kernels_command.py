"""`python -m probes kernels`: what it refuses in one sentence, and what it makes of a guest's end."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from probes import __main__, host
from probes.exits import BAD_INPUT, BROKEN, CANNOT_JUDGE, FAULT, WELL
from probes.kernels import aftermath, runner, side_by_side
from probes.kernels.abreast import Stop
from probes.kernels.cache import RECORD, Cache
from probes.kernels.catalogue import find
from probes.kernels.guest import Patience, Story
from probes.kernels.progress import Progress
from probes.kernels.runner import JOURNAL, CannotBegin, GuestRun, Settings, Target

from .test_report_journal import SAMPLE, _journal


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "6.13"], "no kernel '6.13'; did you mean"),
        (["get", "unl-6.1"], "did you mean uml-6.1"),
        (["run"], "which kernel?"),
        (["run", "--modules", "/lib/modules"], "name it with --image"),
        (["run", "--image", "/dev/null"], "is no bzImage"),
        (["run", "--image", "/nothing"], "cannot be read (No such file or directory)"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["kernels", *arguments]) == BAD_INPUT
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("wakecheck: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("seconds", ["0", "-1", "ten", "nan", "1e9"])
def test_a_timeout_is_a_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(["kernels", "run", "6.1", f"--timeout={seconds}"])
    assert ended.value.code == BAD_INPUT
    assert "is not a number of seconds" in capsys.readouterr().err


def test_what_is_not_fetched_is_told_and_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["kernels", "run", "gvisor-2024-ptrace", f"--cache={tmp_path}", f"--out={tmp_path / 'out'}"]
    assert __main__.main(arguments) == BAD_INPUT
    assert "wakecheck kernels get gvisor-2024-ptrace" in capsys.readouterr().err
    assert not (tmp_path / "out").exists(), "what could not begin touches no earlier result"


def test_list_names_every_kernel_and_what_is_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = Cache(tmp_path)
    cache.place("6.1").mkdir(parents=True)
    cache.keep_record("6.1", {"version": "6.1.176-1"})
    assert __main__.main(["kernels", "list", f"--cache={tmp_path}"]) == WELL
    said = capsys.readouterr().out
    assert "6.1.176-1" in said
    assert "gvisor-2024-systrap" in said


def test_everything_after_two_dashes_is_for_pytest() -> None:
    ours, theirs = __main__.split(["kernels", "run", "6.1", "--", "-k", "a", "--", "b"])
    assert (ours, theirs) == (["kernels", "run", "6.1"], ["-k", "a", "--", "b"])
    assert __main__.split(["run", "poll/tcp4", "--", "x"]) == (["run", "poll/tcp4", "--", "x"], [])


def _outcome(folder: Path, **story: Any) -> GuestRun:
    for name in ("log.txt", "console.txt"):
        (folder / name).write_text("the last words\n")
    return GuestRun("6.1", folder, Story(began=True, **story))


def test_a_panic_becomes_a_partial_run_with_its_splats(tmp_path: Path) -> None:
    _journal(tmp_path / JOURNAL, cases=1)
    panic = "Kernel panic - not syncing: hung"
    outcome = _outcome(tmp_path, reason=f"the kernel died: {panic}", console=f"[ 1.0] {panic}\n")
    code, said = aftermath.summed_up(outcome)
    assert code == CANNOT_JUDGE
    assert f"the kernel died: {panic}" in said
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["partial_reason"] == f"the kernel died: {panic}"
    assert run["kernel"]["splats"] == [panic]
    assert (tmp_path / "index.html").exists()
    assert not (tmp_path / JOURNAL).exists()


def test_a_guest_that_judged_nothing_leaves_no_run(tmp_path: Path) -> None:
    code, said = aftermath.summed_up(_outcome(tmp_path, reason="the guest ended with code 1"))
    assert code == CANNOT_JUDGE
    assert "6.1: no run.json" in said
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("code", [WELL, BROKEN, BAD_INPUT])
def test_the_exit_code_is_that_of_judge(tmp_path: Path, code: int) -> None:
    if code in (WELL, BROKEN):
        run = json.loads(SAMPLE.read_text())
        run["partial"] = False
        run["controls"] = {}
        for claim in run["claims"]:
            claim["verdict"] = "broken" if code else "held"
        (tmp_path / "run.json").write_text(json.dumps(run))
    assert aftermath.summed_up(_outcome(tmp_path, code=code))[0] == code


def test_a_run_that_is_whole_keeps_no_journal(tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "run.json")
    _journal(tmp_path / JOURNAL, cases=1)
    assert runner.why_not_whole(_outcome(tmp_path, code=0)) is None
    aftermath.summed_up(_outcome(tmp_path, code=0))
    assert not (tmp_path / JOURNAL).exists()


def test_the_page_of_a_guest_is_made_here(tmp_path: Path) -> None:
    """The guest makes none."""
    shutil.copy(SAMPLE, tmp_path / "run.json")
    aftermath.summed_up(_outcome(tmp_path, code=0))
    assert "<html" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("console", ["", "[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/sched/core.c:1 f+0x1\n"])
def test_a_page_that_cannot_be_written_is_not_passed_over(tmp_path: Path, console: str) -> None:
    """Nor if run.json is written anew, with what the kernel complained of."""
    run = json.loads(SAMPLE.read_text())
    for claim in run["claims"]:
        claim["verdict"] = "held"
    (tmp_path / "run.json").write_text(json.dumps({**run, "partial": False, "controls": {}}))
    (tmp_path / "index.html").mkdir()
    code, said = aftermath.summed_up(_outcome(tmp_path, code=WELL, console=console))
    assert code == CANNOT_JUDGE
    assert ("its kernel complained" in said) == bool(console)
    assert "the page could not be written: Is a directory" in said


@pytest.mark.parametrize(
    ("names", "at_once", "longest"), [(["uml-7.2"], 2, 0.5), (["uml-7.2", "6.12"], 2, 1.0), (["uml-7.2", "6.12"], 1, 0)]
)
def test_only_beside_a_longer_one_does_a_short_one_make_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], at_once: int, longest: float
) -> None:
    heard: list[float] = []

    def run(target: Target, settings: Settings, *_: object) -> GuestRun:
        heard.append(settings.longest)
        raise OSError(5, "enough")

    monkeypatch.setattr(runner, "run", run)
    settings = Settings(Cache(tmp_path), tmp_path, Patience(1, 1))
    side_by_side.run([Target(kernel.name, kernel) for kernel in find(names)], settings, at_once, lambda _: [])
    assert heard == [longest] * len(names)


@pytest.mark.parametrize(("told", "believed"), [("0" * 40, True), ("sha256:0123456789abcdef", True), ("x\n<b>", False)])
def test_a_revision_that_is_told_must_look_like_one(monkeypatch: pytest.MonkeyPatch, told: str, believed: bool) -> None:
    monkeypatch.setenv(host.TOLD_REVISION, told)
    assert (host.revision() == told) is believed


def test_what_selects_no_test_is_bad_input(tmp_path: Path) -> None:
    _journal(tmp_path / JOURNAL, cases=0)
    code, said = aftermath.summed_up(_outcome(tmp_path, code=CANNOT_JUDGE))
    assert (code, said) == (BAD_INPUT, "6.1: these arguments for pytest select no test")
    assert not (tmp_path / JOURNAL).exists()


def test_a_partial_run_is_compared_with_its_expectations(tmp_path: Path) -> None:
    _journal(tmp_path / JOURNAL, cases=1)
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    begin = json.loads(lines[0])
    file = tmp_path / "odd.toml"
    file.write_text('kernel = "odd"\n[[expected]]\nclaims = ["accept.*"]\nverdict = "broken"\nreason = "It is odd."\n')
    begin[1]["suite"]["options"]["herd_expect"] = str(file)
    (tmp_path / JOURNAL).write_text("\n".join([json.dumps(begin), *lines[1:]]) + "\n")
    run = aftermath.salvaged(tmp_path, "it was stopped")
    assert run is not None
    assert run["expectations"]["kernel"] == "odd"


def test_a_folder_is_one_runners_at_a_time(tmp_path: Path) -> None:
    with (
        runner._sole_use(tmp_path),
        pytest.raises(CannotBegin, match="another run writes to"),
        runner._sole_use(tmp_path),
    ):
        pass
    with runner._sole_use(tmp_path):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "folder", "words"),
    [
        ("6.12", "/dev/shm/out", "such a guest has a /dev of its own"),
        ("gvisor-2022-ptrace", "/mnt/out", "such a guest has a /mnt of its own"),
        ("uml-7.2", "/tmp/a,b", "a path with a comma"),
        ("6.12", "/mnt/out", None),
        ("host", "/dev/shm/out", None),
    ],
)
def test_results_that_a_guest_cannot_see_are_refused(name: str, folder: str, words: str | None) -> None:
    target = Target(name, find([name])[0])
    if words is None:
        runner._insist_that_it_is_seen(target, Path(folder))
        return
    with pytest.raises(CannotBegin, match=words):
        runner._insist_that_it_is_seen(target, Path(folder))


@pytest.mark.parametrize("option", ["--out", "--cache", "--image"])
def test_links_in_a_circle_are_told(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loop").symlink_to("loop")
    kernel = [] if option == "--image" else ["6.12"]
    assert __main__.main(["kernels", "run", *kernel, option, str(tmp_path / "loop")]) == BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("count", ["0", "65", "-1", "two"])
def test_a_count_is_told_its_range(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(["kernels", "run", "6.1", f"--cpus={count}"])
    assert ended.value.code == BAD_INPUT
    assert "is not a number from 1 to 64" in capsys.readouterr().err


@pytest.mark.parametrize("record", ["{}", "[]", "1", '{"version": 1}', "{"])
def test_a_strange_record_is_none(record: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.place("6.1").mkdir(parents=True)
    (cache.place("6.1") / RECORD).write_text(record)
    assert cache.record("6.1") is None


def test_a_mistake_with_one_kernel_is_told_and_ends_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(runner, "run", mistaken)
    settings = Settings(Cache(tmp_path), tmp_path, Patience(1, 1))
    progress = Progress(Console(file=io.StringIO()), 1, lambda part: [])
    with progress.kernel("6.1", tmp_path / JOURNAL) as line:
        outcome, code, said = side_by_side._run_one(Target("6.1"), settings, line, Stop())
    assert (outcome, code) == (None, CANNOT_JUDGE)
    assert re.fullmatch(r"6\.1: a fault of Wakecheck itself \(test_kernels_command\.py, line \d+\): too deep", said)


@pytest.mark.parametrize("code", [BROKEN, FAULT])
def test_a_report_that_was_not_written_is_told(code: int, tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "run.json")
    outcome = _outcome(tmp_path, code=code)
    (tmp_path / "log.txt").write_text("...\nthe report could not be written: No space left on device\n...\n")
    exit_code, said = aftermath.summed_up(outcome)
    assert exit_code != WELL
    assert "\n  the report could not be written: No space left on device" in said
    assert ("wakecheck judge ended with code 4" in said) is (code == FAULT)
