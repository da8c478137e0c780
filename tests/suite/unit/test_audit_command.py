"""`wakecheck audit` as a command: where its page goes, and that it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes import __main__
from probes.audit.answer import nothing_known
from probes.exits import CANNOT_JUDGE


@pytest.mark.parametrize("as_json", [False, True])
def test_the_page_is_named(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error where standard output is for programs."""
    answer = {**nothing_known(), "verdict": "inconclusive", "sentence": "inconclusive: x", "exit_code": CANNOT_JUDGE}
    monkeypatch.setattr("probes.audit.auditing.audit", lambda request, tell: answer)
    page = tmp_path / "audits" / "page.html"
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
