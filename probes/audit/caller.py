"""The caller: a small child process that makes the connections, in the listener's network namespace.

It is a separate process so that setns(2) affects nothing else, and so that the scheduler's trace shows the
connection's wake-ups under the id of a thread that does nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from typing import Any

from .. import syscalls
from ..lab import fence
from ..verdict import Inconclusive
from .namespace import enter_network

PATIENCE_S = 10
"""How long connect may take.  Only with a full accept queue does it take longer (listen(2))."""


class Caller:
    """The child, and the socket on which it is sent one request at a time.  Create it before any thread is started
    (fork(2))."""

    def __init__(self, family: int, address: object, beside: int | None, datagram: bytes | None = None) -> None:
        """`address` is where to connect to; for a unix socket with a path, the descriptor of its file (unix_path.py).

        `beside` is a process in the listener's network namespace; None if that is ours.  `datagram` is what `connect`
        sends to a UDP socket, from a new socket each time; None: it makes a connection.

        Raises Inconclusive if that namespace may not be entered.
        """
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                # One of the descriptors that it inherits is the pipe whose closing stops a server that the audit
                # started.
                _close_all_but({theirs.fileno(), address} if isinstance(address, int) else {theirs.fileno()})
                _serve(theirs, parent, family, address, beside, datagram)
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
        """Connect, and return the client's address once connect has returned.  Raises Inconclusive if it fails."""
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


def _close_all_but(kept: set[int]) -> None:
    low = 3
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _serve(
    end: socket.socket, parent: int, family: int, address: Any, beside: int | None, datagram: bytes | None
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    syscalls.die_with_parent(parent)

    def answer(message: dict[str, Any]) -> None:
        end.sendall(json.dumps(message).encode() + b"\n")

    try:
        if beside is not None:
            enter_network(beside)
            syscalls.die_with_parent(parent)
        if isinstance(address, int):
            # The file that was checked, whatever its path leads to by now.
            address = f"/proc/self/fd/{address}"
        chosen = fence.choose()
    except OSError as error:
        answer({"failed": str(error.strerror)})
        return
    answer({"fence": chosen.name, "proves": chosen.proves})
    client: socket.socket | None = None
    for line in end.makefile("rb"):
        request = json.loads(line)
        reply: dict[str, Any] = {}
        try:
            if request["do"] == "connect":
                client = socket.socket(family, socket.SOCK_STREAM if datagram is None else socket.SOCK_DGRAM)
                # Blocking, so that its wake-ups have been issued when it returns; with a time limit (socket(7)).
                client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, syscalls.timeval(PATIENCE_S))
                client.connect(address)
                if datagram is not None:
                    client.send(datagram)
                name = client.getsockname()
                reply["client"] = name[:2] if isinstance(name, tuple) else ["", 0]
            elif request["do"] == "send" and client is not None:
                client.sendall(bytes.fromhex(request["data"]))
            elif request["do"] == "fence":
                chosen.act()
            elif request["do"] == "close" and client is not None:
                client.close()
        except OSError as error:
            # EPIPE or ECONNRESET: the server has already answered and hung up.
            what = "it could not be connected to" if request["do"] == "connect" else f"{request['do']} failed"
            reply = {"failed": f"{what}: {error.strerror or error}"}
        answer(reply)
