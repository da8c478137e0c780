"""No command writes over what it reads, nor two of its outputs over one another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probes import host
from probes.report import pictures
from probes.report import run as run_json
from probes.report.apart import why_not_apart
from probes.report.formats import FORMATS
from probes.report.places import NoPlace, Places

from .runs import run_of
from .test_command_line import Refused, refused  # noqa: F401  # a fixture

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run.json, with a symbolic and a hard link to it."""
    file = tmp_path / "run.json"
    file.write_bytes(SAMPLE.read_bytes())
    (tmp_path / "symbolic").symlink_to(file)
    os.link(file, tmp_path / "hard")
    return file


def _untouched(run: Path) -> bool:
    names = {path.name for path in run.parent.iterdir()}
    return run.read_bytes() == SAMPLE.read_bytes() and names == {"run.json", "symbolic", "hard"}


@pytest.mark.parametrize("name", ["run.json", "symbolic", "hard"])
@pytest.mark.parametrize("option", ["html", "kcidb", *FORMATS])
def test_report_leaves_its_input_alone(option: str, name: str, refused: Refused, run: Path) -> None:  # noqa: F811
    said = refused("report", run, f"--{option}", run.with_name(name))
    assert "which is read: name another file" in said
    assert _untouched(run)


def test_report_leaves_its_input_alone_where_no_option_names_it(refused: Refused, tmp_path: Path) -> None:  # noqa: F811
    """The page goes to index.html beside the input, and plots have names of their own."""
    plot = next(iter(pictures.pictures(run_json.load(SAMPLE))))
    for name, further in (("index.html", ()), (plot, ("--plots", tmp_path))):
        file = tmp_path / name
        file.write_bytes(SAMPLE.read_bytes())
        assert "which is read" in refused("report", file, *further)
        assert file.read_bytes() == SAMPLE.read_bytes()
        file.unlink()


def test_matrix_leaves_its_inputs_alone(refused: Refused, run: Path, tmp_path: Path) -> None:  # noqa: F811
    assert "which is read" in refused("report", run, SAMPLE, "--html", run)
    assert "which is read" in refused("report", run, SAMPLE, "--kcidb", run, "--html", tmp_path / "page.html")
    assert _untouched(run)


def test_two_outputs_are_two_files(refused: Refused, run: Path, tmp_path: Path) -> None:  # noqa: F811
    for first, second in (("html", "ktap"), ("ktap", "kcidb"), ("html", "kcidb")):
        said = refused("report", run, f"--{first}", tmp_path / "x", f"--{second}", tmp_path / "." / "x")
        assert "name two files" in said
        assert _untouched(run)


def test_cost_leaves_the_run_alone(refused: Refused, tmp_path: Path) -> None:  # noqa: F811
    kernel = host.kernel()
    file = tmp_path / "run.json"
    here = run_of("here", kernel["release"], **{key: kernel[key] for key in ("version", "machine", "emulated")})
    run_json.write(here, file)
    before = file.read_bytes()
    assert "which is read" in refused("cost", "accept", "--into", file, "--json", file)
    assert "name two files" in refused("cost", "accept", "--into", file, "--json", tmp_path / "index.html")
    assert file.read_bytes() == before


def test_devices_may_be_named_as_often_as_one_likes(tmp_path: Path) -> None:
    assert why_not_apart(["/dev/stdin", "/dev/null"], ["/dev/null", "/dev/null"]) is None
    assert why_not_apart([tmp_path / "a"], [tmp_path / "b", tmp_path / "c"]) is None


def test_a_run_writes_over_nothing_that_it_reads_or_wrote(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text("")
    Places(str(tmp_path), None, {"ktap": str(tmp_path / "ktap")}, None, reads=str(known)).check()
    with pytest.raises(NoPlace, match=r"which is read: name another file$"):
        Places(str(tmp_path), str(known), {}, None, reads=str(known)).check()
    with pytest.raises(NoPlace, match=r"name two files$"):
        Places(str(tmp_path), None, {"ktap": str(tmp_path / "run.json")}, None).check()
