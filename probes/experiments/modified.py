"""EPOLL_CTL_MOD against an epoll_wait that is just about to sleep."""

from __future__ import annotations

import os
import select
import time

from ..lab.deadline import patience_s
from ..lab.stage import Me, Stage
from .instances import EPOLL_WAIT

ROUNDS = 2000
"""Rounds of one run; docs/statistics.md says how likely they find a fault."""
LATEST_NS = 40_000
"""In each round the waiter returns to epoll_wait up to this much later, so that some MODs come before it sleeps, some
while it goes to sleep, and some after that."""


def against_a_wait(stage: Stage) -> None:
    """MOD disables a readable, edge-triggered eventfd and enables it again, each time after it was reported to a
    waiter."""
    fd = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    instance: select.epoll = stage.keep(select.epoll())
    instance.register(fd, 0)
    reports, report_to = os.pipe()

    def act(me: Me) -> None:
        turn = 0
        while True:
            me.ready()
            os.write(report_to, b"x" * len(instance.poll()))
            later = time.monotonic_ns() + LATEST_NS * (turn % 101) // 101
            while time.monotonic_ns() < later:
                pass
            turn += 1

    waiter = stage.actor(act, "w0").blocked_in(EPOLL_WAIT)
    reported = 0
    while reported < ROUNDS:
        instance.modify(fd, 0)
        instance.modify(fd, select.EPOLLIN | select.EPOLLET)
        if not select.select([reports], [], [], patience_s())[0]:
            stage.quiet([waiter])  # raises Inconclusive if the waiter is still on its way to sleep
            if not select.select([reports], [], [], 0)[0]:
                break
        reported += len(os.read(reports, 1))
    stage.quiet([waiter])
    stage.note("told", f"of {ROUNDS} changes by MOD, those reported to the waiter before the next", reported)
    stage.note("more", "more than that was reported to the waiter", bool(select.select([reports], [], [], 0)[0]))
