"""A class name means one thing in all of Wakecheck."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from probes import host


def _classes(folder: Path) -> Iterator[tuple[str, str]]:
    """Each public class at the top of a module below `folder`: its name, and the module's path from there."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, str(path.relative_to(folder))


def _shared(folder: Path) -> dict[str, list[str]]:
    """The names that several classes have, and where they are."""
    paths = defaultdict(list)
    for name, path in _classes(folder):
        paths[name].append(path)
    return {name: where for name, where in paths.items() if len(where) > 1}


def test_no_two_public_classes_share_a_name() -> None:
    assert _shared(host.PROJECT / "probes") == {}


def test_shared_name_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class Row: ...\nclass _Private: ...\n")
    (tmp_path / "b.py").write_text("class Row: ...\nclass _Private: ...\nclass Other: ...\n")
    assert _shared(tmp_path) == {"Row": ["a.py", "b.py"]}
