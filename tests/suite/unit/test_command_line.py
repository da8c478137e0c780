"""`wakecheck`: it refuses with one sentence, and its exit codes are as documented."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from probes import __main__, catalogue, observers
from probes.exits import BAD_INPUT, CANNOT_JUDGE, WELL
from probes.host import PROJECT

from .fake_lab import DeadLab, FakeLab
from .program import program

POLL = "poll/tcp4/n8/hold/one-connection"

Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that must be refused; the one sentence that it says."""

    def run(*arguments: object) -> str:
        assert __main__.main([str(argument) for argument in arguments]) == BAD_INPUT
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("wakecheck: ")
        assert err.count("\n") == 1, err
        return err.removeprefix("wakecheck: ").rstrip("\n")

    return run


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> type[FakeLab]:
    """A lab that the commands find in place of the real one; set its class attributes to change it."""
    fake = type("Fake", (FakeLab,), {})
    for command in ("host", "run"):
        monkeypatch.setattr(f"probes.commands.{command}.Lab", fake)
    return fake


# --- list and show -----------------------------------------------------------------------------


def test_list_shows_every_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["list"]) == WELL
    first_words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert first_words == [claim["id"] for claim in catalogue.load()]


def test_list_of_one_chapter(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["list", "--chapter", "accept"]) == WELL
    assert all(line.startswith("accept.") for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("claim", [claim["id"] for claim in catalogue.load()])
def test_show(claim: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["show", claim]) == WELL
    out = capsys.readouterr().out
    for word in (claim, "basis", f"--herd-claim={claim}", " by default"):
        assert word in out


def test_wrong_claim_suggests_the_nearest(refused: Refused) -> None:
    assert refused("show", "accept.wake-one").startswith("no claim 'accept.wake-one'; did you mean accept.wakes-one")


def test_claim_like_no_other(refused: Refused) -> None:
    assert refused("show", "???") == "no claim '???'"


def test_wrong_chapter_suggests_the_nearest(refused: Refused) -> None:
    assert refused("list", "--chapter", "epol-shared").startswith("no chapter 'epol-shared'; did you mean epoll-shared")


# --- run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["poll/tcp4/n8/hold/one-conection"], "did you mean poll/tcp4/n8/hold/one-connection"),
        (["nonsense"], "'nonsense' has no source"),
        ([""], "'' is not an id"),
        (["poll/tcp4/n0/hold/one-connection"], "0 waiters: a scenario has 1 to 10,000"),
        (["poll/tcp4/n10000000/hold/one-connection"], "10000000 waiters: a scenario has 1 to 10,000"),
        ([POLL, "--trials", "0"], "0 trials: there can be 1 to 100,000"),
        ([POLL, "--trials", "-3"], "-3 trials"),
        ([POLL, "--trials", "100001"], "100001 trials"),
        ([POLL, "--without", "swiches"], "no observer 'swiches'; did you mean switches"),
        ([POLL, "--without", "telescope"], "no observer 'telescope'"),
    ],
    ids=lambda value: " ".join(value) or "empty" if isinstance(value, list) else "",
)
def test_run_refuses(arguments: list[str], words: str, refused: Refused, lab: type[FakeLab]) -> None:
    assert words in refused("run", *arguments)


@pytest.mark.parametrize("arguments", [["run", POLL, "--trials", "many"], ["dance"], ["show"], ["report"]])
def test_command_line_that_does_not_parse(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(arguments)
    assert ended.value.code == BAD_INPUT
    assert ": error: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", [["list"], ["host"], ["audit", "--port=1"], ["kernels", "get"]], ids=" ".join)
def test_an_unknown_option_shows_the_usage_of_its_command(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main([*command, "--no-such-option"])
    assert ended.value.code == BAD_INPUT
    said = capsys.readouterr().err
    prog = " ".join(["wakecheck", *(word for word in command if not word.startswith("-"))])
    assert said.startswith(f"usage: {prog} ")
    assert said.endswith(f"\n{prog}: error: unrecognized arguments: --no-such-option\n")


def test_a_wrong_value_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage would not explain it."""
    with pytest.raises(SystemExit) as ended:
        __main__.main(["kernels", "run", "--cpus", "0"])
    assert ended.value.code == BAD_INPUT
    said = capsys.readouterr().err
    assert said == "wakecheck kernels run: error: argument --cpus: '0' is not a number from 1 to 64\n"


def test_an_empty_name_is_named(refused: Refused) -> None:
    assert "''" in refused("report", "")


def test_run_prints_figures_and_who_woke_whom(lab: type[FakeLab], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["run", POLL, "--trials", "4", "--timeline"]) == WELL
    out = capsys.readouterr().out
    for word in (
        POLL,
        "4 untraced trials",
        "traced, and not counted above: woken 8",
        "untraced trial: woken 8, returned 8",
        "w0 is back",
    ):
        assert word in out


def test_run_says_which_observer_is_missing(lab: type[FakeLab], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["run", POLL, "--trials", "1", "--without", "syscall_exit"]) == WELL
    out = capsys.readouterr().out
    assert "no syscall_exit: switched off by --without\n" in out
    assert "1 untraced trial " in out


def test_run_that_saw_nothing_is_no_answer(lab: type[FakeLab], capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody saw is drawn with a mark of its own, and a run that saw nothing does not end with 0."""
    without = [word for name in observers.names() for word in ("--without", name)]
    assert __main__.main(["run", POLL, "--trials", "2", *without]) == CANNOT_JUDGE
    lines = capsys.readouterr().out.splitlines()
    assert "inconclusive: neither woken nor returned was observed" in lines
    assert not any("?" in line and ("#" in line or "█" in line) for line in lines)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lacks": "poll"}, "not applicable: poll: ENOSYS"),
        ({"stuck": "poll"}, "waiter 3 did not come to rest"),
        ({"run": DeadLab.run}, "inconclusive: the conductor died"),
    ],
    ids=["not applicable", "inconclusive trial", "dead conductor"],
)
def test_run_that_cannot_judge(
    changes: dict[str, Any], words: str, lab: type[FakeLab], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in changes.items():
        setattr(lab, name, value)
    assert __main__.main(["run", POLL, "--trials", "2"]) == CANNOT_JUDGE
    assert words in capsys.readouterr().out


# --- host --------------------------------------------------------------------------------------


def test_host_names_every_observer_and_control(lab: type[FakeLab], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["host"]) == WELL
    out = capsys.readouterr().out
    for word in ("kernel", "isolation", "counters", "sched_waking", "positive", "null"):
        assert word in out


def test_host_says_why_trials_are_slow(
    lab: type[FakeLab], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "why_slow", "waiters run Python: no code for pdp11")
    assert __main__.main(["host"]) == WELL
    assert "trials     slower than they could be: waiters run Python: no code for pdp11\n" in capsys.readouterr().out


def test_host_whose_control_fails(lab: type[FakeLab], capsys: pytest.CaptureFixture[str]) -> None:
    lab.failing_control = "positive"
    assert __main__.main(["host"]) == CANNOT_JUDGE
    assert "broken: woken 0, returned 0 in the untraced trial" in capsys.readouterr().out


# --- the program itself ------------------------------------------------------------------------


def test_program_ends_with_the_code_and_one_line() -> None:
    done = program("run", "poll/tcp4/n0/hold/one-connection")
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert done.stderr.startswith("wakecheck: 0 waiters")
    assert done.stderr.count("\n") == 1


def test_a_fault_has_an_exit_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own, 1, means that a claim is broken, or that more workers wake than --max-woken."""

    def fails(options: object) -> int:
        raise ValueError("no such thing")

    monkeypatch.setattr("probes.commands.list.run", fails)
    assert __main__.main(["list"]) == 4
    said = capsys.readouterr().err
    assert "ValueError: no such thing" in said
    assert said.endswith("wakecheck: this is a fault of wakecheck; please report it with the lines above\n")


def test_reader_that_has_seen_enough() -> None:
    """`list | head -1` ends without a complaint."""
    command = f"{sys.executable} -m probes list | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (WELL, "")
    assert done.stdout.count("\n") == 1
