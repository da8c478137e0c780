"""What an audit at rest costs the server: `python -m tests.suite.audit.latency` prints medians, and judges nothing.

Blocks of requests with and without an audit that only watches, in turns, so that both meet the same machine.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import time

from probes.audit.eyes import open_eyes
from probes.audit.find import Wanted, find
from probes.audit.watch import ServerThreads
from probes.host import PROJECT

BLOCKS, REQUESTS = 20, 100


def _request_us(port: int) -> float:
    began = time.monotonic_ns()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"x")
        connection.recv(1)
    return (time.monotonic_ns() - began) / 1000


def main() -> None:
    command = [sys.executable, "-m", "tests.suite.audit.servers", "level", "4", "0"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[1])
        watch = ServerThreads(sorted(find(Wanted(port)).holders))
        times: dict[str, list[float]] = {"without": [], "with": []}
        for _ in range(BLOCKS):
            times["without"] += [_request_us(port) for _ in range(REQUESTS)]
            with contextlib.ExitStack() as release:
                open_eyes(set(watch.threads), release)
                watch.looks()
                times["with"] += [_request_us(port) for _ in range(REQUESTS)]
        process.kill()
        for name, taken_us in times.items():
            low, median, high = statistics.quantiles(taken_us, n=4)
            print(f"{name:8} an audit at rest: median {median:.0f} us, quartiles {low:.0f} and {high:.0f}")


if __name__ == "__main__":
    main()
