"""Each remedy is measured: fewer workers wake, and requests are answered.  Nothing harmful is advised."""

from __future__ import annotations

import pytest

from probes.audit.advice import REMEDIES, Remedy

from .advised import APACHE_CHOSEN, BEFORE_AND_AFTER, GUNICORN_ACTIVATED, GUNICORN_UNIX
from .audits import audit
from .conftest import need
from .launch import Running
from .server import Server

PAIRS = [
    pytest.param(remedy, before, after, id=f"{remedy.id}-{before.name}")
    for remedy in REMEDIES
    for before, after in BEFORE_AND_AFTER[remedy.id]
]


def _advice(running: Running) -> list[str]:
    audited = audit(running)
    assert audited.answer["verdict"] == "herds", audited.answer["sentence"]
    return list(audited.answer["advice"])


@pytest.mark.parametrize(("remedy", "before", "after"), PAIRS)
def test_it_is_advised_and_helps(remedy: Remedy, before: Server, after: Server) -> None:
    with Running(need(before)) as running:
        audited = audit(running)
        herd = audited.answer["woken"]
        advised = f"for {remedy.servers[0]}: {remedy.setting} "
        assert [line for line in audited.answer["advice"] if line.startswith(advised)], audited.answer["advice"]
    with Running(need(after)) as running:
        audited = audit(running)
        assert audited.answer["woken"]["median"] < herd["median"], (herd, audited.answer["woken"])
        assert sum(running.is_served() for _ in range(20)) == 20


@pytest.mark.parametrize(
    ("server", "why_not"),
    [
        (GUNICORN_UNIX, "--reuse-port; the listener is a unix socket"),
        (GUNICORN_ACTIVATED, "--reuse-port; the listener was bound by systemd, or whatever set LISTEN_FDS"),
        (APACHE_CHOSEN, "it is set already, and changes nothing"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_would_do_harm_or_nothing_is_not_advised(server: Server, why_not: str) -> None:
    with Running(need(server)) as running:
        advice = _advice(running)
    assert not [line for line in advice if line.startswith(f"for {server.program.executable}")], advice
    assert [line for line in advice if line.startswith("not advised here: ") and why_not in line], advice
    for_developers = [line for line in advice if line.startswith("for its developers: ")]
    assert for_developers, advice
    assert server.http or not [line for line in for_developers if "SO_REUSEPORT" in line], advice
