"""The Zeeg problem: with a mutex inside each process, one thread of each process waits for the listener, not one in
all."""

from __future__ import annotations

import contextlib
import mmap
import socket
import threading
from collections.abc import Iterator
from typing import Any

from ..lab.actor import interrupted
from ..lab.deadline import until
from ..lab.stage import Actor, Me, Stage
from ..lab.waiter import park
from ..locks import Lock, make
from ..locks.memory import Mutex
from ..syscalls import number
from ..verdict import Inconclusive
from .serialised import SharedNumbers
from .waiting import Scene

TID, INSIDE, RETURNED, INTERRUPTED = range(4)
"""A thread's id; and whether it has all locks, its wait call returned, its wait for a lock was interrupted (EINTR)."""


class _Process:
    """A process with a mutex of its own; its threads take it, and `outer` if there is one, wait, and park."""

    def __init__(self, stage: Stage, scene: Scene, outer: Lock | None, name: str, threads: int) -> None:
        self.name, self._stage, self._scene, self._outer = name, stage, scene, outer
        self.board = SharedNumbers(threads, 4)
        self._marks = [mmap.mmap(-1, 1) for _ in range(threads)]
        self._orders, self._heard = socket.socketpair()
        self._inner = Mutex(shared=False)
        self._i = 0
        stage.actor(self._host, name)

    def start_thread(self) -> tuple[Actor, str]:
        """Start the next thread; returns it, and the call in which it came to rest."""
        i = self._i
        self._i += 1
        self._orders.send(b"+")
        until(lambda: bool(self.board.get(i, TID)), lambda: f"thread {i} of {self.name} did not come to life")
        # /proc/TID is there for a thread as for a process (proc(5)), so a thread can be watched like an actor.
        thread = Actor(f"{self.name}t{i}", self.board.get(i, TID), -1, self._marks[i], self._stage)
        until(lambda: self._beyond_python(thread, i), lambda: f"{thread.name} did not come to its calls")
        call = self._scene.scenario.call
        other = self._inner.call if i or self._outer is None else self._outer.call
        inside = thread.blocked_in_either((call, other), lambda: bool(self.board.get(i, INSIDE)))
        return thread, call if inside else other

    def _beyond_python(self, thread: Actor, i: int) -> bool:
        """Whether it does not sleep on a futex of the interpreter: if on a futex, then on that of one of our locks."""
        if not self._marks[i][0]:
            return False
        if not self._stage.syscall_readable:
            # A thread that sleeps on the interpreter's futex moves once more, and would be counted as woken (seen on
            # UML).
            raise Inconclusive("without /proc/PID/syscall nobody can tell which futex a thread sleeps in")
        with open(f"/proc/{thread.pid}/task/{thread.pid}/syscall") as file:
            words = file.read().split()
        if words[0] == "running":
            return False
        ours = [self._inner, *([self._outer] if isinstance(self._outer, Mutex) else [])]
        return int(words[0]) != number("futex") or int(words[1], 16) in [lock.word.value for lock in ours]

    def _host(self, me: Me) -> None:
        i = 0
        while self._heard.recv(1):
            threading.Thread(target=self._live, args=(i,), daemon=True).start()
            i += 1

    def _live(self, i: int) -> None:
        waiting = self._scene.strategy.waiting(0)
        if self._outer is not None:
            self._outer.attach()
        self.board.put(i, TID, threading.get_native_id())
        self._marks[i][0] = 1
        self._inner.acquire()
        if self._outer is not None:
            try:
                self._outer.acquire()
            except InterruptedError:
                self.board.put(i, INTERRUPTED, 1)
                park()
            except OSError:  # removed: the experiment is over
                park()
        self.board.put(i, INSIDE, 1)
        waiting.wait()
        self.board.put(i, RETURNED, 1)
        park()


def processes_of_threads(stage: Stage, argument: dict[str, Any]) -> None:
    """P processes of T threads, with a mutex in each, and with `lock` one lock for all; then one connection."""
    processes, threads = argument["processes"], argument["threads"]
    with _maybe(argument["lock"]) as outer:
        scene = Scene(stage, argument["call"], n=processes * threads)
        hosts = [_Process(stage, scene, outer, f"p{p}", threads) for p in range(processes)]
        started = [host.start_thread() for host in hosts for _ in range(threads)]
        in_call = [place for _, place in started].count(argument["call"])
        stage.note("threads-in-call", f"threads in {argument['call']}", in_call)
        scene.connect()

        def delivered() -> bool:
            if scene.scenario.takes:
                return sum(host.board.total(RETURNED) for host in hosts) > 0
            return scene.listener.queued() in (1, None)

        until(delivered, lambda: "the connection was not delivered")
        stage.note("woken", "threads woken by one connection", sum(thread.woken for thread, _ in started))
        for host in hosts:
            if host.board.total(INTERRUPTED):
                raise interrupted(f"a thread of {host.name}")


@contextlib.contextmanager
def _maybe(name: str | None) -> Iterator[Lock | None]:
    if name is None:
        yield None
        return
    with make(name) as lock:
        yield lock
