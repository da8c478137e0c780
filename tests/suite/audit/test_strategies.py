"""Each way of waiting: how many are woken, in the audit and in the lab on the same kernel."""

from __future__ import annotations

import sys

import pytest

from .conftest import Answer, Audit, Start


def _spread(value: int) -> dict[str, float]:
    return {"min": value, "median": value, "max": value}


def _judged(answer: Answer) -> Answer:
    assert answer["verdict"] != "inconclusive", answer.text
    return answer


@pytest.mark.parametrize(
    ("kind", "strategy", "woken"),
    [
        ("accept", "accept4", 1),
        ("select", "select", 4),
        ("level", "epoll_wait.level.listener", 4),
        ("exclusive", "epoll_wait.exclusive.listener", 1),
        ("reuseport", "epoll_wait.level.nothing", 1),
        ("timer", "epoll_wait.level.listener", 4),
    ],
)
def test_woken(start: Start, audit: Audit, kind: str, strategy: str, woken: int) -> None:
    """The strategy is recognised, and as many are woken as in the lab."""
    answer = audit("--port", start(kind).address)
    assert answer["strategy"] == strategy, answer.text
    assert answer["workers"] == 4
    if kind == "timer" and answer["observers"]["sched_waking"] is not None:
        # Context switches alone may or may not tell a timer from the herd; that depends on how slow this machine is.
        assert answer["verdict"] in ("herds", "inconclusive")
        return
    _judged(answer)
    assert answer["connections"] == 10
    assert answer["woken"] == _spread(woken), answer.text
    assert answer["lab"]["woken"] == _spread(woken), answer.text
    assert answer["won"] == _spread(1)
    assert sum(answer["winners"].values()) + answer["shared"] == answer["connections"]
    assert answer["verdict"] == ("herds" if woken > 1 else "wakes one")
    assert bool(answer["advice"]) == (woken > 1)
    assert answer.code == 0


def test_shared_instance(start: Start, audit: Audit) -> None:
    """Each worker that returns wakes the next, so at least two wake; no other wake-up by the server counts."""
    answer = _judged(audit("--port", start("shared").address))
    assert answer["strategy"] == "epoll_wait.level.epoll"
    assert 2 <= answer["woken"]["min"] <= answer["woken"]["max"] <= 4
    assert answer["verdict"] == "herds"


def test_threads(start: Start, audit: Audit) -> None:
    """Each of the threads is a worker; the one that only waits for them is not."""
    server = start("threads")
    answer = _judged(audit("--pid", server.process.pid))
    assert answer["workers"] == 4
    assert answer["woken"] == _spread(1)
    assert answer["waits"].startswith("4 threads, each blocked in accept4")
    assert len({waiter["pid"] for waiter in answer["waiters"]}) == 1
    assert answer["lab"]["scenario"] == "accept4/tcp4/n4t/accept/one-connection"


def test_master_that_dispatches(start: Start, audit: Audit) -> None:
    """The master is the only one that waits for the listener; whom it wakes is the server's own traffic."""
    answer = _judged(audit("--port", start("dispatch").address))
    assert answer["workers"] == 1
    assert answer["woken"] == _spread(1)
    assert answer["verdict"] == "wakes one"
    assert answer["others"]["min"] >= 1


def test_timers_are_measured(start: Start, audit: Audit) -> None:
    """Workers that wake ten times a second while nobody connects: their rate is known before anything is counted."""
    answer = audit("--port", start("timer").address)
    rates = [waiter["timer_per_s"] for waiter in answer["waiters"]]
    assert len(rates) == 4, answer.text
    # A timer never comes early; a starved machine has it late.
    assert all(0 < rate <= 15 for rate in rates), rates
    if answer["observers"]["sched_waking"] is None:
        assert answer["woken"] == _spread(4)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_unix(start: Start, audit: Audit, tmp_path: object, abstract: bool) -> None:
    """A unix socket, by its path or its abstract name."""
    address = f"@wakecheck-{id(start)}" if abstract else f"{tmp_path}/s"
    start("level", address=address)
    answer = _judged(audit("--unix", address))
    assert answer["listener"]["kind"] == ("unix-abstract" if abstract else "unix")
    assert answer["woken"] == _spread(4)
    assert answer["won"] == _spread(1)
    assert answer["lab"]["woken"] == _spread(4)


def test_data_is_sent(start: Start, audit: Audit) -> None:
    """Bytes that are sent do not change who is woken by the connection."""
    server = start("level")
    answer = _judged(audit("--port", server.address, "--send", r"hello\r\n"))
    assert answer["woken"] == _spread(4)
    assert answer["won"] == _spread(1)


@pytest.mark.parametrize(("kind", "code"), [("level", 1), ("exclusive", 0)])
def test_max_woken(start: Start, audit: Audit, kind: str, code: int) -> None:
    assert audit("--port", start(kind).address, "--max-woken", 1).code == code


def test_deserted_listener(start: Start, audit: Audit) -> None:
    """A reuseport group with a socket that nobody waits for: connections that get there are not served."""
    answer = audit("--port", start("orphan").address, "--connections", 1)
    assert answer["listener"]["sockets"] == 5
    assert [warning for warning in answer["warnings"] if warning.startswith("1 of the 5 listeners")], answer.text


def test_zombie(start: Start, audit: Audit) -> None:
    """A child that ended earlier, and that the server has not reaped, does not end during the audit."""
    answer = _judged(audit("--port", start("zombie", 2).address))
    assert answer["woken"] == _spread(1)


def test_another_session(start: Start, audit: Audit) -> None:
    """A descendant in a session of its own, like a login below sshd, need not come to rest."""
    answer = _judged(audit("--port", start("login", 2).address))
    assert answer["woken"] == _spread(1)


def test_a_stopped_child(start: Start, audit: Audit) -> None:
    """It does not sleep, and does not move either."""
    answer = _judged(audit("--port", start("stopped", 2).address))
    assert answer["woken"] == _spread(1)


def test_hundreds_of_threads_wait(start: Start, audit: Audit) -> None:
    """More threads than a filter of the tracepoint can name one by one."""
    answer = _judged(audit("--port", start("threads", 400).address))
    assert answer["workers"] == 400
    assert answer["woken"] == _spread(1)


def test_hundreds_of_threads_have_timers(start: Start, audit: Audit) -> None:
    """One of them always moves; the one that accepts is asleep in accept all the time."""
    answer = _judged(audit("--port", start("ticking", 300).address))
    assert (answer["workers"], answer["waiters"][0]["timer_per_s"]) == (1, 0.0), answer.text
    assert answer["woken"] == _spread(1)
    assert answer["others"] == _spread(0)


def test_helpers_are_no_workers(start: Start, audit: Audit) -> None:
    """They are forked like the workers, have the same name, and hold the listener, but never accept."""
    answer = _judged(audit("--port", start("helpers").address))
    assert answer["workers"] == 4, answer.text
    assert answer["waits"].startswith("4 workers, each with its own epoll instance")
    assert answer["sentence"].startswith("herds: 4 of 4 workers")


def test_who_waits_for_a_lock_takes_turns(start: Start, audit: Audit) -> None:
    answer = _judged(audit("--port", start("turns").address))
    assert answer["workers"] == 4, answer.text
    assert answer["waits"].endswith("; 1 waits for it now, and the others take their turns")
    assert answer["woken"] == _spread(1)


def test_who_tries_again_after_a_while_takes_turns(audit: Audit) -> None:
    """The textbook's accept mutex, which is nginx's."""
    serve = (sys.executable, "-m", "probes", "serve", "accept-mutex", "--workers", "4", "--delay", "0.3")
    answer = _judged(audit(server=serve))
    assert answer["workers"] == 4, answer.text
    assert answer["woken"] == _spread(1)
