"""A running server for each row of the table; what is not installed is skipped, or fails where all was promised."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .launch import Running
from .servers import SERVERS, Server

ALL_TOOLS = os.environ.get("WAKECHECK_ALL_TOOLS") == "1"
"""Set where everything has been installed, as by .ci/run: a server that is missing then is a failure."""


def need(server: Server) -> Server:
    """This server, if its program is there; else skip with the command that installs it, or fail."""
    if server.program.path() is None:
        what = f"{server.program.executable} is missing: {server.program.install}"
        if ALL_TOOLS:
            pytest.fail(what)
        pytest.skip(what)
    return server


@pytest.fixture(params=SERVERS, ids=lambda server: server.name, scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Every server in turn, up and idle; the tests of one module share it."""
    with Running(need(request.param)) as up:
        yield up
