"""What is advised in which situation, and what is not: an option that would take a service down, or do nothing."""

from __future__ import annotations

import dataclasses

import pytest

from probes.audit.advice import REMEDIES, advice_for
from probes.audit.judge import HERDS, WAKES_ONE
from probes.audit.situation import Situation
from tests.suite.servers.advised import BEFORE_AND_AFTER

GUNICORN = Situation(
    HERDS, "select", None, "listener", threads=False, is_tcp=True, sockets=1, reuseport=False, handed_over_by=None,
    names=frozenset({"gunicorn"}), options=["python", "/usr/bin/gunicorn", "-w", "4", "app:app"], cpus=2,
)  # fmt: skip


def _with(**changes: object) -> str:
    return "\n".join(advice_for(dataclasses.replace(GUNICORN, **changes)))  # type: ignore[arg-type]


def test_every_remedy_is_tried_on_its_server() -> None:
    assert {remedy.id for remedy in REMEDIES} == set(BEFORE_AND_AFTER)


def test_no_advice_without_a_herd() -> None:
    assert _with(verdict=WAKES_ONE) == ""


def test_gunicorn() -> None:
    said = _with()
    assert "for gunicorn: start it with --reuse-port (since version 24.0;" in said
    assert "for its developers: one worker wakes with blocking accept, epoll with EPOLLEXCLUSIVE" in said


@pytest.mark.parametrize(
    ("changes", "why_not"),
    [
        ({"is_tcp": False}, "the listener is a unix socket"),
        ({"handed_over_by": "systemd"}, "the listener was bound by systemd"),
        ({"options": ["gunicorn", "--reuse-port", "app:app"]}, "it is set already, and changes nothing"),
        ({"options": ["gunicorn: master [app:app]"], "options_known": False}, "it wrote a title over its command line"),
        ({"reuseport": True}, "SO_REUSEPORT is set already, and there is one listener all the same"),
        ({"sockets": 2}, "there are 2 listeners at this address already"),
        ({"version": (23, 0)}, "this is version 23.0, and it helps since 24.0"),
    ],
    ids=("unix", "handed-over", "set", "title", "reuseport", "group", "version"),
)
def test_gunicorn_where_it_would_do_harm_or_nothing(changes: dict[str, object], why_not: str) -> None:
    said = _with(**changes)
    assert "for gunicorn:" not in said
    assert f"not advised here: start it with --reuse-port; {why_not}" in said


def test_a_known_version_that_helps() -> None:
    assert "for gunicorn: start it" in _with(version=(27, 0, 1))


def test_a_reuseport_group_is_for_tcp_sockets_that_the_server_binds() -> None:
    assert "SO_REUSEPORT (socket(7))" in _with()
    for changes in ({"is_tcp": False}, {"handed_over_by": "systemd"}, {"sockets": 4}):
        assert "a listener for each worker" not in _with(**changes), changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"names": frozenset({"haproxy"}), "threads": True}, "for haproxy: shards by-thread on its bind line"),
        # HAProxy sets SO_REUSEPORT on the one listener that all threads share, too.
        ({"names": frozenset({"haproxy"}), "threads": True, "reuseport": True}, "for haproxy: shards by-thread"),
        ({"names": frozenset({"uwsgi"}), "is_tcp": False}, "for uwsgi: thunder-lock = true"),
        ({"names": frozenset({"apache2"})}, "for apache2: ListenCoresBucketsRatio 1"),
        ({"names": frozenset({"apache2"}), "cpus": 1}, "not advised here: ListenCoresBucketsRatio 1"),
        ({"names": frozenset({"gunicorn: maste"})}, "for gunicorn: start it"),
        ({"call": "epoll_wait", "trigger": "level", "sharing": "epoll"}, "EPOLLET and accept until EAGAIN"),
        ({"call": "epoll_wait", "trigger": "level"}, "one worker wakes with EPOLLEXCLUSIVE"),
    ],
)
def test_advice(changes: dict[str, object], expected: str) -> None:
    assert expected in _with(**changes)


def test_another_server_of_a_similar_name() -> None:
    assert "gunicorn" not in _with(names=frozenset({"gunicorn-exporter"}))


def test_what_is_set_already_is_not_advised_to_programmers() -> None:
    assert "EPOLLEXCLUSIVE" not in _with(call="epoll_wait", trigger="exclusive")
    assert _with(call="epoll_wait", trigger="exclusive", is_tcp=False, names=frozenset()) == ""
    assert _with(call="epoll_wait", trigger="edge", sharing="epoll", names=frozenset()) == ""


def test_what_helps_for_datagrams_alone() -> None:
    """NSD's `reuseport: yes` makes UDP sockets for each process, and no TCP listeners."""
    nsd = {"names": frozenset({"nsd"}), "options": ["nsd", "-d"]}
    assert "for nsd: reuseport: yes" in _with(**nsd, datagrams=True)
    assert "not advised here: reuseport: yes in the server section" in _with(**nsd)


def test_who_programs_a_datagram_server_is_told_of_sockets() -> None:
    said = _with(datagrams=True)
    assert "blocking recvfrom" in said
    assert "a socket for each worker with SO_REUSEPORT" in said
