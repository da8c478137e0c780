"""Clients that know how many connections they made: `python -m tests.suite.audit.load PORT PER_S SECONDS [--http]`.

Each connects, sends a request, reads the answer to its end, and closes; several threads keep the pace together.
Prints JSON: made, answered, and quantiles of the time from connect to the end of the answer, in microseconds.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import threading
import time
from typing import Any

THREADS = 8
TIMEOUT_S = 30.0


class Clients:
    """So many connections a second, for so long."""

    def __init__(self, port: int, per_s: float, seconds: float, *, http: bool) -> None:
        self._port, self._per_s, self._seconds = port, per_s, seconds
        self._request = b"GET / HTTP/1.0\r\n\r\n" if http else b"x"
        self._http = http
        self._lock = threading.Lock()
        self.connections = 0
        self.answered = 0
        self.taken_us: list[float] = []

    def run(self) -> dict[str, Any]:
        """Connect until the time is over; what came of it."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._in_turns, args=(began, number)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - began
        cuts = statistics.quantiles(self.taken_us, n=100) if len(self.taken_us) > 1 else [0.0] * 99
        return {
            "made": self.connections,
            "answered": self.answered,
            "per_s": round(self.connections / took_s, 1),
            "us": {"50": round(cuts[49]), "90": round(cuts[89]), "99": round(cuts[98])},
        }

    def _in_turns(self, began: float, number: int) -> None:
        pause = threading.Event()
        for turn in range(int(self._seconds * self._per_s / THREADS)):
            due = began + (turn * THREADS + number) / self._per_s
            if time.monotonic() - began > self._seconds:
                return
            pause.wait(max(0.0, due - time.monotonic()))
            self._connection()

    def _connection(self) -> None:
        start = time.perf_counter_ns()
        with socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S) as connection:
            connection.sendall(self._request)
            answer = connection.recv(4096)
            while self._http and answer and connection.recv(4096):
                pass
        taken_us = (time.perf_counter_ns() - start) / 1000
        with self._lock:
            self.connections += 1
            self.answered += bool(answer)
            self.taken_us.append(taken_us)


def main() -> None:
    """Read the command line, connect, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("per_s", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--http", action="store_true")
    options = parser.parse_args()
    print(json.dumps(Clients(options.port, options.per_s, options.seconds, http=options.http).run()))


if __name__ == "__main__":
    main()
