"""The caller: a small child process that makes the connections, in the listener's network namespace.

A process of its own, so that setns(2) changes nobody else, and so that the scheduler's trace shows
the connection's wake-ups under a thread id that does nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import sys
from typing import Any

from .. import syscalls
from ..lab import fence
from ..verdict import Inconclusive

_NEWNET, _NEWUSER = 0x40000000, 0x10000000
PATIENCE_S = 10
"""How long connect may take: longer only if the accept queue is full (listen(2))."""


class Caller:
    """Asks the child, one request at a time.  Fork it before any thread is started (fork(2))."""

    def __init__(self, family: int, address: object, beside: int | None) -> None:
        """`beside` is a process whose network namespace the listener is in; None: ours.

        Raises Inconclusive where that namespace may not be entered.
        """
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                # Among all that it would hold open: the pipe whose closing ends a server that the audit started.
                _close_all_but(theirs.fileno())
                _serve(theirs, parent, family, address, beside)
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        self._socket = ours
        self._file = ours.makefile("rb")
        try:
            greeting = self._answer()
        except BaseException:
            self.close()
            raise
        self.fence: str = greeting["fence"]
        self.fence_proves: bool = greeting["proves"]

    def connect(self) -> tuple[str, int]:
        """Connect, wait for it; the client's address.  Raises Inconclusive where it fails."""
        host, port = self._ask({"do": "connect"})["client"]
        return host, port

    def pass_fence(self) -> None:
        """Return once every wake-up that was under way has been issued (probes/lab/fence.py)."""
        self._ask({"do": "fence"})

    def send(self, data: bytes) -> None:
        """Send these bytes over the open connection."""
        self._ask({"do": "send", "data": data.hex()})

    def hang_up(self) -> None:
        """Close the connection, as any client does: the server reads the end of the stream."""
        self._ask({"do": "close"})

    def close(self) -> None:
        self._file.close()
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise Inconclusive("the caller died") from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._file.readline()
        if not line:
            raise Inconclusive("the caller died")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise Inconclusive(answer["failed"])
        return answer


def _close_all_but(kept: int) -> None:
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _serve(end: socket.socket, parent: int, family: int, address: Any, beside: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    syscalls.die_with_parent(parent)

    def answer(message: dict[str, Any]) -> None:
        end.sendall(json.dumps(message).encode() + b"\n")

    try:
        if beside is not None:
            _enter(beside)
            syscalls.die_with_parent(parent)
        if family == socket.AF_UNIX and isinstance(address, str):
            address = _short(address)
        chosen = fence.choose()
    except OSError as error:
        answer({"failed": f"the listener's network namespace may not be entered: {error.strerror}"})
        return
    answer({"fence": chosen.name, "proves": chosen.proves})
    made: socket.socket | None = None
    for line in end.makefile("rb"):
        request = json.loads(line)
        reply: dict[str, Any] = {}
        try:
            if request["do"] == "connect":
                made = socket.socket(family)
                # Blocking, so that what it issues is issued when it returns; but not for ever (socket(7)).
                made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("=qq", PATIENCE_S, 0))
                made.connect(address)
                name = made.getsockname()
                reply["client"] = name[:2] if isinstance(name, tuple) else ["", 0]
            elif request["do"] == "send" and made is not None:
                made.sendall(bytes.fromhex(request["data"]))
            elif request["do"] == "fence":
                chosen.act()
            elif request["do"] == "close" and made is not None:
                made.close()
        except OSError as error:
            # A server that has answered and hung up already leaves EPIPE or ECONNRESET.
            what = "it could not be connected to" if request["do"] == "connect" else f"{request['do']} failed"
            reply = {"failed": f"{what}: {error.strerror or error}"}
        answer(reply)


def _enter(pid: int) -> None:
    """Enter the network namespace of `pid`; where that is denied, its user namespace first (setns(2))."""
    namespaces = {}
    for kind in ("net", "user"):
        namespaces[kind] = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    number = syscalls.NUMBERS["setns"]
    result = syscalls.call(number, namespaces["net"], _NEWNET)
    if result < 0:
        syscalls.call(number, namespaces["user"], _NEWUSER)
        result = syscalls.call(number, namespaces["net"], _NEWNET)
    for fd in namespaces.values():
        os.close(fd)
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def _short(path: str) -> str:
    """A unix path through its folder: the address holds 108 bytes only (unix(7))."""
    folder = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_CLOEXEC)
    return f"/proc/self/fd/{folder}/{os.path.basename(path)}"
