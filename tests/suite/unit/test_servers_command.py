"""`python -m probes serve`: it teaches, it refuses with one sentence, and its comments name claims that exist."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from probes import __main__, catalogue
from probes import servers as package
from probes.exits import BAD_INPUT

from .test_servers import SERVERS


def test_port_in_use_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert __main__.main(["serve", "epoll", "--port", str(port)]) == BAD_INPUT
    assert capsys.readouterr().err == f"wakecheck: 127.0.0.1 port {port}: Address already in use\n"


def test_missing_greeting_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["serve", "fork", "--greeting", "/nowhere"]) == BAD_INPUT
    assert capsys.readouterr().err == "wakecheck: /nowhere: No such file or directory\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nginx"],
        ["epoll", "--port", "65536"],
        ["epoll", "--port", "-1"],
        ["epoll", "--host", "localhost"],
        ["epoll", "--workers", "0"],
        ["epoll", "--trigger", "oneshot"],
        ["fork", "--idle", "nan"],
        ["fork", "--most", "x"],
        ["serialised", "--lock", "posix-sem"],
    ],
    ids=" ".join,
)
def test_bad_input_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(["serve", *arguments])
    assert ended.value.code == BAD_INPUT
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


def test_help_names_every_server(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["serve", "--help"])
    out = capsys.readouterr().out
    assert {arguments[0] for arguments, _ in SERVERS.values()} <= set(re.findall(r"^    ([a-z-]+)", out, re.MULTILINE))


def test_claims_that_justify_the_code_exist() -> None:
    known = {claim["id"] for claim in catalogue.load()}
    folder = Path(package.__file__).parent
    named = {
        (file.name, name)
        for file in folder.glob("*.py")
        for name in re.findall(r"\bclaim\s+(?:# )?([a-z-]+\.[a-z-]+)", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert sorted(option for option in named if option[1] not in known) == []
