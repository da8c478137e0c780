"""`wakecheck report` and `compare`: what they write, what they refuse, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probes import __main__
from probes.exits import BROKEN, CANNOT_JUDGE, WELL
from probes.report import compare
from probes.report.formats import FORMATS, render
from probes.report.run import load

from .test_command_line import Refused, refused  # noqa: F401  # a fixture

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"


# --- report ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        ("", "is empty"),
        ('{"schema": 1, "label": "half of', "is half-written"),
        ("not json", "is no JSON"),
        ("[]", "is not a run"),
        ('{"schema": 4}', "has schema 4: it was written by a newer wakecheck, and this one reads schemas 1 to 3"),
        ('{"schema": 1}', "is not a run of schema 1"),
    ],
)
def test_report_refuses(content: str | None, words: str, refused: Refused, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "run.json"
    if content is not None:
        file.write_text(content)
    said = refused("report", file)
    assert words in said
    assert str(file) in said


def test_report_on_a_folder(refused: Refused, tmp_path: Path) -> None:  # noqa: F811
    assert "is a directory" in refused("report", tmp_path)


@pytest.mark.parametrize("option", ["--html", "--ktap"])
def test_report_that_cannot_be_written(option: str, refused: Refused, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "run.json").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused("report", tmp_path / "run.json", option, tmp_path / "file" / "inside")


@pytest.mark.parametrize("option", ["--html", "--ktap", "--kcidb"])
def test_dash_is_no_file(
    option: str,
    refused: Refused,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "/dev/stdout" in refused("report", SAMPLE, option, "-", *([] if option == "--html" else ["--html", "x"]))
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_other_formats_are_of_one_run(name: str, refused: Refused, tmp_path: Path) -> None:  # noqa: F811
    assert "one run.json at a time" in refused("report", SAMPLE, SAMPLE, f"--{name}", "out")
    page, other = tmp_path / "index.html", tmp_path / name
    __main__.main(["report", str(SAMPLE), f"--html={page}", f"--{name}={other}"])
    assert other.read_text() == render(name, load(SAMPLE))


def _judged(*verdicts: str, partial: bool = False, control: str = "held") -> dict[str, Any]:
    """The sample with claims of these verdicts, and a summary that has not heard of them."""
    run: dict[str, Any] = json.loads(SAMPLE.read_text())
    claims = [
        {**run["claims"][0], "id": f"made.claim-{place}", "verdict": verdict, "cases": []}
        for place, verdict in enumerate(verdicts)
    ]
    return {**run, "claims": claims, "partial": partial, "controls": {"null": control}, "summary": {}}


def _foreseen(verdict: str, *, met: bool) -> dict[str, Any]:
    """A run of one claim that deviates, as an expectations file foresaw, or did not come so."""
    run = _judged(verdict)
    expected = {"verdict": "broken", "reason": "it is known", "pattern": "made.*", "met": met}
    run["claims"][0]["expected"] = [expected]
    return {**run, "expectations": {"file": "known.toml", "kernel": "", "controls": {}}}


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([_judged("held")], WELL),
        ([_judged("held", "not applicable", "measured")], WELL),
        ([_judged("held", "broken", "inconclusive")], BROKEN),
        ([_judged("held", "inconclusive")], CANNOT_JUDGE),
        ([_judged("held"), _judged("inconclusive")], CANNOT_JUDGE),
        ([_judged("broken"), _judged("inconclusive")], BROKEN),
        ([_judged("inconclusive"), _judged("broken"), _judged("held")], BROKEN),
        ([_judged()], CANNOT_JUDGE),
        ([_judged("held", partial=True)], CANNOT_JUDGE),
        ([_judged("held", control="broken")], CANNOT_JUDGE),
        ([_foreseen("broken", met=True)], WELL),
        ([_foreseen("held", met=False)], BROKEN),
        ([_foreseen("inconclusive", met=False)], BROKEN),
    ],
)
def test_exit_code_of_a_report(runs: list[dict[str, Any]], code: int, tmp_path: Path) -> None:
    """The worst of all runs, by their claims and whatever their summaries say: broken before inconclusive."""
    files = [tmp_path / f"{place}.json" for place in range(len(runs))]
    for file, run in zip(files, runs, strict=True):
        file.write_text(json.dumps(run))
    assert __main__.main(["report", *map(str, files), "--html", str(tmp_path / "page.html")]) == code


def test_several_runs_make_a_matrix_with_their_pages_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, verdict in (("old", "broken"), ("new", "held")):
        (tmp_path / f"{name}.json").write_text(json.dumps({**_judged(verdict), "label": name}))
    index = tmp_path / "matrix" / "index.html"
    assert (
        __main__.main(["report", *(str(tmp_path / f"{name}.json") for name in ("old", "new")), "--html", str(index)])
        == 1
    )
    assert {path.name for path in index.parent.iterdir()} == {"index.html", "old.html", "new.html"}
    out, err = capsys.readouterr()
    assert "the kernels differ on 1 of 1 claims" in out
    assert str(index) in out
    assert err == ""
    assert not (tmp_path / "index.html").exists()


def test_mixed_revisions_are_told_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "other"):
        run = _judged("held")
        run["suite"]["revision"] = name
        (tmp_path / f"{name}.json").write_text(json.dumps(run))
    files = [str(tmp_path / f"{name}.json") for name in ("one", "other")]
    assert __main__.main(["report", *files, "--html", str(tmp_path / "page.html")]) == WELL
    assert "warning: These runs are of 2 revisions of the suite" in capsys.readouterr().err


# --- compare -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (_judged("held"), _judged("held"), WELL),
        (_judged("held"), _judged("broken"), 1),
        (_judged("broken"), _judged("held"), WELL),
        (_judged("held", "held"), _judged("held"), 1),
        (_judged("held"), _judged("held", "broken"), CANNOT_JUDGE),
        (_judged("held"), _judged("broken", "broken"), 1),
    ],
)
def test_compare_ends_with_one_where_something_got_worse(
    before: dict[str, Any], after: dict[str, Any], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for file, run in zip(files, (before, after), strict=True):
        file.write_text(json.dumps(run))
    assert __main__.main(["compare", *map(str, files)]) == code
    assert ("worse (1)" in capsys.readouterr().out) == (code == 1)
    assert __main__.main(["compare", "--json", *map(str, files)]) == code
    assert bool(json.loads(capsys.readouterr().out)["worse"]) == (code == 1)


def test_compare_refuses_what_is_no_run(refused: Refused, tmp_path: Path) -> None:  # noqa: F811
    assert "does not exist" in refused("compare", SAMPLE, tmp_path / "none.json")


def test_help_of_compare_names_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["compare", "--help"])
    out = capsys.readouterr().out
    run = _judged("held")
    compared = compare.as_dict(run, {**_judged("broken"), "label": "other"})
    for key in (*compared, *compared["before"], *compared["worse"][0]):
        assert key in out, key
