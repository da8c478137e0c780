"""Words that misled: figures rounded apart, what kcmp told, an option that changes nothing, who was not seen."""

from __future__ import annotations

import os
import socket

import pytest

from probes.audit import closed, judge
from probes.audit import find as find_module
from probes.audit.answer import nothing_known, warnings_for
from probes.audit.count import Connection, Effect
from probes.audit.find import AuditedServer, BadTarget, Wanted, find
from probes.audit.idle import Idle
from probes.audit.sockets import ListeningSocket
from probes.audit.strategy import strategy_of
from probes.audit.waits import Wait
from probes.audit.words import lines
from probes.report import audit_page

ONE = ListeningSocket("tcp4", "127.0.0.1", 80, (7,), 1)
QUIET = Idle({}, 2.5)


def _connections(*woken: int) -> list[Connection]:
    connections = []
    for number in woken:
        effect = Effect(set(range(number)), None, {0}, set())
        connections.append(Connection(effect, None, False, frozenset(range(8))))
    return connections


def test_the_figures_of_a_sentence_fit_together() -> None:
    """Connections wake 2 and 3 workers in turns."""
    figures = judge.figures_of(_connections(2, 3, 2, 3), 4, QUIET)
    sentence = judge.judge(figures, 8, True).sentence
    assert sentence == "herds: 2 to 3 of 8 workers wake for a connection; 1 to 2 find nothing"


def test_an_exact_figure_is_one_number() -> None:
    figures = judge.figures_of(_connections(4, 4), 2, QUIET)
    assert judge.judge(figures, 4, True).sentence == "herds: 4 of 4 workers wake for each connection; 3 find nothing"


def test_some_share_an_instance_and_some_do_not() -> None:
    """kcmp has told which, so the words are not `could not be told`."""
    waits = [Wait(10 + i, 10 + i, "w", "epoll_wait", True, "level", (10 + i, 3), (7,)) for i in range(4)]
    way = strategy_of(waits, 0, ONE, 5, lambda instance, other: {instance[0], other[0]} == {10, 11})
    assert way.id is None
    assert way.sentence == "4 workers, in 3 epoll instances, level-triggered, not exclusive, on one inherited listener"


def _server() -> AuditedServer:
    return AuditedServer(ONE, {10: {3: 7}, 11: {3: 7}})


@pytest.mark.parametrize(("reuseport", "number", "said"), [(True, 4, True), (False, 4, False), (True, 1, False)])
def test_reuseport_that_changes_nothing(reuseport: bool, number: int, said: bool) -> None:
    waits = [Wait(10 + i, 10 + i, "w", "poll", True, inodes=(7,)) for i in range(number)]
    warnings = warnings_for(_server(), waits, judge.figures_of(_connections(2), 1, QUIET), reuseport)
    assert any(line.startswith("SO_REUSEPORT is set, and changes nothing: ") for line in warnings) is said


def test_a_udp_port_says_so() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        with pytest.raises(BadTarget, match=f"port {port} is a UDP port here, .* --dns NAME"):
            find(Wanted(port))


def test_who_could_not_be_looked_into_is_named() -> None:
    answer = nothing_known()
    answer.update(
        verdict="inconclusive", sentence="x", settings={},
        listener={"name": "x", "kind": "tcp4", "sockets": 1, "other_namespace": False, "also": []},
        server={"name": "x", "pids": [1], "unseen_processes": [7, 9]},
    )  # fmt: skip
    assert "  processes 7 9 cannot be inspected, so it is not known whether they hold the listener, too" in list(
        lines(answer)
    )


def _closed(monkeypatch: pytest.MonkeyPatch, uid: int, held: int, ours: int) -> str:
    """What is said about this very process if it may not be looked into; `held` are its capabilities."""

    def denied(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", denied)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(closed, "_permitted", lambda pid: ours if pid == "self" else held)
    with pytest.raises(BadTarget) as refused:
        find(Wanted(pid=os.getpid()))
    return str(refused.value).removeprefix(f"process {os.getpid()} ")


def test_root_is_not_sent_to_root(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _closed(monkeypatch, 0, 0b11, 0b01)
    assert said.startswith("may not be looked into, although you are root: it holds capabilities that you lack, and ")
    assert said.endswith("you have no CAP_SYS_PTRACE over it (ptrace(2))")
    said = _closed(monkeypatch, 0, 0b01, 0b11)
    assert said.startswith("may not be looked into, although you are root: you have no CAP_SYS_PTRACE over it, ")


def test_a_user_is_sent_to_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed, "_uid_of", lambda pid: 1234)
    said = _closed(monkeypatch, 1234, 0b01, 0b01)
    assert said == "belongs to you, but may not be looked into (ptrace(2)): run as root to audit it"


def test_a_listener_that_nobody_seen_holds_does_not_send_root_to_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_module, "holders_of", lambda inodes: ({}, [7, 9]))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        wanted = Wanted(listener.getsockname()[1])
        for uid, end in ((1234, "run as root"), (0, "although you are root, processes 7 9 may not")):
            monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
            with pytest.raises(BadTarget, match=end):
                find(wanted)


def test_our_own_family_has_nobody_unseen_who_is_a_stranger() -> None:
    """Kernel threads and other users' processes are no relatives of a server, and hold nothing of it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = find(Wanted(listener.getsockname()[1]))
        assert os.getpid() in server.holders
        assert 2 not in server.unseen


def test_wakes_nobody_beside_the_lab() -> None:
    answer = nothing_known()
    spread = {"min": 4, "median": 4, "max": 4}
    answer.update(
        verdict=judge.WAKES_NOBODY, sentence="wakes nobody: x", sure="",
        lab={"scenario": "poll/tcp4/n4/accept/one-connection", "woken": spread, "why_not": None},
    )  # fmt: skip
    said = "(the lab's listener does not wait for data: expect this once data arrive)"
    assert any(said in line for line in lines(answer))
    assert said in audit_page.render(answer)
    answer["verdict"] = judge.HERDS
    assert not any(said in line for line in lines(answer))
