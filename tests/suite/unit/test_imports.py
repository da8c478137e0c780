"""Imports go one way: nouns <- strategies, stimuli, sources, observers <- lab <- what runs tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import probes

FOLDER = Path(probes.__file__).parent

NOUNS = (
    *(
        "",
        "address",
        "scenario",
        "evidence",
        "claims",
        "verdict",
        "expectations",
        "judged",
        "seen",
        "failure",
        "star",
        "host",
    ),
    *(
        "axes",
        "bounded",
        "chapters",
        "errnos",
        "exits",
        "facts",
        "flavour",
        "names",
        "nearest",
        "parts",
        "printable",
        "refusals",
        "rings",
        "schema",
        "splats",
        "stores",
        "syscalls",
        "sysctls",
    ),
)
"""`probes` itself holds the version."""
PARTS = ("strategies", "stimuli", "sources", "observers", "locks")
LAB = ("lab",)
REPORT = ("report",)
SAY_WHAT_THEY_ARE = ("observers",)
"""Parts that the report may ask for their names and descriptions."""
DRAWS = ("cost",)
"""What draws: the report shows its charts, which are made of a document and need no lab."""
MAY_IMPORT_REPORT = ("plugin.py", "options.py", "reporting.py", "commands/", "kernels/aftermath.py")
"""What pytest calls, and the commands."""


def _layer(name: str) -> int:
    """0 for a noun, upwards; what has no place below may import everything but the report."""
    for layer, names in enumerate((NOUNS, PARTS, LAB)):
        if name in names:
            return layer
    return 3


def _modules() -> list[Path]:
    return sorted(path for path in FOLDER.rglob("*.py"))


def _imports(file: Path, folder: Path = FOLDER) -> Iterator[tuple[int, str]]:
    """Line and first name below `probes` of everything that this file imports from the suite."""
    package = ["probes", *file.relative_to(folder).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _below_probes(node.lineno, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base += node.module.split(".") if node.module else []
            # `from . import host` names a module; `from .host import kernel` a thing in one.
            for alias in node.names if base == ["probes"] else [None]:
                yield from _below_probes(node.lineno, [*base, alias.name] if alias else base)


def _below_probes(line: int, name: list[str]) -> Iterator[tuple[int, str]]:
    if name[0] != "probes":
        return
    place = name[1] if len(name) > 1 else ""
    known = (FOLDER / place).is_dir() or (FOLDER / f"{place}.py").exists()
    yield line, place if known else ""


def _wrong(file: Path, folder: Path = FOLDER) -> list[str]:
    """Every import of this file that goes the wrong way, in words."""
    inside = file.relative_to(folder)
    name = inside.parts[0].removesuffix(".py").replace("__init__", "")
    wrong = []
    for line, imported in _imports(file, folder):
        if imported == name:
            continue
        if imported in REPORT and not str(inside).startswith(MAY_IMPORT_REPORT):
            reason = "only the plugin and the commands import the report"
        elif name in REPORT and imported not in (*NOUNS, *SAY_WHAT_THEY_ARE, *DRAWS):
            reason = "the report imports nouns only"
        elif name not in REPORT and _layer(imported) > _layer(name):
            reason = "imports go from the nouns upwards"
        else:
            continue
        wrong.append(f"probes/{inside}:{line} imports probes.{imported}: {reason}")
    return wrong


@pytest.mark.parametrize("file", _modules(), ids=lambda file: str(file.relative_to(FOLDER)))
def test_imports_go_one_way(file: Path) -> None:
    if wrong := _wrong(file):
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.mark.parametrize(
    ("place", "text", "complaint"),
    [
        ("scenario.py", "from .lab import herd", "imports probes.lab: imports go from the nouns upwards"),
        ("seen.py", "from . import plugin", "imports probes.plugin: imports go from the nouns upwards"),
        ("strategies/new.py", "from ..lab.herd import Herd", "imports probes.lab: imports go from the nouns upwards"),
        ("lab/new.py", "import probes.plugin", "imports probes.plugin: imports go from the nouns upwards"),
        ("case.py", "def f():\n    from .report import page", "only the plugin and the commands import the report"),
        ("report/new.py", "from ..case import judge", "imports probes.case: the report imports nouns only"),
        ("report/new.py", "from .. import lab", "imports probes.lab: the report imports nouns only"),
    ],
)
def test_wrong_import_is_named(tmp_path: Path, place: str, text: str, complaint: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    (said,) = _wrong(file, tmp_path)
    assert said.startswith(f"probes/{place}:")
    assert said.endswith(complaint)


def test_right_imports_are_let_through(tmp_path: Path) -> None:
    file = tmp_path / "lab" / "new.py"
    file.parent.mkdir()
    file.write_text(
        "import os\nfrom .. import syscalls, __version__\nfrom ..strategies import prepare\nfrom .herd import Herd\n"
        "from probes.scenario import Scenario\n"
    )
    assert _wrong(file, tmp_path) == []


def test_nouns_do_no_io() -> None:
    """All but those that exist for it: bounded and chapters read files, host and sysctls read /proc and /sys,
    and rings are their system calls."""
    for name in set(NOUNS) - {"", "bounded", "chapters", "host", "rings", "syscalls", "sysctls"}:
        tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        imported = {
            module.split(".")[0]
            for node in ast.walk(tree)
            for module in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
        }
        assert imported.isdisjoint({"os", "sys", "subprocess", "socket", "pathlib", "tempfile", "io"}), name
