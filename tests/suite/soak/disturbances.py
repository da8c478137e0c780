"""What neighbours and administrators do to a run from outside, while it lasts."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from probes.locks import sysv
from tests.suite.system.runs import Member, Run

Disturb = Callable[[Run, random.Random], None]
_FREEZERS = (
    # The hierarchy, the file, and the words that freeze and thaw.
    ("/sys/fs/cgroup", "cgroup.freeze", "1", "0"),
    ("/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"),
    ("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"),
)
_SET_UP_S = 30.0
"""Much longer than a worker takes to start."""
_SIGNALS = (signal.SIGALRM, signal.SIGCHLD, signal.SIGCONT, signal.SIGHUP, signal.SIGIO, signal.SIGURG, signal.SIGUSR1)


def _sleepers(run: Run) -> list[Member]:
    """Waiters and actors: the children and grandchildren of conductors."""
    members = run.members()
    conductors = {each.pid for each in run.conductors()}
    stages = {each.pid for each in members if each.parent in conductors}
    return [each for each in members if each.parent in conductors | stages]


def _send(member: Member, *numbers: int) -> None:
    for number in numbers:
        with contextlib.suppress(OSError):
            os.kill(member.pid, number)


def _some(members: list[Member], dice: random.Random) -> list[Member]:
    return dice.sample(members, min(len(members), 3))


def stop_and_continue(run: Run, dice: random.Random) -> None:
    for member in _some(_sleepers(run), dice):
        _send(member, signal.SIGSTOP, signal.SIGCONT)


def kill_sleepers(run: Run, dice: random.Random) -> None:
    for member in _some(_sleepers(run), dice)[:1]:
        _send(member, signal.SIGKILL)


def kill_conductor(run: Run, dice: random.Random) -> None:
    for member in _some(run.conductors(), dice)[:1]:
        _send(member, signal.SIGKILL)


def kill_worker(run: Run, dice: random.Random) -> None:
    """Kill a worker that is at work.  While xdist starts a worker, its end is an internal error of xdist
    (xdist/dsession.py 3.8)."""
    at_work = [member for member in run.workers() if _age_s(member) > _SET_UP_S]
    for member in _some(at_work, dice)[:1]:
        _send(member, signal.SIGKILL)


def _age_s(member: Member) -> float:
    with contextlib.suppress(OSError):
        began = sysv.Owner.of(member.pid).began / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return 0.0


def random_signals(run: Run, dice: random.Random) -> None:
    """Send random signals, as any program of the same user may: some end a task, others interrupt it or are ignored."""
    for member in _some(_sleepers(run), dice):
        _send(member, dice.choice(_SIGNALS))


def move_to_one_cpu(run: Run, dice: random.Random) -> None:
    for member in _some(run.members(), dice):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(member.pid, {dice.choice(sorted(os.sched_getaffinity(0)))})


def give_way(run: Run, dice: random.Random) -> None:
    for member in _some(run.members(), dice):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, member.pid, dice.randint(0, 19))


DISTURBANCES: Mapping[str, Disturb] = {
    "nothing": lambda run, dice: None,
    "stop and continue": stop_and_continue,
    "kill sleepers": kill_sleepers,
    "kill the conductor": kill_conductor,
    "kill workers": kill_worker,
    "signals": random_signals,
    "one CPU": move_to_one_cpu,
    "nice": give_way,
}


def into(group: Path) -> list[str]:
    """The prefix that runs a command in this control group."""
    return ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$0" "$@"']


@dataclass(frozen=True)
class Freezer:
    """A control group, and the file that freezes and thaws it."""

    group: Path
    file: Path
    frozen: str
    thawed: str

    @property
    def prefix(self) -> list[str]:
        """The prefix that runs a command in this group."""
        return into(self.group)

    def take(self, pid: int) -> None:
        """Move a process into this group; the processes that it forks follow."""
        (self.group / "cgroup.procs").write_text(str(pid))

    def freeze_for(self, seconds: float) -> None:
        """Freeze the group for this long.  The sleep is the disturbance itself; it waits for no condition."""
        self.file.write_text(self.frozen)
        try:
            time.sleep(seconds)
        finally:
            self.file.write_text(self.thawed)

    def act(self, run: Run, dice: random.Random) -> None:
        """Freeze it for a random time; a `Disturb`."""
        self.freeze_for(dice.uniform(0.001, 0.02))


@contextlib.contextmanager
def freezer() -> Iterator[Freezer | None]:
    """A control group of its own.  None if none can be made."""
    for hierarchy, file, freeze, thaw in _FREEZERS:
        group = Path(hierarchy, f"wakecheck-soak-{os.getpid()}")
        with contextlib.suppress(OSError):
            group.mkdir()
            if not (group / file).exists():
                group.rmdir()
                continue
            try:
                yield Freezer(group, group / file, freeze, thaw)
            finally:
                remove(group)
            return
    yield None


def remove(group: Path) -> None:
    """Remove a control group as soon as it is empty; killed processes leave it within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        os.sched_yield()
