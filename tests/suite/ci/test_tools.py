"""A missing tool is a skip that says how to get it, and a failure where all tools were promised."""

from __future__ import annotations

import pytest

from . import tools


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_PATH", "")


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_tool_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAKECHECK_ALL_TOOLS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^sshd is missing: apt-get install openssh-server$"):
        tools.need("sshd")


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_tool_fails_where_all_are_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAKECHECK_ALL_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match=r"^rsync is missing: apt-get install rsync$"):
        tools.need("rsync")


def test_a_missing_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAKECHECK_ALL_TOOLS", raising=False)
    monkeypatch.setitem(tools.REMEDIES, "no_such_module", "nowhere")
    with pytest.raises(pytest.skip.Exception, match=r"^no_such_module is missing: nowhere$"):
        tools.need_module("no_such_module")
