"""Every strategy of the suite has a name of its own for people."""

from __future__ import annotations

import pytest

from probes.report.strategies import in_words
from tests.kernel.every import EVERY


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        ("accept", "accept"),
        ("poll", "poll"),
        ("epoll_wait.level.listener", "epoll, an instance each, level-triggered"),
        ("epoll_wait.exclusive.listener", "epoll, an instance each, EPOLLEXCLUSIVE"),
        ("epoll_pwait2.edge.epoll", "epoll_pwait2, one instance for all, edge-triggered"),
        ("accept.nothing", "accept, SO_REUSEPORT"),
        ("epoll_wait.edge.nothing", "epoll, SO_REUSEPORT, edge-triggered"),
        ("io_uring_multishot", "io_uring, multishot accept"),
        ("io_uring_accept.ring", "io_uring, accept, one ring for all"),
        ("rt_sigtimedwait", "SIGIO, rt_sigtimedwait"),
        ("a_call_of_a_newer_suite", "a_call_of_a_newer_suite"),
    ],
)
def test_name(strategy: str, name: str) -> None:
    assert in_words(strategy) == name


def test_no_two_have_the_same_name() -> None:
    names = [in_words(strategy) for strategy in EVERY]
    assert len(set(names)) == len(names)
