"""The Ansible playbook, against two machines that the test makes: what it brings back, and what it leaves."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.observers import WOKEN, names
from probes.report.run import load

from . import two_hosts
from .tools import ROOT, need, need_root

TIME_S = 300
"""Far more than one claim in the fast preset takes on both."""
PATIENCE_S = 60.0
ONE_CLAIM = "--herd-preset=fast --herd-claim=accept.wakes-one"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: ssh keeps the socket of a connection in it, and a socket's path has 108 bytes (unix(7))."""
    need_root("making two machines")
    need("ansible-playbook", "ip", "mount", "nsenter", "setpriv", "ssh", "ssh-keygen", "sshd", "unshare")
    with tempfile.TemporaryDirectory(prefix="wakecheck-ci-") as name:
        yield Path(name)


def beside_two_hosts(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start `command` with two machines to reach; they and it die with this test."""
    # Ansible's own files, which it keeps in the user's home otherwise.
    own = {"HOME": folder / "ansible", "SSH_CONTROL_PATH_DIR": folder / "cp", "REMOTE_TMP": folder / "tmp"}
    settings = {f"ANSIBLE_{name}": str(path) for name, path in own.items()}
    return subprocess.Popen(
        two_hosts.command(folder, *command),
        cwd=ROOT,
        # Ansible refuses to run where the locale is not UTF-8.
        env={**os.environ, **settings, "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def collect(folder: Path, variables: str) -> tuple[int, str]:
    """Run the playbook with these lines of an inventory; exit code and output.  Results: folder/results."""
    (ansible,) = need("ansible-playbook")
    given = folder / "variables.ini"
    given.write_text(
        f"{variables}\n[all:vars]\nwakecheck_results={folder}/results\nwakecheck_interpreter={sys.executable}\n"
    )
    inventories = ("-i", str(folder / "inventory.ini"), "-i", str(given))
    play = beside_two_hosts(folder, ansible, *inventories, str(ROOT / "ci" / "collect.yml"))
    try:
        output, _ = play.communicate(timeout=TIME_S)
    finally:
        play.kill()
    print(output)
    return play.returncode, output


def left_on_the_hosts(folder: Path) -> list[str]:
    """Files, and folders of ours: Ansible keeps some empty ones of its own."""
    own = [two_hosts.own_folder(folder, name) for name in two_hosts.HOSTS]
    return [str(path) for place in own for path in place.rglob("*") if path.is_file() or "wakecheck" in path.name]


def test_both_hosts_are_judged_and_brought_home(folder: Path) -> None:
    code, _ = collect(folder, f"[all]\none\ntwo\n[all:vars]\nwakecheck_options='{ONE_CLAIM}'")
    assert code == 0
    results = folder / "results"
    files = [results / f"{name}.json" for name in two_hosts.HOSTS]
    for name, file in zip(two_hosts.HOSTS, files, strict=True):
        run = load(file)
        assert run["label"] == name
        assert [(claim["id"], claim["verdict"]) for claim in run["claims"]] == [("accept.wakes-one", "held")]
        assert "held 1" in (results / f"{name}.log").read_text(encoding="utf-8")
    assert left_on_the_hosts(folder) == []
    page = results / "matrix.html"
    report = [sys.executable, "-m", "probes", "report", *map(str, files), "--html", str(page)]
    done = subprocess.run(report, cwd=ROOT, capture_output=True, text=True, timeout=TIME_S, check=False)
    assert done.returncode == 3, done.stdout + done.stderr  # one claim of all: both are partial
    matrix = page.read_text(encoding="utf-8")
    assert all(f"{name}.html" in matrix and (results / f"{name}.html").exists() for name in two_hosts.HOSTS)


def test_what_goes_wrong_on_one_host_leaves_the_other_whole(folder: Path) -> None:
    """A claim that is not held is a result; a host that brings none is named, and no old one stands for it."""
    blind = " ".join(f"--herd-without={observer}" for observer in names(WOKEN))
    (folder / "results").mkdir()
    (folder / "results" / "two.json").write_text("of an earlier run")
    code, output = collect(
        folder, f"[all]\none wakecheck_options='{ONE_CLAIM} {blind}'\ntwo wakecheck_options=--herd-trials=none\n"
    )
    assert code == 2
    assert load(folder / "results" / "one.json")["claims"][0]["verdict"] == "inconclusive"
    assert not (folder / "results" / "two.json").exists()
    assert f"two brought no run.json (pytest ended with 4): see {folder}/results/two.log" in output
    assert "'none' is not a number of trials" in (folder / "results" / "two.log").read_text(encoding="utf-8")
    assert left_on_the_hosts(folder) == []


def test_nothing_outlives_a_test_that_is_killed(folder: Path) -> None:
    """kill -9 of what holds the two machines: their sshd and whatever they ran are gone."""
    held = beside_two_hosts(folder, "sh", "-c", "echo ready; sleep 600")
    assert held.stdout is not None
    assert held.stdout.readline() == "ready\n"
    assert len(processes_of(folder)) > len(two_hosts.HOSTS)
    held.kill()
    held.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while processes_of(folder):
        assert time.monotonic() < deadline, processes_of(folder)
        os.sched_yield()
    assert "eth-one" not in Path("/proc/net/dev").read_text(encoding="utf-8")


def processes_of(folder: Path) -> list[str]:
    """The command lines of all processes that name the folder."""
    command_lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in line:
                command_lines.append(line)
    return command_lines
