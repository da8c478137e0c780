"""What every observer has in common: what it is called, what it sees, why it is missing, and what it counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from .task_files import Sighting, TaskFiles

RETURNED, WOKEN = "returned", "woken"


class Lost(Exception):
    """An observer does not know its count any more; the message says why."""


@dataclass(frozen=True)
class AtRest:
    """A task at rest, as the lab shows it to its observers: all that it knows and they may count by."""

    files: TaskFiles
    sighting: Sighting
    """The last look at it."""
    place: int | None = None
    """A waiter's place in the arrangement, from 0; None for an actor."""
    returns: int | None = None
    """How often its wait call came back, as the waiter itself wrote down; None for an actor."""
    exits: int | None = None
    """How often its wait call came back, as its tracer saw; None where it is not traced."""


class Waking(NamedTuple):
    """One wake-up of one waiter."""

    at_ns: int
    waker: int
    """Thread id of the task in whose context it was issued; 0 for an idle CPU's softirq."""
    wakee: int
    """The waiter's place in the arrangement; of actor k, counted from 0, it is -1 - k."""
    process: int | None = None
    """The waker's process, 0 where that is outside our PID namespace; None where an interrupt or a softirq issued it,
    whichever task that has interrupted."""
    task: int = 0
    """The task that was woken, as the host numbers it: a child that an actor has forked has the actor's name."""


class Observer:
    """One instrument.  A new one: a class in a file of its own here, and its row in `OBSERVERS` (__init__.py).

    It counts, and a task whose count has changed between two moments was woken (or has returned).  Observers
    that see the same thing must agree about every task; where they do not, nothing is judged.
    """

    name: ClassVar[str]
    """As `--herd-without` and run.json call it."""
    sees: ClassVar[str]
    """RETURNED or WOKEN."""
    how: ClassVar[str]
    """What it looks at, in a few words for the report."""
    remedy: ClassVar[str] = ""
    """What to do where it is missing, in a sentence."""
    sees_every_task: ClassVar[bool] = False
    """Whether it can count for any task by its files, an actor's too; otherwise for waiters alone."""

    def why_missing(self, *, may_mount: bool) -> str | None:
        """Why it cannot look here; None if it can, and then it does from now on.  Called once, in the conductor.

        `may_mount`: the mounts are the conductor's own, so that a file system that it lacks may be mounted.
        """
        return None

    def forget(self) -> None:
        """The stimulus comes next: what happened so far does not count.  For those that keep a record of their own."""

    def take_in(self) -> None:
        """The counts are asked for next: take in what was recorded since the last time.  Raises Lost."""

    def count(self, task: AtRest) -> int | None:
        """How often this task was woken (or returned) so far; None where that is not known of it."""
        raise NotImplementedError

    def recent(self) -> list[Waking]:
        """What the last `take_in` brought, likewise."""
        return []

    def wakings(self) -> list[Waking]:
        """Who woke whom since `forget`, in order of time, from those that can tell."""
        return []
