"""`wakecheck --help`, of every command, and what argparse refuses."""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import __main__, argument
from probes.axes import CALLS, REACTIONS, SHARINGS, SOURCES, STIMULI, TRIGGERS
from probes.commands import SUMMARIES
from probes.exits import BAD_INPUT, WELL
from probes.host import PROJECT

from .program import program

POLL = "poll/tcp4/n8/hold/one-connection"


def _help(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit) as ended:
        __main__.main([*command, "--help"])
    assert ended.value.code == WELL
    return capsys.readouterr().out


def test_help_of_judge_names_the_command() -> None:
    assert program("judge", "--help").stdout.startswith("usage: wakecheck judge [options] ")
    assert "\nwakecheck judge: error: " in program("judge", "--no-such-option").stderr


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument of this parser and of those below it, each with the command that it belongs to."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
        else:
            yield parser.prog, action


@pytest.mark.parametrize("command", SUMMARIES)
def test_the_name_of_a_file_is_never_empty(command: str) -> None:
    """An empty one would mean the folder we are in, or that no file is wanted."""
    for prog, action in _actions(__main__.parser_for([command])):
        if action.option_strings and action.metavar in ("FILE", "DIR", "PATH") and action.type is not Path:
            assert action.type is argument.path, f"{prog} {action.dest}"
    with pytest.raises(argparse.ArgumentTypeError, match="is empty"):
        argument.path("")


@pytest.mark.parametrize("option", ["--herd-report", "--herd-run", "--herd-journal", "--herd-expect", "--herd-ktap"])
def test_the_name_of_a_report_is_never_empty(option: str) -> None:
    done = program("judge", f"{option}=")
    assert done.returncode == BAD_INPUT
    assert f"argument {option}: the name of the file or folder is empty" in done.stderr


@pytest.mark.parametrize("command", [(), ("audit",), ("cost",), ("compare",)], ids=" ".join)
def test_help_lists_every_exit_code(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    codes = " ".join(_help(capsys, *command).partition("Exit codes: ")[2].split())
    assert "4 a fault of Wakecheck itself" in codes
    assert "130 stopped by Ctrl-C" in codes


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    out = _help(capsys)
    assert out.startswith("usage: wakecheck ")
    for word in (*SUMMARIES, "wakecheck run --help", "Exit codes"):
        assert word in out


@pytest.mark.parametrize("command", [name for name in SUMMARIES if name != "judge"])
def test_help_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _help(capsys, command).startswith(f"usage: wakecheck {command} ")


@pytest.mark.parametrize("command", SUMMARIES)
def test_every_command_is_a_module_and_every_module_a_command(command: str) -> None:
    module = importlib.import_module(f"probes.commands.{command}")
    assert callable(module.arguments)
    files = {path.stem for path in Path(str(module.__file__)).parent.glob("*.py")}
    assert files - {"__init__", "runs"} == set(SUMMARIES)


def test_help_names_every_word_of_a_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    out = _help(capsys, "run").split()
    words = (*CALLS, *TRIGGERS, *SHARINGS, *SOURCES, *REACTIONS, *STIMULI)
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize("command", SUMMARIES)
def test_commands_in_the_help_exist(command: str) -> None:
    """What the help says to type must parse."""
    parser = __main__.parser_for([command])
    said = parser._subparsers._group_actions[0].choices[command].format_help()  # type: ignore[union-attr,index]
    for line in re.findall(r"^  wakecheck (.+)$", said, re.M):
        words, _ = __main__.split(re.split(r"\s{2,}", line)[0].split())
        __main__.parser_for(words).parse_args(words)


def test_a_command_imports_what_it_needs_alone() -> None:
    """Every command waits for what is imported at the start."""
    script = "import sys; from probes.__main__ import main; main(['--version'])"
    script = f"import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules))); {script}"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    version, modules = done.stdout.splitlines()
    assert version.startswith("wakecheck ")
    ours = [name for name in modules.split() if name.startswith("probes.")]
    assert ours == ["probes.__main__", "probes.commands", "probes.exits", "probes.streams"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("run\x1b[31m",),
        ("host", "--x\x1b[2J"),
        ("host", "a\n::error::b"),
        ("run", "--t\x9b1m=1", POLL),
        ("run", "--trials", "\x1b]0;x\a", POLL),
        ("serve", "epoll", "--host", "\x1b[31m"),
        ("kernels", "\x1b[31m"),
        ("report", "\udcff", "--\u202e"),
    ],
)
def test_what_argparse_refuses_is_repeated_without_what_steers_a_terminal(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(arguments)
    assert ended.value.code == BAD_INPUT
    *usage, said = capsys.readouterr().err.splitlines()
    assert not usage or usage[0].startswith("usage: wakecheck")
    assert re.match(r"wakecheck( \w+)*: error: ", said)
    assert said.isprintable()
    assert not any(line.startswith("::") for line in usage)


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main([]) == BAD_INPUT
    assert "list the claims" in capsys.readouterr().out
