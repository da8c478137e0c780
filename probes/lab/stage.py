"""A stage: the process in which an experiment runs, with actors that it watches.

The proofs are those for a herd: an actor is blocked if it sleeps in the call that it names, and was woken if the
scheduler has counted a run since.  The stage dies with the conductor, the actors die with the stage, and the conductor
reaps all of them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import mmap
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from .. import syscalls
from ..axes import SOURCES
from ..errnos import errno_of
from ..facts import OK
from ..locks import sysv
from ..observers import Observer
from ..observers.sched_waking import actor_name
from ..refusals import in_words
from ..scenario import Scenario
from ..sources import Source, open_source, tcp
from ..verdict import Inconclusive, NotApplicable
from .actor import Actor, Me
from .answers import Asked
from .deadline import LONGEST_S, answer_patience_s, patience_s
from .denial import insist_on_no_denial
from .features import LACKING
from .fence import why_steered
from .fork import fork
from .herd import reap_all
from .isolation import LOOPBACK
from .rest import all_at_rest
from .sentinel import insist_on_calm
from .trial import Bench
from .waiter import park
from .wakers import insist_on_our_wakers

__all__ = ["Actor", "Me", "Stage", "play"]


_EXPERIMENTS = "probes.experiments"


class Stage:
    """What an experiment works with."""

    def __init__(self, bench: Bench, conductor: int) -> None:
        self.facts: dict[str, dict[str, Any]] = {}
        self.folder = bench.folder
        self.syscall_readable = bench.instruments.why_no_syscall_file is None
        self.observers: Sequence[Observer] = bench.instruments.of_every_task
        """Observers that can say whether an actor was woken."""
        self.why_blind = bench.instruments.why_blind
        """Why there are none, in words."""
        self.rest_shows = bench.rest_shows
        """Whether an actor that was woken no longer looks asleep, even before it runs."""
        self.answer_limit_s = None if self.rest_shows else answer_patience_s()
        """How long a call that may never return is waited for, in seconds; None: as long as for anything else."""
        self.carried = False
        """Whether kernel threads issue the wake-ups of a source that is used here (`SourceKind.carried`)."""
        self._actors: list[Actor] = []
        self._bench = bench
        self._conductor = conductor
        self._pid = os.getpid()
        self._exit = contextlib.ExitStack()

    def fence(self, *, needed: bool = False) -> None:
        """Wait until every wake-up that is under way has been issued (probes/lab/fence.py).

        Raises Inconclusive if that cannot be proven and is `needed`, because nothing else shows that a wait is over.
        """
        if needed and not self._bench.fence_proves:
            raise Inconclusive(f"nobody can say when all wake-ups were issued; fence: {self._bench.fence_name}")
        self._bench.fence()

    def quiet(self, actors: Iterable[Actor]) -> None:
        """Return once all these actors are at rest at the same time, and every wake-up has been issued.

        An actor that is still busy may yet wake one that was already seen at rest (on a shared level-triggered epoll
        instance), so two successive looks at all of them must be equal.
        """
        resting = list(actors)
        all_at_rest(resting, Actor.rests, before_each_look=self.fence)
        for actor in resting:
            actor.note_rest()

    @contextlib.contextmanager
    def as_user(self, uid: int) -> Iterator[None]:
        """Run the body of the `with` statement as another user.  Raises OSError if that is denied.

        A change of user clears the parent-death signal (PR_SET_PDEATHSIG, prctl(2)), so it is set again each time.
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
        """Note a fact: its id (probes/facts.py), a sentence for people, and the value that was seen."""
        self.facts[id] = {"what": what, "seen": seen}

    def answer_of(self, actor: Actor, asked: Asked) -> Any:
        """What this actor's function returned, where rest does not show: only that says whether it was told.

        Raises Inconclusive if no answer comes, which may well be; `asked` is what it was to be told of.
        """
        answers = self._bench.answers
        limit_s = answers.limit_s(asked)
        if not actor.has_said(limit_s):
            as_before = answers.as_before(asked)
            answers.told_nobody.add(asked)
            raise Inconclusive(f"{actor.name} gave no answer{as_before} within {limit_s:.0f} s")
        return actor.answer()

    def outcome(self, id: str, what: str, act: Callable[[], Any]) -> Any:
        """Call `act`, and note its outcome as a fact: the name of its errno, or what it returned, or `ok`."""
        try:
            result = act()
        except OSError as error:
            result = errno_of(error)
        self.note(id, what, result if isinstance(result, (bool, int, str)) else OK)
        return result

    def insist_on_proof(self, source: Source) -> None:
        """Raise Inconclusive if it could not be told when a connection to `source` has woken everybody it will wake."""
        if not source.asynchronous:
            return
        self.fence(needed=True)
        # Ask the kernel, not this source, which may be closed by now.
        if not tcp.tells_queue():
            raise Inconclusive(tcp.NOT_TOLD)

    def insist_on_the_senders_cpu(self) -> None:
        """Raise Inconclusive if packets sent over lo may be handled on a CPU other than the sender's."""
        # In a network namespace of our own, lo is new and steers nothing, and /sys shows another namespace.
        if self._bench.isolation == LOOPBACK and (why := why_steered()):
            raise Inconclusive(why)

    def actor(self, act: Callable[[Me], Any], name: str = "actor") -> Actor:
        """Fork a process that runs `act`, answers with its result, and then parks."""
        mark = mmap.mmap(-1, 1)
        answer, theirs = os.pipe()
        pid = fork()
        if pid == 0:
            syscalls.set_name(actor_name(len(self._actors)))
            self._act(act, Me(mark), theirs)
        os.close(theirs)
        return self._listed(Actor(name, pid, answer, mark, self))

    def watch(self, pid: int, name: str) -> Actor:
        """An actor for a process that another process of the experiment has forked; it gives no answer.

        It must already be known to be about to block: for kernels that do not name the call, its mark is set.
        """
        mark = mmap.mmap(-1, 1)
        mark[0] = 1
        return self._listed(Actor(name, pid, -1, mark, self))

    def _listed(self, actor: Actor) -> Actor:
        self._actors.append(actor)
        return actor

    def complain_about_others(self) -> None:
        """Raise Inconclusive if somebody else has killed, stopped or continued an actor since it was forked.

        Whatever the actors did from then on may be due to that, so no fact counts.
        """
        for actor in self._actors:
            actor.complain_about_others()

    def cause_of(self, reason: Inconclusive) -> str:
        """The reason in words; if somebody else has disturbed an actor, that instead, because it may be the cause."""
        try:
            self.complain_about_others()
        except Inconclusive as cause:
            return str(cause)
        return str(reason)

    def insist_on_all(self) -> None:
        """Check at the end of an experiment, with all actors at rest, that nobody else has disturbed any of them.

        They must be at rest because an actor that is about to die has already released its resources.
        """
        all_at_rest([actor for actor in self._actors if not actor.ended], Actor.rests)
        self.complain_about_others()
        for actor in self._actors:
            actor.complain_about_interruption()

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

    @property
    def rests_ns(self) -> list[list[int]]:
        """For each actor, in the order of their creation, when it was proven to sleep."""
        return [actor.rests_ns for actor in self._actors]

    @property
    def pids(self) -> list[int]:
        """The pids of all actors."""
        return [actor.pid for actor in self._actors]

    def source(self, scenario: Scenario) -> Source:
        """The source of this scenario, closed when the experiment ends.  Raises as `open_source` does."""
        self.carried |= SOURCES[scenario.source].carried
        source: Source = self.keep(open_source(scenario, self.folder))
        return source

    def keep(self, resource: Any) -> Any:
        """Close `resource` when the experiment ends."""
        self._exit.callback(resource.close)
        return resource

    def close(self) -> None:
        """Close what was kept, the last one first."""
        self._exit.close()


def play(name: str, bench: Bench, argument: Any) -> dict[str, Any]:
    """Run experiment `name` (subject.function) in a process of its own.

    Returns its `facts`, or `inconclusive` or `not_applicable` with the reason.  Raises Inconclusive if it takes too
    long, or if somebody else has disturbed it.
    """
    subject = name.split(".")[0]
    # Import it here, so that not every stage has to; if that fails, the stage says so.
    with contextlib.suppress(Exception):
        if f"{_EXPERIMENTS}.{subject}" not in sys.modules:
            importlib.import_module(f"{_EXPERIMENTS}.{subject}")
            gc.freeze()
    answer, theirs = os.pipe()
    conductor = os.getpid()
    calm = bench.sentinel.look() if bench.sentinel is not None else None
    bench.instruments.forget()
    pid = fork()
    if pid == 0:
        _be_stage(name, bench, argument, theirs, conductor)
    os.close(theirs)
    try:
        line = b"".join(_read_line(answer, min(3 * patience_s(), LONGEST_S)))
        message: dict[str, Any] = json.loads(line or b"{}")
        bench.answers.told_nobody.update(map(tuple, message.pop("told_nobody", ())))
        if "facts" in message:
            insist_on_calm(calm, bench.sentinel.look() if bench.sentinel is not None else None)
            rests, ours = message.pop("rests_ns"), {conductor, pid, *message.pop("pids")}
            insist_on_our_wakers(bench.instruments.take_in() or [], rests, ours, carried=message.pop("carried"))
    finally:
        os.close(answer)
        os.kill(pid, signal.SIGKILL)
        # The actors die with their parent, and the conductor, which is a subreaper, reaps them.
        reap_all()
    if "facts" in message:
        return message
    if "not_applicable" in message:
        return message
    return {"inconclusive": message.get("inconclusive", f"the experiment {name} died")}


def _be_stage(name: str, bench: Bench, argument: Any, answer_fd: int, conductor: int) -> NoReturn:
    try:
        syscalls.die_with_parent(conductor)
        # gVisor hangs up all of an orphaned process group, as the conductor's is, when one of it ends while another is
        # stopped (pkg/sentry/kernel/sessions.go, decRefWithParent and handleOrphan).
        os.setpgid(0, 0)
        message: dict[str, Any]
        subject, function = name.split(".")
        stage = Stage(bench, conductor)
        sysv.own_what_follows()
        try:
            act = getattr(importlib.import_module(f"{_EXPERIMENTS}.{subject}"), function)
            act(stage, argument) if argument is not None else act(stage)
            stage.insist_on_all()
            stage.close()
            insist_on_no_denial(stage.facts)
            message = {"facts": stage.facts, "rests_ns": stage.rests_ns, "pids": stage.pids, "carried": stage.carried}
        except NotApplicable as reason:
            message = {"not_applicable": str(reason)}
        except Inconclusive as reason:
            message = {"inconclusive": stage.cause_of(reason)}
        except Exception as error:  # noqa: BLE001  # a stage that dies says nothing; the reason must get out
            message = why_stopped(name, error)
        told_nobody = list(bench.answers.told_nobody)
        os.write(answer_fd, json.dumps({**message, "told_nobody": told_nobody}).encode() + b"\n")
    finally:
        os._exit(0)


def why_stopped(name: str, error: Exception) -> dict[str, str]:
    """What to report for an experiment that ended with an error: not applicable if the kernel lacks a feature."""
    if isinstance(error, OSError):
        if error.errno in LACKING:
            return {"not_applicable": f"the experiment {name} asked for what is not there: {in_words(error)}"}
        return {"inconclusive": f"the experiment {name} could not go on: {in_words(error)}"}
    # What Python raises for ENOMEM, and for a thread that is refused; subclasses of RuntimeError are our own faults.
    if isinstance(error, MemoryError) or type(error) is RuntimeError:
        return {"inconclusive": f"the experiment {name} could not go on: no memory is left, or a thread was refused"}
    if isinstance(error, ImportError):
        return {
            "inconclusive": f"the experiment {name} could not go on: a part of Wakecheck or of Python is not readable"
        }
    return {"inconclusive": fault(f"the experiment {name}", error)}


def fault(where: str, error: Exception) -> str:
    """What to say about an error that nobody has foreseen: where it happened, to the line, and its message."""
    places = [at for at in traceback.extract_tb(error.__traceback__) if "probes" in at.filename]
    place = f" ({os.path.basename(places[-1].filename)}, line {places[-1].lineno})" if places else ""
    return f"a fault of Wakecheck in {where}{place}: {error}"


def _read_line(fd: int, limit_s: float) -> Iterator[bytes]:
    """Read a line, and not up to the end of the pipe: an actor that somebody stopped just after its fork holds that
    open for good."""
    end = time.monotonic() + limit_s
    part = b""
    while not part.endswith(b"\n"):
        if not select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]:
            raise Inconclusive(f"the experiment did not end within {limit_s:.0f} s")
        part = os.read(fd, 65536)
        if not part:
            return
        yield part
