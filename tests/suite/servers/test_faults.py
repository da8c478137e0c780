"""What the audit once got wrong, each on the server that showed it.

Helpers that are no workers (Squid, Pgpool-II), a stopped child (Traffic Server) and a server that ticks (etcd) are rows
of the table, which test_audit.py audits; advice that does harm is in test_advice.py.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from probes.audit.auditing import OFFER

from .audits import audit
from .conftest import need
from .crowds import CROWDS
from .launch import ROOT, Running
from .server import Server
from .servers import named

CROWD = {server.name: server for server in CROWDS}


@pytest.mark.parametrize("name", ["varnish-default", "php-fpm-160", "tomcat-230"])
def test_more_threads_than_a_filter_names(name: str) -> None:
    """As root, the trace once lost records of them, or nobody was seen waiting."""
    with Running(need(CROWD[name])) as running:
        assert sum(1 for _ in running.tasks()) > 150
        audited = audit(running)
    assert (audited.exit_code, audited.answer["verdict"]) == (0, "wakes one"), audited.answer["sentence"]
    assert audited.answer["woken"]["median"] == 1


def test_hundreds_of_workers_that_tick() -> None:
    """Each wakes every two seconds, so on a busy machine hardly ever do all of them rest at once: it was refused."""
    with Running(need(CROWD["knot-200"])) as running:
        audited = audit(running)
    assert (audited.exit_code, audited.answer["verdict"]) == (0, "herds"), audited.answer["sentence"]
    assert audited.answer["woken"]["median"] == audited.answer["workers"] == 200


def test_a_stopped_child() -> None:
    with Running(need(named("traffic-server"))) as running:
        states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in running.pids()]
        assert "T" in states
        audited = audit(running)
    assert audited.answer["verdict"] == "wakes one", audited.answer["sentence"]


def test_twenty_real_connections_a_second() -> None:
    """The audit took them for timers, and refused the server; the trace shows whose connection woke whom.

    Where workers have so little of the CPUs that they hardly ever sleep, that is said, and --watch is offered.
    """
    with Running(need(named("lighttpd"))) as running:
        line = [sys.executable, "-m", "tests.suite.audit.load", str(running.port), "20", "600", "--http"]
        with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL) as clients:
            try:
                answer = audit(running).answer
            finally:
                clients.kill()
    assert answer["idle"]["sources"]["clients"] > answer["idle"]["sources"].get("timers", 0), answer["idle"]
    if answer["verdict"] != "herds":
        assert answer["reason"].startswith("another client"), answer["sentence"]
        assert answer["advice"] == [OFFER]
        return
    assert answer["woken"]["median"] == 4
    # Of connections during which another client came, who took them is not known; each of the others has one winner.
    assert answer["won"] in (None, {"min": 1, "median": 1, "max": 1}), answer
    assert sum(answer["winners"].values()) <= answer["connections"]


@pytest.mark.parametrize("name", ["hypercorn", "robyn", "nsd-reuseport"])
def test_reuseport_that_changes_nothing(name: str) -> None:
    with Running(need(named(name))) as running:
        answer = audit(running).answer
    assert answer["verdict"] == "herds", answer["sentence"]
    assert [line for line in answer["warnings"] if line.startswith("SO_REUSEPORT is set, and changes nothing")], answer


@pytest.mark.parametrize(("name", "called"), [("postfix", "postfix smtpd"), ("gunicorn-sync", "gunicorn")])
def test_a_server_is_called_by_its_name(name: str, called: str) -> None:
    with Running(need(named(name))) as running:
        assert audit(running).answer["server"]["name"] == called


class Cold(Running):
    """A server to which nobody has connected yet: its log says that it is up."""

    def _answers(self) -> bool:
        return "daemon started" in self.log


def test_a_worker_that_the_first_connection_starts() -> None:
    """Postfix's master waits for the first client, and starts smtpd, which waits from then on."""
    cold: Server = dataclasses.replace(named("postfix"), clients=0)
    with Cold(need(cold)) as running:
        first, again = audit(running), audit(running)
    assert first.exit_code == 3
    assert "was started by a connection" in first.answer["reason"], first.answer["reason"]
    assert "audit once more, while it runs" in first.answer["reason"]
    assert (again.exit_code, again.answer["verdict"]) == (0, "wakes one"), again.answer["sentence"]
