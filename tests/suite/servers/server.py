"""A row of the table of servers: how the server is started, what shows that it is up, what an audit must find.

`$port` and `$folder` are filled in by `Server.command_line` and `Server.texts`.  The rows are in *_rows.py.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

WORKERS = 4

SELECT = ("select", "pselect6")
EPOLL = ("epoll_wait", "epoll_pwait")

ALONE: dict[str, Any] = {"processes": 1, "waiting": 1, "workers": 1}
"""Fields of a server that is one process, of which one thread waits."""

PATH = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for: beside this Python first (console scripts), and where Debian has daemons,
which is not in an ordinary user's PATH."""


@dataclass(frozen=True)
class Program:
    """What must be installed, and how."""

    executable: str
    install: str
    package: str
    """Of Debian, PyPI or npm, by which its version is known."""

    def path(self) -> str | None:
        """Where it is; None if it is not installed."""
        return shutil.which(self.executable, path=f"{PATH}:{os.environ.get('PATH', '')}")


def pip(executable: str, packages: str) -> Program:
    return Program(executable, f"{sys.executable} -m pip install {packages}", packages.split()[0])


def apt(executable: str, package: str) -> Program:
    return Program(executable, f"apt-get install --no-install-recommends {package}", package.split()[0])


def npm(package: str) -> Program:
    """A program of npm, installed anywhere in PATH."""
    return Program(package, f"npm install --global {package}", package)


@dataclass(frozen=True)
class Server:
    """One server in one configuration."""

    name: str
    """As in a test's id and on the command line of table.py."""
    title: str
    """As in the table of docs/servers.md."""
    program: Program
    command: tuple[str, ...]
    """Arguments after the program, with $port and $folder."""
    files: dict[str, str] = field(default_factory=dict)
    """What is written into its folder first: name and text, with $port and $folder."""
    environment: dict[str, str] = field(default_factory=dict)
    processes: int = WORKERS + 1
    """Once it is up; a master and four workers, as a rule."""
    calls: tuple[str, ...] = EPOLL
    """Once it is up, every worker sleeps in one of these; which one depends on its libc."""
    waiting: int = WORKERS
    """How many sleep there: processes besides the first, or threads if there is only one process."""
    says: tuple[str, int] | None = None
    """What it prints for each worker that is ready, and how often, if sleeping there does not prove that."""
    http: bool = False
    """Whether a connection must send a request to wake anybody (TCP_DEFER_ACCEPT, tcp(7))."""
    unix: bool = False
    """Whether it listens on the unix socket $folder/s instead of the port."""
    strategy: str = "epoll.level.listener"
    """What the audit must find: a strategy's id, with `epoll`, `select` or `accept` for all calls of the kind."""
    workers: int = WORKERS
    """How many wait for connections: the audit must find so many."""
    woken: int = 1
    """How many one connection must be seen to wake."""
    more: bool = False
    """Whether it is tested only if all servers are asked for (conftest.ALL_SERVERS)."""
    ask: bytes | None = None
    """What a client sends; None: an HTTP request, to which the answer must be 200."""
    hears: bytes = b""
    """What the answer to that must begin with."""
    before: str = ""
    """A script for sh that prepares its folder first."""
    clients: int = 0
    """How many clients connect at once when it is up: it starts a worker for each, and keeps it."""
    audit: tuple[str, ...] = ()
    """More arguments of an audit of it."""
    ends_by: str = "SIGTERM"
    """The signal that ends it."""
    ends_alone: bool = True
    """Whether that signal to its first process ends all of them; otherwise each gets it."""

    def texts(self, folder: Path, port: int) -> dict[str, str]:
        """Its files, filled in."""
        return {name: _fill(text, folder, port) for name, text in self.files.items()}

    def command_line(self, folder: Path, port: int) -> list[str]:
        """Program and arguments, filled in.  Raises FileNotFoundError, with the install command, if it is missing."""
        path = self.program.path()
        if path is None:
            raise FileNotFoundError(f"{self.program.executable} is missing: {self.program.install}")
        return [path, *(_fill(word, folder, port) for word in self.command)]


def _fill(text: str, folder: Path, port: int) -> str:
    # safe: nginx and others have variables with a dollar of their own.
    return Template(text).safe_substitute(folder=folder, port=port)
