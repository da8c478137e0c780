"""The other end of a pipe or a connected socket closes: what its waiters see, and how many of them return."""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from ..errnos import errno_of_result
from ..lab.deadline import until
from ..lab.stage import Actor, Me, Stage
from ..scenario import Scenario
from ..sources.connected import Connected
from ..sources.pipe import Pipe
from ..strategies import Strategy, prepare
from .instances import events_of
from .waiting import BLOCKED, now

_N = 4


def end_of_file(stage: Stage, argument: dict[str, str]) -> None:
    """The last writer closes a pipe, or the peer shuts a connection down for writing, while four wait to read."""
    call, kind = argument["strategy"], argument["source"]
    scenario = Scenario.parse(f"{call}/{kind}/n{_N}/hold/one-write")
    source = stage.source(scenario)
    strategy = stage.keep(prepare(scenario, source.fds))
    if isinstance(source, Pipe):
        waiters = _waiters(stage, strategy, scenario, source.close_other_ends)
        source.close_other_ends()
    else:
        assert isinstance(source, Connected)
        waiters = _waiters(stage, strategy, scenario, lambda: None)
        _finish(source)
    _note(stage, waiters)


def no_reader(stage: Stage, strategy_and_source: str = "write/pipe") -> None:
    """The last reader closes a full pipe while four wait to write, or for room."""
    scenario = Scenario.parse(f"{strategy_and_source}/n{_N}/hold/one-read")
    source = stage.source(scenario)
    assert isinstance(source, Pipe)
    strategy = stage.keep(prepare(scenario, source.fds))
    waiters = _waiters(stage, strategy, scenario, source.close_other_ends)
    source.close_other_ends()
    _note(stage, waiters)


def _waiters(stage: Stage, strategy: Strategy, scenario: Scenario, before: Any) -> list[Actor]:
    """Four actors, blocked one after the other; each calls `before` first."""

    def act(i: int, me: Me) -> Any:
        before()
        waiting = strategy.waiting(i)
        me.ready()
        result = waiting.wait()
        return result if result >= 0 else errno_of_result(result)

    return [
        stage.actor(lambda me, i=i: act(i, me), f"w{i}").blocked_in(scenario.call)  # type: ignore[misc]  # i is bound now
        for i in range(scenario.n)
    ]


def _note(stage: Stage, waiters: list[Actor]) -> None:
    stage.quiet(waiters)
    answers = [waiter.answer() if waiter.answered else BLOCKED for waiter in waiters]
    stage.note("answers", "what each waiter's call gave", answers)


def half_closed(stage: Stage, kind: str) -> None:
    """The peer of a connected stream shuts it down for writing; what a poll for only POLLRDHUP returns."""
    scenario = Scenario.parse(f"poll/{kind}/n1/hold/one-write")
    source = stage.source(scenario)
    assert isinstance(source, Connected)

    def act(me: Me) -> str:
        asking = select.poll()
        asking.register(source.fds[0], select.POLLRDHUP)
        me.ready()
        return _in_words(asking.poll())

    waiter = stage.actor(act, "w0").blocked_in("poll")
    source.write(0)
    stage.quiet([waiter])
    stage.note("after-data", "the waiter, when there is something to read", BLOCKED if not waiter.answered else "told")
    _finish(source)
    stage.note("after-shutdown", "the waiter, after the shutdown", _told_of_shutdown(stage, waiter, kind))
    instance = stage.keep(select.epoll())
    instance.register(source.fds[0], select.EPOLLRDHUP)
    stage.note("epoll", "an epoll instance that asks for the same", _in_words(instance.poll(0)))


def shut_here(stage: Stage, kind: str) -> None:
    """The waiter's own end of a connected stream is shut down for reading, by a process that shares it."""
    scenario = Scenario.parse(f"poll/{kind}/n1/hold/one-write")
    source = stage.source(scenario)

    def act(me: Me) -> str:
        asking = select.poll()
        asking.register(source.fds[0], select.POLLRDHUP)
        me.ready()
        return _in_words(asking.poll())

    waiter = stage.actor(act, "w0").blocked_in("poll")
    with socket.socket(fileno=os.dup(source.fds[0])) as end:
        end.shutdown(socket.SHUT_RD)
    stage.note("after-shutdown", "the waiter, after the shutdown", _told_of_shutdown(stage, waiter, kind))


def _finish(source: Connected) -> None:
    source.finish()
    until(source.finished, lambda: "the waiters' end did not hear that the peer has shut down")


def _told_of_shutdown(stage: Stage, waiter: Actor, kind: str) -> Any:
    """What the waiter's call gave, or that it sleeps on."""
    if not stage.rest_shows:
        return stage.answer_of(waiter, (kind, "a shutdown, for POLLRDHUP alone"))
    stage.quiet([waiter])
    return waiter.answer() if waiter.answered else BLOCKED


def _in_words(events: list[tuple[int, int]]) -> str:
    """`RDHUP` if that was reported, whatever else was reported with it."""
    return "RDHUP" if any(mask & select.POLLRDHUP for _, mask in events) else "nothing"


def before_listen(stage: Stage, kind: str) -> None:
    """A socket is bound, waited for, listens, and gets a connection; what poll and an instance report each time."""
    family, place = (socket.AF_UNIX, "") if kind == "unix" else (socket.AF_INET, ("127.0.0.1", 0))
    listener, client = (stage.keep(socket.socket(family)) for _ in range(2))
    listener.bind(place)  # on AF_UNIX at a free abstract name (unix(7), autobind)
    instance: select.epoll = stage.keep(select.epoll())
    instance.register(listener, select.EPOLLIN)

    def act(me: Me) -> str:
        me.ready()
        return polled(listener)

    stage.note("poll", "what poll without a limit gives before it listens", _now_told(stage, act))
    stage.note("before", "events of the instance before it listens", events_of(instance))
    listener.listen()
    stage.note("listening", "events once it listens", events_of(instance))
    client.connect(listener.getsockname())
    until(lambda: events_of(instance) != "nothing", lambda: "the connection was not reported")
    stage.note("connection", "events once there is a connection", events_of(instance))


def polled(listener: socket.socket) -> str:
    """What a poll for POLLIN gives, however long it takes: `POLLHUP`, or something else."""
    asking = select.poll()
    asking.register(listener, select.POLLIN)
    return " and ".join("POLLHUP" if mask == select.POLLHUP else f"{mask:#x}" for _, mask in asking.poll())


def _now_told(stage: Stage, act: Any) -> str:
    waiter = stage.actor(act, "w0")
    return str(now(waiter))
