"""Several look at one epoll instance at once, without waiting: what is ready must be found by each."""

from __future__ import annotations

import os
import select

from ..lab.stage import Me, Stage

LOOKERS = 4
LOOKS = 3000
"""Of each: what they find, and how often, is in docs/statistics.md."""


def beside_each_other(stage: Stage) -> None:
    """One eventfd is ready, level-triggered, and stays so; each looks again and again, with a time limit of zero.

    With one CPU a kernel can hardly fail: one task must be preempted while it looks, and another one look meanwhile.
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
