"""A kernel that does not answer as Linux does: what it does not tell is inconclusive, at once and with a reason."""

from __future__ import annotations

import builtins
import io
import os
import re
from types import SimpleNamespace
from typing import Any

import pytest

from probes.experiments import wire
from probes.lab import fence, network, stage
from probes.scenario import Scenario
from probes.sources import tcp
from probes.verdict import Inconclusive


def test_no_fence_is_believed_where_the_network_is_not_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "flavour", lambda: "gvisor")
    chosen = fence.choose()
    assert not chosen.proves
    assert "gVisor" in chosen.name


@pytest.fixture
def _asked_anew() -> Any:
    tcp.tells_queue.cache_clear()
    yield
    tcp.tells_queue.cache_clear()


@pytest.mark.usefixtures("_asked_anew")
@pytest.mark.parametrize(("answer", "tells"), [((0, 1), True), ((0, 0), False), (OSError(92, "no such option"), False)])
def test_queue_is_told_only_by_a_kernel_that_knows_its_limit(
    answer: tuple[int, int] | OSError, tells: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queue(_: object) -> tuple[int, int]:
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(tcp, "queue", queue)
    listener = tcp.tcp4(Scenario("poll"), None)
    try:
        assert listener.queued() == (0 if tells else None)
        if not tells:
            with pytest.raises(Inconclusive, match="does not tell the length"):
                wire.queue(listener._sockets[0])
    finally:
        listener.close()


def test_listener_that_was_closed_tells_nothing_and_the_kernel_still_does() -> None:
    listener = tcp.tcp4(Scenario("poll"), None)
    assert listener.queued() == 0
    listener.close()
    assert listener.queued() is None
    _stage(proves=True).insist_on_proof(listener)


def _stage(*, proves: bool) -> stage.Stage:
    instruments = SimpleNamespace(why_no_syscall_file=None, of_every_task=[], why_blind="nobody looks")
    bench = SimpleNamespace(
        folder=None,
        instruments=instruments,
        fence=lambda: None,
        fence_name="the fence",
        fence_proves=proves,
        rest_shows=True,
    )
    return stage.Stage(bench, os.getpid())  # type: ignore[arg-type]  # all that a stage asks of a bench


@pytest.mark.parametrize(
    ("proves", "asynchronous", "tells", "words"),
    [
        (True, True, True, None),
        (True, False, False, None),
        (False, False, False, None),
        (False, True, True, "fence: the fence"),
        (True, True, False, "length of an accept queue"),
    ],
)
def test_experiment_with_a_connection_that_cannot_be_proven(
    proves: bool, asynchronous: bool, tells: bool, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "tells_queue", lambda: tells)
    listener: Any = SimpleNamespace(asynchronous=asynchronous)
    if words is None:
        _stage(proves=proves).insist_on_proof(listener)
        return
    with pytest.raises(Inconclusive, match=words):
        _stage(proves=proves).insist_on_proof(listener)


@pytest.mark.parametrize(
    ("netstat", "outcome"),
    [
        ("TcpExt: A B\nTcpExt: 3 4\nIpExt: C\nIpExt: 5\n", 4),
        ("TcpExt: A\nTcpExt: 3\n", "does not count B"),
        ("TcpExt: A B\n", "does not count B"),
        ("", "does not count B"),
    ],
)
def test_counter_that_is_not_there(netstat: str, outcome: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "open", lambda *_: io.StringIO(netstat))
    if isinstance(outcome, int):
        assert network.counter("B") == outcome
    else:
        with pytest.raises(Inconclusive, match=outcome):
            network.counter("B")


def test_unforeseen_error_names_the_place_that_met_it() -> None:
    listener = tcp.tcp4(Scenario("poll"), None)
    with pytest.raises(NotImplementedError) as caught:
        listener.write(0)
    listener.close()
    said = stage.why_stopped("a.b", caught.value)["inconclusive"]
    assert re.match(r"a fault of Wakecheck in the experiment a\.b \(tcp\.py, line \d+\): a TCP listener", said)
