"""Reading a file that the user names: a device, a pipe or gigabytes of zeros do not keep the reader busy."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from probes import __main__, bounded
from probes.exits import BAD_INPUT

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"


@pytest.mark.parametrize("command", [["report"], ["summary"], ["compare", str(SAMPLE)]], ids=lambda words: words[0])
def test_what_is_no_file_is_refused_at_once(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = tmp_path / "zeros"
    with large.open("wb") as file:
        file.truncate(3 << 30)
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        ("/dev/zero", "is not a run.json: it is not a regular file"),
        (str(large), "is not a run.json: it has 3,221,225,472 bytes, and there can be 268,435,456"),
        (str(tmp_path / "pipe"), "is empty"),
    ):
        assert __main__.main([*command, path]) == BAD_INPUT
        assert capsys.readouterr().err == f"wakecheck: {path} {words}\n"


def test_pipe_with_a_writer_is_read_to_its_end() -> None:
    """As in `<(zcat run.json.gz)`: more than a pipe holds."""
    reader, writer = os.pipe()

    def write() -> None:
        with open(writer, "w") as file:
            file.write("x" * 200_000)

    thread = threading.Thread(target=write)
    with open(reader, "rb"):
        thread.start()
        assert bounded.read(f"/dev/fd/{reader}", pipes=True) == "x" * 200_000
    thread.join()


def test_pipe_is_read_no_further_than_allowed() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb"):
        os.write(writer, b"x" * 11)
        with pytest.raises(bounded.BadFile, match="it has more than 10 bytes"):
            bounded.read(f"/dev/fd/{reader}", 10, pipes=True)
    os.close(writer)
