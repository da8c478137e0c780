"""The command's end: starts the rig, sends it the plan, and reads what it measured."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ..lab.session import search_path
from ..verdict import Inconclusive
from .plan import Plan

PATIENCE_S = 300.0
"""Longer than any deadline of the rig."""

GRACE_S = 5.0
"""For the rig to end by itself."""

_START = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from probes.cost import rig
rig.main(int(sys.argv[2]), sys.argv[3] == "isolate")
"""


class Session:
    """A rig in its own namespaces, or on this host's loopback if those are denied.

    Start and use it in one thread: the rig dies with the thread that started it (prctl(2)).
    Raises Inconclusive if it cannot be started.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._unread = b""
        try:
            self.greeting = self._start("isolate")
            if "denied" in self.greeting:
                self.close()
                why = self.greeting["denied"]
                self.greeting = self._start("stay")
                self.greeting["isolation"] += f" ({why})"
        except BaseException:
            self.close()
            raise

    def measure(self, plan: Plan, pin: str) -> Iterator[dict[str, Any]]:
        """What the rig says: one message for each reading, and one for each round.  Raises Inconclusive."""
        request = {
            "ways": [way.id for way in plan.ways],
            "scenes": [[scene.load, scene.work.id, scene.workers] for scene in plan.scenes],
            "rounds": plan.rounds,
            "pin": pin,
        }
        assert self._socket is not None
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while not (message := self._read()).get("done"):
            yield message

    def close(self) -> None:
        """End the rig, and with it every worker."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            # It kills and reaps its workers; one that is stopped, or stuck, is killed, and takes them with it.
            self._process.terminate()
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process, self._socket, self._unread = None, None, b""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _start(self, isolate: str) -> dict[str, Any]:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-S", "-c", _START, json.dumps(search_path()), str(os.getpid()), isolate]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
                )
            except OSError as error:
                ours.close()
                raise Inconclusive(f"the rig could not be started: {error.strerror}") from error
        self._socket = ours
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._socket is not None
        end = time.monotonic() + PATIENCE_S
        while b"\n" not in self._unread:
            if not select.select([self._socket], [], [], 1.0)[0]:
                if time.monotonic() > end:
                    raise Inconclusive(f"the rig said nothing for {PATIENCE_S:.0f} s")
                continue
            part = self._socket.recv(1 << 20)
            if not part:
                raise Inconclusive(f"the rig died ({self._how()})")
            self._unread += part
        line, self._unread = self._unread.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        if "inconclusive" in message:
            raise Inconclusive(message["inconclusive"])
        return message

    def _how(self) -> str:
        assert self._process is not None
        code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
