"""EPOLL_CTL_MOD against an epoll_wait that is just about to sleep."""

from __future__ import annotations

import os
import select
import time

from ..lab.deadline import patience_s
from ..lab.stage import Me, Stage
from .instances import EPOLL_WAIT

ROUNDS = 2000
"""Rounds of one run: what they find, and how often, is in docs/statistics.md."""
LATEST_NS = 40_000
"""The waiter comes back to epoll_wait up to this much later in each round, so that a MOD comes before it, while it goes
to sleep, and after that."""


def against_a_wait(stage: Stage) -> None:
    """An eventfd that can be read is switched off and on by MOD, edge-triggered, each time when one waiter was told."""
    fd = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    instance: select.epoll = stage.keep(select.epoll())
    instance.register(fd, 0)
    ear, mouth = os.pipe()

    def act(me: Me) -> None:
        turn = 0
        while True:
            me.ready()
            os.write(mouth, b"x" * len(instance.poll()))
            later = time.monotonic_ns() + LATEST_NS * (turn % 101) // 101
            while time.monotonic_ns() < later:
                pass
            turn += 1

    waiter = stage.actor(act, "w0").blocked_in(EPOLL_WAIT)
    reports = 0
    while reports < ROUNDS:
        instance.modify(fd, 0)
        instance.modify(fd, select.EPOLLIN | select.EPOLLET)
        if not select.select([ear], [], [], patience_s())[0]:
            stage.quiet([waiter])  # or Inconclusive, where it is on its way still
            if not select.select([ear], [], [], 0)[0]:
                break
        reports += len(os.read(ear, 1))
    stage.quiet([waiter])
    stage.note("told", f"of {ROUNDS} changes by MOD, those reported to the waiter before the next", reports)
    stage.note("more", "more than that was reported to the waiter", bool(select.select([ear], [], [], 0)[0]))
