"""Small servers, each with one way of waiting: `python -m tests.suite.audit.servers KIND WORKERS ADDRESS`.

ADDRESS is a port (0: any), the path of a unix socket (or @name), in:ROOT:PATH for a path in another root (chroot(2)),
or fd:N for a listener that is descriptor N already.
KIND handed+KIND has a supervisor, which binds the listener, hands it over and keeps it.

The server prints its address, then one line for each connection that a worker took ("took PID") and for each call
that a signal cut short ("EINTR PID"); quick, for each wait whose time was over ("ticked").
A client that sends a line gets it back.  Workers wait by raw system calls, because Python repeats a call
after EINTR by itself (PEP 475).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

from probes import syscalls
from probes.audit.registered import EDGE, EXCLUSIVE

TIMER_MS, QUICK_MS = 100, 10
_NUMBERS = syscalls.NUMBERS
_EINTR, _EAGAIN = -4, -11
_IN = 1


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())  # one write, so that lines of several workers do not mix


def _open(address: str, *, reuseport: bool = False, listen: bool = True) -> socket.socket:
    if address.startswith("fd:"):
        return socket.socket(fileno=int(address[3:]))
    if address.isdigit():
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuseport:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", int(address)))
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
    if listen:
        sock.listen(64)
    return sock


def _call(name: str, *arguments: int) -> int:
    result = syscalls.call(_NUMBERS[name], *arguments)
    if result == _EINTR:
        _say(f"EINTR {os.getpid()}")
    return result


def _epoll_wait(fd: int, timeout_ms: int = -1) -> int:
    return _call("epoll_wait", fd, ctypes.addressof(_events), 1, timeout_ms)


_events = ctypes.create_string_buffer(64)


def _select(listener: socket.socket) -> Callable[[], object]:
    bits = ctypes.create_string_buffer(128)

    def wait() -> None:
        bits[listener.fileno() // 8] = 1 << listener.fileno() % 8
        _call("select", listener.fileno() + 1, ctypes.addressof(bits), 0, 0, 0)

    return wait


def _epoll(listener: socket.socket, flags: int = 0, timeout_ms: int = -1) -> Callable[[], object]:
    epoll = select.epoll()
    epoll.register(listener.fileno(), _IN | flags)
    return lambda: _epoll_wait(epoll.fileno(), timeout_ms)


def _counting(wait: Callable[[], object]) -> Callable[[], object]:
    """The same wait, which says when its time was over."""

    def waits() -> None:
        if wait() == 0:
            _say("ticked")

    return waits


def _serve(wait: Callable[[], object], listener: socket.socket, drain: bool = False) -> None:
    """Wait, take one (or, to `drain`, all that are there), answer, and so on."""
    taken = -1
    while True:
        if not drain or taken < 0:
            wait()
        taken = _call("accept4", listener.fileno(), 0, 0, 0)
        if taken >= 0:
            _say(f"took {os.getpid()}")
            with socket.socket(fileno=taken) as connection:
                connection.setblocking(True)
                if said := connection.recv(100):
                    connection.sendall(said)


def _fork(work: Callable[[], object]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        syscalls.die_with_parent(parent)
        try:
            work()
        finally:
            os._exit(1)
    return pid


def _dispatch(listener: socket.socket, workers: int) -> None:
    """The master waits and takes; it hands each connection to the next worker (SCM_RIGHTS, unix(7))."""
    ends = []
    for _ in range(workers):
        ours, theirs = socket.socketpair()
        ends.append(ours)

        def work(end: socket.socket = theirs) -> None:
            while True:
                _, fds, _, _ = socket.recv_fds(end, 1, 1)
                with socket.socket(fileno=fds[0]) as connection:
                    connection.recv(100)

        _fork(work)
    _say(f"listens {listener.getsockname()[1]}")
    wait = _epoll(listener)
    turn = 0
    while True:
        wait()
        taken, _ = listener.accept()
        socket.send_fds(ends[turn % workers], [b"x"], [taken.fileno()])
        taken.close()
        turn += 1


def _spin(listener: socket.socket) -> None:
    """Wakes a thousand times a second, whoever comes."""
    wait = _epoll(listener, timeout_ms=1)
    while True:
        wait()
        if select.select([listener], [], [], 0)[0]:
            listener.accept()[0].close()


def _on_demand(listener: socket.socket) -> None:
    """Waits for the first connection, starts a worker for it and all that follow, and waits no more."""
    _epoll(listener)()
    pid = _fork(lambda: _serve(_epoll(listener), listener))
    os.waitpid(pid, 0)


def _die(listener: socket.socket) -> None:
    """Takes three connections, and ends."""
    for _ in range(3):
        listener.accept()[0].close()
    os._exit(3)


def _grow(listener: socket.socket) -> None:
    """Takes one connection, and has another worker from then on."""
    listener.accept()[0].close()
    _fork(lambda: _serve(lambda: None, listener))
    _serve(lambda: None, listener)


def _stop(listener: socket.socket) -> None:
    """As a helper that is stopped until it is needed (Traffic Server's crash log helper)."""
    listener.close()
    os.kill(os.getpid(), signal.SIGSTOP)


def _help(listener: socket.socket) -> None:
    """As a coordinator: forked like the workers, with their listener open, and waiting for other things."""
    epoll = select.epoll()
    while True:
        _epoll_wait(epoll.fileno(), 700)


def _take_turns(listener: socket.socket, path: str) -> None:
    """Accepts while it has the lock, as servers that serialise accept do."""
    with open(path, "w") as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_EX)
            taken = _call("accept4", listener.fileno(), 0, 0, 0)
            fcntl.flock(lock, fcntl.LOCK_UN)
            if taken >= 0:
                os.close(taken)


def _tick(period_s: float) -> None:
    never = threading.Event()
    while not never.wait(period_s):
        pass


def _log_in(listener: socket.socket) -> None:
    """As a program that is stopped (Ctrl-Z) in a login below sshd: it never comes to rest."""
    listener.close()
    os.setsid()
    os.kill(os.getpid(), signal.SIGSTOP)


def _supervise(kind: str, workers: int, address: str) -> None:
    """Binds for another program, hands the listener over, and keeps it, as supervisors do."""
    listener = _open(address)
    _say(f"listens {listener.getsockname()[1]}")
    # Started by another name, so that the audit can tell it from us.
    start = f"from tests.suite.audit import servers; servers.main({kind!r}, {workers}, 'fd:{listener.fileno()}')"
    command = ["worker-program", "-c", start]
    parent = os.getpid()
    subprocess.run(
        command,
        executable=sys.executable,
        pass_fds=[listener.fileno()],
        stdout=subprocess.DEVNULL,
        # By that name Python does not find the environment that it belongs to.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: syscalls.die_with_parent(parent),
        check=False,
    )


def main(kind: str, workers: int, address: str) -> None:
    supervise, _, rest = kind.partition("+")
    if supervise == "handed":
        _supervise(rest, workers, address)
        return
    # The master of a reuseport group only reserves the port; an orphan is its own socket, in which it listens.
    if address.startswith("in:"):
        _, root, address = address.split(":", 2)
        os.chroot(root)
        os.chdir("/")
    own_sockets = kind in ("reuseport", "orphan")
    listener = _open(address, reuseport=own_sockets, listen=kind != "reuseport")
    port = str(listener.getsockname()[1]) if address.isdigit() else address
    if kind == "dispatch":
        _dispatch(listener, workers)
    if kind == "ticking":
        # As a large JVM: one thread accepts, and hundreds have timers of their own, so that one always moves.
        for number in range(workers):
            threading.Thread(target=_tick, args=(0.5 + number / workers,), daemon=True).start()
        _say(f"listens {port}")
        _serve(lambda: None, listener)
    if kind == "threads":
        for _ in range(workers):
            threading.Thread(target=_serve, args=(lambda: None, listener), daemon=True).start()
        _say(f"listens {port}")
        threading.Event().wait()
    if kind in ("zombie", "login", "stopped"):
        helpers = {"zombie": lambda: None, "login": lambda: _log_in(listener), "stopped": lambda: _stop(listener)}
        _fork(helpers[kind])
        kind = "accept"
    if kind == "helpers":
        for _ in range(3):
            _fork(lambda: _help(listener))
        kind = "level"
    if kind == "turns":
        # Each worker needs a lock of its own on one file (flock(2)): by /proc, so that none stays behind.
        path = f"/proc/{os.getpid()}/fd/{os.memfd_create('turns')}"
    if kind not in ("accept", "die", "grow", "turns"):
        listener.setblocking(False)
    late_s = 0.0
    shared = _epoll(listener, EDGE if kind == "shared-edge" else 0) if kind.startswith("shared") else None

    def work() -> None:
        mine = listener
        if own_sockets:
            mine = _open(port, reuseport=True)
            mine.setblocking(False)
        how: dict[str, Callable[[], Callable[[], object]]] = {
            "accept": lambda: lambda: None,
            "select": lambda: _select(mine),
            "level": lambda: _epoll(mine),
            "reuseport": lambda: _epoll(mine),
            "orphan": lambda: _epoll(mine),
            "exclusive": lambda: _epoll(mine, EXCLUSIVE),
            "timer": lambda: _epoll(mine, timeout_ms=TIMER_MS),
            "quick": lambda: _counting(_epoll(mine, timeout_ms=QUICK_MS)),
            "shared": lambda: shared or (lambda: None),
            "shared-edge": lambda: shared or (lambda: None),
        }
        if kind == "spin":
            _spin(mine)
        elif kind == "on-demand":
            _on_demand(mine)
        elif kind == "die":
            _die(mine)
        elif kind == "grow":
            _grow(mine)
        elif kind == "turns":
            _take_turns(mine, path)
        elif kind == "deaf":
            signal.pause()
        else:
            _serve(how[kind](), mine, drain=kind == "shared-edge")

    if kind == "late":
        # As one that loads an application in each.
        kind, late_s = "level", 0.5
    children = []
    for _ in range(workers):
        children.append(_fork(work))
        select.select([], [], [], late_s)
    _say(f"listens {port}")
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
