"""Judges the claims of experiments on this kernel, while a neighbour disturbs each experiment once.

    python -m tests.suite.surroundings.neighbours NEIGHBOUR SEED [PART...]

NEIGHBOUR is the name of one of NEIGHBOURS; with PARTs, only claims are judged whose id contains one of them.  Prints a
JSON list of [claim, case, verdict, reason, happened], one for each case; `happened`: whether the disturbance happened.

What is disturbed, and when, is drawn at random; the same seed repeats it.
"""

from __future__ import annotations

import errno
import inspect
import json
import mmap
import os
import random
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

from probes import syscalls
from probes.lab import conductor, isolation
from probes.observers import Lost, Waking
from probes.observers.sched_waking import WakingRings
from probes.observers.task_files import Sighting, TaskFiles
from tests.suite.unit import disturbed

from .judged_here import HereLab, Outcome, judged, tests

_INIT = 1
"""A process that is not ours."""
_LOOKS, _TASKS, _CALLS = 30, 3, 6
"""How many looks, tasks and calls there are to draw from: a moment, a victim, and the call that fails."""


@dataclass(frozen=True)
class Moment:
    """When something happens: at call number `at`.  `happened` says whether it did, to the parent process as well."""

    at: int
    shared: mmap.mmap

    @property
    def happened(self) -> bool:
        return bool(self.shared[0])

    def counted(self, act: Callable[..., Any], instead: Callable[..., Any], *, from_then_on: bool = False) -> Any:
        """`act`, except for call number `at` (in each process), which goes to `instead`, with `act` as its first
        argument."""
        calls = 0

        def counting(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == self.at or (from_then_on and calls > self.at):
                self.shared[0] = 1
                return instead(act, *arguments, **named)
            return act(*arguments, **named)

        return counting


Neighbour = Callable[[Moment, random.Random], None]
"""Prepares this process, in which an experiment will run, for the disturbance at that moment."""


def _signals(act: str, moment: Moment, dice: random.Random) -> None:
    """Kill or stop an actor."""
    disturber = disturbed.Disturber(disturbed.SIGNALS[act], dice.randrange(1, _LOOKS), dice.randrange(_TASKS))
    disturber.shared = moment.shared
    disturbed.hook(disturber)


def _fails(number: int, *_: Any, **__: Any) -> Any:
    raise OSError(number, os.strerror(number))


def _port_taken(moment: Moment, dice: random.Random) -> None:
    _set(socket.socket, "bind", moment.counted(socket.socket.bind, partial(_fails, errno.EADDRINUSE)))


def _no_connection(moment: Moment, dice: random.Random) -> None:
    """No port is free, or lo is down; AF_UNIX is not affected."""
    error = dice.choice((errno.EADDRNOTAVAIL, errno.ENETUNREACH))

    def fails(connect: Callable[..., Any], client: socket.socket, address: Any) -> Any:
        return connect(client, address) if client.family == socket.AF_UNIX else _fails(error)

    _set(socket.socket, "connect", moment.counted(socket.socket.connect, fails))


def _no_pipe(moment: Moment, dice: random.Random) -> None:
    _set(os, "pipe", moment.counted(os.pipe, partial(_fails, dice.choice((errno.EMFILE, errno.ENFILE)))))


def _record_lost(moment: Moment, dice: random.Random) -> None:
    def lost(*_: Any) -> Any:
        raise Lost("4711 records were lost")

    _set(WakingRings, "seen", moment.counted(WakingRings.seen, lost))


def _foreign_wake_up(moment: Moment, dice: random.Random) -> None:
    """The trace shows that process 1 has woken an actor."""

    def with_another(seen: Callable[[WakingRings], list[Waking]], rings: WakingRings) -> list[Waking]:
        wakings = seen(rings)
        at_ns = wakings[-1].at_ns + 1 if wakings else time.monotonic_ns()
        return [*wakings, Waking(at_ns, _INIT, -1 - dice.randrange(_TASKS), _INIT, 4711)]

    _set(WakingRings, "seen", moment.counted(WakingRings.seen, with_another, from_then_on=True))


def _counts_gone(moment: Moment, dice: random.Random) -> None:
    def nothing(*_: Any) -> None:
        return None

    _set(TaskFiles, "run_count", moment.counted(TaskFiles.run_count, nothing, from_then_on=True))


def _proc_hidden(moment: Moment, dice: random.Random) -> None:
    """Somebody remounts /proc with hidepid."""
    _set(TaskFiles, "look", moment.counted(TaskFiles.look, partial(_fails, errno.EACCES), from_then_on=True))


def _switches_gone(moment: Moment, dice: random.Random) -> None:
    def without(look: Callable[[TaskFiles], Sighting], files: TaskFiles) -> Sighting:
        return look(files)._replace(switches=None)

    _set(TaskFiles, "look", moment.counted(TaskFiles.look, without, from_then_on=True))


def _set(where: Any, name: str, value: Any) -> None:
    setattr(where, name, value)


NEIGHBOURS: Mapping[str, tuple[Neighbour, int]] = {
    "kills": (partial(_signals, "kill"), 1),
    "stops": (partial(_signals, "stop"), 1),
    "stops-and-continues": (partial(_signals, "stop-and-continue"), 1),
    "port-taken": (_port_taken, _CALLS),
    "no-connection": (_no_connection, _CALLS),
    "no-pipe": (_no_pipe, _CALLS),
    "record-lost": (_record_lost, _CALLS),
    "foreign-wake-up": (_foreign_wake_up, _CALLS),
    "run-counts-gone": (_counts_gone, _LOOKS),
    "proc-hidden": (_proc_hidden, _LOOKS),
    "switches-gone": (_switches_gone, _LOOKS),
}
"""Each with the number of calls from which the one that it hits is drawn."""


def _judged_beside(
    neighbour: str, dice: random.Random, test: FunctionType, chosen: dict[str, Any], folder: str
) -> tuple[Outcome, bool]:
    """Judge one case in a child, in which the neighbour is at work."""
    prepare, calls = NEIGHBOURS[neighbour]
    moment = Moment(dice.randrange(1, calls + 1), mmap.mmap(-1, 1))
    answer, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.adopt_orphans()
            bench = conductor._set_up(folder, isolation.NAMESPACES, [])  # a child does not inherit perf's rings
            prepare(moment, dice)
            os.write(ours, json.dumps(judged(test, chosen, HereLab(bench))).encode())
        except BaseException:  # noqa: BLE001  # the child must never return into the parent's code
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(ours)
    with open(answer, "rb") as file:
        text = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, (test.claim.id, chosen, status)
    return tuple(json.loads(text)), moment.happened


def main(neighbour: str, seed: str, *parts: str) -> list[tuple[Any, ...]]:
    """The outcomes of all wanted cases that run an experiment."""
    cases = [(test, chosen) for test, chosen in tests() if "play" in inspect.signature(test).parameters]
    cases = [case for case in cases if not parts or any(part in case[0].claim.id for part in parts)]
    folder = isolation.isolate()
    dice = random.Random(f"{neighbour} {seed}")
    outcomes = []
    for test, chosen in cases:
        outcome, happened = _judged_beside(neighbour, random.Random(dice.random()), test, chosen, folder)
        outcomes.append((*outcome, happened))
    return outcomes


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
