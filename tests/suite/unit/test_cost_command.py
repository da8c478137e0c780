"""`wakecheck cost`: it measures, it teaches, it refuses with one sentence, and it leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from probes import __main__, host
from probes.axes import EPOLL_CALLS
from probes.cost import answer, arguments, checks, cpus, plan, ways, work
from probes.cost.figures import FIGURES
from probes.exits import BAD_INPUT, CANNOT_JUDGE, WELL
from probes.report import run as run_json

from .busy import busy_machine
from .runs import run_of

pytestmark = pytest.mark.long

_SMALL = ("poll", "--workers", "2", "--load", "rest,light", "--rounds", "2")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["pol"], "no call 'pol'"),
        (["epoll_wait"], "epoll_wait needs a trigger"),
        (["read"], "read"),
        (["io_uring_poll"], "io_uring_poll is not measured"),
        (["epoll_wait.oneshot.epoll"], "oneshot must be armed again"),
        (["accept+spinlock"], "no lock 'spinlock'"),
        (["accept+try-lock"], "no lock 'try-lock'"),
        (["accept.nothing+flock"], "a lock goes around a wait for one listener"),
        (["--workers", "0"], "'0' workers: there can be 1 to 256"),
        (["--workers", "8,257"], "'257' workers"),
        (["--workers", "8,"], "--workers '8,' has an empty place"),
        (["--workers", "\u0668"], "workers: there can be"),
        (["--load", "heavy"], "no load 'heavy': there are rest, light, saturating"),
        (["--work", "-5"], "no work '-5'"),
        (["--work", "1000001"], "no work '1000001'"),
        (["--work", "1.5"], "no work '1.5'"),
        (["--rounds", "0"], "0 rounds"),
        (["--rounds", "1001"], "1001 rounds"),
        (["--plots", "/proc/nowhere"], "/proc/nowhere/dots.svg cannot be written"),
        (["--json", "/proc/nowhere/x.json"], "/proc/nowhere/x.json cannot be written"),
        (["--into", "/proc/nowhere/run.json"], "/proc/nowhere/run.json does not exist"),
    ],
)
def test_bad_input_is_one_sentence(given: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["cost", *given]) == BAD_INPUT
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("wakecheck: ")
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_no_call_is_offered_that_cannot_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["cost", "nosuch"]) == BAD_INPUT
    offered = capsys.readouterr().err.rpartition("there are ")[2].split()
    assert len(offered) > 5
    triggers = dict.fromkeys(EPOLL_CALLS, ".level")
    assert [ways.parse(f"{call}{triggers.get(call, '')}") for call in (word.strip(",") for word in offered)]


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["cost", "--help"])
    out = capsys.readouterr().out
    for word in (*ways.DEFAULT, *plan.LOADS, *cpus.PINS, "Exit codes", "woken"):
        assert word in out
    assert max(map(len, arguments.GUIDE.splitlines())) <= 120


def test_it_puts_the_figures_into_a_run_of_this_kernel_and_into_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.json"
    given = ["cost", "accept", "--workers", "2", "--load", "rest", "--rounds", "1", "--into", str(file)]
    run_json.write(run_of("elsewhere", "2.6.32"), file)
    assert __main__.main(given) == BAD_INPUT
    assert "is of another kernel (release 2.6.32 there" in capsys.readouterr().err
    kernel = host.kernel()
    here = run_of("here", kernel["release"], **{key: kernel[key] for key in ("version", "machine", "emulated")})
    run_json.write(here, file)
    assert __main__.main(given) == WELL
    filled = run_json.load(file)
    assert [cell["way"] for cell in filled.pop("cost")["cells"]] == ["accept"]
    assert filled == here
    assert 'id="cost"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_it_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "156")
    file = tmp_path / "cost.json"
    assert __main__.main(["cost", *_SMALL, "--json", str(file), "--plots", str(tmp_path / "plots")]) == WELL
    said = capsys.readouterr()
    assert "8 readings of 2 strategies, 2 rounds; about" in said.err
    assert "poll, one listener" in said.out
    assert f"figures: {file}" in said.out
    drawn = {path.name for path in (tmp_path / "plots").iterdir()}
    assert drawn == {
        "dots.svg",
        *(f"{kind}-{load}-0-2.svg" for kind in ("latency", "shares") for load in ("rest", "light")),
    }
    written = json.loads(file.read_text(encoding="utf-8"))
    assert answer.violation(written) is None
    cells = {(cell["way"], cell["load"]): cell for cell in written["cells"]}
    assert set(cells) == {(way, load) for way in ("accept", "poll") for load in ("rest", "light")}
    # More only where one sleeps once more on its way, for the listener's lock for example.
    assert 2 <= cells["poll", "rest"]["figures"]["woken"]["median"] < 3
    assert 1 <= cells["accept", "rest"]["figures"]["woken"]["median"] < 2
    assert cells["accept", "rest"]["ratios"]["cpu_us"]["median"] == 1
    for cell in cells.values():
        assert [pytest.approx(1)] * 2 == [sum(shares) for shares in cell["shares"]]
        assert len(cell["rounds"]) == 2


def test_figures_of_a_busy_machine_are_marked_in_the_terminal_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.json"
    kernel = host.kernel()
    run_json.write(
        run_of("here", kernel["release"], **{key: kernel[key] for key in ("version", "machine", "emulated")}), file
    )
    with busy_machine():
        given = ["cost", "accept", "--workers", "2", "--load", "rest", "--rounds", "2", "--into", str(file)]
        assert __main__.main(given) == WELL
    care = "Take care: the machine was busy: others used up to"
    assert care in capsys.readouterr().out
    assert f'<p class="care">{care}' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_failed_check_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(checks, "CHECKS", (lambda reading: "a connection was answered by the moon",))
    assert __main__.main(["cost", *_SMALL]) == CANNOT_JUDGE
    (sentence,) = capsys.readouterr().out.splitlines()
    assert sentence.startswith("inconclusive: accept, 2 workers, rest, work 0, round 1: a connection was answered by")


def _processes() -> Iterator[tuple[int, str, list[str]]]:
    """Of every process on this machine: its id, its name, and what /proc/PID/stat says after that."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, after = (folder / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
                yield int(folder.name), name, after.split()


def _workers() -> set[int]:
    """Every rig and worker on this machine: they have the rig's name."""
    # One that is dead and whose parent is gone waits for init alone.
    return {pid for pid, name, after in _processes() if name == "wakecheck-cost" and after[0] != "Z"}


def _children(pid: int) -> set[int]:
    """The descendants of a process."""
    parents = {child: int(after[1]) for child, _, after in _processes()}
    family, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in family} - family
        grown = bool(more)
        family |= more
    return family - {pid}


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_nothing_is_left(number: int, code: int) -> None:
    # Each request is so much work that the herd is still the same when all of /proc has been read.
    command = [sys.executable, "-m", "probes", "cost", "accept", "--workers", "32", "--load", "light"]
    command += ["--work", "50000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        descendants: set[int] = set()
        while len(descendants) < 20:  # a rig, and workers
            assert process.poll() is None
            descendants = _children(process.pid) & _workers()
        pidfds = [os.pidfd_open(pid) for pid in descendants]
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code
    if number != signal.SIGKILL:
        assert err.splitlines()[-1] == f"wakecheck: {'stopped' if number == signal.SIGINT else 'terminated'}"
    assert "Traceback" not in out + err
    for fd in pidfds:  # readable once the process has ended (pidfd_open(2))
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(60_000)
        os.close(fd)
    assert not _workers() & descendants


RULES: dict[str, Any] = json.loads(answer.SCHEMA_FILE.read_text(encoding="utf-8"))


def test_schema() -> None:
    assert RULES["$schema"] == "http://json-schema.org/draft-07/schema#"
    fastjsonschema.compile(RULES)
    assert RULES["properties"]["schema"]["const"] == answer.SCHEMA
    parts = RULES["definitions"]
    assert list(parts["figures"]["properties"]) == list(FIGURES) == parts["figures"]["required"]
    assert list(parts["cell"]["properties"]["figures"]["properties"]) == list(FIGURES)
    assert list(parts["cell"]["properties"]["ratios"]["properties"]) == list(FIGURES)
    assert parts["cell"]["properties"]["load"]["enum"] == list(plan.LOADS)
    described = {name: rule["description"] for name, rule in parts["figures"]["properties"].items()}
    assert {name: f"{text[0].upper()}{text[1:]}." for name, text in FIGURES.items()} == described


def test_plan_always_has_what_all_is_compared_with() -> None:
    planned = plan.make((ways.parse("poll"),), sizes=(8,), work=(work.parse("0"),))
    assert [way.id for way in planned.ways] == ["accept", "poll"]
    assert planned.count == 2 * 3 * plan.ROUNDS == len(list(planned.sittings()))


def test_strategies_take_turns() -> None:
    planned = plan.make(tuple(map(ways.parse, ("accept", "poll", "select"))), loads=("rest",), sizes=(2,), rounds=3)
    order = [way.id for _, _, way in planned.sittings()]
    assert order == ["accept", "poll", "select", "poll", "select", "accept", "select", "accept", "poll"]


def test_long_requests_are_the_same_for_every_strategy_and_new_in_every_round() -> None:
    scene = plan.LoadScene("saturating", work.parse("mixed"), 8)
    assert scene.long(0) == scene.long(0) != scene.long(1)
    assert len(scene.long(0)) == scene.connections // work.LONG_EVERY
    assert plan.LoadScene("light", work.parse("0"), 8).long(0) == frozenset()


def test_marks() -> None:
    idle = {"foreign": 0.01, "stolen": 0.0, "load": 1.0}
    assert answer.marks([idle, idle], emulated=False) == []
    assert answer.marks([{"foreign": None, "stolen": None, "load": None}], emulated=False) == []
    (emulated,) = answer.marks([idle], emulated=True)
    assert "emulated" in emulated
    (busy,) = answer.marks([idle, {**idle, "foreign": 0.5}], emulated=False)
    assert "50 %" in busy
    (stolen,) = answer.marks([idle, {**idle, "stolen": 0.1}], emulated=False)
    assert "steal" in stolen


def test_default_is_kept_small() -> None:
    planned = plan.make(tuple(map(ways.parse, ways.DEFAULT)))
    assert planned.about_s() < 60
