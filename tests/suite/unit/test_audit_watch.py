"""Looks at a server's threads: which files are read again, and when a thread that the trace knows nothing of rests."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import resource
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from probes import syscalls
from probes.audit import watch as watching
from probes.audit.disturbed import disturbed_by
from probes.audit.thread_files import ThreadFiles
from probes.audit.waits import Wait
from probes.audit.watch import NotIdle, ServerThreads, switches_in
from probes.lab.deadline import until
from probes.observers.task_files import TaskFiles
from probes.verdict import Inconclusive


@contextlib.contextmanager
def _child(sleep: Callable[[], object], *calls: str) -> Iterator[int]:
    """A process that sleeps again and again, in one of these calls, and wakes for a moment whenever SIGUSR1 comes."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        syscalls.die_with_parent(parent)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        while True:
            sleep()
    numbers = {syscalls.number(call) for call in calls}
    try:
        until(lambda: TaskFiles(pid, pid, True).syscall() in numbers, lambda: "it does not sleep")
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture
def sleeper() -> Iterator[int]:
    with _child(signal.pause, "pause") as pid:
        yield pid


@pytest.fixture
def watched(sleeper: int) -> Iterator[ServerThreads]:
    watch = ServerThreads([sleeper])
    yield watch
    watch.close()


def _wake(pid: int, watch: ServerThreads) -> None:
    """Wake it, and return when it sleeps again."""
    before = watch.look_again([pid])[pid].switches
    os.kill(pid, signal.SIGUSR1)
    until(lambda: watch.look_again([pid])[pid].switches > before, lambda: "it did not wake")
    until(lambda: watch.look_again([pid])[pid].state == "S", lambda: "it did not sleep again")


def test_without_a_trace_every_look_reads(sleeper: int, watched: ServerThreads) -> None:
    first = watched.at_rest(10, "rest")
    _wake(sleeper, watched)
    assert watched.looks()[sleeper].switches > first[sleeper].switches


def test_who_was_not_woken_is_not_read_again(sleeper: int, watched: ServerThreads) -> None:
    """The trace says who was woken; the others are taken to rest as before."""
    news: list[set[int] | None] = [None]
    watched.woken = lambda: news.pop() if news else set()
    first = watched.at_rest(10, "rest")
    _wake(sleeper, watched)
    news.append({sleeper})
    moved = watched.looks()
    assert moved[sleeper].switches > first[sleeper].switches
    again = watched.at_rest(10, "rest")
    assert again == moved
    reads: list[int] = []
    watched._look_at = lambda tid, pid: reads.append(tid)  # type: ignore[method-assign, assignment]
    assert (watched.looks(), reads) == (again, [])


def test_threads_that_tick_come_to_rest_one_by_one(sleeper: int) -> None:
    """Of hundreds, one was always just woken (knotd with 200 tcp-workers): the others are not read again for it."""
    with _child(signal.pause, "pause") as other:
        watch = ServerThreads([sleeper, other])
        reads: list[int] = []
        look_at = watch._look_at

        def counted(tid: int, pid: int) -> object:
            reads.append(tid)
            return look_at(tid, pid)

        watch._look_at = counted  # type: ignore[method-assign, assignment]
        watch.woken = lambda: {other}
        try:
            for _ in range(3):
                watch.looks()
            assert sorted(reads) == sorted([sleeper, *[other] * 3])
        finally:
            watch.close()


def _epoll_waits(epoll: select.epoll) -> None:
    # Interrupted, Python waits again by itself (PEP 475).
    epoll.poll()


def test_what_an_instance_holds_is_read_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """To read it takes longer than a look, and of hundreds of workers one would always have ticked meanwhile."""
    read: list[int] = []
    wait_of = watching.wait_of

    def counted(pid: int, tid: int, held: Mapping[int, int]) -> Wait:
        read.append(tid)
        return wait_of(pid, tid, held)

    monkeypatch.setattr(watching, "wait_of", counted)
    monkeypatch.setattr(watching, "_REGISTERED_S", math.inf)
    with select.epoll() as epoll, _child(lambda: _epoll_waits(epoll), "epoll_wait", "epoll_pwait") as pid:
        watch = ServerThreads([pid])
        try:
            for _ in range(3):
                watch.looks()
                watch.waits({})
            assert read == [pid]
            _wake(pid, watch)
            watch.looks()
            watch.waits({})
            assert read == [pid] * 2
            monkeypatch.setattr(watching, "_REGISTERED_S", -1.0)
            _wake(pid, watch)
            watch.looks()
            watch.waits({})
            watch.waits({})
            assert read == [pid] * 4
        finally:
            watch.close()


def test_rest_is_proven_without_the_trace_if_that_missed_a_wake_up(sleeper: int, watched: ServerThreads) -> None:
    """The thread woke and sleeps again, but the trace does not name it: its files do."""
    watched.woken = set
    before = watched.at_rest(10, "rest")
    watched.missed = lambda: True
    assert watched.still(before)
    os.kill(sleeper, signal.SIGUSR1)
    files = TaskFiles(sleeper, sleeper, True)
    moves = before[sleeper].switches
    until(lambda: sum(switches_in(files.status())) > moves, lambda: "it did not wake")
    until(lambda: files.syscall() == syscalls.number("pause"), lambda: "it did not sleep again")
    assert watched.looks() == before
    assert not watched.still(before)
    assert watched.at_rest(10, "rest")[sleeper].switches > moves


def test_an_instance_that_another_thread_changed() -> None:
    """The thread that waits in it sleeps all the while, so nothing that it did shows the change."""
    with socket.socket() as listener, select.epoll() as epoll:
        listener.listen()
        inode = os.fstat(listener.fileno()).st_ino
        epoll.register(listener.fileno(), select.EPOLLIN)
        with _child(lambda: _epoll_waits(epoll), "epoll_wait", "epoll_pwait") as pid:
            watch = ServerThreads([pid])
            holders = {pid: {listener.fileno(): inode}}
            try:
                watch.looks()
                waits = watch.waits(holders)
                assert [wait.listens for wait in waits] == [True]
                assert watch.changed_asleep(waits, {pid}, holders) is None
                epoll.modify(listener.fileno(), select.EPOLLIN | select.EPOLLET)
                assert watch.changed_asleep(waits, {pid}, holders) == pid
                epoll.unregister(listener.fileno())
                assert watch.changed_asleep(waits, {pid}, holders) == pid
                # One that has moved may have changed it itself.
                assert watch.changed_asleep(waits, set(), holders) is None
                watch.looks()
                assert [wait.listens for wait in watch.waits(holders)] == [False]
            finally:
                watch.close()


@pytest.mark.parametrize(("holds", "error"), [([True], NotIdle), ([False], Inconclusive), ([True, False], NotIdle)])
def test_why_it_does_not_rest(watched: ServerThreads, holds: list[bool], error: type[Inconclusive]) -> None:
    """A server that waited where it should, and moved, was not idle: for one that does not wait there, the reason is
    another."""
    watched.still = lambda _: False  # type: ignore[method-assign]
    answers = itertools.chain(holds, itertools.repeat(holds[-1]))
    with pytest.raises(Inconclusive) as raised:
        watched.at_rest(0.0, "it waits elsewhere", lambda: next(answers))
    assert type(raised.value) is error
    assert ("it waits elsewhere" in str(raised.value)) == (error is Inconclusive)


def test_where_the_trace_lost_records_all_are_read_again(sleeper: int, watched: ServerThreads) -> None:
    news: list[set[int] | None] = [set()]
    watched.woken = lambda: news[0]
    first = watched.at_rest(10, "rest")
    assert watched.at_rest(10, "rest") == first
    _wake(sleeper, watched)
    news[0] = None
    assert watched.looks()[sleeper].switches > first[sleeper].switches


def test_who_is_woken_during_the_last_look_is_read_again(sleeper: int, watched: ServerThreads) -> None:
    """The record of its wake-up may come before its state changes."""
    watched.woken = lambda: {sleeper}
    watched.at_rest(10, "rest")
    reads: list[int] = []
    look_at = watched._look_at

    def counted(tid: int, pid: int) -> object:
        reads.append(tid)
        return look_at(tid, pid)

    watched._look_at = counted  # type: ignore[method-assign, assignment]
    watched.woken = set
    watched.looks()
    assert reads == [sleeper]


def test_a_look_whatever_the_trace_says(sleeper: int, watched: ServerThreads) -> None:
    """So the trace is compared with the counts; a wake-up that the trace missed is missed only once."""
    watched.woken = set
    first = watched.at_rest(10, "rest")
    _wake(sleeper, watched)
    moved = watched.look_again([sleeper])
    assert moved[sleeper].switches > first[sleeper].switches
    assert watched.looks() == moved


def test_threads_that_come_and_go_are_noticed() -> None:
    files = ThreadFiles()
    over = threading.Event()
    try:
        alone = files.threads(os.getpid())
        assert files.threads(os.getpid()) is alone
        thread = threading.Thread(target=over.wait)
        thread.start()
        assert set(files.threads(os.getpid())) - set(alone) == {thread.native_id}
        over.set()
        thread.join()
        tid = thread.native_id
        assert tid is not None
        until(lambda: not os.path.exists(f"/proc/self/task/{tid}"), lambda: "the thread did not end")
        assert files.threads(os.getpid()) == alone
    finally:
        over.set()
        files.close()


@pytest.fixture
def replaced() -> Iterator[tuple[ServerThreads, int]]:
    """The threads of this process, of which one has ended and another has come since: their number is the same."""
    over = [threading.Event(), threading.Event()]
    threads = [threading.Thread(target=event.wait) for event in over]
    threads[0].start()
    watch = ServerThreads([os.getpid()])
    try:
        first = threads[0].native_id
        assert first in watch.threads
        over[0].set()
        threads[0].join()
        until(lambda: not os.path.exists(f"/proc/self/task/{first}"), lambda: "the thread did not end")
        threads[1].start()
        assert threads[1].native_id is not None
        yield watch, threads[1].native_id
    finally:
        for event in over:
            event.set()
        watch.close()


def test_a_thread_that_came_when_another_ended_is_seen_when_that_is_missed(replaced: tuple[ServerThreads, int]) -> None:
    watch, came = replaced
    watch.waits({})
    assert watch.rescan()
    assert came in watch.threads


def test_a_thread_that_came_when_another_ended_is_seen_anew(replaced: tuple[ServerThreads, int]) -> None:
    watch, came = replaced
    assert watch.rescan(anew=True)
    assert came in watch.threads


def test_no_more_files_are_left_open_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of 12 descriptors, half are left for everything else; files without room are opened each time."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (12, 12))
    before = len(os.listdir("/proc/self/fd"))
    files = ThreadFiles()
    tids = files.threads(os.getpid())
    for tid in range(10_000, 10_020):  # nobody has so many; none is opened before it is read
        files.of(os.getpid(), tid)
    own = files.of(os.getpid(), tids[0])
    assert b"Name:" in own.status()
    assert len(os.listdir("/proc/self/fd")) <= before + 6
    files.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("issued", "by"),
    [
        ([], None),
        ([(5, "connection", 1)], None),
        ([(1, "timer", 2), (5, "connection", 1)], "timer"),
        ([(9, "connection", 2), (5, "client", 3), (3, "connection", 1)], "client"),
        ([(9, "timer", 1), (5, "connection", 1)], None),
        ([(9, "client", 1), (7, "other", 1), (5, "connection", 1)], None),
        ([(1, "worker", 2), (5, "connection", 1)], None),
        ([(1, "server", 2), (5, "connection", 1)], "server"),
        ([(1, "packet", 2), (5, "connection", 1)], "packet"),
        ([(9, "server", 1), (5, "connection", 1)], None),
        ([(2, "other", 1)], "other"),
        # The connection may have been about to wake this one.
        ([(5, "connection", 1), (6, "timer", 2)], "timer"),
        ([(5, "connection", 1), (8, "timer", 2)], "timer"),
        ([(5, "connection", 1), (9, "timer", 2)], None),
        ([(5, "connection", 1), (6, "worker", 2)], None),
    ],
)
def test_who_disturbs_a_connection(issued: list[tuple[int, str, int]], by: str | None) -> None:
    """Somebody who woke a worker before the connection had woken its last one; nobody who came later.  At 8 it
    had issued all its wake-ups."""
    woken = {wakee for _, source, wakee in issued if source == "connection"}
    assert disturbed_by(issued, woken, 8) == by
