"""Scenario ids: read, written, and refused with one sentence."""

from __future__ import annotations

import re
from typing import Any

import pytest

from probes import catalogue
from probes.axes import CALLS, REACTIONS, SHARINGS, SOURCES, STIMULI, TRIGGERS
from probes.parts import find
from probes.scenario import BadScenario, Scenario
from probes.strategies import epoll

_PARTS = {"strategies": CALLS, "sources": SOURCES, "stimuli": STIMULI}


def test_every_scenario_of_the_catalogue_reads_back() -> None:
    ids = [case for claim in catalogue.load() for case in claim["cases"] if "/" in case]
    assert ids
    assert [id for id in ids if Scenario.parse(id).id != id] == []  # noqa: A001


def test_axes_read_back_as_the_conductor_gets_them() -> None:
    scenario = Scenario.parse("epoll_wait.exclusive.listener/tcp6/n8/loop/one-by-one/k24/registered-before-fork")
    assert Scenario(**scenario.as_dict()) == scenario


@pytest.mark.parametrize(
    ("address", "axes"),
    [
        ("accept/tcp4/n8/hold/one-connection", {"call": "accept", "sharing": "listener", "k": 1, "registered": None}),
        ("accept.nothing/tcp4/n2/hold/one-connection", {"sharing": "nothing", "trigger": None}),
        ("poll/unix/n8t/hold/nothing", {"waiter": "thread", "k": 0}),
        ("poll/tcp4/n8/hold/burst", {"k": 8}),
        ("poll/tcp4/n8/loop/one-by-one/k48", {"k": 48}),
        ("epoll_wait.level.epoll/tcp4/n8/hold/elsewhere", {"sharing": "epoll", "registered": "before-fork"}),
        ("epoll_wait.level.listener/tcp4/n8/hold/elsewhere", {"registered": "after-fork", "blocked": "in-order"}),
        ("epoll_wait.edge-exclusive.listener/tcp4/n8/hold/one-by-one/blocked-reversed", {"blocked": "reversed"}),
        ("read.nothing/eventfd/n8/hold/write-each", {"source": "eventfd", "k": 0}),
        ("  poll/tcp4/n1/hold/nothing\n", {"n": 1}),
    ],
)
def test_address_names_the_axes(address: str, axes: dict[str, object]) -> None:
    scenario = Scenario.parse(address)
    assert {name: getattr(scenario, name) for name in axes} == axes
    assert scenario.id == address.strip()


def test_defaults() -> None:
    scenario = Scenario("poll")
    assert scenario.id == "poll/tcp4/n8/hold/one-connection"
    assert scenario.strategy == "poll"
    assert not scenario.takes
    assert Scenario("accept4").takes


def test_default_said_aloud_is_left_out_of_the_id() -> None:
    loud = "epoll_wait.level.listener/tcp4/n8/hold/burst/k8/registered-after-fork/blocked-in-order"
    assert Scenario.parse(loud).id == "epoll_wait.level.listener/tcp4/n8/hold/burst"


_TRIGGERS = "level, edge, oneshot, exclusive, edge-exclusive"
_REFUSED = {
    "": "'' is not an id: an id is CALL",
    "poll": "'poll' has no source: an id is CALL",
    "poll/tcp4/n8/hold": "has no stimulus: an id is CALL",
    "pool/tcp4/n8/hold/one-connection": "no call 'pool': there are accept, ",
    "poll/tcp5/n8/hold/one-connection": "no source 'tcp5': there are tcp4, tcp6, ",
    "poll/tcp4/8/hold/one-connection": "'8' is not a number of waiters",
    "poll/tcp4/n/hold/one-connection": "'n' is not a number of waiters",
    "poll/tcp4/n-1/hold/one-connection": "'n-1' is not a number of waiters",
    "poll/tcp4/n8p/hold/one-connection": "'n8p' is not a number of waiters",
    "poll/tcp4/n\u0663/hold/one-connection": "is not a number of waiters",
    "poll/tcp4/n0/hold/one-connection": "0 waiters",
    "poll/tcp4/n10000000/hold/one-connection": "10000000 waiters: a scenario has 1 to 10,000",
    "poll/tcp4/n8/sleep/one-connection": "no reaction 'sleep': there are hold, accept, read, drain, loop",
    "poll/tcp4/n8/hold/two-connections": "no stimulus 'two-connections': there are one-connection, ",
    "poll/tcp4/n8/hold/one-connection/fast": "'fast' is not a further axis: there are kK",
    "poll/tcp4/n8/hold/one-connection/blocked-": "'blocked-' is not a further axis",
    "poll/tcp4/n8/hold/one-connection/k2": "use burst or one-by-one",
    "poll/tcp4/n8/hold/nothing/k2": "k2: nothing is not a series; burst, one-by-one, write-burst, ",
    "poll/timerfd/n8/hold/events-one-by-one/k2": "k2: a timer that is armed again forgets an expiry that nobody has ",
    "poll/tcp4/n8/hold/burst/k0": "k0",
    "poll/tcp4/n8/hold/burst/k100001": "makes 1 to 100,000",
    "poll/tcp4/n8t/hold/one-by-one/blocked-reversed": "only processes can",
    "poll/tcp4/n8/hold/one-connection/blocked-randomly": "no blocked 'randomly': there are in-order, reversed",
    "poll/tcp4/n8/hold/one-connection/registered-before-fork": "registered 'before-fork': poll has no epoll instance",
    "poll.level/tcp4/n8/hold/one-connection": "trigger 'level': poll has no trigger",
    "poll.epoll/tcp4/n8/hold/one-connection": "sharing 'epoll': poll has no epoll instance to share",
    "epoll_wait/tcp4/n8/hold/one-connection": f"epoll_wait needs a trigger: {_TRIGGERS}",
    "epoll_wait.listener.level/tcp4/n8/hold/one-connection": "is not CALL[.TRIGGER][.SHARING]",
    "epoll_wait.level.epoll.edge/tcp4/n8/hold/one-connection": "is not CALL[.TRIGGER][.SHARING]",
    "epoll_wait.level.epol/tcp4/n8/hold/one-connection": "no sharing 'epol': there are listener, epoll, ring, nothing",
    "accept.epol/tcp4/n8/hold/one-connection": "no sharing 'epol'",
    "epoll_wait.rising.epoll/tcp4/n8/hold/one-connection": f"no trigger 'rising': there are {_TRIGGERS}",
    "epoll_wait.level.epoll/tcp4/n8/hold/one-connection/registered-after-fork": "filled once, before the fork",
    "accept/tcp4/n8/drain/one-connection": "reaction 'drain': accept takes one connection each time it returns",
    "accept/pipe/n8/hold/one-connection": "source 'pipe': a pipe takes no connections; accept waits on tcp4, tcp6, ",
    "accept/eventfd/n8/hold/one-connection": "an eventfd takes no connections; accept waits on tcp4, ",
    "recvfrom/eventfd/n8/hold/one-write": "an eventfd cannot be received from; recvfrom waits on udp4, ",
    "read/tcp4/n8/hold/nothing": "is not read by Wakecheck; read waits on pipe, fifo, ",
    "read/mountinfo/n8/hold/nothing": "/proc/self/mountinfo is not read by Wakecheck; read waits on",
    "read/mqueue/n8/hold/nothing": "a POSIX message queue is not read by Wakecheck; read waits on",
    "poll/eventfd/n2/hold/one-read": "an eventfd is not read by Wakecheck to make room; it can get nothing, one-write",
    "write/eventfd/n8/hold/nothing": "is not a source on which Wakecheck makes a writer wait; write waits on pipe",
    "write/full-pipe/n8/hold/nothing": "is not a source on which Wakecheck makes a writer wait; write waits on pipe",
    "read/eventfd/n8/accept/nothing": "an eventfd takes no connections; its waiters can hold or loop",
    "read/eventfd/n8/hold/one-connection": "an eventfd takes no connections; it can get nothing, one-write",
    "read/pipe/n8/hold/writes-one-by-one/k0": "k0: writes-one-by-one makes 1 to 100,000",
    "poll/tcp4/n8/hold/one-write": "a TCP listener on 127.0.0.1 is not written to; it can get one-",
    "io_uring_accept.ring/tcp4/n8/hold/one-connection": "sharing 'ring': one ring is shared by threads (write n8t)",
    "accept.ring/tcp4/n8t/hold/one-connection": "sharing 'ring': accept has no ring to share, only io_uring_accept, ",
    "rt_sigtimedwait.nothing/tcp4/n8t/hold/one-connection": "sharing 'nothing': threads share their signals",
    "poll.nothing/unix/n8/hold/one-connection": "has no SO_REUSEPORT groups and is not written to; there can be one",
    "poll.nothing/timerfd/n8/hold/nothing": "for each waiter of tcp4, tcp6, mptcp4, pipe, fifo, eventfd, ",
    "read/pipe/n2/hold/write-burst/k-5": "'k-5' is not a further axis",
    "read/pipe/n2/hold/write-burst/k5/k6": "'k6': k is given twice",
    "poll/tcp4/n2/hold/burst/k5/k5": "'k5': k is given twice",
    "poll/tcp4/n2/hold/burst/blocked-reversed/blocked-in-order": "'blocked-in-order': blocked is given twice",
    "epoll_wait.exclusive/epoll-instance/n2/hold/one-write": "not allowed for an epoll instance (epoll_ctl(2))",
    "epoll_wait.edge-exclusive.epoll/epoll-instance/n2/hold/one-write": "EPOLLEXCLUSIVE is not allowed",
}


@pytest.mark.parametrize("address", _REFUSED, ids=lambda address: ascii(address).strip("'") or "empty")
def test_bad_address_gives_one_sentence(address: str) -> None:
    with pytest.raises(BadScenario) as refused:
        Scenario.parse(address)
    words = str(refused.value)
    assert _REFUSED[address] in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("address", "meant"),
    {
        "epoll_wait/tcp4/n8/hold/one-connection": "epoll_wait.level.listener/tcp4/n8/hold/one-connection",
        "epoll_wait.epoll/unix/n3t/hold/burst": "epoll_wait.level.epoll/unix/n3t/hold/burst",
        "pool/tcp4/n8/hold/one-conection": "poll/tcp4/n8/hold/one-connection",
        "epol_wait.exclusiv.epoll/tcp6/n8/hold/burst/k3": "epoll_wait.exclusive.epoll/tcp6/n8/hold/burst/k3",
        "epoll_wait.edge.lsitener/tcp4/n8/hold/nothing": "epoll_wait.edge.listener/tcp4/n8/hold/nothing",
    }.items(),
)
def test_bad_address_suggests_the_nearest_of_its_own_axis(address: str, meant: str) -> None:
    """Not the nearest of all addresses, which would offer poll to somebody who forgot a trigger."""
    with pytest.raises(BadScenario, match=rf"; did you mean {re.escape(meant)}\?$"):
        Scenario.parse(address)


@pytest.mark.parametrize(
    "address",
    ["ACCEPT/TCP4/N8/HOLD/ONE-CONNECTION", "accept/tcp4/N8/hold/one-connection", "Accept/tcp4/n8/Hold/one-connection"],
)
def test_capitals_are_no_other_words(address: str) -> None:
    with pytest.raises(BadScenario) as refused:
        Scenario.parse(address)
    assert str(refused.value).endswith("; did you mean accept/tcp4/n8/hold/one-connection?")
    assert str(refused.value).count("did you mean") == 1


@pytest.mark.parametrize(
    "address",
    [
        "epoll_wait.rising.epoll/tcp4/n8/hold/one-connection",
        "poll/tcp4/n8/hold/one-connection/blocked-randomly",
        "pool/eventfd/n8/hold/one-connection",
        "accept/tcp4/n8/drain/one-connection",
    ],
)
def test_nothing_is_suggested_that_is_not_near_or_does_not_exist(address: str) -> None:
    with pytest.raises(BadScenario) as refused:
        Scenario.parse(address)
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize(("package", "table"), _PARTS.items(), ids=list(_PARTS))
def test_every_word_names_a_part_that_is_there(package: str, table: dict[str, Any]) -> None:
    for word, row in table.items():
        assert callable(find(f"probes.{package}", row.part)), word


def test_every_trigger_has_its_flags() -> None:
    assert list(epoll.FLAGS) == list(TRIGGERS)


def test_every_word_of_every_axis_is_used_by_some_scenario() -> None:
    """A word that no scenario can hold would be a promise that is not kept."""
    used: set[str] = set()
    for call in CALLS:
        for trigger in (None, *TRIGGERS):
            for sharing in SHARINGS:
                for source in SOURCES:
                    for reaction in REACTIONS:
                        for stimulus in STIMULI:
                            used |= _words(call, trigger, sharing, source, reaction, stimulus)
    assert used >= {*CALLS, *TRIGGERS, *SHARINGS, *SOURCES, *REACTIONS, *STIMULI}


def _words(*axes: str | None) -> set[str]:
    call, trigger, sharing, source, reaction, stimulus = axes
    try:
        waiter = "thread" if sharing == "ring" else "process"
        Scenario(str(call), str(source), 8, str(reaction), str(stimulus), trigger, str(sharing), waiter=waiter)
    except BadScenario:
        return set()
    return {axis for axis in axes if axis is not None}
