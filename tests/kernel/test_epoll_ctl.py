"""The rules of epoll_ctl for EPOLLEXCLUSIVE, asked directly."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from probes.claims import DOCUMENTED, claim, kernel, man
from probes.fixtures import Ask
from probes.refusals import unavailable
from probes.strategies.epoll import EPOLLEXCLUSIVE

_MAN = man("epoll_ctl", 2, "EPOLLEXCLUSIVE")
_RULES = kernel("fs/eventpoll.c", "do_epoll_ctl and EPOLLEXCLUSIVE_OK_BITS")

ALLOWED = {
    "EPOLLIN": select.EPOLLIN,
    "EPOLLOUT": select.EPOLLOUT,
    "EPOLLIN|EPOLLOUT": select.EPOLLIN | select.EPOLLOUT,
    "EPOLLET": select.EPOLLIN | select.EPOLLET,
    "EPOLLWAKEUP": select.EPOLLIN | 1 << 29,
    "EPOLLERR": select.EPOLLIN | select.EPOLLERR,
    "EPOLLHUP": select.EPOLLIN | select.EPOLLHUP,
}
REFUSED = {
    "EPOLLONESHOT": select.EPOLLIN | select.EPOLLONESHOT,
    "EPOLLPRI": select.EPOLLIN | select.EPOLLPRI,
    "EPOLLRDHUP": select.EPOLLIN | select.EPOLLRDHUP,
    "EPOLLRDNORM": select.EPOLLIN | select.EPOLLRDNORM,
}


@pytest.fixture
def target() -> Iterator[socket.socket]:
    """A descriptor to watch: one end of a socket pair."""
    near, far = socket.socketpair()
    with near, far:
        yield near


@pytest.fixture
def instance(target: socket.socket) -> Iterator[select.epoll]:
    """An epoll instance, on a kernel that has EPOLLEXCLUSIVE."""
    with select.epoll() as epoll:
        try:
            epoll.register(target, select.EPOLLIN | EPOLLEXCLUSIVE)
        except OSError as error:
            raise unavailable("EPOLLEXCLUSIVE", error) from error
        epoll.unregister(target)
        yield epoll


@claim(
    "epoll-ctl.exclusive-companions",
    "EPOLLEXCLUSIVE may be combined with EPOLLIN, EPOLLOUT, EPOLLWAKEUP, EPOLLET, EPOLLHUP and EPOLLERR.",
    level=DOCUMENTED,
    basis=[_MAN, _RULES],
    rows=["G1"],
)
@pytest.mark.parametrize("flag", ALLOWED)
def test_companions(ask: Ask, instance: select.epoll, target: socket.socket, flag: str) -> None:
    """
    e --- ADD (exclusive | flag) ---> fd
    """
    ask(
        "add",
        f"epoll_ctl(ADD, EPOLLEXCLUSIVE|{flag})",
        "ok",
        lambda: instance.register(target, EPOLLEXCLUSIVE | ALLOWED[flag]),
    )


@claim(
    "epoll-ctl.exclusive-refuses-others",
    "EPOLLEXCLUSIVE with any other flag, including EPOLLONESHOT, is EINVAL.",
    level=DOCUMENTED,
    basis=[_MAN, _RULES],
    rows=["G1", "Q7"],
)
@pytest.mark.parametrize("flag", REFUSED)
def test_refuses_others(ask: Ask, instance: select.epoll, target: socket.socket, flag: str) -> None:
    """
    e --- ADD (exclusive | flag) ---> fd
    """
    ask(
        "add",
        f"epoll_ctl(ADD, EPOLLEXCLUSIVE|{flag})",
        "EINVAL",
        lambda: instance.register(target, EPOLLEXCLUSIVE | REFUSED[flag]),
    )


@claim(
    "epoll-ctl.exclusive-only-by-add",
    "EPOLLEXCLUSIVE can be set only by ADD: MOD to it is EINVAL.",
    level=DOCUMENTED,
    basis=[_MAN, _RULES],
    rows=["G1", "Q2"],
)
def test_only_by_add(ask: Ask, instance: select.epoll, target: socket.socket) -> None:
    """
    e --- ADD (in), MOD (in | exclusive) ---> fd
    """
    instance.register(target, select.EPOLLIN)
    ask(
        "modify-to-exclusive",
        "epoll_ctl(MOD, EPOLLIN|EPOLLEXCLUSIVE) of a plain item",
        "EINVAL",
        lambda: instance.modify(target, select.EPOLLIN | EPOLLEXCLUSIVE),
    )


@claim(
    "epoll-ctl.exclusive-not-modified",
    "An item added with EPOLLEXCLUSIVE can be removed, but not changed: any MOD of it is EINVAL.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "ERRORS: EINVAL, EPOLLEXCLUSIVE has previously been applied"), _RULES],
    rows=["G1", "Q2"],
)
def test_not_modified(ask: Ask, instance: select.epoll, target: socket.socket) -> None:
    """
    e --- ADD (in | exclusive), MOD (in), DEL ---> fd
    """
    instance.register(target, select.EPOLLIN | EPOLLEXCLUSIVE)
    ask(
        "modify",
        "epoll_ctl(MOD, EPOLLIN) of an exclusive item",
        "EINVAL",
        lambda: instance.modify(target, select.EPOLLIN),
    )
    ask("remove", "epoll_ctl(DEL) of an exclusive item", "ok", lambda: instance.unregister(target))


@claim(
    "epoll-ctl.exclusive-not-nested",
    "An epoll instance cannot be the target of EPOLLEXCLUSIVE (EINVAL), but can be added without the flag.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "ERRORS: EINVAL, EPOLLEXCLUSIVE and fd refers to an epoll instance"), _RULES],
    rows=["G1"],
)
def test_not_nested(ask: Ask, instance: select.epoll) -> None:
    """
    e --- ADD (in | exclusive) ---> e'
    """
    with select.epoll() as inner:
        ask(
            "add-exclusive",
            "epoll_ctl(ADD, EPOLLIN|EPOLLEXCLUSIVE) of an epoll instance",
            "EINVAL",
            lambda: instance.register(inner, select.EPOLLIN | EPOLLEXCLUSIVE),
        )
        ask(
            "add",
            "epoll_ctl(ADD, EPOLLIN) of an epoll instance",
            "ok",
            lambda: instance.register(inner, select.EPOLLIN),
        )


@claim(
    "epoll-ctl.twice-is-eexist",
    "Adding a descriptor twice to one instance is EEXIST, exclusive or not.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "ERRORS: EEXIST"), _RULES],
    rows=["G1", "L-C7"],
)
@pytest.mark.parametrize("flags", ["plain", "exclusive"])
def test_twice_is_eexist(ask: Ask, instance: select.epoll, target: socket.socket, flags: str) -> None:
    """
    e --- ADD, ADD ---> fd
    """
    events = select.EPOLLIN | (EPOLLEXCLUSIVE if flags == "exclusive" else 0)
    instance.register(target, events)
    ask(
        "add-again", f"epoll_ctl(ADD, {flags}) for the second time", "EEXIST", lambda: instance.register(target, events)
    )
