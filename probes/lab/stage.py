"""A stage: a process of its own in which an experiment is played, with actors that it can watch.

The same proofs as for a herd: an actor is blocked when it is seen to sleep in the call it names,
and was woken when the scheduler counted a run since.  The stage dies with the conductor, the actors
with the stage, and the conductor waits for all of them.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from .. import syscalls
from ..errnos import errno_of
from ..facts import OK
from ..listeners import Listener, tcp
from ..observers.task_files import Sighting, TaskFiles
from ..verdict import Inconclusive, NotApplicable
from .deadline import LONGEST_S, patience_s, until
from .features import LACKING
from .herd import reap_all
from .rest import all_at_rest, in_words, look_at, signal_name, two_equal_looks
from .trial import Bench
from .waiter import park


class Me:
    """An actor's own end."""

    def __init__(self, mark: mmap.mmap) -> None:
        self._mark = mark

    def ready(self) -> None:
        """Say that the next system call is the one to block in: the mark for kernels that do not name it."""
        self._mark[0] = 1


class Actor:
    """One process on the stage, as the experiment knows it.  A `Sleeper` (probes/lab/rest.py)."""

    def __init__(self, name: str, pid: int, answer_fd: int, mark: mmap.mmap, stage: Stage) -> None:
        self.name = name
        self.pid = pid
        self.ended = False
        """Whether the experiment itself has killed it."""
        self._stopped = False
        self._answer_fd = answer_fd
        self._mark = mark
        self._stage = stage
        self._files = TaskFiles(pid, pid, stage.syscall_readable)
        self._counts: dict[str, int | None] = {}

    def blocked_in(self, call: str) -> Actor:
        """Return once it is proven to sleep in system call `call`.  Raises Inconclusive at the deadline."""
        expected = syscalls.number(call)

        def asleep(sighting: Sighting) -> bool:
            named = sighting.syscall == expected if self._stage.syscall_readable else self._mark[0] == 1
            return named and sighting.state == "S"

        self._counts = self._count(two_equal_looks(self.look, asleep, self._not_seen(f"blocked in {call}")))
        return self

    def blocked_in_either(self, calls: tuple[str, str], first: Callable[[], bool]) -> str:
        """Return once it is proven to sleep in one of two system calls; which one.

        Where the kernel names none, it is the first of them if `first` says so then.
        """
        if not self._stage.syscall_readable:
            self.blocked_in(calls[0])
            return calls[0 if first() else 1]
        names = {syscalls.number(call): call for call in calls}

        def asleep(sighting: Sighting) -> bool:
            return sighting.state == "S" and sighting.syscall in names

        sighting = two_equal_looks(self.look, asleep, self._not_seen(f"blocked in {' or '.join(dict.fromkeys(calls))}"))
        self._counts = self._count(sighting)
        return names[sighting.syscall]

    def _not_seen(self, what: str) -> Callable[[Sighting | None], str]:
        return lambda last: f"{self.name} was not seen {what} ({in_words(last)})"

    @property
    def woken(self) -> bool:
        """Whether it ran since `blocked_in` (or the last question), once it is at rest again.

        Raises Inconclusive where no observer is there that could tell, or two of them disagree.
        """
        self._stage.fence()
        before, self._counts = self._counts, self._count_at_rest()
        moved = {name: self._counts[name] != count for name, count in before.items()}
        if not moved:
            raise Inconclusive(f"whether {self.name} was woken cannot be told: {self._stage.why_blind}")
        if len(set(moved.values())) > 1:
            words = ", ".join(f"{name} says {'yes' if moved[name] else 'no'}" for name in moved)
            raise Inconclusive(f"observers disagree whether {self.name} was woken: {words}")
        return any(moved.values())

    @property
    def answered(self) -> bool:
        """Whether its function has come to an end, or said something, by now (it must be at rest)."""
        self._stage.fence()
        all_at_rest([self], Actor.rests)
        return self._has_said(0)

    def answer(self) -> Any:
        """What its function returned; `errno NAME` for an OSError.  Raises Inconclusive at the deadline."""
        if not self._has_said(patience_s()):
            raise Inconclusive(f"{self.name} gave no answer within {patience_s():.0f} s")
        data = b""
        while not data.endswith(b"\n"):
            part = os.read(self._answer_fd, 65536)
            if not part:
                raise Inconclusive(self._how_it_ended())
            data += part
        return json.loads(data)

    def _has_said(self, limit_s: float) -> bool:
        """Whether there is something to hear within this time.  Raises Inconclusive where it ended and said nothing."""
        ear = select.poll()
        ear.register(self._answer_fd, select.POLLIN)
        events = {event for _, event in ear.poll(limit_s * 1000)}
        if events and not any(event & select.POLLIN for event in events):
            raise Inconclusive(self._how_it_ended())
        return bool(events)

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.ended = self.ended or number == signal.SIGKILL
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL, and wait until it is gone."""
        self.complain_about_others()
        self.send(signal.SIGKILL)
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
        """Raise Inconclusive where somebody else has ended it, stopped it, or let it go on since it was forked."""
        if not self.ended and (news := self._news(os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOWAIT)):
            raise Inconclusive(f"{self.name} {news}")

    def _take_news(self, of: int) -> None:
        """Take what the kernel has to tell of our own act (wait(2)), so that what is left is the act of others."""
        self._news(of)

    def _news(self, of: int) -> str | None:
        """What the kernel tells us, as its parent, of an end, a stop or a continuation, however short a stop was.

        None where there is nothing to tell, or it is not our child (a thread, or a worker of a server): then
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
        counts = {"switches": lambda: sighting.switches, "run_counts": self._files.run_count}
        return {name: count() for name, count in counts.items() if self._stage.sees(name)}

    def _count_at_rest(self) -> dict[str, int | None]:
        """The same, at rest before and after: what they count is of one moment, and of one that lives."""
        counts: dict[str, int | None] = {}

        def stayed_at_rest() -> bool:
            (sighting,) = all_at_rest([self], Actor.rests)
            counts.update(self._count(sighting))
            return self.look() == sighting

        until(stayed_at_rest, lambda: f"{self.name} did not come to rest: it kept moving")
        return counts

    def look(self) -> Sighting:
        """One look.  Raises Inconclusive where somebody else has killed or stopped it."""
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


def _in_words(code: int, status: int) -> str:
    """What waitid(2) tells of a child, as the end of a sentence."""
    if code == os.CLD_EXITED:
        return f"ended by itself, with exit code {status}"
    verbs = {os.CLD_STOPPED: "stopped", os.CLD_TRAPPED: "traced", os.CLD_CONTINUED: "let go on"}
    return f"was {verbs.get(code, 'killed')} by somebody else ({signal_name(status)})"


class Stage:
    """What an experiment works with."""

    def __init__(self, bench: Bench, conductor: int) -> None:
        self.facts: dict[str, dict[str, Any]] = {}
        self.folder = bench.folder
        self.syscall_readable = bench.instruments.why_no_syscall_file is None
        self.sees = bench.instruments.on
        """Whether an observer, by its name, is on."""
        why_not = bench.instruments.why_not
        self.why_blind = "; ".join(f"{name}: {why_not[name]}" for name in ("switches", "run_counts"))
        """Why nobody can say whether an actor was woken, where neither of the two observers of actors is on."""
        self._actors: list[Actor] = []
        self._bench = bench
        self._conductor = conductor
        self._pid = os.getpid()
        self._exit = contextlib.ExitStack()

    def fence(self, *, needed: bool = False) -> None:
        """Wait until every wake-up under way was issued (probes/lab/fence.py).

        Raises Inconclusive where that cannot be proven, and is `needed`: when nothing else tells the end of a wait.
        """
        if needed and not self._bench.fence_proves:
            raise Inconclusive(f"nobody can say when all wake-ups were issued; fence: {self._bench.fence_name}")
        self._bench.fence()

    def quiet(self, actors: Iterable[Actor]) -> None:
        """Return once all these actors are at rest at once, and every wake-up was issued.

        One that is still busy may yet wake one that was seen at rest already (a shared epoll instance,
        level-triggered, passes the news on), so two successive looks at all of them must be equal.
        """
        all_at_rest(list(actors), Actor.rests, before_each_look=self.fence)

    @contextlib.contextmanager
    def as_user(self, uid: int) -> Iterator[None]:
        """Be another user for a while.  Raises OSError where that is denied.

        Each change clears the wish to die with the conductor (prctl(2), PR_SET_PDEATHSIG), so it is renewed.
        """
        before = os.geteuid()
        os.seteuid(uid)
        try:
            syscalls.die_with_parent(self._conductor)
            yield
        finally:
            os.seteuid(before)
            syscalls.die_with_parent(self._conductor)

    def note(self, id: str, what: str, seen: Any) -> None:
        """Write down one thing that was seen: its id (probes/facts.py), a sentence for people, and the value."""
        self.facts[id] = {"what": what, "seen": seen}

    def outcome(self, id: str, what: str, act: Callable[[], Any]) -> Any:
        """Do something, and note what came of it: the name of its errno, or what it returned, or `ok`."""
        try:
            result = act()
        except OSError as error:
            result = errno_of(error)
        self.note(id, what, result if isinstance(result, (bool, int, str)) else OK)
        return result

    def insist_on_proof(self, listener: Listener) -> None:
        """Raise Inconclusive where nobody could tell when a connection to `listener` has woken all it will."""
        if not listener.asynchronous:
            return
        self.fence(needed=True)
        # The kernel, not this listener, which may be closed by now.
        if not tcp.tells_queue():
            raise Inconclusive(tcp.NOT_TOLD)

    def actor(self, act: Callable[[Me], Any], name: str = "actor") -> Actor:
        """Fork a process that runs `act`, answers with what it returned, and then parks."""
        mark = mmap.mmap(-1, 1)
        answer, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._act(act, Me(mark), theirs)
        os.close(theirs)
        return self._listed(Actor(name, pid, answer, mark, self))

    def watch(self, pid: int, name: str) -> Actor:
        """A process below the stage, which another one forked, as an actor that gives no answer.

        It has to have said already that it is about to block: the mark for kernels that do not name the call.
        """
        mark = mmap.mmap(-1, 1)
        mark[0] = 1
        return self._listed(Actor(name, pid, -1, mark, self))

    def _listed(self, actor: Actor) -> Actor:
        self._actors.append(actor)
        return actor

    def complain_about_others(self) -> None:
        """Raise Inconclusive where somebody else has ended or stopped an actor since it was made.

        What all of them did from then on may come of that, so nothing that was noted counts.
        """
        for actor in self._actors:
            actor.complain_about_others()

    def cause_of(self, reason: Inconclusive) -> str:
        """The reason in words; that somebody else ended or stopped an actor, where that is what it came of."""
        try:
            self.complain_about_others()
        except Inconclusive as cause:
            return str(cause)
        return str(reason)

    def insist_on_all(self) -> None:
        """The same at the end of an experiment, when all are at rest: one about to die has let go of things already."""
        all_at_rest([actor for actor in self._actors if not actor.ended], Actor.rests)
        self.complain_about_others()

    def _act(self, act: Callable[[Me], Any], me: Me, answer_fd: int) -> NoReturn:
        try:
            syscalls.die_with_parent(self._pid)
            try:
                answer = act(me)
            except OSError as error:
                answer = errno_of(error)
            os.write(answer_fd, json.dumps(answer).encode() + b"\n")
            park()
        finally:
            os._exit(1)

    def keep(self, thing: Any) -> Any:
        """Close `thing` when the experiment ends."""
        self._exit.callback(thing.close)
        return thing

    def close(self) -> None:
        """Close what was kept, the last one first."""
        self._exit.close()


def play(name: str, bench: Bench, argument: Any) -> dict[str, Any]:
    """Play experiment `name` (subject.function) in a process of its own.

    Returns `facts`, what it noted, or `inconclusive` or `not_applicable` with the reason.  Raises
    Inconclusive where it takes too long.
    """
    answer, theirs = os.pipe()
    conductor = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_stage(name, bench, argument, theirs, conductor)
    os.close(theirs)
    try:
        said = b"".join(_read_until_end(answer, min(3 * patience_s(), LONGEST_S)))
        message: dict[str, Any] = json.loads(said or b"{}")
    finally:
        os.close(answer)
        os.kill(pid, signal.SIGKILL)
        # The actors lose their parent, die, and come to the conductor, which is a subreaper.
        reap_all()
    if "facts" in message:
        return message
    if "not_applicable" in message:
        return message
    return {"inconclusive": message.get("inconclusive", f"the experiment {name} died")}


def _be_stage(name: str, bench: Bench, argument: Any, answer_fd: int, conductor: int) -> NoReturn:
    try:
        syscalls.die_with_parent(conductor)
        message: dict[str, Any]
        subject, function = name.split(".")
        stage = Stage(bench, conductor)
        try:
            act = getattr(importlib.import_module(f"probes.experiments.{subject}"), function)
            act(stage, argument) if argument is not None else act(stage)
            stage.insist_on_all()
            stage.close()
            message = {"facts": stage.facts}
        except NotApplicable as reason:
            message = {"not_applicable": str(reason)}
        except Inconclusive as reason:
            message = {"inconclusive": stage.cause_of(reason)}
        except Exception as error:  # noqa: BLE001  # a stage that dies says nothing; the reason must get out
            message = why_stopped(name, error)
        os.write(answer_fd, json.dumps(message).encode())
    finally:
        os._exit(0)


def why_stopped(name: str, error: Exception) -> dict[str, str]:
    """What to say of an experiment that an error ended: not applicable where the kernel says that it lacks it."""
    places = [at for at in traceback.extract_tb(error.__traceback__) if "probes" in at.filename]
    place = f" ({os.path.basename(places[-1].filename)}, line {places[-1].lineno})" if places else ""
    if not isinstance(error, OSError):
        return {"inconclusive": f"a fault of Wakecheck in the experiment {name}{place}: {error}"}
    if error.errno in LACKING:
        return {"not_applicable": f"the experiment {name} asked for what this kernel lacks: {errno_of(error)}{place}"}
    return {"inconclusive": f"the experiment {name} was refused something{place}: {errno_of(error)}"}


def _read_until_end(fd: int, limit_s: float) -> Iterator[bytes]:
    end = time.monotonic() + limit_s
    while True:
        if not select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]:
            raise Inconclusive(f"the experiment did not end within {limit_s:.0f} s")
        part = os.read(fd, 65536)
        if not part:
            return
        yield part
