"""Actors: the processes of an experiment, each proven to sleep in the call that it names, and watched from outside."""

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
    """What an actor needs to know about its stage."""

    syscall_readable: bool
    observers: Sequence[Observer]
    """Observers that can say whether an actor was woken."""
    why_blind: str
    """Why there are none, in words."""

    def fence(self) -> None:
        """Wait until every wake-up that is under way has been issued."""


class Me:
    """What an actor's function gets, to say that it is about to block."""

    def __init__(self, mark: mmap.mmap) -> None:
        self._mark = mark

    def ready(self) -> None:
        """Say that the next system call is the one that blocks: the mark for kernels that do not name the call."""
        self._mark[0] = 1


class Actor:
    """One process on the stage, as the experiment knows it.  A `Sleeper` (probes/lab/rest.py)."""

    def __init__(self, name: str, pid: int, answer_fd: int, mark: mmap.mmap, stage: Surroundings) -> None:
        self.name = name
        self.pid = pid
        self.ended = False
        """Whether the experiment itself has killed it."""
        self.may_be_interrupted = False
        """Whether the experiment itself interrupts it with a signal, so that EINTR is evidence."""
        self._stopped = False
        self._answer_fd = answer_fd
        self._mark = mark
        self._stage = stage
        self._files = TaskFiles(pid, pid, stage.syscall_readable)
        self._counts: dict[str, int | None] = {}
        self._looked_ns = 0
        self.rests_ns: list[int] = []
        """When it was proven to sleep (CLOCK_MONOTONIC); the next wake-up after that must be the lab's or the
        kernel's."""

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
        """Return once it is proven to sleep in one of two system calls; returns whether that is the first.

        If the kernel does not name the call, or one call does the work of both here, `first` then says whether it is.
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
        """Note that it slept at the last look."""
        self.rests_ns.append(self._looked_ns)

    def _not_seen(self, what: str) -> Callable[[Sighting | None], str]:
        return lambda last: f"{self.name} was not seen {what} ({in_words(last)})"

    @property
    def about_to_block(self) -> bool:
        """Whether it has said that its next system call is the one that blocks (`Me.ready`)."""
        return self._mark[0] == 1

    @property
    def woken(self) -> bool:
        """Whether it ran since `blocked_in`, or since `woken` was last read; waits until it is at rest again.

        Raises Inconclusive if no observer can tell, or if two of them disagree.
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
        """Whether its function has returned; waits until the actor is at rest."""
        self._stage.fence()
        all_at_rest([self], Actor.rests)
        self.note_rest()
        return self.has_said(0)

    def answer(self) -> Any:
        """What its function returned; for an OSError, the name of the errno.

        Raises Inconclusive at the deadline, and if somebody else interrupted a wait: if the answer holds EINTR although
        the experiment has sent this actor no signal.
        """
        if not self.has_said(patience_s()):
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
        """Raise Inconclusive if somebody else interrupted it, according to an answer that was not read yet."""
        if not self.ended and self._answer_fd >= 0 and self.has_said(0):
            self.answer()

    def has_said(self, limit_s: float) -> bool:
        """Whether it answers within this time.  Raises Inconclusive if it ended without an answer."""
        poll = select.poll()
        poll.register(self._answer_fd, select.POLLIN)
        events = {event for _, event in poll.poll(limit_s * 1000)}
        if events and not any(event & select.POLLIN for event in events):
            raise Inconclusive(self._how_it_ended())
        return bool(events)

    def send(self, number: int, *, interrupts: bool = True) -> None:
        """Send it a signal.  `interrupts`: whether that may interrupt a wait; False for a signal that it blocks."""
        self.may_be_interrupted = self.may_be_interrupted or interrupts
        self.ended = self.ended or number == signal.SIGKILL
        os.kill(self.pid, number)

    def give_up(self) -> None:
        """Send SIGKILL and do not wait for its end: for an actor that may never get to it."""
        self.complain_about_others()
        self.send(signal.SIGKILL)

    def kill(self) -> None:
        """End it with SIGKILL, and reap it."""
        self.give_up()
        os.waitpid(self.pid, 0)

    def stop(self) -> None:
        """Stop it with SIGSTOP, and wait until it is stopped."""
        self.look()
        self.send(signal.SIGSTOP)
        until(self._stands, lambda: f"{self.name} did not stop")
        self._stopped = True
        self._counts = self._count_at_rest()
        self._take_news(os.WSTOPPED)

    def go_on(self) -> None:
        """Continue it with SIGCONT, and wait until it is no longer stopped."""
        self.look()
        self.send(signal.SIGCONT)
        until(lambda: not self._stands(), lambda: f"{self.name} did not go on")
        self._stopped = False
        self._take_news(os.WCONTINUED)

    def complain_about_others(self) -> None:
        """Raise Inconclusive if somebody else has killed, stopped or continued it since it was forked."""
        if not self.ended and (news := self._news(os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOWAIT)):
            raise Inconclusive(f"{self.name} {news}")

    def _take_news(self, of: int) -> None:
        """Consume the kernel's report of our own signal (wait(2)), so that any further report is somebody else's."""
        self._news(of)

    def _news(self, of: int) -> str | None:
        """What the kernel reports to us, its parent: its end, a stop or a continuation, however short the stop was.

        None if there is nothing to report, or if it is not our child (a thread, or a worker of a server): then only its
        state shows it.
        """
        try:
            news = os.waitid(os.P_PID, self.pid, of | os.WNOHANG)
        except ChildProcessError:
            return None
        return None if news is None else _in_words(news.si_code, news.si_status)

    def _how_it_ended(self) -> str:
        """How it ended, in words.  Call it once the actor's end of the pipe is closed: it has ended, or is about to."""
        until(
            lambda: bool(self._news(os.WEXITED | os.WNOWAIT)),
            lambda: f"{self.name} said nothing more, and did not end",
        )
        return f"{self.name} {self._news(os.WEXITED | os.WNOWAIT)}"

    def _count(self, sighting: Sighting) -> dict[str, int | None]:
        """What each active observer of the scheduler has counted for this task so far."""
        task = AtRest(self._files, sighting)
        return {observer.name: observer.count(task) for observer in self._stage.observers}

    def _count_at_rest(self) -> dict[str, int | None]:
        """The same, taken while it is at rest before and after, so that all counts belong to one moment."""
        counts: dict[str, int | None] = {}

        def stayed_at_rest() -> bool:
            (sighting,) = all_at_rest([self], Actor.rests)
            counts.update(self._count(sighting))
            return self.look() == sighting

        until(stayed_at_rest, lambda: f"{self.name} did not come to rest: it kept moving")
        self.note_rest()
        return counts

    def look(self) -> Sighting:
        """Look at it once.  Raises Inconclusive if somebody else has killed or stopped it."""
        self._looked_ns = time.monotonic_ns()
        try:
            return look_at(self._files, self.name, stands=self._stopped)
        except Inconclusive:
            self.complain_about_others()  # as its parent we can say more precisely what happened
            raise

    def _stands(self) -> bool:
        return look_at(self._files, self.name, stands=None).state == "T"

    def rests(self, sighting: Sighting) -> bool:
        """Whether it sleeps, in any call, or was stopped by us."""
        # A task that has set its state but has not slept yet shows no system call (task_current_syscall).
        off_cpu = sighting.syscall is not None or not self._stage.syscall_readable
        return sighting.state in "ST" and off_cpu


def interrupted(who: str) -> Inconclusive:
    """What to raise if a wait returned EINTR although the experiment has sent no signal."""
    return Inconclusive(f"somebody interrupted the wait of {who}: a debugger, a freezer, or a signal")


def _holds_eintr(answer: Any) -> bool:
    """Whether an actor's answer holds EINTR: by name, or as the negative number that a system call returns."""
    if isinstance(answer, list):
        return any(_holds_eintr(part) for part in answer)
    return answer in ("EINTR", -errno.EINTR)


def _in_words(code: int, status: int) -> str:
    """What waitid(2) reports about a child, as the end of a sentence."""
    if code == os.CLD_EXITED:
        return f"ended on its own, with exit code {status}"
    verbs = {os.CLD_STOPPED: "stopped", os.CLD_TRAPPED: "traced", os.CLD_CONTINUED: "let go on"}
    return f"was {verbs.get(code, 'killed')} by somebody else ({signal_name(status)})"
