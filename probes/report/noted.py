"""Which facts the report reads, of which claims: by ids alone.  A unit test checks that each of them is noted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..verdict import NOT_APPLICABLE

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Noted:
    """One fact, as the cases of some claims note it: one value for each strategy or lock that was tried."""

    claims: tuple[str, ...]
    fact: str
    """Its id in the experiment that these claims play."""

    def by_parameter(self, run: Run) -> dict[str, Any]:
        """What was seen, by what stands in the brackets of the case's id: a strategy, a lock.

        A case that does not apply, or did not come so far, is not there.
        """
        seen: dict[str, Any] = {}
        for claim in self.claims:
            for case in cases_of(run, claim):
                parameter = re.search(r"\[(.*)\]$", case["id"])
                if parameter and case["verdict"] != NOT_APPLICABLE:
                    for fact in case["facts"]:
                        if fact["id"] == self.fact:
                            seen.setdefault(parameter[1], fact["seen"])
        return seen


def cases_of(run: Run, claim_id: str) -> Iterator[Mapping[str, Any]]:
    """The cases of one claim, if the run judged it."""
    for claim in run["claims"]:
        if claim["id"] == claim_id:
            yield from claim["cases"]


_CRASHES = (
    "death.all-told-nothing-lost",
    "death.shared-level-nothing-lost",
    "death.exclusive-waits-for-next",
    "death.edge-stays-behind",
    "death.oneshot-tells-no-more",
    "death.accept-goes-on",
)
LEFT = Noted(_CRASHES, "left")
SURVIVOR_TOOK = Noted(_CRASHES, "survivor-took")
SURVIVOR_RETURNED = Noted(_CRASHES, "survivor-returned")

_GROUP_CRASH = ("reuseport-group.close-aborts-its-queue",)
CONNECTION = Noted(_GROUP_CRASH, "connection")
CLIENT_READS = Noted(_GROUP_CRASH, "client-reads")

_SERVED = ("accept-locks.one-in-accept",)
IN_ACCEPT = Noted(_SERVED, "in-accept")
AT_LOCK = Noted(_SERVED, "at-lock")
WOKEN_BY_UNLOCK = Noted(("accept-locks.unlock-wakes-one",), "woken-by-unlock")
TAKERS = Noted(("accept-locks.first-in-first-out",), "takers")
LAST_USER_AGAIN = Noted(("accept-locks.last-user-again",), "last-user-again")
FIRST_IN_LINE = Noted(("accept-locks.killed-holder", "accept-locks.killed-holder-stuck"), "first-in-line")

ADD_EXCLUSIVE_WITH = Noted(("epoll-ctl.exclusive-refuses-others",), "add")
"""By the flag that was set beside EPOLLEXCLUSIVE."""

READ = (
    LEFT,
    SURVIVOR_TOOK,
    SURVIVOR_RETURNED,
    CONNECTION,
    CLIENT_READS,
    IN_ACCEPT,
    AT_LOCK,
    WOKEN_BY_UNLOCK,
    TAKERS,
    LAST_USER_AGAIN,
    FIRST_IN_LINE,
    ADD_EXCLUSIVE_WITH,
)
"""Every one of them."""
