"""A few claims in a few hostile places; `tox -e surroundings` takes all of them to all places."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.suite.surroundings.judged_here import cases_of
from tests.suite.surroundings.machine_wide import HANDFUL, all_labels
from tests.suite.surroundings.outcomes import CODE, outcomes
from tests.suite.surroundings.page import SAMPLE, SURROUNDINGS
from tests.suite.surroundings.places import PLACES

EPOLL = ("epoll-instances.timeout", "epoll-instances.nests", "epoll-instances.can-be-polled", "death.shutdown")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace, and changes settings in it")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter knows the numbers of x86_64 alone"),
]


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("epoll_wait=EPERM", "epoll_wait is denied here (EPERM)"),
        ("epoll_ctl=EPERM", "epoll_ctl is denied here (EPERM)"),
        ("accept4=EPERM", "accept4 is denied here (EPERM)"),
    ],
)
def test_answer_of_a_sandbox_is_no_evidence(place: str, named: str) -> None:
    judged = outcomes(place, *EPOLL)
    verdicts = Counter(verdict for *_, verdict, _ in judged)
    assert verdicts["broken"] == 0, judged
    assert verdicts["inconclusive"] + verdicts["not applicable"] > 0
    for *_, reason in judged:
        assert reason is None or (named in reason and not CODE.search(reason)), reason


@needs_root
@pytest.mark.parametrize(
    ("place", "part", "reason"),
    [
        ("net.ipv4.tcp_syncookies=2", "sockets.defer-accept", "net.ipv4.tcp_syncookies is 2, and 0 or 1 is needed; "),
        ("net.core.somaxconn=1", "sockets.queue-holds", "net.core.somaxconn is 1, and at least 5 is needed; "),
        (
            "net.ipv4.ip_local_port_range=32768 32771",
            "reuseport-group.own-queues",
            "net.ipv4.ip_local_port_range is 32768 to 32771",
        ),
    ],
)
def test_setting_that_decides_is_named(place: str, part: str, reason: str) -> None:
    """The setting is the host's, and may not be changed."""
    judged = outcomes(place, part)
    assert {verdict for *_, verdict, _ in judged} <= {"held", "inconclusive", "not applicable"}, judged
    assert any(reason in (why or "") for *_, why in judged), judged


@pytest.mark.parametrize(
    "part",
    [
        "epoll-instances.nests",
        "epoll-ctl.exclusive-only",
        "death.shutdown-shared",
        "limits.ends-with-zero epoll_",
    ],
)
def test_limit_of_the_machine_is_no_evidence(part: str) -> None:
    """fs.epoll.max_user_watches of a user who has used them up: five instances in each other were `refused at 2`."""
    judged = outcomes("epoll_ctl=ENOSPC", part)
    assert {verdict for *_, verdict, _ in judged} == {"inconclusive"}, judged
    assert all("fs.epoll.max_user_watches" in (reason or "") for *_, reason in judged), judged


def test_trials_are_run_there_like_experiments() -> None:
    """Here the request for a trial is not that of Lab.run: it must hold all that the conductor reads of it."""
    judged = outcomes("epoll_wait=EPERM", "every.won-once poll/")
    assert judged
    for *_, verdict, reason in judged:
        assert verdict in ("held", "inconclusive"), judged
        assert reason is None or not CODE.search(reason), judged


@pytest.mark.parametrize("part", sorted({*HANDFUL, *SAMPLE}))
def test_part_of_a_sample_chooses_something(part: str) -> None:
    """Otherwise a claim that was renamed would be left out, and nobody would notice."""
    assert cases_of([part])


def test_page_lists_every_place_and_no_broken_claim() -> None:
    """docs/surroundings.md, which `python -m tests.suite.surroundings.page` writes."""
    lines = [line for line in SURROUNDINGS.read_text().splitlines() if line.startswith("| ")]
    rows = [line.strip("| ").split(" | ") for line in lines if not line.endswith("most frequent reason |")]
    named = [place.what for place in PLACES.values()]
    assert [row[0] for row in rows][: len(named)] == named
    wide = [row[0] for row in rows][len(named) :]
    assert wide == [name for name in all_labels() if name in wide]
    assert not wide or len(wide) > 0.8 * len(all_labels())
    for what, *counts, reason in (row if len(row) == 6 else [*row, ""] for row in rows):
        held, inconclusive, lacking, broken = map(int, counts)
        assert broken == 0, what
        assert held + inconclusive + lacking > 0, what
        assert not CODE.search(reason), what
