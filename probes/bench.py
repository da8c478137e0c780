"""What a trial costs: against a bare loop in an equally small interpreter, and per waiter.

Rounds of all kinds alternate, so that a machine that slows down slows all of them, and only ratios
of medians are quoted.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

from rich.console import Console
from rich.table import Table

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

WAITERS = 8
_WARM_UP = 3
_MANY = (100, 1000)
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


def bench(rounds: int, *, many: bool) -> None:
    """Measure, and print a table.  Raises Inconclusive where a trial could not be judged."""
    console = Console()
    bare = _Bare()
    try:
        with Lab() as lab:
            traced_too = lab.greeting["why_not"]["syscall_exit"] is None
            kinds: dict[str, Callable[[], float]] = {
                "bare loop: fork, accept, kill, reap": lambda: bare.seconds(WAITERS),
                "untraced trial": lambda: _trial(lab, WAITERS, traced=False),
            }
            if traced_too:
                kinds["traced trial"] = lambda: _trial(lab, WAITERS, traced=True)
            _print_costs(_alternate(kinds, rounds), rounds, console)
            if many:
                _print_many(lab, traced_too, console)
    finally:
        bare.close()


def _trial(lab: Lab, n: int, *, traced: bool) -> float:
    """Seconds of one whole trial of accept, as its user waits for it."""
    began = time.perf_counter()
    trial = lab.run(Scenario("accept", n=n), traced=traced)
    took = time.perf_counter() - began
    if trial.inconclusive is not None:
        raise Inconclusive(trial.inconclusive)
    return took


def _per_waiter(lab: Lab, n: int, *, traced: bool) -> float:
    return _trial(lab, n, traced=traced) / n


def _alternate(kinds: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(_WARM_UP + rounds):
        for name, measure in kinds.items():
            took = measure()
            if turn >= _WARM_UP:
                taken[name].append(took)
    return taken


def _print_costs(taken: dict[str, list[float]], rounds: int, console: Console) -> None:
    title = f"{WAITERS} waiters, median of {rounds} rounds, taken in turns (load {os.getloadavg()[0]:.1f})"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("ms", "fastest", "slowest", "ratio"):
        table.add_column(heading, justify="right")
    medians = {name: statistics.median(times) for name, times in taken.items()}
    base = next(iter(medians.values()))
    for name, times in taken.items():
        ms = [f"{1000 * value:.1f}" for value in (medians[name], min(times), max(times))]
        table.add_row(name, *ms, f"{medians[name] / base:.2f}")
    console.print(table)


def _print_many(lab: Lab, traced_too: bool, console: Console) -> None:
    table = Table(title=f"cost per waiter, median of {_MANY_ROUNDS}", title_justify="left")
    table.add_column("")
    for n in _MANY:
        table.add_column(f"us at {n:,}", justify="right")
    table.add_column("ratio", justify="right")
    for traced in (False, True) if traced_too else (False,):
        kinds = {str(n): partial(_per_waiter, lab, n, traced=traced) for n in _MANY}
        taken = _alternate(kinds, _MANY_ROUNDS)
        few, lots = (statistics.median(taken[str(n)]) for n in _MANY)
        table.add_row("traced" if traced else "untraced", f"{few * 1e6:.0f}", f"{lots * 1e6:.0f}", f"{lots / few:.2f}")
    console.print(table)
