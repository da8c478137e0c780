"""Actors: the processes of an experiment, each proven to sleep where it says, and watched from outside."""

from __future__ import annotations

import errno
import json
import mmap
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .. import syscalls
from ..observers import AtRest, Observer
from ..observers.task_files import Sighting, TaskFiles
from ..verdict import Inconclusive
from .deadline import patience_s, until
from .rest import all_at_rest, in_words, look_at, signal_name, two_equal_looks


class Surroundings(Protocol):
    """What an actor needs to know of its stage."""

    syscall_readable: bool
    observers: Sequence[Observer]
    """Those that can say whether an actor was woken."""
    why_blind: str
    """Why nobody can, where there is none."""

    def fence(self) -> None:
        """Wait until every wake-up under way was issued."""


class Me:
    """An actor's own end."""

    def __init__(self, mark: mmap.mmap) -> None:
        self._mark = mark

    def ready(self) -> None:
        """Say that the next system call is the one to block in: the mark for kernels that do not name it."""
        self._mark[0] = 1


class Actor:
    """One process on the stage, as the experiment knows it.  A `Sleeper` (probes/lab/rest.py)."""

    def __init__(self, name: str, pid: int, answer_fd: int, mark: mmap.mmap, stage: Surroundings) -> None:
        self.name = name
        self.pid = pid
        self.ended = False
        """Whether the experiment itself has killed it."""
        self.may_be_interrupted = False
        """Whether the experiment itself interrupts it with a signal, so that an EINTR is evidence."""
        self._stopped = False
        self._answer_fd = answer_fd
        self._mark = mark
        self._stage = stage
        self._files = TaskFiles(pid, pid, stage.syscall_readable)
        self._counts: dict[str, int | None] = {}
        self._looked_ns = 0
        self.rests_ns: list[int] = []
        """When it was proven to sleep (CLOCK_MONOTONIC): whoever woke it next after that must be one of us."""

    def blocked_in(self, call: str) -> Actor:
        """Return once it is proven to sleep in system call `call`.  Raises Inconclusive at the deadline."""
        expected = syscalls.number(call)

        def asleep(sighting: Sighting) -> bool:
            named = sighting.syscall == expected if self._stage.syscall_readable else self._mark[0] == 1
            return named and sighting.state == "S"

        sighting = two_equal_looks(self.look, asleep, self._not_seen(f"blocked in {call}"))
        self.note_rest()
        self._counts = self._count(sighting)
        return self

    def blocked_in_either(self, calls: tuple[str, str], first: Callable[[], bool]) -> bool:
        """Return once it is proven to sleep in one of two system calls; whether it is the first.

        Where the kernel names none, or one does the work of both here, it is the first of them if `first` says so then.
        """
        if not self._stage.syscall_readable or len(set(map(syscalls.number, calls))) == 1:
            self.blocked_in(calls[0])
            return first()
        names = {syscalls.number(call): call for call in calls}

        def asleep(sighting: Sighting) -> bool:
            return sighting.state == "S" and sighting.syscall in names

        sighting = two_equal_looks(self.look, asleep, self._not_seen(f"blocked in {' or '.join(dict.fromkeys(calls))}"))
        self.note_rest()
        self._counts = self._count(sighting)
        return names[sighting.syscall] == calls[0]

    def note_rest(self) -> None:
        """It slept at the last look at it."""
        self.rests_ns.append(self._looked_ns)

    def _not_seen(self, what: str) -> Callable[[Sighting | None], str]:
        return lambda last: f"{self.name} was not seen {what} ({in_words(last)})"

    @property
    def about_to_block(self) -> bool:
        """Whether it has said that its next system call is the one to block in (`Me.ready`)."""
        return self._mark[0] == 1

    @property
    def woken(self) -> bool:
        """Whether it ran since `blocked_in` (or the last question), once it is at rest again.

        Raises Inconclusive if no observer is there that could tell, or two of them disagree.
        """
        self._stage.fence()
        before, self._counts = self._counts, self._count_at_rest()
        moved = {name: self._counts[name] != count for name, count in before.items()}
        if not moved:
            raise Inconclusive(f"it is not known whether {self.name} was woken: {self._stage.why_blind}")
        if len(set(moved.values())) > 1:
            words = ", ".join(f"{name} says {'yes' if moved[name] else 'no'}" for name in moved)
            raise Inconclusive(f"observers disagree whether {self.name} was woken: {words}")
        return any(moved.values())

    @property
    def answered(self) -> bool:
        """Whether its function has come to an end, or said something, by now (it must be at rest)."""
        self._stage.fence()
        all_at_rest([self], Actor.rests)
        self.note_rest()
        return self._has_said(0)

    def answer(self) -> Any:
        """What its function returned; the errno's name for an OSError.

        Raises Inconclusive at the deadline, and if a wait was interrupted by somebody else: by then it is known
        that the answer holds an EINTR, and that the experiment has sent this actor no signal.
        """
        if not self._has_said(patience_s()):
            raise Inconclusive(f"{self.name} gave no answer within {patience_s():.0f} s")
        data = b""
        while not data.endswith(b"\n"):
            part = os.read(self._answer_fd, 65536)
            if not part:
                raise Inconclusive(self._how_it_ended())
            data += part
        answer = json.loads(data)
        if _holds_eintr(answer) and not self.may_be_interrupted:
            raise interrupted(self.name)
        return answer

    def complain_about_interruption(self) -> None:
        """Raise Inconclusive if somebody else interrupted it, and nobody has heard so far what it answered."""
        if not self.ended and self._answer_fd >= 0 and self._has_said(0):
            self.answer()

    def _has_said(self, limit_s: float) -> bool:
        """Whether there is something to hear within this time.  Raises Inconclusive if it ended and said nothing."""
        ear = select.poll()
        ear.register(self._answer_fd, select.POLLIN)
        events = {event for _, event in ear.poll(limit_s * 1000)}
        if events and not any(event & select.POLLIN for event in events):
            raise Inconclusive(self._how_it_ended())
        return bool(events)

    def send(self, number: int, *, interrupts: bool = True) -> None:
        """Send it a signal; one that it blocks `interrupts` no wait."""
        self.may_be_interrupted = self.may_be_interrupted or interrupts
        self.ended = self.ended or number == signal.SIGKILL
        os.kill(self.pid, number)

    def give_up(self) -> None:
        """Send SIGKILL to one that computes for ever, whose end nobody waits for: it may never come."""
        self.complain_about_others()
        self.send(signal.SIGKILL)

    def kill(self) -> None:
        """End it with SIGKILL, and wait until it is gone."""
        self.give_up()
        os.waitpid(self.pid, 0)

    def stop(self) -> None:
        """Stop it with SIGSTOP, and wait until it stands."""
        self.look()
        self.send(signal.SIGSTOP)
        until(self._stands, lambda: f"{self.name} did not stop")
        self._stopped = True
        self._counts = self._count_at_rest()
        self._take_news(os.WSTOPPED)

    def go_on(self) -> None:
        """Send SIGCONT."""
        self.look()
        self.send(signal.SIGCONT)
        until(lambda: not self._stands(), lambda: f"{self.name} did not go on")
        self._stopped = False
        self._take_news(os.WCONTINUED)

    def complain_about_others(self) -> None:
        """Raise Inconclusive if somebody else has ended it, stopped it, or let it go on since it was forked."""
        if not self.ended and (news := self._news(os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOWAIT)):
            raise Inconclusive(f"{self.name} {news}")

    def _take_news(self, of: int) -> None:
        """Take what the kernel has to tell of our own act (wait(2)), so that what is left is the act of others."""
        self._news(of)

    def _news(self, of: int) -> str | None:
        """What the kernel tells us, as its parent, of an end, a stop or a continuation, however short a stop was.

        None if there is nothing to tell, or it is not our child (a thread, or a worker of a server): then
        nothing but its state tells.
        """
        try:
            news = os.waitid(os.P_PID, self.pid, of | os.WNOHANG)
        except ChildProcessError:
            return None
        return None if news is None else _in_words(news.si_code, news.si_status)

    def _how_it_ended(self) -> str:
        """The reason, once it holds its end of the answer no more: then it has ended, or is about to."""
        until(
            lambda: bool(self._news(os.WEXITED | os.WNOWAIT)),
            lambda: f"{self.name} said nothing more, and did not end",
        )
        return f"{self.name} {self._news(os.WEXITED | os.WNOWAIT)}"

    def _count(self, sighting: Sighting) -> dict[str, int | None]:
        """What each observer of the scheduler that is on has counted of this task so far."""
        task = AtRest(self._files, sighting)
        return {observer.name: observer.count(task) for observer in self._stage.observers}

    def _count_at_rest(self) -> dict[str, int | None]:
        """The same, at rest before and after: what they count is of one moment, and of one that lives."""
        counts: dict[str, int | None] = {}

        def stayed_at_rest() -> bool:
            (sighting,) = all_at_rest([self], Actor.rests)
            counts.update(self._count(sighting))
            return self.look() == sighting

        until(stayed_at_rest, lambda: f"{self.name} did not come to rest: it kept moving")
        self.note_rest()
        return counts

    def look(self) -> Sighting:
        """One look.  Raises Inconclusive if somebody else has killed or stopped it."""
        self._looked_ns = time.monotonic_ns()
        try:
            return look_at(self._files, self.name, stands=self._stopped)
        except Inconclusive:
            self.complain_about_others()  # its parent can say more exactly what happened
            raise

    def _stands(self) -> bool:
        return look_at(self._files, self.name, stands=None).state == "T"

    def rests(self, sighting: Sighting) -> bool:
        """Whether it sleeps, in whatever call, or stands stopped by us."""
        # Whoever has set its state and not slept yet is named in no system call (task_current_syscall).
        off_cpu = sighting.syscall is not None or not self._stage.syscall_readable
        return sighting.state in "ST" and off_cpu


def interrupted(who: str) -> Inconclusive:
    """What to raise where a wait gave EINTR though the experiment has sent no signal: that tells nothing."""
    return Inconclusive(f"somebody interrupted the wait of {who}: a debugger, a freezer, or a signal")


def _holds_eintr(answer: Any) -> bool:
    """Whether a wait call gave EINTR, by what its actor answered: the name, or the number as system calls give it."""
    if isinstance(answer, list):
        return any(_holds_eintr(part) for part in answer)
    return answer in ("EINTR", -errno.EINTR)


def _in_words(code: int, status: int) -> str:
    """What waitid(2) tells of a child, as the end of a sentence."""
    if code == os.CLD_EXITED:
        return f"ended on its own, with exit code {status}"
    verbs = {os.CLD_STOPPED: "stopped", os.CLD_TRAPPED: "traced", os.CLD_CONTINUED: "let go on"}
    return f"was {verbs.get(code, 'killed')} by somebody else ({signal_name(status)})"
