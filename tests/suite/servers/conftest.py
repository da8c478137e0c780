"""A running server for each row of the table.  One that is not installed is skipped, or fails if all must be there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .launch import Running
from .server import Server
from .servers import SERVERS

ALL_SERVERS = os.environ.get("WAKECHECK_SERVERS") == "all"
"""Set if the rows that CI does not install are to be tested as well, which takes some 20 minutes more."""
TESTED = [server for server in SERVERS if ALL_SERVERS or not server.more]
ALL_TOOLS = os.environ.get("WAKECHECK_ALL_TOOLS") == "1"
"""Set if everything has been installed: a missing server is then a failure."""


def need(server: Server) -> Server:
    """This server if its program is installed; otherwise skip or fail, with the command that installs it."""
    if server.more and not ALL_SERVERS:
        pytest.skip("WAKECHECK_SERVERS=all runs it, too")
    if server.program.path() is None:
        what = f"{server.program.executable} is missing: {server.program.install}"
        if ALL_TOOLS and not server.more:
            pytest.fail(what)
        pytest.skip(what)
    return server


@pytest.fixture(params=TESTED, ids=lambda server: server.name, scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Every server in turn, up and idle; the tests of one module share it."""
    with Running(need(request.param)) as up:
        yield up
