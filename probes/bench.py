"""What a trial costs: against a bare loop in an equally small interpreter, against any command, and per waiter.

Rounds of all kinds alternate, so that a machine that slows down slows all of them, and only ratios
of medians are quoted.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import host
from .cost.answer import marks
from .cost.cpus import Machine
from .exits import BadInput
from .lab.session import Lab
from .scenario import Scenario
from .verdict import Inconclusive

_BARE = """
import ctypes, json, os, signal, socket, sys, time

libc = ctypes.CDLL(None)

def blocked(pid):
    with open(f"/proc/{pid}/syscall") as file:
        return file.read().startswith(sys.argv[2] + " ")

def one(n):
    began = time.perf_counter()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    fd, pids = listener.fileno(), []
    for _ in range(n):
        pid = os.fork()
        if pid == 0:
            libc.accept(fd, None, None)
            os._exit(1)
        pids.append(pid)
        while not blocked(pid):
            os.sched_yield()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)
    listener.close()
    return time.perf_counter() - began

for line in sys.stdin:
    print(json.dumps(one(int(line))), flush=True)
"""
"""The least that any instrument must do: fork, see them blocked in accept, kill, reap."""

BARE = "bare loop: fork, accept, kill, reap"
WAITERS = 8
_WARM_UP = 3
MANY = (100, 1000)
_MANY_ROUNDS = 3


class _Bare:
    """An interpreter that runs the bare loop, as small and as warm as the conductor."""

    def __init__(self) -> None:
        from .syscalls import number

        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BARE, "-", str(number("accept"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, n: int) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{n}\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def bench(rounds: int, *, beside: Sequence[str] = (), many: Sequence[int] = ()) -> None:
    """Measure, and print tables: a trial beside the bare loop and these commands, and trials of `many` waiters.

    What makes their ratios doubtful stands above them.

    Raises Inconclusive if a trial could not be judged, and BadInput if a command could not be run to a good end.
    """
    machine = Machine()
    bare = _Bare()
    phases: dict[str, list[Mapping[str, int]]] = {}
    try:
        with Lab() as lab:
            kinds: dict[str, Callable[[], float]] = {BARE: lambda: bare.seconds(WAITERS)}
            for command in beside:
                kinds[command] = partial(_command, _words(command))
            for traced in _tracings(lab):
                name = f"{_word(traced)} trial"
                kinds[name] = partial(_trial, lab, WAITERS, traced=traced, phases=phases.setdefault(name, []))
            taken = _alternate(kinds, rounds)
            tables = [_costs(taken, rounds)]
            if beside:
                tables.append(_beside(taken, beside))
            tables.append(_phases({name: laps[_WARM_UP:] for name, laps in phases.items()}))
            if many:
                tables.append(_many(lab, many))
    finally:
        bare.close()
    # Only now, when lab and loop are reaped: until then their CPU time would count as that of others.
    _show(tables, marks([machine.since()], emulated=host.kernel()["emulated"]), Console())


def _show(tables: Sequence[Table], care: Sequence[str], console: Console) -> None:
    for mark in care:
        console.print(Text(f"Take care: {mark}", "bold yellow"), soft_wrap=True)
    for table in tables:
        console.print(table)


def _tracings(lab: Lab) -> tuple[bool, ...]:
    return (False, True) if lab.greeting["why_not"]["syscall_exit"] is None else (False,)


def _word(traced: bool) -> str:
    return "traced" if traced else "untraced"


def _trial(lab: Lab, n: int, *, traced: bool, phases: list[Mapping[str, int]] | None = None) -> float:
    """Seconds of one whole trial of accept, as its user waits for it; what each phase took goes to `phases`."""
    began = time.perf_counter()
    trial = lab.run(Scenario("accept", n=n), traced=traced)
    took = time.perf_counter() - began
    if trial.inconclusive is not None:
        raise Inconclusive(trial.inconclusive)
    if phases is not None:
        phases.append(trial.timing_us)
    return took


def _words(command: str) -> list[str]:
    """A command as the shell would take it apart.  Raises BadInput."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"--beside {command!r}: {error}") from error
    if not words:
        raise BadInput(f"--beside {command!r}: no command")
    return words


def _command(words: Sequence[str]) -> float:
    """Seconds of a command as a whole process.  Raises BadInput if it does not end well."""
    began = time.perf_counter()
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise BadInput(f"--beside {shlex.join(words)!r}: {error.strerror}") from error
    took = time.perf_counter() - began
    if done.returncode:
        raise BadInput(f"--beside {shlex.join(words)!r}: it ended with exit code {done.returncode}")
    return took


def _alternate(kinds: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(_WARM_UP + rounds):
        for name, measure in kinds.items():
            took = measure()
            if turn >= _WARM_UP:
                taken[name].append(took)
    return taken


def _costs(taken: Mapping[str, list[float]], rounds: int) -> Table:
    title = f"{WAITERS} waiters, median of {rounds} rounds, taken in turns (load {os.getloadavg()[0]:.1f})"
    table = _table(title, "ms", "fastest", "slowest", "ratio")
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, times in taken.items():
        ms = [f"{1000 * value:.1f}" for value in (medians[name], min(times), max(times))]
        table.add_row(_short(name), *ms, f"{medians[name] / medians[BARE]:.2f}")
    return table


def _beside(taken: Mapping[str, list[float]], beside: Sequence[str]) -> Table:
    """How often as long as each command a trial takes."""
    table = _table("ratio to each command", *map(_short, beside))
    for name in taken:
        if name not in (BARE, *beside):
            median = statistics.median(taken[name])
            table.add_row(name, *(f"{median / statistics.median(taken[command]):.2f}" for command in beside))
    return table


def _phases(phases: Mapping[str, list[Mapping[str, int]]]) -> Table:
    names = list(dict.fromkeys(phase for laps in phases.values() for lap in laps for phase in lap))
    table = _table("phases, median in us", *names)
    for name, laps in phases.items():
        table.add_row(name, *(f"{statistics.median(lap[phase] for lap in laps):.0f}" for phase in names))
    return table


def _many(lab: Lab, many: Sequence[int]) -> Table:
    """What a waiter costs in trials of many: of the largest number, beside the smallest.

    Memory is by how much MemAvailable (proc_meminfo(5)) fell meanwhile.
    """
    rounds = _MANY_ROUNDS if max(many) <= MANY[-1] else 1
    table = _table(
        f"cost per waiter, {'median of 3' if rounds > 1 else 'one trial each'}",
        *(f"us at {n:,}" for n in many),
        "ratio",
        f"seconds at {many[-1]:,}",
        f"KiB at {many[-1]:,}",
    )
    for traced in _tracings(lab):
        times: dict[int, list[float]] = {n: [] for n in many}
        kib: list[float] = []
        for _ in range(rounds):
            for n in many:
                with _Memory() as memory:
                    times[n].append(_trial(lab, n, traced=traced))
                if n == many[-1]:
                    kib.append(memory.kib / n)
        each = [statistics.median(times[n]) / n for n in many]
        whole = statistics.median(times[many[-1]])
        table.add_row(
            _word(traced),
            *(f"{seconds * 1e6:.0f}" for seconds in each),
            f"{each[-1] / each[0]:.2f}",
            f"{whole:.2f}",
            f"{statistics.median(kib):.0f}",
        )
    table.caption = "KiB: by how much MemAvailable (proc_meminfo(5)) fell meanwhile; others may have taken some of it"
    table.caption_justify = "left"
    return table


class _Memory:
    """Watches how much memory this machine has to spare, while something else goes on."""

    kib = 0
    """By how much it fell at most, in KiB."""

    def __enter__(self) -> _Memory:
        self._at_first = _available_kib()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.kib = max(self.kib, self._at_first - _available_kib())


def _available_kib() -> int:
    with open("/proc/meminfo") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("MemAvailable:")), 0)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _short(name: str) -> str:
    """A command by the name of its program: paths are long."""
    program, _, rest = name.partition(" ")
    return f"{os.path.basename(program)} {rest}".strip() if "/" in program else name
