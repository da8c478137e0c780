"""README, CONTRIBUTING and docs: their links lead somewhere, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from probes.host import PROJECT

PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")])
_WITH_VALUE = "--herd-(?:preset|claim|trials|sizes|without|level|report|run|expect|label|ktap)"
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
_FILE = re.compile(r"`((?!probes/experiments/SUBJECT)(?:probes|tests|docs|ci|expectations|\.ci|\.github)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_named_are_there(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    assert [path for path in _FILE.findall(text) if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_option_and_its_value_have_an_equals_sign(page: Path) -> None:
    """Of those of a run: pytest may take what stands apart for a test path."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(rf"{_WITH_VALUE} +[\w./*]+(?=[^\n]*`|[ \n])", text) == []


def test_readme_says_why_each_dependency_is_there() -> None:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    declared = re.findall(r'^    "([a-z0-9-]+)>=', text.partition("\ndependencies = [")[2].partition("\n]")[0], re.M)
    readme = (PROJECT / "README.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    assert re.findall(r"^\| ([a-z0-9-]+) \|", readme, re.M)[1:] == declared


def test_ci_finds_its_command_in_the_readme() -> None:
    """.ci/run takes the line from there."""
    commands = re.findall(
        r"^python3 -m venv .* \.venv/bin/tox$", (PROJECT / "README.md").read_text(encoding="utf-8"), re.M
    )
    assert len(commands) == 1
