"""Neighbours that mean harm: they neither stop an audit nor lead it to somebody else's server."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from probes.host import PROJECT

from .conftest import PATIENCE_S, Audit, Start

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


@needs_root
@pytest.mark.parametrize("how", ["link", "path"])
def test_a_containers_socket_is_not_looked_for_on_the_host(
    start: Start, audit: Audit, tmp_path: Path, how: str
) -> None:
    """In the container's root, /run/app is an absolute link; outside, the same words lead to a server of the host."""
    folder = tmp_path / "srv"
    folder.mkdir()
    root = tmp_path / "root"
    inside = root / folder.relative_to("/")
    inside.mkdir(parents=True)
    (root / "link").symlink_to(folder)
    on_host = start("level", address=str(folder / "s"))
    path = "/link/s" if how == "link" else str(folder / "s")
    contained = start("level", address=f"in:{root}:{path}")
    answer = audit("--pid", contained.process.pid, "--unix", path, "--send", "secret")
    assert answer["woken"] == {"min": 4, "median": 4, "max": 4}, answer.text
    on_host.end()
    contained.end()
    assert (on_host.count("took"), contained.count("took")) == (0, 10)


@needs_root
def test_a_path_that_leads_out_of_the_container_is_not_followed(start: Start, audit: Audit, tmp_path: Path) -> None:
    """The link was put there after the server had bound its socket; inside, it leads nowhere."""
    root = tmp_path / "root"
    (root / "run").mkdir(parents=True)
    contained = start("level", address=f"in:{root}:/run/s")
    on_host = start("level", address=str(tmp_path / "s"))
    (root / "run/s").unlink()
    (root / "run/s").symlink_to(tmp_path / "s")
    answer = audit("--pid", contained.process.pid, "--unix", "/run/s", "--send", "secret")
    assert answer.code == 3, answer.text
    assert answer["reason"] == "/run/s cannot be reached: No such file or directory"
    on_host.end()
    assert on_host.count("took") == 0


NAMES = {
    "forged": b"x\n0000000000000000: 00000002 00000000 00010000 0001 01 8965 @forged",
    "columns": b"x\n1 2 3 no-number 5 6 7 8",
    "binary": b"\xff\xfe\n\x1b[2J",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_an_abstract_name_that_breaks_lines(start: Start, audit: Audit, name: bytes) -> None:
    """Any local user can bind one; it stops no audit of another server, and its forged lines are not believed."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(b"\0" + name)
        listener.listen()
        answer = audit("--port", start("exclusive").address)
        assert answer["verdict"] == "wakes one", answer.text
        assert audit("--unix", "@forged").text.startswith("wakecheck: nothing listens on @forged here")


def test_a_process_name_that_is_no_text(start: Start, audit: Audit) -> None:
    """comm may contain any byte but NUL (PR_SET_NAME, prctl(2)), and the audit reads that of every process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        Path("/proc/self/comm").write_bytes(b"\xff\xfe\n\x1b[2J")
        os.write(writer, b"x")
        signal.pause()
    try:
        assert select.select([reader], [], [], 60)[0]
        answer = audit("--port", start("exclusive").address)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)
        os.close(writer)
    assert answer["verdict"] == "wakes one", answer.text


def test_a_name_that_steers_the_terminal(start: Start) -> None:
    """A socket's name, or a command line: the text for people contains no control character but the newline."""
    name = f"@wakecheck\x1b[2J\n::error::{os.getpid()}"
    start("level", 2, address=name)
    line = [sys.executable, "-m", "probes", "audit", "--connections", "2", "--unix", name]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert r"wakecheck\x1b[2J\n::error::" in done.stdout
    assert not [letter for letter in done.stdout + done.stderr if not letter.isprintable() and letter != "\n"]
    refused = subprocess.run([*line[:-1], "@no\x1b"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert refused.stderr.startswith(r"wakecheck: nothing listens on @no\x1b here")
