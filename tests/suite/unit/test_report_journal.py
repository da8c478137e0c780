"""The journal: what a run writes as it goes, and the partial run.json that is made of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from probes.judged import JudgedCase
from probes.report import assemble, journal
from probes.report.places import NoPlace, Places
from probes.report.run import load, violation

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"


def _journal(path: Path, *, cases: int) -> dict[str, Any]:
    """Write the journal that the sample run would have written; the sample."""
    run = load(SAMPLE)
    written = journal.Journal(path)
    written.add(journal.BEGIN, json.dumps({key: run[key] for key in ("label", "started", "suite", "kernel")}))
    why_not = {name: None if why is True else why for name, why in run["observers"].items()}
    greeting = {"isolation": run["isolation"], "fence": run["fence"], "why_not": why_not}
    written.add(journal.GREETING, json.dumps(greeting))
    controls = {name: (verdict, None) for name, verdict in run["controls"].items()}
    entries = [(claim, case) for claim in run["claims"] for case in claim["cases"]]
    for claim, case in entries[:cases]:
        bare = {key: value for key, value in claim.items() if key not in ("cases", "verdict", "reason")}
        written.add(journal.CASE, JudgedCase(bare, case, controls, fails=False).as_text())
    written.close()
    return run


def test_a_cut_off_journal_gives_a_partial_run(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    run = _journal(path, cases=2)
    with path.open("ab") as file:
        file.write(b'["case",{"claim":{"id":"cut')
    rebuilt = assemble.rebuild(path, "the kernel died: Kernel panic")
    assert rebuilt is not None
    assert violation(json.loads(json.dumps(rebuilt))) is None
    assert rebuilt["partial"] is True
    assert rebuilt["partial_reason"] == "the kernel died: Kernel panic"
    assert sum(len(claim["cases"]) for claim in rebuilt["claims"]) == 2
    assert rebuilt["kernel"]["release"] == run["kernel"]["release"]
    assert rebuilt["observers"] == run["observers"]
    assert sum(rebuilt["summary"].values()) == len(rebuilt["claims"])


def test_a_run_that_died_before_its_first_case_is_told_too(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    _journal(path, cases=0)
    rebuilt = assemble.rebuild(path, "it hung")
    assert rebuilt is not None
    assert violation(json.loads(json.dumps(rebuilt))) is None
    assert rebuilt["claims"] == []


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b'["begin",', b"{}\n[1,2,3]\n"])
def test_a_journal_that_tells_nothing_gives_no_run(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    assert assemble.rebuild(path, "it hung") is None
    assert assemble.rebuild(tmp_path / "nothing", "it hung") is None


def test_a_journal_that_cannot_be_written_is_given_up_and_ends_no_run() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = open_files()
    full = journal.Journal(Path("/dev/full"))
    assert open_files() == before + 1
    full.add(journal.CASES, "3")
    assert open_files() == before
    full.add(journal.CASES, "4")
    full.close()
    assert open_files() == before


def test_a_serial_port_takes_a_journal_and_a_fifo_does_not(tmp_path: Path) -> None:
    """A fifo keeps whoever opens it waiting for a reader."""
    ours, port = os.openpty()
    path = Path(os.ttyname(port))
    Places(str(tmp_path), None, {}, str(path), None).check()
    written = journal.Journal(path)
    written.add(journal.CASES, "4")
    written.close()
    assert os.read(ours, 100).strip() == b'["cases",4]'
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(NoPlace, match="is not a regular file"):
        Places(str(tmp_path), None, {}, str(tmp_path / "fifo"), None).check()
    for fd in (ours, port):
        os.close(fd)


@pytest.mark.parametrize("no_page", [False, True])
def test_somebody_else_makes_the_page(tmp_path: Path, no_page: bool) -> None:
    """And one that is there already would be taken for that of this run."""
    (tmp_path / "index.html").write_text("an old one")
    Places(str(tmp_path), None, {}, None, no_page=no_page).write(load(SAMPLE))
    assert (tmp_path / "run.json").exists()
    page = tmp_path / "index.html"
    assert page.exists() != no_page
    assert no_page or "an old one" not in page.read_text()


def test_the_page_of_another_run_stays(tmp_path: Path) -> None:
    """Here run.json goes elsewhere, so the page is of the one beside it."""
    (tmp_path / "index.html").write_text("of the run.json beside it")
    Places(str(tmp_path), str(tmp_path / "mine.json"), {}, None, no_page=True).write(load(SAMPLE))
    assert (tmp_path / "index.html").read_text() == "of the run.json beside it"


def test_an_old_page_that_stays_is_complained_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text("an old one")

    def denied(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", denied)
    places = Places(str(tmp_path), None, {}, None, no_page=True)
    places.write(load(SAMPLE))
    assert places.complaint is not None
    assert "the page of an earlier run stays: Operation not permitted" in places.complaint
