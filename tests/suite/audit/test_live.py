"""Servers that never idle, because of a quick timer or of clients: the trace shows which wake-ups are the audit's."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from probes.audit.auditing import OFFER

from .conftest import Audit, Start

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to see who woke whom")
PER_S = 20


class Clients(threading.Thread):
    """Connects so many times a second, until it is over."""

    def __init__(self, port: str) -> None:
        super().__init__()
        self._port = int(port)
        self.over = threading.Event()
        self.answered = 0

    def run(self) -> None:
        while not self.over.wait(1 / PER_S):
            with socket.create_connection(("127.0.0.1", self._port), 30) as connection:
                connection.sendall(b"x")
                self.answered += connection.recv(1) == b"x"


@needs_root
def test_a_quick_timer(start: Start, audit: Audit) -> None:
    """Up to 100 moves a second, like a busy Go program; fewer on a busy machine."""
    server = start("quick", 1)
    answer = audit("--port", server.address)
    assert answer["verdict"] == "wakes one", answer.text
    assert answer["waiters"][0]["timer_per_s"] > 0
    # Each wake-up by the timer that the audit saw before it connected ended a wait.
    assert 0 < answer["idle"]["sources"]["timers"] <= server.count("ticked")
    assert answer["woken"] == {"min": 1, "median": 1, "max": 1}
    assert answer["connections"] == 10


@needs_root
@pytest.mark.parametrize(("kind", "woken"), [("level", 4), ("exclusive", 1)])
def test_real_clients_meanwhile(start: Start, audit: Audit, kind: str, woken: int) -> None:
    """Wake-ups by their connections are not counted, and all of them are answered."""
    server = start(kind)
    clients = Clients(server.address)
    clients.start()
    try:
        answer = audit("--port", server.address)
    finally:
        clients.over.set()
        clients.join()
    assert answer["connections"] == 10, answer.text
    assert answer["woken"]["median"] == woken, answer.text
    assert clients.answered > 20
    assert "clients" in answer["idle"]["sources"]


def test_without_the_trace_a_busy_server_is_refused(start: Start, audit: Audit) -> None:
    """A thousand moves a second; far more than 30 on a busy machine, too."""
    denied = ("setpriv", "--bounding-set=-sys_admin,-perfmon", "--inh-caps=-all") if os.geteuid() == 0 else ()
    answer = audit("--port", start("spin", 1).address, prefix=denied)
    assert answer.code == 3
    assert "as root, the scheduler's trace tells" in answer["reason"], answer.text
    assert answer["advice"] == [OFFER]
