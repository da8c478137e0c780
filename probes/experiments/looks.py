"""Several processes look at one epoll instance at once, without waiting: each must find what is ready."""

from __future__ import annotations

import os
import select

from ..lab.stage import Me, Stage

LOOKERS = 4
LOOKS = 3000
"""Looks of each process; docs/statistics.md says how likely they find a fault."""


def beside_each_other(stage: Stage) -> None:
    """A level-triggered eventfd is ready and stays so; each process looks again and again, with a time limit of 0.

    With one CPU a faulty kernel hardly shows: one task must be preempted during its look, and another look meanwhile.
    """
    instance: select.epoll = stage.keep(select.epoll())
    instance.register(os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK), select.EPOLLIN)
    go, start = os.pipe()

    def act(me: Me) -> int:
        me.ready()
        os.read(go, 1)
        return sum(not instance.poll(0, 1) for _ in range(LOOKS))

    lookers = [stage.actor(act, f"w{i}").blocked_in("read") for i in range(LOOKERS)]
    os.write(start, b"x" * LOOKERS)
    missed = [looker.answer() for looker in lookers]
    stage.note("missed", f"of {LOOKERS * LOOKS:,} looks, those that found nothing", sum(missed))
