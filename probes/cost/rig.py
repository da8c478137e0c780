"""The rig: a small, single-threaded process that takes one reading after another.

Started by `session`, with a socket to it as descriptor 0: it reads one line (the plan), and writes JSON
lines: a greeting, then a reading each, then the end of a round.  Why a process of its own: the display of the
command has a thread, and a process with threads forks badly; a small interpreter forks fast; and one
kill ends it, and with it every worker (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import signal
import sys
from collections import Counter
from typing import Any, NoReturn

from .. import syscalls
from ..lab import isolation
from ..lab.deadline import measure_patience, patience_s
from ..lab.slowness import fork_s
from ..observers.task_files import why_no_switches, why_no_syscall_file
from ..verdict import Inconclusive, NotApplicable
from . import clients, cpus, plan, ways, work
from .herd import MeasuredHerd
from .reading import RETURNED, SLEPT, WOKEN, WON, Reading, WorkerCounts
from .tally import COUNTED
from .watch import WorkerAtRest

IDLE_FORK_S = 0.4e-3
"""To fork a child that ends at once and reap it, on an idle machine."""


def main(parent: int, isolate: bool) -> None:
    """Greet, read the plan, and measure."""
    signal.signal(signal.SIGTERM, _end)
    syscalls.die_with_parent(parent, signal.SIGTERM)
    syscalls.set_name("wakecheck-cost")
    # Ctrl-C is for the command, which ends the rig.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open(0, "rb", closefd=False) as requests, open(0, "wb", buffering=0, closefd=False) as answers:

        def answer(message: dict[str, Any]) -> None:
            answers.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

        with contextlib.suppress(ConnectionError):
            if refusal := _why_not():
                answer({"inconclusive": refusal})
                return
            if isolate:
                try:
                    isolation.isolate()
                    syscalls.die_with_parent(parent, signal.SIGTERM)  # a change of credentials cleared it (prctl(2))
                except isolation.Denied as denied:
                    answer({"denied": str(denied)})
                    return
            rig = Rig()
            answer({"fork_s": rig.fork_s, "isolation": isolation.NAMESPACES if isolate else isolation.LOOPBACK})
            request = json.loads(requests.readline())
            gc.collect()
            gc.freeze()
            rig.pin(request["pin"])
            for message in rig.measure(request):
                answer(message)
            answer({"done": True})


def _end(*_: object) -> NoReturn:
    """SIGTERM, from the command or from the kernel when the command is gone: kill and reap the workers, and end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)


def _why_not() -> str | None:
    """Why nothing can be measured here."""
    if "accept4" not in syscalls.NUMBERS:
        return f"the system call numbers of {os.uname().machine} are not known to the suite"
    return why_no_switches()


class Rig:
    """Takes readings."""

    def __init__(self) -> None:
        self._syscall_readable = why_no_syscall_file() is None
        self.fork_s = min(fork_s() for _ in range(5))
        measure_patience(self.fork_s)
        self._loops_per_us = work.loops_per_us()
        self._cpus = cpus.Shares.of("none")
        self._absent: dict[str, str] = {}

    def pin(self, how: str) -> None:
        """Keep clients and workers on CPUs of their own, or let them share all."""
        self._cpus = cpus.Shares.of(how)
        os.sched_setaffinity(0, self._cpus.client)

    def measure(self, request: dict[str, Any]) -> Any:
        """One message for each reading, and one for each round."""
        wanted = plan.Plan(
            tuple(ways.parse(name) for name in request["ways"]),
            tuple(plan.LoadScene(load, work.parse(text), workers) for load, text, workers in request["scenes"]),
            request["rounds"],
        )
        number, machine = 0, cpus.Machine()
        for round_number, scene, way in wanted.sittings():
            if round_number != number:
                yield {"round": number, "machine": machine.since()}
                number, machine = round_number, cpus.Machine()
            yield self._sitting(round_number, scene, way)
        yield {"round": number, "machine": machine.since()}

    def _sitting(self, round_number: int, scene: plan.LoadScene, way: ways.Way) -> dict[str, Any]:
        if way.id in self._absent:
            return {"way": way.id, "not_applicable": self._absent[way.id]}
        try:
            return {"reading": self.read(round_number, scene, way).as_json()}
        except NotApplicable as reason:
            self._absent[way.id] = str(reason)
            return {"way": way.id, "not_applicable": str(reason)}
        except Inconclusive as reason:
            why = str(reason)
        except OSError as error:
            why = f"the machine has no room for it: {error.strerror or error}"
        return {"inconclusive": f"{way.id}, {scene.workers} workers, {scene.load}: {why}"}

    def read(self, round_number: int, scene: plan.LoadScene, way: ways.Way) -> Reading:
        """One reading.  Raises NotApplicable, Inconclusive, and OSError if the machine has no room for it."""
        long = scene.long(round_number)
        outstanding = scene.outstanding(len(self._cpus.workers))
        with MeasuredHerd(
            way,
            scene.workers,
            scene.work,
            self._loops_per_us,
            self._cpus.workers,
            syscall_readable=self._syscall_readable,
        ) as herd:
            steps = Steps(herd)
            before = _counters(herd)
            if scene.load == plan.REST:
                served = clients.one_by_one(herd.address, scene.connections, long, patience_s(), steps.rest)
            else:
                served = clients.closed_loop(herd.address, scene.connections, outstanding, long, patience_s())
            after = _counters(herd)
            user_ns, system_ns = herd.end()
        return Reading(
            way=way.id,
            load=scene.load,
            work=scene.work.id,
            workers=scene.workers,
            round=round_number,
            connections=scene.connections,
            outstanding=outstanding,
            long_connections=len(long),
            before=before,
            after=after,
            user_ns=user_ns,
            system_ns=system_ns,
            latencies_ns=served.latencies_ns,
            long=served.long if scene.work.mixed else [],
            answers=served.answers,
            unanswered=served.unanswered,
            answered_again=served.answered_again,
            elapsed_ns=served.elapsed_ns,
            client_cpu_ns=served.client_cpu_ns,
            each_woken=steps.woken(),
            dots=steps.dots(),
        )


class Steps:
    """At rest: what became of every worker at each connection."""

    def __init__(self, herd: MeasuredHerd) -> None:
        self._herd = herd
        self._last = self._look()
        self._steps: list[tuple[str, ...]] = []

    def rest(self) -> None:
        """Wait until the workers sleep again, and note what each of them did."""
        now = self._look()
        self._steps.append(tuple(_state(*pair) for pair in zip(self._last, now, strict=True)))
        self._last = now

    def woken(self) -> list[int]:
        """How many workers each connection woke."""
        return [len(step) - step.count(SLEPT) for step in self._steps]

    def dots(self) -> list[str]:
        """The first connection that is like most: as many woken and returned."""
        if not self._steps:
            return []
        kinds = [(step.count(SLEPT), step.count(WOKEN)) for step in self._steps]
        return list(self._steps[kinds.index(Counter(kinds).most_common(1)[0][0])])

    def _look(self) -> list[tuple[int, int, int]]:
        looks = self._herd.watch.rest()
        tally = self._herd.tally
        returned, won = tally.column(COUNTED["returned"]), tally.column(COUNTED["won"])
        return [(looks[i].voluntary, returned[i], won[i]) for i in range(tally.n)]


def _state(before: tuple[int, int, int], after: tuple[int, int, int]) -> str:
    """The most that a worker came to."""
    for name, place in ((WON, 2), (RETURNED, 1), (WOKEN, 0)):
        if after[place] != before[place]:
            return name
    return SLEPT


def _counters(herd: MeasuredHerd) -> WorkerCounts:
    """Once all sleep: the CPU clocks first, so that none has moved between the looks that prove it and them."""
    looks: list[WorkerAtRest] = herd.watch.rest()
    return WorkerCounts(
        voluntary=[look.voluntary for look in looks],
        involuntary=[look.involuntary for look in looks],
        cpu_ns=herd.watch.cpu_ns(),
        **{name: herd.tally.column(field) for name, field in COUNTED.items()},
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "isolate")
