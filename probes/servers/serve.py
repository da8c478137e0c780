"""`wakecheck serve NAME`: run one of the servers, for a person or for a test."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path

from . import accept_mutex, epoll, fork, reuseport, serialised
from .listening import BACKLOG
from .loop import TRIGGERS

GUIDE = """\
The textbook servers: each echoes what a client sends, until the client shuts down its side.

  wakecheck serve epoll --workers 4 --trigger exclusive
  wakecheck serve fork --port 7007 --greeting /etc/motd       kill -HUP makes it read that again

Each prints where it listens, and its workers' process ids.  End it with Ctrl-C or SIGTERM; it leaves
no process behind.  The code is in probes/servers/, to read and to copy.
"""


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
            raise argparse.ArgumentTypeError(f"{text!r}: a number from {lowest} to {highest:,} is wanted")
        return int(text)

    return number


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: an IP address of this machine is wanted") from error


def _seconds(text: str) -> float:
    try:
        if 0 < float(text) <= 86_400:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r}: seconds are wanted, more than 0 and at most 86,400")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The servers as subcommands of `parser`."""
    servers = parser.add_subparsers(dest="server", metavar="NAME", required=True)

    def server(name: str, summary: str, serve: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        command = servers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        command.set_defaults(serve=serve)
        command.add_argument(
            "--host", type=_address, default="127.0.0.1", help="address to listen on (default %(default)s)"
        )
        command.add_argument(
            "--port", type=_number(0, 65535), default=0, help="port to listen on (default: a free one)"
        )
        command.add_argument(
            "--backlog",
            type=_number(0, 2**31 - 1),
            default=BACKLOG,
            metavar="N",
            help="connections that may wait to be accepted (default %(default)s)",
        )
        return command

    def workers(of: argparse.ArgumentParser, default: int = 4) -> None:
        of.add_argument("--workers", type=_number(1, 1000), default=default, metavar="N", help="(default %(default)s)")

    def idle(of: argparse.ArgumentParser) -> None:
        of.add_argument(
            "--idle",
            type=_seconds,
            default=60.0,
            metavar="SECONDS",
            help="give up a client that does nothing for so long (default %(default)g)",
        )

    def most(of: argparse.ArgumentParser, default: int, what: str) -> None:
        of.add_argument(
            "--most", type=_number(1, 100_000), default=default, metavar="N", help=f"{what} (default %(default)s)"
        )

    for_fork = server(
        "fork",
        "a process for each connection; SIGHUP reads the greeting again",
        lambda o: fork.serve(o.host, o.port, o.backlog, o.greeting, o.idle, o.most, o.grace),
    )
    for_fork.add_argument(
        "--greeting", type=Path, metavar="FILE", help="send what is in this file to each client first"
    )
    for_fork.add_argument(
        "--grace",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="at the end, wait so long for clients that are being served (default %(default)g)",
    )
    most(for_fork, 256, "children at once; other connections wait in the queue")
    idle(for_fork)

    for_serialised = server(
        "serialised",
        "workers that take turns in accept, under a lock",
        lambda o: serialised.serve(o.host, o.port, o.workers, o.backlog, o.lock, o.idle),
    )
    for_serialised.add_argument(
        "--lock",
        choices=serialised.LOCKS,
        default=serialised.LOCKS[0],
        help="which lock (default %(default)s); the kernel frees each of them when its holder is killed",
    )
    workers(for_serialised)
    idle(for_serialised)

    for_epoll = server(
        "epoll",
        "workers with an epoll instance each on one listener",
        lambda o: epoll.serve(o.host, o.port, o.workers, o.backlog, o.trigger),
    )
    for_epoll.add_argument(
        "--trigger",
        choices=TRIGGERS,
        default=TRIGGERS[0],
        help="level, edge, or exclusive: level, and the listener with EPOLLEXCLUSIVE (default %(default)s)",
    )
    workers(for_epoll)

    for_accept_mutex = server(
        "accept-mutex",
        "the same, but only the worker that holds the mutex has the listener in its instance, as in nginx",
        lambda o: accept_mutex.serve(o.host, o.port, o.workers, o.backlog, o.delay, o.most),
    )
    for_accept_mutex.add_argument(
        "--delay",
        type=_seconds,
        default=0.5,
        metavar="SECONDS",
        help="who did not get the mutex tries again after so long (default %(default)g)",
    )
    most(for_accept_mutex, 512, "clients of one worker; with this many it leaves the mutex to others")
    workers(for_accept_mutex)

    for_reuseport = server(
        "reuseport",
        "workers with a listener each, all on one address (SO_REUSEPORT)",
        lambda o: reuseport.serve(o.host, o.port, o.workers, o.backlog),
    )
    workers(for_reuseport, 6)


def serve(options: argparse.Namespace) -> None:
    """Run the server that was parsed.  Raises OSError if it cannot, with what it could not use as `filename`."""
    run: Callable[[argparse.Namespace], None] = options.serve
    run(options)


def main(arguments: Sequence[str]) -> None:
    """Run a server as a test names it: `main(["epoll", "--trigger", "edge"])`."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    serve(parser.parse_args(arguments))
