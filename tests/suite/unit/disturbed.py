"""Lets something be measured again and again, and each time kills or stops a waiter or an actor from outside.

    python -m tests.suite.unit.disturbed WHAT ARGUMENT kill|stop|stop-and-continue

WHAT is an experiment, with its argument, or a scenario's id, with `traced` or `untraced` (both as JSON).  The
moments are the looks that are taken at the tasks: before one of them, one task is disturbed, as somebody
else could do it at any time.  Prints, as JSON, what was measured undisturbed, and each time disturbed.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from probes import syscalls
from probes.lab import conductor, deadline, isolation, stage
from probes.lab.actor import Actor
from probes.lab.herd import Herd, Waiter
from probes.lab.trial import Bench, TrialRun
from probes.observers.task_files import Sighting, TaskFiles
from probes.scenario import Scenario
from probes.verdict import Inconclusive

_PATIENCE_S = 0.1
"""Once somebody was disturbed: some waits can only end at their deadline then, and what ends too early is inconclusive.
Before that nobody hurries, or a busy machine would come to no disturbance at all."""
_STRIDE, _TASKS = 6, 3
SIGNALS: dict[str, tuple[signal.Signals, ...]] = {
    "kill": (signal.SIGKILL,),
    "stop": (signal.SIGSTOP,),
    "stop-and-continue": (signal.SIGSTOP, signal.SIGCONT),
}
_Seen = dict[str, Any]


class Disturber:
    """Sends signals to one task just before look number `look`, in whichever process that is taken."""

    def __init__(self, signals: tuple[signal.Signals, ...], look: int, task: int) -> None:
        self._signals, self._looks_left, self._task = signals, look, task
        self._pids: list[int] = []
        self.shared = mmap.mmap(-1, 1)
        """Tells whether it came also to who has forked the one who looked."""
        self._leap_s = 0.0

    @property
    def came(self) -> bool:
        """Whether that look was taken, and the task was there."""
        return bool(self.shared[0])

    def monotonic(self) -> float:
        """What deadlines are measured by: a clock that leaps at the disturbance, so that waits under way end soon."""
        return time.monotonic() + self._leap_s

    def note(self, pid: int) -> None:
        """There is a new task."""
        self._pids.append(pid)

    def look_comes(self) -> None:
        self._looks_left -= 1
        if self._looks_left == 0 and self._task < len(self._pids):
            self.shared[0] = 1
            self._leap_s = deadline.patience_s() - _PATIENCE_S
            deadline._patience_s = _PATIENCE_S
            for number in self._signals:
                os.kill(self._pids[self._task], number)
                if number == signal.SIGSTOP:
                    self._await_stop(self._pids[self._task])

    def _await_stop(self, pid: int) -> None:
        """Return once it is stopped: an earlier SIGCONT would cancel the SIGSTOP that is still pending."""
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
            os.sched_yield()


def hook(disturber: Disturber) -> None:
    """From now on, in this process and those that it forks, tell `disturber` of each look and each new task."""
    look, run_count, make, admit = TaskFiles.look, TaskFiles.run_count, Actor.__init__, Herd.admit

    def announced_look(self: TaskFiles) -> Sighting:
        disturber.look_comes()
        return look(self)

    def announced_count(self: TaskFiles) -> int | None:
        disturber.look_comes()
        return run_count(self)

    def noted_actor(self: Actor, name: str, pid: int, *rest: Any) -> None:
        make(self, name, pid, *rest)
        disturber.note(pid)

    def noted_waiter(self: Herd, i: int, pid: int, *rest: Any, **more: Any) -> Waiter:
        disturber.note(pid)
        return admit(self, i, pid, *rest, **more)

    deadline.time = disturber  # type: ignore[assignment]
    TaskFiles.look, TaskFiles.run_count = announced_look, announced_count  # type: ignore[method-assign]
    Actor.__init__, Herd.admit = noted_actor, noted_waiter  # type: ignore[method-assign]


def measure(what: str, argument: Any, bench: Bench) -> _Seen:
    """`inconclusive` with the reason, or else what a claim would be judged by."""
    if "/" not in what:
        try:
            return stage.play(what, bench, argument)
        except Inconclusive as reason:
            return {"inconclusive": str(reason)}
    trial = TrialRun(Scenario.parse(what), bench, traced=argument == "traced").run()
    if trial.inconclusive is not None:
        return {"inconclusive": trial.inconclusive}
    return {"woken": trial.woken, "returned": trial.returned, "won": trial.won}


def _disturbed(measure_once: Callable[[], _Seen], disturber: Disturber) -> _Seen:
    """Measure in a child, in which the hooks are set."""
    answer, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        syscalls.adopt_orphans()
        hook(disturber)
        os.write(said, json.dumps(measure_once()).encode())
        os._exit(0)
    os.close(said)
    with open(answer, "rb") as file:
        seen: _Seen = json.loads(file.read())
    os.waitpid(pid, 0)
    return seen


def main(what: str, argument: Any, act: str) -> _Seen:
    bench = conductor._set_up(None, isolation.LOOPBACK, [])
    undisturbed = measure(what, argument, bench)
    disturbed = []
    for look in itertools.count(1, _STRIDE):
        disturbers = [Disturber(SIGNALS[act], look, task) for task in range(_TASKS)]
        for task, disturber in enumerate(disturbers):
            seen = _disturbed(lambda: measure(what, argument, bench), disturber)
            disturbed.append({"look": look, "task": task, "came": disturber.came, "seen": seen})
        if not any(disturber.came for disturber in disturbers) and len(disturbed) > 3 * _TASKS:
            return {"undisturbed": undisturbed, "disturbed": disturbed}
    raise AssertionError


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3])))
