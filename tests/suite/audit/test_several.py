"""`--pid` of a server with several listeners: they are audited one after the other, and shown in one table."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.audit.find import descendants
from probes.host import PROJECT

from .conftest import PATIENCE_S, Audit, command


@pytest.fixture
def two() -> Iterator[tuple[int, dict[str, str]]]:
    """A process whose children serve two ports, one of which herds: its pid, and the kind of server by port."""
    started = {kind: shlex.join(command(kind, 3, "0")) for kind in ("level", "exclusive")}
    # Each says its port on a line of its own, with its kind before it.
    script = " ".join(f"({line} | sed -u 's/^/{kind} /') &" for kind, line in started.items()) + " wait"
    with subprocess.Popen(["sh", "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline().split() for _ in started]
        try:
            yield parent.pid, {port: kind for kind, _, port in lines}
        finally:
            for pid in [*descendants(parent.pid), parent.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_each_is_audited(two: tuple[int, dict[str, str]], audit: Audit) -> None:
    pid, kinds = two
    answer = audit("--pid", pid)
    seen = {audited["listener"]["name"].rpartition(":")[2]: audited for audited in answer["listeners"]}
    assert {port: woken["woken"]["median"] for port, woken in seen.items()} == {
        port: 3 if kind == "level" else 1 for port, kind in kinds.items()
    }
    assert answer.code == 0


def test_the_table_the_page_and_the_limit(two: tuple[int, dict[str, str]], tmp_path: Path) -> None:
    pid, kinds = two
    line = [sys.executable, "-m", "probes", "audit", "--pid", str(pid), "--connections", "5", "--max-woken", "1"]
    line += ["--html", str(tmp_path / "page.html")]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    table = {row.split()[0].rpartition(":")[2]: row for row in done.stdout.splitlines() if row.startswith("127.0.0.1:")}
    for port, kind in kinds.items():
        assert ("herds" in table[port]) == (kind == "level"), done.stdout
        assert f"127.0.0.1:{port}" in (tmp_path / "page.html").read_text()


def test_a_port_chooses_one(two: tuple[int, dict[str, str]], audit: Audit) -> None:
    pid, kinds = two
    port = next(iter(kinds))
    assert audit("--pid", pid, "--port", port)["listener"]["name"] == f"127.0.0.1:{port}"
