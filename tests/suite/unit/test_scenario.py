"""Scenario ids: read, written, and refused with one sentence."""

from __future__ import annotations

import pytest

from probes import catalogue
from probes.scenario import CALLS, LISTENERS, REACTIONS, SHARINGS, STIMULI, TRIGGERS, BadScenario, Scenario


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
        ("read.nothing/eventfd/n8/hold/write-each", {"listener": "eventfd", "k": 0}),
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


_REFUSED = {
    "": "is not CALL",
    "poll": "is not CALL",
    "poll/tcp4/n8/hold": "is not CALL",
    "pool/tcp4/n8/hold/one-connection": "no call 'pool'",
    "poll/tcp5/n8/hold/one-connection": "no listener 'tcp5'",
    "poll/tcp4/8/hold/one-connection": "'8' is no size",
    "poll/tcp4/n/hold/one-connection": "'n' is no size",
    "poll/tcp4/n-1/hold/one-connection": "'n-1' is no size",
    "poll/tcp4/n8p/hold/one-connection": "'n8p' is no size",
    "poll/tcp4/n\u0663/hold/one-connection": "is no size",
    "poll/tcp4/n0/hold/one-connection": "0 waiters",
    "poll/tcp4/n10000000/hold/one-connection": "10000000 waiters: a scenario has 1 to 10,000",
    "poll/tcp4/n8/sleep/one-connection": "no reaction 'sleep'",
    "poll/tcp4/n8/hold/two-connections": "no stimulus 'two-connections'",
    "poll/tcp4/n8/hold/one-connection/fast": "'fast' is no further axis",
    "poll/tcp4/n8/hold/one-connection/k2": "use burst or one-by-one",
    "poll/tcp4/n8/hold/nothing/k2": "makes no connection",
    "poll/tcp4/n8/hold/burst/k0": "k0",
    "poll/tcp4/n8/hold/burst/k100001": "makes 1 to 100,000",
    "poll/tcp4/n8t/hold/one-by-one/blocked-reversed": "processes only",
    "poll/tcp4/n8/hold/one-connection/blocked-randomly": "no blocked 'randomly'",
    "poll.level/tcp4/n8/hold/one-connection": "a trigger belongs to the epoll calls",
    "poll.epoll/tcp4/n8/hold/one-connection": "only the epoll calls can share",
    "epoll_wait/tcp4/n8/hold/one-connection": "each of them needs one",
    "epoll_wait.listener.level/tcp4/n8/hold/one-connection": "is not CALL[.TRIGGER][.SHARING]",
    "epoll_wait.level.epoll.edge/tcp4/n8/hold/one-connection": "is not CALL[.TRIGGER][.SHARING]",
    "epoll_wait.rising.epoll/tcp4/n8/hold/one-connection": "no trigger 'rising'",
    "epoll_wait.level.epoll/tcp4/n8/hold/one-connection/registered-after-fork": "registered before the fork",
    "accept/tcp4/n8/drain/one-connection": "use loop",
    "accept/eventfd/n8/hold/one-connection": "accept waits on a listening socket",
    "recvfrom/eventfd/n8/hold/one-write": "recvfrom waits on udp4",
    "read/tcp4/n8/hold/nothing": "read waits on pipe or eventfd",
    "read/eventfd/n8/accept/nothing": "a reader can hold, or loop",
    "read/eventfd/n8/hold/one-connection": "eventfd takes one-write",
    "read/pipe/n8/hold/writes-one-by-one/k0": "k0: writes-one-by-one makes 1 to 100,000",
    "poll/tcp4/n8/hold/one-write": "is for what is read",
    "io_uring_accept.ring/tcp4/n8/hold/one-connection": "one ring is for the io_uring calls, and for threads",
    "accept.ring/tcp4/n8t/hold/one-connection": "one ring is for the io_uring calls",
    "rt_sigtimedwait.nothing/tcp4/n8t/hold/one-connection": "threads share their signals",
    "poll.nothing/unix/n8/hold/one-connection": "a reuseport group needs tcp4 or tcp6",
}


@pytest.mark.parametrize("address", _REFUSED, ids=lambda address: ascii(address).strip("'") or "empty")
def test_bad_address_gives_one_sentence(address: str) -> None:
    with pytest.raises(BadScenario) as refused:
        Scenario.parse(address)
    words = str(refused.value)
    assert _REFUSED[address] in words
    assert "\n" not in words


def test_every_word_of_every_axis_is_used_by_some_scenario() -> None:
    """A word that no scenario can hold would be a promise that is not kept."""
    found: set[str] = set()
    for call in CALLS:
        for trigger in (None, *TRIGGERS):
            for sharing in SHARINGS:
                for listener in LISTENERS:
                    for reaction in REACTIONS:
                        for stimulus in STIMULI:
                            found |= _words(call, trigger, sharing, listener, reaction, stimulus)
    assert found >= {*CALLS, *TRIGGERS, *SHARINGS, *LISTENERS, *REACTIONS, *STIMULI}


def _words(*axes: str | None) -> set[str]:
    call, trigger, sharing, listener, reaction, stimulus = axes
    try:
        waiter = "thread" if sharing == "ring" else "process"
        Scenario(str(call), str(listener), 8, str(reaction), str(stimulus), trigger, str(sharing), waiter=waiter)
    except BadScenario:
        return set()
    return {axis for axis in axes if axis is not None}
