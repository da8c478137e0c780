"""Requests to a server with and without an audit beside them: is it disturbed?

    python -m tests.suite.servers.latency                    nginx and gunicorn, some two minutes each
    python -m tests.suite.servers.latency haproxy --blocks 6

Blocks of requests take turns: beside an audit (which makes one connection a second, and rests in
between), alone, and alone once more.  The difference between the two that are alone is the noise that
the difference between with and without must be held against.  A benchmark, no test: times decide nothing here.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .audits import command
from .launch import PATIENCE_S, ROOT, Running
from .processes import LOOK_S
from .servers import named

WITH, ALONE, ALONE_AGAIN = "with an audit", "alone", "alone again"
REQUESTS = 100
"""In a block."""
PACE_S = 0.04
"""Between two requests, so that the audit takes the server for idle."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print; 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m tests.suite.servers.latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="SERVER", help="default: nginx gunicorn-sync")
    parser.add_argument("--blocks", type=int, default=8, metavar="N", help="blocks of each kind (default 8)")
    options = parser.parse_args(arguments)
    print("| server | requests | median | 90 % | 99 % | audits |\n|---|---|---:|---:|---:|---:|")
    for name in options.names or ("nginx", "gunicorn-sync"):
        try:
            server = named(name)
        except KeyError:
            print(f"no server is called {name}", file=sys.stderr)
            return 2
        with Running(server) as running:
            taken, audits = _blocks(running, options.blocks)
        for kind, times_us in taken.items():
            cuts = statistics.quantiles(times_us, n=100)
            figures = " | ".join(f"{cuts[at - 1]:.0f} µs" for at in (50, 90, 99))
            print(f"| {name} | {len(times_us)} {kind} | {figures} | {audits if kind == WITH else 0} |", flush=True)
    return 0


def _blocks(running: Running, blocks: int) -> tuple[dict[str, list[float]], int]:
    """Microseconds of every request by kind of block, and how many audits there were."""
    taken: dict[str, list[float]] = {WITH: [], ALONE: [], ALONE_AGAIN: []}
    audits = 0
    _requests(running, REQUESTS)  # warms up
    for block in range(blocks):
        # Each kind takes each place in turn.
        kinds = [WITH, ALONE, ALONE_AGAIN]
        for kind in kinds[block % 3 :] + kinds[: block % 3]:
            if kind != WITH:
                taken[kind] += _requests(running, REQUESTS)
                continue
            wanted = len(taken[kind]) + REQUESTS
            while len(taken[kind]) < wanted:
                # One may end early: to an audit, requests of others are a server that does not idle.
                audits += 1
                with _audit_beside(running) as audit:
                    taken[kind] += _requests(running, wanted - len(taken[kind]), audit)
    return taken, audits


@contextlib.contextmanager
def _audit_beside(running: Running) -> Iterator[subprocess.Popen[bytes]]:
    """An audit that has started: its interpreter is up, and it looks at the server."""
    line = [*command(running), "--connections", "1000", "--rate", "1"]
    audit = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE_S
        while not _has_caller(audit.pid):
            if audit.poll() is not None or time.monotonic() > end or running.ends_within(LOOK_S):
                raise RuntimeError(f"the audit of {running.server.name} did not start: exit code {audit.poll()}")
        yield audit
    finally:
        audit.terminate()
        audit.wait()


def _has_caller(pid: int) -> bool:
    """Whether the audit has forked the process that makes its connections, which is its first act."""
    with contextlib.suppress(OSError):
        return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    return False


def _requests(running: Running, count: int, beside: subprocess.Popen[bytes] | None = None) -> list[float]:
    """Microseconds that each of so many requests took; fewer where the audit beside them ended."""
    taken_us: list[float] = []
    due = time.monotonic()
    while len(taken_us) < count and (beside is None or beside.poll() is None):
        began = time.perf_counter_ns()
        status = running.get()
        taken_us.append((time.perf_counter_ns() - began) / 1000)
        if status != 200:
            raise RuntimeError(f"{running.server.name} answered {status}")
        due += PACE_S
        if running.ends_within(due - time.monotonic()):
            raise RuntimeError(f"{running.server.name} ended")
    return taken_us


if __name__ == "__main__":
    sys.exit(main())
