"""An error that tells of the surroundings breaks no claim, and a call that is denied is named."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from probes import refusals
from probes.case import Case, Facts, judge
from probes.experiments import reported
from probes.lab import denial, trial
from probes.locks import sysv
from probes.scenario import Scenario
from probes.sources import insist_on_another_end, mqueue
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE, Inconclusive, NotApplicable

from .builders import made_claim

_TWO_RECEIVERS = Scenario.parse("mq_timedreceive/mqueue/n2/loop/writes-one-by-one/k4")


def _judged(seen: Any, allowed: Any) -> tuple[str, str | None]:
    case = Case(made_claim())
    try:
        Facts({"answer": {"what": "what epoll_wait gives", "seen": seen}}, case).expect("answer", allowed)
    except (AssertionError, Inconclusive, NotApplicable) as raised:
        return judge(case, pytest.ExceptionInfo.from_exception(raised))
    return judge(case, None)


@pytest.mark.parametrize(
    ("seen", "allowed", "verdict"),
    [
        ("EPERM", "blocked", INCONCLUSIVE),
        (["blocked", ["EACCES"]], ["blocked", ["blocked"]], INCONCLUSIVE),
        ("ENOSYS", "EINVAL", NOT_APPLICABLE),
        ("EMFILE", "ok", INCONCLUSIVE),
        ("ENOSPC", "ok", INCONCLUSIVE),
        ("EMFILE", "EMFILE", HELD),  # what the claim asks about
        ("EINVAL", "blocked", BROKEN),
        ("EINTR", "blocked", BROKEN),
        (-1, "blocked", BROKEN),
    ],
)
def test_error_of_the_surroundings_breaks_nothing(seen: Any, allowed: Any, verdict: str) -> None:
    assert _judged(seen, allowed)[0] == verdict


def test_reason_says_what_helps() -> None:
    reason = _judged("EMFILE", "ok")[1]
    assert (
        reason
        == "what epoll_wait gives: EMFILE, which tells nothing: no descriptor is left: raise their limit (ulimit -n)"
    )


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.EADDRINUSE, errno.ENOENT, errno.EPERM])
def test_operation_that_failed_is_told_with_its_remedy(number: int) -> None:
    said = refusals.in_words(OSError(number, "x"))
    assert said.startswith(f"{errno.errorcode[number]}: ")
    assert len(said) > 20


def test_operation_that_failed_for_another_reason() -> None:
    assert refusals.in_words(OSError(errno.EILSEQ, "x")) == "EILSEQ"
    assert refusals.in_words(OSError("no number")) == "no number"


def test_no_process_is_left() -> None:
    """As kernel.threads-max makes it (fork(2), EAGAIN)."""
    said = refusals.in_words(BlockingIOError(errno.EAGAIN, "x"))
    for limit in ("ulimit -u", "pids.max", "kernel.pid_max", "kernel.threads-max"):
        assert limit in said


def test_no_pipe_is_left_to_this_user() -> None:
    """As fs.pipe-user-pages-hard makes it (pipe(2), ENFILE)."""
    assert "fs.pipe-user-pages-hard" in refusals.in_words(OSError(errno.ENFILE, "x"))


def test_pipe_larger_than_the_machine_lets_it_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """As fs.pipe-max-size makes it for who has no CAP_SYS_RESOURCE (fcntl(2), F_SETPIPE_SZ)."""

    def refuse(*_: Any) -> Any:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with pytest.raises(Inconclusive, match=r"^a larger pipe: EPERM: look at fs\.pipe-max-size, "):
        reported.make_larger(0, 1)


def test_source_that_the_machine_has_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As fs.mqueue.queues_max makes it."""

    def refuse(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(trial, "open_source", refuse)
    waiting: Any = SimpleNamespace(scenario=_TWO_RECEIVERS, _bench=SimpleNamespace(folder=None))
    with pytest.raises(Inconclusive, match=r"^no mqueue could be opened: ENOSPC: .* fs\.mqueue\.queues_max"):
        trial.TrialRun._open(waiting)


def test_message_queue_larger_than_the_machine_lets_it_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqueue, "_MOST", 1 << 17)  # twice what the kernel lets root have (HARD_MSGMAX)
    with pytest.raises(Inconclusive, match=r"^mq_open: EINVAL: fs\.mqueue\.msg_max must be 131072 or more, "):
        mqueue.Mqueue(_TWO_RECEIVERS, None)


def test_set_of_semaphores_larger_than_the_machine_lets_it_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysv, "SIZE", 1 << 30)
    with pytest.raises(Inconclusive, match=r"^semget: EINVAL: the first number of kernel\.sem must be 1073741824 or "):
        sysv.create(0)


# --- calls that are denied here -----------------------------------------------------------------


def _denying(monkeypatch: pytest.MonkeyPatch, **errors: int) -> None:
    monkeypatch.setattr(denial, "denied", lambda: errors)


def test_nothing_is_denied_here() -> None:
    """In this process; each call is asked with arguments that it refuses before it acts."""
    assert denial.denied() == {}
    assert denial.explained("w0 was not seen blocked") == "w0 was not seen blocked"


def test_fact_with_the_error_of_a_denied_call_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"answer": {"what": "epoll_wait", "seen": "EPERM"}, "other": {"what": "x", "seen": 3}}
    denial.insist_on_no_denial(facts)
    _denying(monkeypatch, epoll_wait=errno.EPERM)
    with pytest.raises(Inconclusive, match=r"^epoll_wait: EPERM; epoll_wait is denied here \(EPERM\)$"):
        denial.insist_on_no_denial(facts)
    _denying(monkeypatch, epoll_wait=errno.ENOSYS)
    denial.insist_on_no_denial(facts)
    with pytest.raises(NotApplicable):
        denial.insist_on_no_denial({"answer": {"what": "epoll_wait", "seen": ["ENOSYS"]}})


def test_reason_names_what_is_denied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _denying(monkeypatch, clone3=errno.EPERM)
    said = denial.explained("waiter 0 did not come to life")
    assert said == "waiter 0 did not come to life; clone3 is denied here (EPERM)"
    assert denial.explained(said) == said


def test_socket_that_has_connected_to_itself() -> None:
    """As it comes about where one port is free, and nobody listens there any more."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        with pytest.raises(OSError, match="Cannot assign requested address"):
            insist_on_another_end(sock)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        insist_on_another_end(sock)
    with socket.socket() as sock:  # as one that was reset
        insist_on_another_end(sock)
