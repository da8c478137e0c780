"""What all observers have in common: a name, what they see, why one may be missing, and counts."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from .task_files import Sighting, TaskFiles

RETURNED, WOKEN = "returned", "woken"


class Lost(Exception):
    """An observer has lost its count; the message says why."""


class AtRest(NamedTuple):
    """A task at rest, as the lab shows it to its observers: everything that they may count by."""

    files: TaskFiles
    sighting: Sighting
    """The last look at it."""
    place: int | None = None
    """A waiter's place in the arrangement, from 0; None for an actor."""
    returns: int | None = None
    """How often its wait call has returned, by the waiter's own count; None for an actor."""
    exits: int | None = None
    """How often its wait call has returned, by its tracer's count; None if it is not traced."""


class Waking(NamedTuple):
    """One wake-up of one waiter."""

    at_ns: int
    waker: int
    """Thread id of the task in whose context it was issued; 0 for an idle CPU's softirq."""
    wakee: int
    """The waiter's place in the arrangement; of actor k, counted from 0, it is -1 - k."""
    process: int | None = None
    """The waker's process, 0 if that is outside our PID namespace; None if an interrupt or a softirq issued the
    wake-up, whichever task that has interrupted."""
    task: int = 0
    """The thread id of the task that was woken, on the host.  A child that an actor has forked has the actor's name."""


class Observer:
    """One instrument.  To add one, write a class in a file of its own here, and add it to `OBSERVERS` (__init__.py).

    It counts: a task whose count has changed between two moments was woken, or has returned.  Observers that see the
    same thing must agree about every task; if they do not, nothing is judged.
    """

    name: ClassVar[str]
    """Its name in `--herd-without` and in run.json."""
    sees: ClassVar[str]
    """RETURNED or WOKEN."""
    how: ClassVar[str]
    """What it reads, in a few words for the report."""
    remedy: ClassVar[str] = ""
    """What to do if it is missing, in a sentence."""
    sees_every_task: ClassVar[bool] = False
    """Whether it can count for any task, by the task's files; if not, only for waiters."""

    def why_missing(self, *, may_mount: bool) -> str | None:
        """Why it cannot observe here; None if it can, and then it does so from now on.  Called once, in the conductor.

        `may_mount`: whether the conductor has a mount namespace of its own, in which it may mount what is missing.
        """
        return None

    def forget(self) -> None:
        """Drop what was recorded so far: the stimulus comes next.  For observers that keep records of their own."""

    def take_in(self) -> None:
        """Read what was recorded since the last time; `count` is called next.  Raises Lost."""

    def count(self, task: AtRest) -> int | None:
        """How often this task was woken, or has returned, so far; None if that is not known."""
        raise NotImplementedError

    def recent(self) -> list[Waking]:
        """The wake-ups that the last `take_in` added."""
        return []

    def wakings(self) -> list[Waking]:
        """Who woke whom since `forget`, in order of time; nothing from an observer that does not know the waker."""
        return []
