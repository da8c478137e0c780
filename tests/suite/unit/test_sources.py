"""Each source: nothing is ready when it is opened, one stimulus makes it so, and it leaves nothing open."""

from __future__ import annotations

import os
import select
import signal
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.axes import (
    ABILITIES,
    CALLS,
    CONNECTIONS,
    EVENTS,
    GROUPS,
    POLLING,
    READING,
    SOURCES,
    STIMULI,
    WRITTEN_TO,
    calls_of,
    sources_that_can,
)
from probes.scenario import BadScenario, Scenario
from probes.sources import Source, open_source
from probes.sources.signalfd import SIGNAL, Signalfd
from probes.strategies import prepare
from probes.verdict import NotApplicable

WAITED_FOR = [name for name in sources_that_can(POLLING) if CONNECTIONS not in SOURCES[name].can]
"""What is waited for and takes no connections."""


def _stimulus(source: str) -> str:
    """One write, one read or one event: whatever moves this source."""
    can = SOURCES[source].can
    if SOURCES[source].ready == select.POLLOUT:
        return "one-read"
    return "one-write" if WRITTEN_TO in can else "one-event"


def _stir(source: Source, stimulus: str) -> None:
    if isinstance(source, Signalfd):
        # To this thread, which blocks it: pytest-xdist has threads that do not, and a signal to all would end them.
        signal.pthread_kill(threading.get_ident(), SIGNAL)
        return
    source.write(0) if stimulus == "one-write" else source.happen()


@pytest.fixture(params=WAITED_FOR)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return Scenario.parse(f"poll/{request.param}/n2/hold/{_stimulus(request.param)}")


@pytest.fixture
def opened(scenario: Scenario) -> Iterator[Source]:
    before = os.listdir("/proc/self/fd")
    try:
        source = open_source(scenario, None)
    except NotApplicable as lacking:
        pytest.skip(str(lacking))
    yield source
    source.retire()
    source.close()
    assert os.listdir("/proc/self/fd") == before, "a descriptor stays open"


def _is_ready(fd: int, ready: int, patience_ms: int = 0) -> bool:
    asking = select.poll()
    asking.register(fd, ready)
    return bool(asking.poll(patience_ms))


def test_source_is_ready_after_its_stimulus_and_not_before(scenario: Scenario, opened: Source) -> None:
    assert len(opened.fds) == scenario.n
    assert not _is_ready(opened.fds[0], scenario.ready)
    _stir(opened, scenario.stimulus)
    assert _is_ready(opened.fds[1], scenario.ready, patience_ms=10_000)


def test_what_came_is_read_in_one_piece(scenario: Scenario, opened: Source) -> None:
    """So a reader that took it leaves nothing for the next one, which does not block."""
    if READING not in SOURCES[scenario.source].can:
        pytest.skip("nothing is read from it")
    _stir(opened, scenario.stimulus)
    assert _is_ready(opened.fds[0], scenario.ready, patience_ms=10_000)
    piece = os.read(opened.fds[0], scenario.piece)
    assert piece
    if scenario.source == "fanotify":
        os.close(struct.unpack_from("=i", piece, 16)[0])  # what was opened, of struct fanotify_event_metadata
    with pytest.raises(BlockingIOError):
        os.read(opened.fds[0], scenario.piece)


def _queues() -> set[str]:
    """The numbers of the System V message queues that there are (proc_sysvipc(5))."""
    with open("/proc/sysvipc/msg") as file:
        return {line.split()[1] for line in file.readlines()[1:]}


def test_sysv_queue_is_gone_with_its_source(tmp_path: Path) -> None:
    scenario = Scenario.parse("msgrcv/sysv-queue/n2/hold/one-write")
    with pytest.raises(NotApplicable, match="no IPC namespace of our own"):
        open_source(scenario, None)
    source = open_source(scenario, str(tmp_path))
    try:
        assert str(source.fds[0]) in _queues()
        source.write(1)
        assert prepare(scenario, source.fds).waiting(1).wait() == 1
    finally:
        source.close()
    assert str(source.fds[0]) not in _queues()


@pytest.mark.parametrize("source", SOURCES)
def test_source_can_what_something_needs(source: str) -> None:
    """An ability that no call, stimulus or sharing needs would have no meaning."""
    needed = {call.needs for call in CALLS.values()} | {stimulus.needs for stimulus in STIMULI.values()} | {GROUPS}
    assert SOURCES[source].can <= needed & set(ABILITIES)


@pytest.mark.parametrize("source", SOURCES)
def test_every_call_waits_for_every_source_that_can(source: str) -> None:
    """Each call either makes a scenario with this source, or is refused with the ability that is missing."""
    for call in CALLS:
        sharing = ".level.listener" if call.startswith("epoll_") else ""
        refused = None
        for stimulus in STIMULI:
            try:
                Scenario.parse(f"{call}{sharing}/{source}/n8/hold/{stimulus}")
                break
            except BadScenario as error:
                refused = str(error)
        else:
            assert CALLS[call].needs not in SOURCES[source].can, refused
            assert refused is not None
            assert f"{ABILITIES[CALLS[call].needs]}; {call} waits on " in refused


@pytest.mark.parametrize("call", calls_of("multiplexer"))
def test_multiplexer_does_not_wait_for_what_a_stimulus_cannot_bring(call: str) -> None:
    with pytest.raises(BadScenario, match="waits for something to read; it can get nothing, one-write"):
        Scenario.parse(f"{call}/pipe/n8/hold/one-read")
    with pytest.raises(BadScenario, match="the write end of a full pipe is not written to; it can get"):
        Scenario.parse(f"{call}/full-pipe/n8/hold/one-write")
    with pytest.raises(BadScenario, match=ABILITIES[EVENTS]):
        Scenario.parse(f"{call}/pipe/n8/hold/one-event")
