"""One trial: arrange, prove, stimulate once, settle, collect, release."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from ..evidence import REST_IS_HIDDEN, Trial
from ..observers import task_files
from ..observers import tracer as tracing
from ..observers.task_files import Sighting
from ..observers.tracer import Tracer
from ..refusals import in_words
from ..scenario import Scenario
from ..sources import Source, open_source
from ..sources.tcp import lo_has_ipv4_alone
from ..stimuli import Stimulus
from ..strategies import prepare
from ..verdict import Inconclusive, NotApplicable
from .answers import Answers
from .blocked import Proofs
from .board import GET_READY, GO, RETURNED, WON
from .deadline import patience_s, until
from .features import LACKING
from .herd import Herd
from .instruments import Instruments
from .ledger import Ledger
from .machine import StepMachine
from .sentinel import Sentinel, insist_on_calm


@dataclass(frozen=True)
class Bench:
    """What all trials of one conductor share."""

    instruments: Instruments
    fence_name: str
    fence_proves: bool
    fence: Callable[[], None]
    rest_shows: bool
    """Whether a waiter that was woken no longer looks asleep, even before it runs."""
    folder: str | None
    """The folder in which path sockets may be bound; None: a temporary one, which is removed right after the bind."""
    isolation: str
    machine: StepMachine | None = None
    """Runs waiters without Python; None if that is not possible here."""
    why_slow: str | None = None
    """Why waiters run Python here, or have memory of their own; None if neither is so."""
    sentinel: Sentinel | None = None
    """Shows whether everything was interrupted; None if it could not be started."""
    answers: Answers = field(default_factory=Answers)
    """How long answers are waited for where rest does not show."""


class TrialRun:
    """One trial of `scenario`; `run` runs it, and returns its record."""

    def __init__(self, scenario: Scenario, bench: Bench, *, traced: bool, own_memory: bool = False) -> None:
        """With `own_memory` every waiter process has memory of its own; without, they run in ours where they can."""
        self.scenario = scenario
        self._own_memory = own_memory
        self._bench = bench
        by_file = bench.instruments.why_no_syscall_file is None
        self._tracer = Tracer(None if by_file else task_files.switches_of) if traced else None
        self._ledger = Ledger(scenario, bench.instruments, self._tracer)
        self._proof: dict[str, str] = {"isolation": bench.isolation}
        self._timing_us: dict[str, int] = {}
        self._last_lap_ns = time.monotonic_ns()
        self._scale = 1 + scenario.n / 50
        """Deadlines for all waiters together grow with their number."""

    def run(self) -> Trial:
        """Run the trial.  If something cannot be proven, the record says so in `inconclusive`, with what was seen.

        Raises NotApplicable if this kernel was asked for a feature and lacks it.
        """
        reason = None
        with contextlib.ExitStack() as release:
            try:
                self._run(release)
            except Inconclusive as inconclusive:
                reason = str(inconclusive)
            self._lap("settle")
            trial = self._ledger.trial(reason)
        self._lap("release")
        return replace(trial, proof=self._proof, timing_us=self._timing_us)

    def _run(self, release: contextlib.ExitStack) -> None:
        source = self._open()
        release.callback(source.close)
        strategy = prepare(self.scenario, source.fds)
        release.callback(strategy.close)
        if source.asynchronous and not self._bench.fence_proves:
            raise Inconclusive(f"nobody can say when all wake-ups were issued; fence: {self._bench.fence_name}")
        readable = self._bench.instruments.why_no_syscall_file is None
        is_reaped = self._tracer.has_reaped if self._tracer else lambda _: False
        herd = release.enter_context(
            Herd(
                self.scenario,
                strategy,
                source.fds,
                syscall_readable=readable,
                is_reaped=is_reaped,
                machine=self._bench.machine,
                own_memory=self._own_memory,
            )
        )
        release.callback(source.retire)
        self._ledger.herd = herd
        self._proofs = Proofs(herd, self._tracer, syscall_readable=readable)
        self._proof["blocked"] = self._proofs.how
        self._arrange(herd)
        self._proof["waiters"] = f"they run {herd.what_runs}"
        self._calm = self._look_at_sentinel()
        self._ledger.begin(self._proofs.still_blocked(self._scale))
        self._proof["quiescent"] = "two successive looks at all waiters were equal"
        self._lap("arrange")
        source.meet([waiter.pid for waiter in herd.waiters])
        stimulus = Stimulus(self.scenario, source, self._open, patience_s())
        release.callback(stimulus.hang_up)
        self._stimulate(herd, stimulus)

    def _open(self) -> Source:
        try:
            return open_source(self.scenario, self._bench.folder)
        except OSError as error:
            kind = self.scenario.source
            if error.errno in LACKING or (kind in ("tcp6", "udp6") and lo_has_ipv4_alone()):
                raise NotApplicable(f"{kind}: {error.strerror}") from error
            raise Inconclusive(f"no {kind} could be opened: {in_words(error)}") from error

    def _arrange(self, herd: Herd) -> None:
        """Bring the waiters to their calls in a known order, each proven blocked before the next."""
        if self.scenario.waiter == "thread":
            self._arrange_threads(herd)
            return
        in_order = self.scenario.blocked == "in-order"
        pids = herd.fork(tracing.submit if self._tracer else None)
        for i, pid in enumerate(pids):
            if self._tracer:
                self._tracer.expect(pid)
            herd.open_gate(i, GO if in_order else GET_READY)
            waiter = herd.admit(i, pid, partial(self._pump, pid), at_gate=not in_order, scale=self._scale)
            if in_order:
                self._proofs.prove_blocked(waiter, self._scale)
        if not in_order:
            for waiter in reversed(herd.waiters):
                herd.open_gate(waiter.i)
                self._proofs.prove_blocked(waiter)

    def _arrange_threads(self, herd: Herd) -> None:
        if self._tracer is None:
            host = herd.fork_host(None, None)
        else:
            host = herd.fork_host(tracing.adopt_threads, tracing.announce)
            self._tracer.expect(host)
        for i in range(self.scenario.n):
            herd.start_thread()
            self._proofs.prove_blocked(herd.admit(i, host, partial(self._pump, host), at_gate=False))

    def _stimulate(self, herd: Herd, stimulus: Stimulus) -> None:
        """Run the stimulus step by step, and read the observers after each."""
        steps = stimulus.steps()
        while True:
            try:
                if next(steps, "over") == "over":
                    self._insist_on_rest(herd, stimulus)
                    return
            except OSError as error:
                hint = "; is lo up?" if error.errno == errno.ENETUNREACH else ""
                raise Inconclusive(f"connection {stimulus.count + 1} failed: {error.strerror}{hint}") from error
            self._lap("stimulate")
            self._prove_delivery(herd, stimulus)
            if not self._bench.rest_shows:
                self._await_answers(herd, stimulus)
            sightings = self._proofs.all_quiet(self._scale)
            insist_on_calm(self._calm, self._look_at_sentinel())
            self._ledger.record(stimulus, sightings)
            self._lap("settle")

    def _look_at_sentinel(self) -> Sighting | None:
        return self._bench.sentinel.look() if self._bench.sentinel is not None else None

    def _prove_delivery(self, herd: Herd, stimulus: Stimulus) -> None:
        """Wait until every connection is queued or taken, and every wake-up for it has been issued.

        Raises Inconclusive if the kernel does not say what is queued.
        """
        source = stimulus.source
        if source.asynchronous:
            until(
                partial(self._accounted, herd, stimulus),
                lambda: (
                    f"{stimulus.count} connections made, {sum(herd.won())} taken and "
                    f"{source.queued()} queued: the others were not delivered"
                ),
            )
            if stimulus.elsewhere is not None:
                other = stimulus.elsewhere
                until(lambda: other.queued() == 1, lambda: "what was made elsewhere was not delivered")
                other.settle()
            source.settle()
        self._bench.fence()
        self._proof["delivered"] = f"{source.delivery}; fence: {self._bench.fence_name}"

    def _await_answers(self, herd: Herd, stimulus: Stimulus) -> None:
        """On a kernel on which rest does not show, wait until as many waiters have returned as must."""
        asked, answers = (self.scenario.source, self.scenario.stimulus), self._bench.answers
        limit_s, as_before = answers.limit_s(asked), answers.as_before(asked)

        def answered() -> bool:
            if self._tracer is not None:
                self._tracer.pump_all()
            return self._served(herd, stimulus)

        def in_vain() -> str:
            if not any(herd.board.column(RETURNED)):
                answers.told_nobody.add(asked)
            return f"{stimulus.count} made, {sum(herd.board.column(RETURNED))} returned, and no more{as_before}"

        until(answered, in_vain, limit_s=limit_s, may_be_vain=True)

    def _served(self, herd: Herd, stimulus: Stimulus) -> bool:
        """Whether all connections were taken, if waiters take all; otherwise, whether one waiter returned for each."""
        if self.scenario.reaction in ("drain", "loop"):
            return sum(herd.board.column(WON)) >= stimulus.count
        return sum(herd.board.column(RETURNED)) >= min(stimulus.count, self.scenario.n)

    def _insist_on_rest(self, herd: Herd, stimulus: Stimulus) -> None:
        """Raise Inconclusive if rest does not show on this kernel, so a waiter that seems to sleep may have been
        woken."""
        for_ever = self.scenario.reaction in ("drain", "loop")
        asleep = herd.board.column(RETURNED).count(0)
        if asleep and not self._bench.rest_shows and not (for_ever and stimulus.count):
            raise Inconclusive(
                f"nothing tells whether {asleep} of {self.scenario.n} waiters sleep on: {REST_IS_HIDDEN}"
            )

    def _accounted(self, herd: Herd, stimulus: Stimulus) -> bool:
        if self._tracer is not None:
            self._tracer.pump_all()
        queued = stimulus.source.queued()
        if queued is None:
            raise Inconclusive(f"this kernel does not tell what is queued ({stimulus.source.delivery})")
        return queued + sum(herd.won()) >= stimulus.count

    def _pump(self, pid: int) -> None:
        if self._tracer is not None:
            self._tracer.pump_family(pid)

    def _lap(self, phase: str) -> None:
        """Add the time since the last lap to `phase`."""
        now_ns = time.monotonic_ns()
        self._timing_us[phase] = self._timing_us.get(phase, 0) + (now_ns - self._last_lap_ns) // 1000
        self._last_lap_ns = now_ns
