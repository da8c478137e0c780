"""Writing files: whole or not at all, never through a link that somebody else has planted, and one run in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probes.report.files import lock, resolved, why_not_writable, write_elsewhere, write_whole
from probes.report.journal import Journal

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user's link takes root to make")


@pytest.fixture
def everybodys(tmp_path: Path) -> Path:
    """A folder like /tmp."""
    folder = tmp_path / "everybody's"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def _plant(link: Path, target: Path) -> None:
    """Another user's link."""
    link.symlink_to(target)
    os.lchown(link, NOBODY, NOBODY)


# --- links -------------------------------------------------------------------------------------


@needs_root
def test_planted_link_is_not_written_through(everybodys: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.write_text("precious")
    _plant(everybodys / "run.json", ours)
    with pytest.raises(OSError, match="is a link that another user put there"):
        write_whole("new", everybodys / "run.json")
    assert ours.read_text() == "precious"
    problem = why_not_writable(everybodys / "run.json")
    assert problem is not None
    assert "is a link that another user put there" in problem


@needs_root
def test_planted_folder_is_not_entered(everybodys: Path, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    _plant(everybodys / "report", tmp_path / "ours")
    for path in (everybodys / "report" / "run.json", everybodys / "report" / "new" / ".." / "run.json"):
        with pytest.raises(OSError, match="another user"):
            write_whole("new", path)
    assert list((tmp_path / "ours").iterdir()) == []


@needs_root
def test_link_to_a_planted_link_is_not_followed(everybodys: Path, tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("precious")
    _plant(everybodys / "planted", tmp_path / "ours")
    (tmp_path / "link").symlink_to(os.path.join("everybody's", "planted"))
    with pytest.raises(OSError, match="another user"):
        write_whole("new", tmp_path / "link")
    assert (tmp_path / "ours").read_text() == "precious"


@needs_root
def test_journal_gives_up_rather_than_follow_a_planted_link(everybodys: Path, tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("precious")
    _plant(everybodys / "journal", tmp_path / "ours")
    journal = Journal(everybodys / "journal")
    journal.add("cases", "3")
    journal.close()
    assert (tmp_path / "ours").read_text() == "precious"


def test_our_own_link_is_followed_anywhere(everybodys: Path, tmp_path: Path) -> None:
    (everybodys / "link").symlink_to(tmp_path / "file")
    write_whole("new", everybodys / "link")
    assert (everybodys / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


@needs_root
def test_link_in_a_folder_that_is_not_everybodys_is_followed(tmp_path: Path) -> None:
    _plant(tmp_path / "link", tmp_path / "file")
    write_whole("new", tmp_path / "link")
    assert (tmp_path / "file").read_text() == "new"


def test_resolved_is_what_the_kernel_would_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")
    monkeypatch.chdir(tmp_path / "a")
    for path in ("../link/../c", "b/../c", tmp_path / "link" / ".." / "c", "./none/there"):
        assert resolved(path) == Path(os.path.realpath(path))


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        write_whole("new", tmp_path / "one" / "run.json")


# --- pipes -------------------------------------------------------------------------------------


def test_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device or address"):
        write_whole("text", tmp_path / "pipe")


def test_pipe_that_is_read_gets_all(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole("text", tmp_path / "pipe")
    assert os.read(reader, 64) == b"text"
    os.close(reader)


def test_what_must_be_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert why_not_writable(tmp_path / "pipe") is None
    assert why_not_writable(tmp_path / "pipe", regular=True) == f"{tmp_path}/pipe is not a regular file"
    assert why_not_writable(tmp_path / "new" / "file", regular=True) is None
    assert not (tmp_path / "new").exists()


# --- elsewhere, and alone ------------------------------------------------------------------------


def test_name_elsewhere_is_another_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    paths = {write_elsewhere("text", "wakecheck-run") for _ in range(3)}
    assert len(paths) == 3
    assert {path.read_text() for path in paths} == {"text"}


def test_folder_is_locked_once(tmp_path: Path) -> None:
    first = lock(tmp_path)
    assert first is not None
    with pytest.raises(BlockingIOError):
        lock(tmp_path)
    os.close(first)
    again = lock(tmp_path)
    assert again is not None
    os.close(again)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_locked_is_not_locked(tmp_path: Path) -> None:
    assert lock(tmp_path / "none") is None


def test_device_is_written_through() -> None:
    """A device, a pipe or a terminal as output is never replaced by a file."""
    terminal, end = os.openpty()
    name = os.ttyname(end)
    write_whole("one line\n", name)
    assert not os.path.isfile(name)
    assert os.read(terminal, 64).split() == [b"one", b"line"]
    os.close(end)
    os.close(terminal)


def test_file_behind_a_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("old")
    write_whole("new", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"
