"""The plots of a run as files, and the picture in the README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from probes import __main__, host
from probes.exits import BAD_INPUT, WELL
from probes.report import pictures
from probes.report import run as run_json

from . import broken, picture
from .cost_readings import document
from .judging import run_on
from .model import Kernel
from .runs import run_of


def _run(kernel: Kernel) -> dict[str, Any]:
    return {**run_of("a", "6.12"), **run_on(kernel)}


@pytest.mark.parametrize("name", ["herd-dots.svg", "herd-growth.svg"])
def test_the_readme_shows_what_the_templates_draw(name: str) -> None:
    """`python -m tests.suite.unit.picture` draws it again."""
    assert (picture.FOLDER / name).read_text(encoding="utf-8") == picture.files()[name]
    assert f"](docs/{name})" in (host.PROJECT / "README.md").read_text(encoding="utf-8")


def test_dots_and_growth_are_of_the_run() -> None:
    drawn = pictures.pictures(_run(Kernel(1)))
    assert list(drawn) == ["herd-dots.svg", "herd-growth.svg"]
    words = [svg.find("{*}desc").text or "" for svg in map(ElementTree.fromstring, drawn.values())]  # type: ignore[union-attr] # every chart has a desc, or this fails
    assert "accept, one listener: 1 of 8 woken, 1 returned, 1 took it." in words[0]
    assert "accept, one listener: 1 with 1, 1 with 8." in words[1]
    assert "poll, one listener: 1 with 1, 8 with 8." in words[1]
    herds = pictures.pictures(_run(broken.AcceptHerdsSilently(1)))
    assert "accept, one listener: 8 of 8 woken" in herds["herd-dots.svg"]


def test_costs_are_drawn_where_the_run_has_them() -> None:
    drawn = pictures.pictures({**_run(Kernel(1)), "cost": document()})
    assert "cost-cpu.svg" in drawn
    assert pictures.pictures({**run_of("a", "6.12"), "claims": []}) == {}


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.json"
    run_json.write(run_of("a", "6.12", ids=("epoll-shared.last-blocked-first",)), file)
    assert __main__.main(["report", str(file), "--plots", str(tmp_path / "plots")]) == WELL
    assert "nothing to plot" in capsys.readouterr().out
    run_json.write({**run_of("a", "6.12", ids=("epoll-shared.last-blocked-first",)), "cost": document()}, file)
    assert __main__.main(["report", str(file), "--plots", str(tmp_path / "plots")]) == WELL
    said = capsys.readouterr().out
    assert re.search(r"plots: cost-dots\.svg, .* in ", said)
    assert (tmp_path / "plots" / "cost-cpu.svg").read_text(encoding="utf-8").startswith("<svg")
    assert __main__.main(["report", str(file), str(file), "--plots", str(tmp_path / "plots")]) == BAD_INPUT
    assert __main__.main(["report", str(file), "--plots", "/proc/nowhere"]) == BAD_INPUT
