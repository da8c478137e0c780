"""The GitHub workflow: actionlint finds nothing in it, and what it runs and collects is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from .tools import ROOT, need

WORKFLOW = ROOT / ".github" / "workflows" / "wakecheck.yml"
PINNED = re.compile(r"(uses: actions/[a-z-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+")


def lint(workflow: Path) -> subprocess.CompletedProcess[str]:
    """What actionlint says.  A run that found no file to look at fails the test."""
    (actionlint,) = need("actionlint")
    # By its bare name: the build that npm brings takes a path for a pattern.
    done = subprocess.run(
        [actionlint, workflow.name], cwd=workflow.parent, capture_output=True, text=True, timeout=120, check=False
    )
    assert "No workflow files" not in done.stdout, done.stdout
    return done


def test_actionlint_finds_nothing() -> None:
    done = lint(WORKFLOW)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing_by_version(tmp_path: Path) -> None:
    """An action that is named by a commit is not looked into; by a version it is: its inputs are checked."""
    copy = tmp_path / WORKFLOW.name
    # The newest that actionlint 1.7.7 knows.
    text, pinned = PINNED.subn(r"\1@v4", WORKFLOW.read_text(encoding="utf-8"))
    copy.write_text(text, encoding="utf-8")
    done = lint(copy)
    assert pinned
    assert done.returncode == 0, done.stdout + done.stderr


WRONG = {
    "runs-on: ubuntu-latest": "runs-on: ubuntu-oldest",
    "github.ref": "github.rfe",
    "timeout-minutes: 30": "timeout-minute: 30",
    "cancelled()": "canceled()",
    "uses: actions/checkout@": "uses: checkout@",
}


def test_actionlint_would_find_it(tmp_path: Path) -> None:
    """A copy with five mistakes: each is told with its line."""
    text = WORKFLOW.read_text(encoding="utf-8")
    for right, wrong in WRONG.items():
        assert right in text
        text = text.replace(right, wrong, 1)
    copy = tmp_path / WORKFLOW.name
    copy.write_text(text, encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    complained = {int(line) for line in re.findall(rf"^{WORKFLOW.name}:(\d+):", done.stdout, re.M)}
    lines = text.splitlines()
    spoilt = {number for wrong in WRONG.values() for number, line in enumerate(lines, 1) if wrong in line}
    assert spoilt <= complained, done.stdout


def test_every_action_is_pinned_by_commit() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    assert len(PINNED.findall(text)) == text.count("uses: ")


def test_every_command_of_the_suite_parses() -> None:
    """What the workflow types, `python -m probes` and `python -m pytest` understand."""
    from probes.__main__ import parser_for

    commands = re.findall(r"-m (probes|pytest) (.+)", WORKFLOW.read_text(encoding="utf-8"))
    assert {program for program, _ in commands} == {"probes", "pytest"}
    for program, arguments in commands:
        words = shlex.split(arguments.partition(" >> ")[0])
        if program == "probes":
            parser_for(words).parse_args(words)
        else:
            collect = [sys.executable, "-m", "pytest", *words, "--collect-only", "-q"]
            done = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
