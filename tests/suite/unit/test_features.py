"""A kernel that lacks a feature: not applicable, with what it answered; and no reason is a line of Python."""

from __future__ import annotations

import errno
import os
import select
import socket
import termios

import pytest

from probes.experiments import textbook_servers
from probes.lab import features
from probes.lab.stage import why_stopped
from probes.scenario import Scenario
from probes.sources import open_source
from probes.strategies.epoll import Epoll
from probes.verdict import NotApplicable


class _OldEpoll:
    """epoll before Linux 4.5: EPOLLEXCLUSIVE is no flag that it knows."""

    def __enter__(self) -> _OldEpoll:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def register(self, fd: int, events: int) -> None:
        if events & features.EPOLLEXCLUSIVE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


class _OldSocket(socket.socket):
    """A socket before Linux 3.9."""

    def setsockopt(self, *_: object) -> None:
        raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))


@pytest.mark.parametrize("arguments", [("epoll", "--trigger", "exclusive"), ("epoll", "--workers", "4")])
def test_a_server_that_needs_epollexclusive(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.setattr(select, "epoll", _OldEpoll)
    if "exclusive" not in arguments:
        textbook_servers._insist_on_features(arguments)
        return
    with pytest.raises(NotApplicable, match=r"^EPOLLEXCLUSIVE: EINVAL$"):
        textbook_servers._insist_on_features(arguments)


def test_a_server_that_needs_reuseport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", _OldSocket)
    with pytest.raises(NotApplicable, match=r"^SO_REUSEPORT: ENOPROTOOPT$"):
        textbook_servers._insist_on_features(("reuseport",))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            OSError(errno.ENOSYS, "x"),
            "not_applicable",
            "asked for what is not there: ENOSYS: this kernel lacks it, or a sandbox",
        ),
        (OSError(errno.EMFILE, "x"), "inconclusive", "could not go on: EMFILE: no descriptor is left: raise"),
        (RuntimeError("can't start new thread"), "inconclusive", "a thread was refused"),
        (ValueError("too many"), "inconclusive", "a fault of Wakecheck in the experiment a.b: too many"),
    ],
)
def test_an_experiment_that_an_error_ends_says_so_in_words(error: Exception, kind: str, words: str) -> None:
    (message,) = why_stopped("a.b", error).items()
    assert message[0] == kind
    assert words in message[1]
    assert "Error" not in message[1]
    assert ".py" not in message[1]
    assert "`" not in message[1]


def test_a_terminal_that_cannot_be_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of tcsetattr(3) in Python is no OSError, and ended the conductor."""

    def refuse(fd: int, when: int) -> None:
        raise termios.error(errno.ENOTTY, os.strerror(errno.ENOTTY))

    monkeypatch.setattr("tty.setraw", refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(NotApplicable, match=r"^a raw pseudoterminal: Inappropriate ioctl for device$"):
        open_source(Scenario.parse("read/pty/n2/hold/one-write"), None)
    assert os.listdir("/proc/self/fd") == before


_WATCHES = Scenario.parse("epoll_wait.level.listener/pipe/n2/hold/one-write")


def test_a_file_that_no_epoll_instance_can_watch() -> None:
    """EPERM, as of a regular file everywhere, and of an io_uring in gVisor (epoll_ctl(2))."""
    with (
        open(__file__) as file,
        pytest.raises(NotApplicable, match=r"^an epoll instance cannot watch this \(pipe\): EPERM$"),
    ):
        Epoll(_WATCHES, [file.fileno()] * 2)


def test_a_sandbox_that_denies_epoll_ctl_is_no_such_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.strategies.epoll.syscalls.call", lambda *_: -errno.EPERM)
    with open(__file__) as file, pytest.raises(PermissionError):
        Epoll(_WATCHES, [file.fileno()] * 2)
