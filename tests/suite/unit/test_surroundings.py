"""A few claims in a few hostile places; `tox -e surroundings` takes all of them to all places."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.suite.surroundings.outcomes import CODE, outcomes

EPOLL = ("epoll-instances.timeout", "epoll-instances.nests", "epoll-instances.can-be-polled", "death.shutdown")

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter knows the numbers of x86_64 alone")


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
