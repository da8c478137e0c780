"""lock(); accept(); unlock(): who waits where, whom an unlock wakes, and what happens when the holder dies."""

from __future__ import annotations

import mmap
import os
import socket
from contextlib import suppress
from typing import Any

from ..errnos import errno_name
from ..facts import HAS_IT, STILL_WAITS
from ..lab.deadline import until
from ..lab.stage import Actor, Me, Stage
from ..locks import Lock, make
from ..verdict import Inconclusive
from .waiting import Scene

ACQUIRED, TOOK, RELEASED = range(3)
ACCEPT = "accept"
ROUNDS = 12
"""How often a holder may try to lock again before the one that waits."""


class SharedNumbers:
    """Numbers in shared memory that actors write and the stage reads: a line for each actor."""

    def __init__(self, lines: int, columns: int = 3) -> None:
        self._columns = columns
        self._cells = memoryview(mmap.mmap(-1, lines * columns * 4)).cast("i")

    def get(self, line: int, column: int) -> int:
        return self._cells[line * self._columns + column]

    def put(self, line: int, column: int, value: int) -> None:
        self._cells[line * self._columns + column] = value

    def total(self, column: int) -> int:
        return sum(self._cells[column :: self._columns])


class Queue:
    """Actors that call lock(); accept(); unlock(), each started when the one before it is at rest."""

    def __init__(self, stage: Stage, lock: Lock, n: int, *, again: bool = False) -> None:
        """With `again` each starts over after its unlock; otherwise it parks."""
        self.stage, self.lock, self.n = stage, lock, n
        self.board = SharedNumbers(n)
        self.actors: list[Actor] = []
        self._scene = Scene(stage, ACCEPT, n=n)
        self._again = again

    def start(self) -> str:
        """Start one more actor; returns the call in which it came to rest."""
        i = len(self.actors)

        def act(me: Me) -> None:
            self.lock.attach()
            waiting = self._scene.strategy.waiting(i)
            me.ready()
            while True:
                self.board.put(i, ACQUIRED, 1 + self.lock.acquire())
                if waiting.wait() < 0:
                    return
                self.board.put(i, ACQUIRED, 0)
                self.board.put(i, TOOK, 1 + self.board.get(i, TOOK))
                self.lock.release()
                self.board.put(i, RELEASED, 1 + self.board.get(i, RELEASED))
                if not self._again:
                    return

        actor = self.stage.actor(act, f"w{i}")
        self.actors.append(actor)
        in_accept = actor.blocked_in_either((ACCEPT, self.lock.call), lambda: bool(self.board.get(i, ACQUIRED)))
        return ACCEPT if in_accept else self.lock.call

    def start_all(self) -> list[str]:
        return [self.start() for _ in range(self.n)]

    def in_accept(self) -> list[int]:
        """The actors that have the lock now, each proven blocked in accept."""
        inside = [i for i in range(len(self.actors)) if self.board.get(i, ACQUIRED)]
        for i in inside:
            self.actors[i].blocked_in(ACCEPT)
        return inside

    def connect(self) -> tuple[list[int], list[int]]:
        """Make one connection; returns the actors that took it, and those that waited for the lock and were woken."""
        before = [self.board.get(i, TOOK) for i in range(self.n)]
        waited = [i for i in range(self.n) if not self.board.get(i, ACQUIRED) and not (before[i] and not self._again)]
        self._scene.connect()
        nth = sum(before) + 1
        until(lambda: self.board.total(TOOK) >= nth, lambda: f"connection {nth} was not taken")
        until(lambda: self.board.total(RELEASED) >= nth, lambda: f"the lock was not given up after connection {nth}")
        woken = [i for i, actor in enumerate(self.actors) if not actor.ended and actor.woken]
        took = [i for i in range(self.n) if self.board.get(i, TOOK) > before[i]]
        return took, [i for i in woken if i in waited]

    def fate(self, i: int) -> str:
        """Whether actor `i`, which is at rest, got the lock, in words."""
        acquired = self.board.get(i, ACQUIRED)
        if not acquired:
            return STILL_WAITS
        return HAS_IT if acquired == 1 else errno_name(acquired - 1)


def served(stage: Stage, argument: dict[str, Any]) -> None:
    """N actors, and connections one by one until nobody is left in accept; an actor that took one parks."""
    with make(argument["lock"]) as lock:
        queue = Queue(stage, lock, argument["n"])
        places = queue.start_all()
        stage.note("in-accept", "waiters in accept", places.count(ACCEPT))
        stage.note("at-lock", "waiters at the lock", places.count(lock.call))
        order: list[int] = []
        woken: list[int] = []
        inside = [len(queue.in_accept())]
        while inside[-1] and len(order) < queue.n:
            took, unlocked = queue.connect()
            order += took
            woken.append(len(unlocked))
            inside.append(len(queue.in_accept()))
        stage.note("takers", "numbers of the waiters that took the connections, in order", order)
        stage.note("in-accept-after-each", "waiters in accept, after each connection", inside[1:])
        stage.note("woken-by-unlock", "waiters at the lock that each unlock woke", woken)


def round_and_round(stage: Stage, argument: dict[str, Any]) -> None:
    """N actors that lock again as soon as they have unlocked, and k connections one by one."""
    with make(argument["lock"]) as lock:
        queue = Queue(stage, lock, argument["n"], again=True)
        queue.start_all()
        order: list[int] = []
        for _ in range(argument["k"]):
            order += queue.connect()[0]
            queue.in_accept()
        stage.note("takers", "numbers of the waiters that took the connections, in order", order)


def killed(stage: Stage, name: str) -> None:
    """The holder is killed in accept: while two wait for the lock, and before anybody asks for it."""
    with make(name) as lock:
        queue = Queue(stage, lock, 3)
        _hold(queue)
        queue.start()
        queue.start()
        queue.actors[0].kill()
        waiting = queue.actors[1:]
        stage.note("woken-by-kill", "waiters at the lock that the kill woke", sum(actor.woken for actor in waiting))
        stage.note("first-in-line", "the first that waited for the lock", queue.fate(1))
        stage.note("second-in-line", "the second that waited for the lock", queue.fate(2))
    with make(name) as lock:
        queue = Queue(stage, lock, 2)
        _hold(queue)
        queue.actors[0].kill()
        queue.start()
        stage.note("asked-later", "one that asks for the lock later", queue.fate(1))


def waiter_killed(stage: Stage, name: str) -> None:
    """Two wait for the lock, one behind the other; the first of them is killed, and then the holder unlocks."""
    with make(name) as lock:
        queue = Queue(stage, lock, 3)
        _hold(queue)
        queue.start()
        queue.start()
        queue.actors[1].kill()
        stage.quiet([queue.actors[2]])
        stage.note("before", "the second that waited, before the holder unlocks", queue.fate(2))
        took, _ = queue.connect()
        stage.note("took", "numbers of the waiters that took the connection, after which the holder unlocks", took)
        stage.note("second-in-line", "the second that waited for the lock", queue.fate(2))


def _hold(queue: Queue) -> None:
    if queue.start() != ACCEPT:
        raise Inconclusive(f"a free lock was not to be had: w0 waits in {queue.lock.call}")


def inherited(stage: Stage, argument: dict[str, Any]) -> None:
    """N actors lock a file through an inherited descriptor, instead of each opening the file."""
    with make(argument["lock"], inherited=True) as lock:
        places = Queue(stage, lock, argument["n"]).start_all()
        stage.note("in-accept", "waiters in accept", places.count(ACCEPT))
        stage.note("at-lock", "waiters at the lock", places.count(lock.call))


def ask_again(stage: Stage, name: str) -> None:
    """The holder unlocks and locks again at once, while one waits; repeated until the holder has the lock again, or up
    to ROUNDS times."""
    had = [_had_it(stage, name)]
    while had[-1] == ["w0"] and len(had) < ROUNDS:
        had.append(_had_it(stage, name))
    stage.note("holders", "holders of the lock at one time", max(map(len, had)))
    stage.note("last-user-again", "the last user had the lock again", had[-1] == ["holder"])
    stage.note("rounds", "rounds that were played", len(had))


def _had_it(stage: Stage, name: str) -> list[str]:
    """Who has the lock after a holder unlocked and locked again: the holder, or w0, which was waiting.

    Both stay on one CPU, and w0 is SCHED_BATCH (sched(7)), so that it does not preempt the holder when it is woken: on
    any number of CPUs, loaded or not, the holder asks before w0 can.
    """
    board = SharedNumbers(2)
    cpu = min(os.sched_getaffinity(0))
    near, far = socket.socketpair()
    with make(name) as lock, near, far:

        def hold(me: Me) -> None:
            lock.attach()
            _stay_on(cpu, os.SCHED_OTHER)
            board.put(0, ACQUIRED, 1 + lock.acquire())
            far.recv(1)
            me.ready()
            lock.release()
            lock.acquire()
            board.put(0, TOOK, 1)

        def wait(me: Me) -> None:
            lock.attach()
            _stay_on(cpu, os.SCHED_BATCH)
            me.ready()
            lock.acquire()
            board.put(1, TOOK, 1)

        holder = stage.actor(hold, "holder")
        until(lambda: bool(board.get(0, ACQUIRED)), lambda: "a free lock was not to be had")
        waiter = stage.actor(wait, "w0").blocked_in(lock.call)
        near.send(b"x")
        until(lambda: board.total(TOOK) > 0, lambda: "nobody had the lock after the unlock")
        both = (holder, waiter)
        had = [actor.name for actor in both if actor.answered]
        for actor in both:
            if actor.name not in had:
                actor.blocked_in(lock.call)
        for actor in both:
            actor.kill()
        return had


def _stay_on(cpu: int, policy: int) -> None:
    """Only makes the race easier to win, so it does not matter if it is denied."""
    with suppress(OSError):
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, policy, os.sched_param(0))
