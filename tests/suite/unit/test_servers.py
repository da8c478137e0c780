"""The textbook servers are models: they serve everybody, survive what happens to servers, and leave nothing."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.servers import listening

from .serving import Running, exactly, to_the_end, until

SERVERS: dict[str, tuple[list[str], int]] = {
    "fork": (["fork"], 0),
    "flock": (["serialised"], 4),
    "robust-mutex": (["serialised", "--lock", "robust-mutex"], 4),
    "level": (["epoll"], 4),
    "edge": (["epoll", "--trigger", "edge"], 4),
    "exclusive": (["epoll", "--trigger", "exclusive"], 4),
    "accept-mutex": (["accept-mutex", "--delay", "0.05"], 4),
    "reuseport": (["reuseport"], 6),
}
"""What is tested, how it is started, and with how many workers."""


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """One server for all tests that it survives; in the end it is told to end, and does so without a rest."""
    arguments, workers = SERVERS[request.param]
    with Running(*arguments) as running:
        yield running.listening(workers)
        assert running.end() == 0
        assert "Traceback" not in running.printed
        assert running.members() == []


# --- it serves everybody -----------------------------------------------------------------------


def test_each_of_a_burst_is_served_once(server: Running) -> None:
    clients = [server.client() for _ in range(24)]
    for i, client in enumerate(clients):
        client.sendall(b"client %d" % i)
        client.shutdown(socket.SHUT_WR)  # and still gets everything: half-close
    assert [to_the_end(client) for client in clients] == [b"client %d" % i for i in range(24)]
    for client in clients:
        client.close()


def test_partial_reads_and_writes(server: Running) -> None:
    """More than all buffers hold, to a client that reads late, in small portions."""
    data = os.urandom(1 << 20) * 8
    got = bytearray()
    with server.client(buffer=4096) as client:
        client.setblocking(False)
        unsent = memoryview(data)
        while unsent and select.select([], [client], [], 0)[1]:
            unsent = unsent[client.send(unsent) :]
        while len(got) < len(data):
            readable, writable, _ = select.select([client], [client] if unsent else [], [], 60)
            assert readable or writable, f"{len(got)} bytes came back, {len(unsent)} are not sent"
            if writable:
                unsent = unsent[client.send(unsent) :]
            if readable:
                got += client.recv(1 << 20)
    assert got == data


def test_slow_client_holds_up_nobody(server: Running) -> None:
    with server.client() as slow:
        slow.sendall(b"served, ")
        assert exactly(slow, 8) == b"served, "
        assert [server.echo(b"another") for _ in range(8)] == [b"another"] * 8
        slow.sendall(b"and still there")
        assert exactly(slow, 15) == b"and still there"


def test_nothing_is_left_of_200_connections(server: Running) -> None:
    """Neither a descriptor nor a zombie, although every second client leaves with a reset."""
    server.echo(b"a worker opens what it needs for its first client")
    before = server.descriptors()
    for i in range(200):
        assert server.echo(b"x", resets=bool(i % 2)) == b"x"
    alone = 1 + len(server.workers)
    until(lambda: len(server.members()) == alone and "Z" not in server.states(), "a process is left")
    until(lambda: all(now <= before[pid] for pid, now in server.descriptors().items()), "a descriptor is left")


def test_killed_workers_are_replaced(server: Running) -> None:
    """All of them at once, so the holder of a lock is among them."""
    old = dict(server.workers)
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    # One that was not dead yet could take the client along (claim death.accepted-dies-with-winner).
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in old.values()), "a killed worker is still there")
    assert server.echo(b"once more") == b"once more"
    server.announced(len(old))
    assert set(server.workers.values()).isdisjoint(old.values())
    assert [server.echo(b"and more") for _ in range(8)] == [b"and more"] * 8


@pytest.mark.parametrize("name", ["fork", "serialised"])
def test_silent_client_is_given_up(name: str) -> None:
    """There is a process for each client, so a silent client would keep one for ever."""
    with Running(name, *(["--workers", "1"] if name == "serialised" else ["--most", "1"]), "--idle", "0.2") as server:
        server.listening()
        with server.client() as silent:
            assert server.echo(b"its place was taken") == b"its place was taken"
            assert silent.recv(1) == b""


# --- it ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fork", "flock"])
def test_ctrl_c_ends_it(name: str) -> None:
    """Ctrl-C goes to every process of the terminal's group."""
    arguments, workers = SERVERS[name]
    with Running(*arguments) as server:
        server.listening(workers)
        for pid in server.workers.values():
            os.kill(pid, signal.SIGINT)  # the decision is the parent's
        assert server.echo(b"x") == b"x"
        assert set(server.workers.values()) <= set(server.members())
        assert server.end(signal.SIGINT, group=True) == 0
        assert "Traceback" not in server.printed
        assert server.members() == []
        with pytest.raises(ConnectionRefusedError):
            server.client()


def test_workers_do_not_outlive_a_killed_parent() -> None:
    with Running("reuseport") as server:
        server.listening(6)
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: set(server.states()) <= {"Z"}, "workers are left")  # dead: init waits for them when it likes


def test_stopped_worker_is_ended_too() -> None:
    with Running("epoll", "--workers", "1") as server:
        server.listening(1)
        os.kill(server.workers[0], signal.SIGSTOP)
        until(lambda: "T" in server.states(), "the worker was not stopped")
        assert server.end() == 0
        assert server.members() == []


def test_worker_that_cannot_start_is_not_forked_without_end() -> None:
    program = (
        "import os; from probes.servers import prefork; prefork.RETRY_S = 3600; prefork.run(lambda _: os._exit(3), 1)"
    )
    with Running(program, program=("-c",)) as server:
        server.line("died")
        server.line("died")
        until(lambda: server.states() == ["S"], "the parent does not sleep")
        assert server.end() == 0
        assert server.printed.count("is process") == 2


# --- the fork server ---------------------------------------------------------------------------


def test_reload_keeps_connections(tmp_path: Path) -> None:
    """SIGHUP: clients that are served go on, those to come get the new greeting; a mistake changes nothing."""
    greeting = tmp_path / "greeting"
    greeting.write_text("old. ")
    with Running("fork", "--greeting", str(greeting)) as server:
        server.listening()
        with server.client() as before:
            assert exactly(before, 5) == b"old. "
            greeting.write_text("new. ")
            server.process.send_signal(signal.SIGHUP)
            server.line("reloaded")
            assert server.echo(b"x") == b"new. x"
            before.sendall(b"still served")
            assert exactly(before, 12) == b"still served"
        greeting.unlink()
        server.process.send_signal(signal.SIGHUP)
        server.line("not reloaded", str(greeting))
        assert server.echo(b"x") == b"new. x"
        assert server.end() == 0


def test_end_waits_for_who_is_served() -> None:
    with Running("fork", "--grace", "3600") as server:
        server.listening()
        with server.client() as client:
            client.sendall(b"x")
            assert exactly(client, 1) == b"x"
            server.process.send_signal(signal.SIGTERM)
            server.line("clients still served: 1")
            listening.listen(*server.address).close()  # the port is free already
            client.sendall(b"y")
            assert exactly(client, 1) == b"y"
        assert server.process.wait(60) == 0
        assert server.members() == []


def test_second_signal_does_not_wait() -> None:
    with Running("fork", "--grace", "3600") as server:
        server.listening()
        with server.client() as client:
            client.sendall(b"x")
            assert exactly(client, 1) == b"x"
            server.process.send_signal(signal.SIGTERM)
            server.line("clients still served: 1")
            assert server.end() == 0
            assert server.members() == []


def test_no_more_children_than_allowed() -> None:
    with Running("fork", "--most", "1") as server:
        server.listening()
        with server.client() as first, server.client() as second:
            first.sendall(b"x")
            assert exactly(first, 1) == b"x"
            second.sendall(b"x")
            until(lambda: server.states() == ["S", "S"], "parent and child do not sleep")
            assert select.select([second], [], [], 0)[0] == []
            first.close()
            assert exactly(second, 1) == b"x"


# --- out of descriptors ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["level", "edge", "exclusive", "accept-mutex", "reuseport"])
def test_out_of_descriptors(name: str) -> None:
    """The worker sleeps (an accept that fails again and again would not), and serves who waits once it can."""
    with Running(*SERVERS[name][0], "--workers", "1") as server:
        server.listening(1)
        assert server.echo(b"x") == b"x"
        until(lambda: _sockets(server.workers[0]) == 1, "the first client's socket is not closed")
        free = 3
        _leave(server.workers[0], free)
        clients = [server.client() for _ in range(free + 2)]
        for client in clients:
            client.sendall(b"x")
        served = clients[:free]
        assert [exactly(client, 1) for client in served] == [b"x"] * free
        until(lambda: server.states() == ["S", "S"], "parent and worker do not sleep")
        assert select.select(clients[free:], [], [], 0)[0] == []
        served[0].close()
        assert exactly(clients[free], 1) == b"x"
        served[1].close()
        assert exactly(clients[free + 1], 1) == b"x"
        for client in clients:
            client.close()


def _sockets(pid: int) -> int:
    """How many sockets a process has open; the listener is one."""
    folder = Path(f"/proc/{pid}/fd")
    return sum(os.readlink(link).startswith("socket:") for link in folder.iterdir())


def _leave(pid: int, free: int) -> None:
    """Leave a process this many free descriptors: its limit is the first number that it may not use."""
    taken = {int(link.name) for link in Path(f"/proc/{pid}/fd").iterdir()}
    numbers = (number for number in range(1000) if number not in taken)
    limit = [next(numbers) for _ in range(free)][-1] + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
