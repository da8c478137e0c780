"""The options of `wakecheck audit`, and which of them are refused."""

from __future__ import annotations

import argparse
import ipaddress
import re
from dataclasses import dataclass

from .. import argument
from ..exits import OTHER_CODES
from .find import BadTarget, Wanted

MOST_CONNECTIONS = 1_000
MOST_WATCH_S = 3_600
CONNECTIONS, RATE = 20, 20.0
MOST_PER_S = 100.0
LEAST_PER_S = 1 / 3600
HTTP = b"GET / HTTP/1.0\r\n\r\n"

GUIDE = """\
How many workers of a running server does one connection wake?

  wakecheck audit --port 8000               the listener on this port, whichever process has it
  wakecheck audit --pid 4242                the listener of this process (a container's too)
  wakecheck audit --pid 4242 --port 80      port 80 in that process's network namespace
  wakecheck audit --unix /run/app.sock      a unix socket; @name for an abstract one
  wakecheck audit -- gunicorn -w 4 app:app  start this server, audit it, stop it
  wakecheck audit --port 53 --dns a.test    a UDP socket, one datagram at a time (or --send TEXT)
  wakecheck audit --port 443 --watch 10     connect to nothing: count for 10 s what its own clients do to it

It first watches the server idle.  Then it opens one connection at a time, sends nothing unless asked to, and
counts the workers that the scheduler woke.  It audits only servers on this machine, and attaches to nothing
unless you give --trace.
For your own processes you need no root.  Root sees more: who woke whom (sched_waking), and which calls returned.
"""

EPILOG = f"""\
--json prints one object, by probes/audit/audit.schema.json.  Its keys:
  verdict        herds, wakes one, wakes nobody, inconclusive;  sentence and sure say it in words
                 (wakes nobody: the listener waits for data, TCP_DEFER_ACCEPT; --http or --send sends some)
  woken          workers that one connection woke: min, median, max over the connections judged
  returned       workers whose wait call came back, won: that took the connection, in_vain: that were woken and took
                 nothing: over those connections judged to which no other client came; null where not observed
  connections    how many were judged;  disturbed: how many were not, because a timer, a client or the server woke one;
                 shared: beside how many judged ones another client came, so that they have no winner
  workers        how many wait for the listener
  strategy       how they wait, as the lab names it (epoll_wait.level.listener ...); null if it has no name for it
  waits          the same as a sentence
  waiters        each of them: pid, tid, name, call, trigger, epoll (instance), timer_per_s
  idle           before the audit connected: sources of the workers' wake-ups (timers, clients ...), null if not seen
  listener, settings, server, winners, others, handed_on, timers, window_ms, accidents, observers,
  lab            what the lab measured for this strategy just now: scenario, woken, or why_not
  traffic        with --watch: arrived, accepted, woken, returned, in_vain (sums), woken_per_accepted, asleep (workers
                 that slept when a connection arrived), judged (those that arrived while two slept), found_nothing
                 (EAGAIN), cpu_ms, in_vain_cpu_ms, shares, jain, queue (looks, highest, backlog, dropped, overflows),
                 watched (seconds, observed_s, records, record_ns, cost_to_server_ms ...); without the tracepoints
                 switches, opened_in_namespace;  woken, returned, won, in_vain are then of the connections judged
  warnings       what else is wrong, for example a listener that nobody waits for
  listeners      instead of all these, if the server of --pid has several: an answer for each
  advice         what to change, if anything;  reason: why it is inconclusive, or null;  exit_code

Exit codes: 0 judged, 1 more workers wake than --max-woken, 2 bad input, 3 it could not be judged
(also with --max-woken, if the listener waits for data and none were sent),
{OTHER_CODES}.
"""


@dataclass(frozen=True)
class AuditRequest:
    """What the user asked for, checked."""

    wanted: Wanted | None
    """None if the audit starts the server and takes the listener that it opens."""
    command: tuple[str, ...]
    connections: int
    rate: float
    data: bytes
    trace: bool
    max_woken: int | None
    watch_s: float | None = None
    """How long to watch what the server's own clients do, without connecting; None: connect."""


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options to the subcommand's parser."""
    parser.description = GUIDE
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", metavar="[HOST:]PORT", help="audit what listens on this TCP port")
    parser.add_argument("--pid", type=int, metavar="PID", help="audit the listener of this process")
    parser.add_argument("--unix", type=argument.path, metavar="PATH", help="audit what listens on this unix socket")
    parser.add_argument("server", nargs="*", metavar="-- COMMAND", help="start this server, audit it, and stop it")
    parser.add_argument(
        "--connections",
        type=int,
        metavar="N",
        help=f"how many to make, one at a time (default {CONNECTIONS}, at most {MOST_CONNECTIONS:,})",
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="N",
        help=f"connections a second, at most (default {RATE:g}, at most {MOST_PER_S:g})",
    )
    parser.add_argument("--send", metavar="TEXT", help=r"send this over each connection, \r\n\t\x00 as in C")
    parser.add_argument("--http", action="store_true", help=r"send GET / HTTP/1.0\r\n\r\n over each connection")
    parser.add_argument("--dns", metavar="NAME", help="a DNS server on UDP: send queries for this name")
    parser.add_argument("--udp", action="store_true", help="the UDP socket of this port, if TCP listens there, too")
    parser.add_argument("--max-woken", type=int, metavar="N", help="exit with 1 if a connection wakes more workers")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON (keys: below)")
    parser.add_argument("--html", type=argument.path, metavar="FILE", help="also write the answer as a page")
    parser.add_argument(
        "--watch",
        type=float,
        metavar="SECONDS",
        help="connect to nothing: count for this long what the server's own clients do to it (root sees most)",
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="see returns through ptrace if the tracepoints are denied; this disturbs the server: a blocked epoll_wait "
        "returns EINTR, and each system call stops twice",
    )


def request_from(options: argparse.Namespace) -> AuditRequest:
    """The request, checked.  Raises BadTarget with one sentence for the user."""
    wanted = _wanted(options)
    if options.max_woken is not None and options.max_woken < 0:
        raise BadTarget(f"--max-woken {options.max_woken}: a number of workers is 0 or more")
    if options.watch is not None:
        return AuditRequest(wanted, (), 0, 0.0, b"", False, options.max_woken, _watch_s(options))
    options.connections = CONNECTIONS if options.connections is None else options.connections
    options.rate = RATE if options.rate is None else options.rate
    if not 1 <= options.connections <= MOST_CONNECTIONS:
        raise BadTarget(f"{options.connections} connections: there can be 1 to {MOST_CONNECTIONS:,}")
    if 0 < options.rate < LEAST_PER_S:
        raise BadTarget(f"a rate of {options.rate:g}: there must be one connection an hour at least")
    if not 0 < options.rate <= MOST_PER_S:
        raise BadTarget(f"a rate of {options.rate:g}: there can be up to {MOST_PER_S:g} connections a second")
    if sum((options.http, options.send is not None, options.dns is not None)) > 1:
        raise BadTarget("--http, --send and --dns each say what to send: give one of them")
    data = _data(options)
    if options.udp and options.send is None and options.dns is None:
        raise BadTarget("--udp: say what to send, with --send TEXT, or --dns NAME")
    return AuditRequest(
        wanted, tuple(options.server), options.connections, options.rate, data, options.trace, options.max_woken
    )


def _data(options: argparse.Namespace) -> bytes:
    """What to send.  Raises BadTarget for a bad escape or a bad DNS name."""
    if options.dns is not None:
        return query(options.dns)
    return HTTP if options.http else unescape(options.send or "")


def query(name: str) -> bytes:
    """A DNS query for the address of this name (RFC 1035, section 4), without recursion, so that the server asks no
    other.  Raises BadTarget if it is not a DNS name."""
    labels = [label.encode("ascii", "replace") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels) or sum(map(len, labels)) + len(labels) > 254:
        raise BadTarget(f"{name!r} is not a DNS name: write example.com")
    words = b"".join(bytes([len(label)]) + label for label in labels)
    return b"WC\0\0\0\1\0\0\0\0\0\0" + words + b"\0\0\1\0\1"


def _watch_s(options: argparse.Namespace) -> float:
    """How long to watch.  Raises BadTarget for options that cannot be combined with --watch."""
    if options.server:
        raise BadTarget("--watch counts what a server's own clients do: one that the audit starts has none")
    for name in ("connections", "rate", "send", "http", "dns", "trace"):
        if getattr(options, name) not in (None, False):
            raise BadTarget(f"--watch makes no connection, sends nothing and traces no thread: leave --{name} out")
    seconds = float(options.watch)
    if not 0.1 <= seconds <= MOST_WATCH_S:
        raise BadTarget(f"--watch {seconds:g}: there can be 0.1 to {MOST_WATCH_S:,} seconds")
    return seconds


def _wanted(options: argparse.Namespace) -> Wanted | None:
    if options.port is not None and options.unix is not None:
        raise BadTarget("--port and --unix name two listeners: give one of them")
    if options.unix == "":
        raise BadTarget("--unix '' names no socket: write its path, or @NAME of an abstract one")
    host, port = parse_port(options.port) if options.port is not None else (None, None)
    udp, sends = options.udp or options.dns is not None, options.send is not None or options.watch is not None
    if udp and options.server and port is None:
        raise BadTarget("a UDP socket of a server that the audit starts: add --port to name it")
    if options.server:
        if options.pid is not None:
            raise BadTarget("--pid names a server that runs, and the command one to start: give one of them")
        return None if port is None and options.unix is None else Wanted(port, host, options.unix, udp=udp, sends=sends)
    if options.pid is None and port is None and options.unix is None:
        raise BadTarget("name a server: --port 8000, --pid PID, --unix PATH, or -- and a command that starts it")
    if options.pid is not None and options.pid < 1:
        raise BadTarget(f"--pid {options.pid} is not a process")
    return Wanted(port, host, options.unix, options.pid, udp, sends)


def parse_port(text: str) -> tuple[str | None, int]:
    """`8000`, `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000`.  Raises BadTarget for anything else."""
    match = re.fullmatch(r"(?:(.*):)?(\d{1,5})", text)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise BadTarget(f"{text!r} is not a port: write 8000, 127.0.0.1:8000 or [::1]:8000")
    host, port = match[1], int(match[2])
    if host in (None, "", "localhost"):
        return None, port
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), port
    except ValueError:
        raise BadTarget(
            f"{host} is not an address of this machine: only servers on this machine can be audited"
        ) from None


def unescape(text: str) -> bytes:
    r"""The bytes of a text with escapes such as `\r\n` and `\x00`.  Raises BadTarget for an invalid escape."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")
    except (UnicodeDecodeError, UnicodeEncodeError):
        raise BadTarget(f"{text!r} holds an escape that means no byte: there are \\r \\n \\t \\\\ \\xHH") from None
