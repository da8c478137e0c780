"""`wakecheck audit` as a command: where its page goes, and that it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes import __main__
from probes.audit.answer import nothing_known
from probes.exits import BAD_INPUT, CANNOT_JUDGE


@pytest.mark.parametrize("as_json", [False, True])
def test_the_page_is_named(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error where standard output is for programs."""
    answer = {**nothing_known(), "verdict": "inconclusive", "sentence": "inconclusive: x", "exit_code": CANNOT_JUDGE}
    monkeypatch.setattr("probes.audit.auditing.audit", lambda request, tell: answer)
    page = tmp_path / "page.html"
    arguments = ["audit", "--port=80", f"--html={page}", *(["--json"] if as_json else [])]
    assert __main__.main(arguments) == CANNOT_JUDGE
    assert page.is_file()
    out, err = capsys.readouterr()
    where = f"page: {page}"
    if as_json:
        assert json.loads(out) == answer
        assert err.splitlines() == [where]
    else:
        assert out.splitlines()[-1] == where


@pytest.mark.parametrize("command", [["audit", "--port=80", "--html"], ["cost", "--quick", "--json"]], ids=" ".join)
def test_a_folder_that_is_not_there_is_told_first(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused before anything is measured, and no folder is made."""
    monkeypatch.setattr("probes.audit.auditing.audit", lambda *_: pytest.fail("it measured"))
    monkeypatch.setattr("probes.cost.measure.measure", lambda *_: pytest.fail("it measured"))
    assert __main__.main([*command, str(tmp_path / "slip" / "x.html")]) == BAD_INPUT
    told = f"wakecheck: {tmp_path}/slip/x.html cannot be written (there is no folder {tmp_path}/slip)\n"
    assert capsys.readouterr().err == told
    assert list(tmp_path.iterdir()) == []
