"""One reading in figures, per connection; and figures over rounds, as ratios to `accept` in the same round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .plan import REST
from .reading import Reading
from .ways import parse

FIGURES = {
    "woken": "workers woken, per connection: voluntary switches of the workers (a wait for a lock counts too)",
    "in_vain": "of those, woken and took nothing; under load a lower bound",
    "returned": "returns of the wait call, per connection",
    "empty": "looks at an empty queue (EAGAIN), per connection",
    "preempted": "involuntary switches of the workers, per connection",
    "system_calls": "system calls of the workers, per connection; null if a lock may or may not make any",
    "cpu_us": "CPU time of the workers, per connection, in microseconds, the work itself included",
    "overhead_us": "the same without the work",
    "rate": "connections a second; null at rest",
    "latency_median_us": "from connect to the first byte, in microseconds",
    "latency_p99_us": "the same, 99 of 100 are shorter",
    "latency_max_us": "the longest of the reading",
    "short_p99_us": "of the short requests among long ones; null if all are alike",
    "busiest": "share of the worker that took most, 0 to 1",
    "jain": "Jain's index of the shares: 1 if all are equal, 1/n if one worker takes all",
    "client_busy": "CPU time of the client by the time that went by: near 1, and the rate is the client's",
}
"""The figures of one reading, and their units.  A figure that was not observed is null."""

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


def shares(reading: Reading) -> list[float]:
    """The share of the connections that each worker took, 0 to 1."""
    return [count / reading.connections for count in reading.gained("won") or []]


def jain(parts: Sequence[float]) -> float:
    """Jain's index (Jain, Chiu, Hawe, DEC-TR-301, 1984): (sum x)^2 / (n * sum x^2)."""
    squares = sum(part * part for part in parts)
    return sum(parts) ** 2 / (len(parts) * squares) if squares else 1.0


def jain_by_chance(connections: int, workers: int) -> float:
    """About what it is where every connection goes to a worker drawn at random: few connections are never even."""
    return connections / (connections + workers - 1)


def quantile(ordered: Sequence[float], part: float) -> float:
    """The smallest of the `ordered` values that `part` of them do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def figures(reading: Reading) -> dict[str, float | None]:
    """The figures of one reading."""
    k = reading.connections
    way = parse(reading.way)
    woken, won = reading.gained("voluntary") or [], reading.gained("won") or []
    returned, empty = (sum(reading.gained(name) or []) for name in ("returned", "empty"))
    us = sorted(latency / 1000 for latency in reading.latencies_ns)
    short = sorted(
        latency / 1000 for latency, long in zip(reading.latencies_ns, reading.long, strict=False) if not long
    )
    cpu_ns, work_ns = reading.gained("cpu_ns"), sum(reading.gained("work_ns") or [])
    at_rest = reading.load == REST
    return {
        "woken": sum(woken) / k,
        "in_vain": sum(max(0, times - taken) for times, taken in zip(woken, won, strict=True)) / k,
        "returned": returned / k,
        "empty": empty / k,
        "preempted": sum(reading.gained("involuntary") or []) / k,
        "system_calls": _system_calls(reading, way.calls_per_wait, way.takes, returned, empty) / k
        if way.calls_per_wait is not None
        else None,
        "cpu_us": None if cpu_ns is None else sum(cpu_ns) / k / 1000,
        "overhead_us": None if cpu_ns is None else (sum(cpu_ns) - work_ns) / k / 1000,
        "rate": None if at_rest else k / (reading.elapsed_ns / 1e9),
        "latency_median_us": quantile(us, 0.5),
        "latency_p99_us": quantile(us, 0.99),
        "latency_max_us": us[-1],
        "short_p99_us": quantile(short, 0.99) if short else None,
        "busiest": max(shares(reading)),
        "jain": jain(shares(reading)),
        "client_busy": None if at_rest else reading.client_cpu_ns / reading.elapsed_ns,
    }


def _system_calls(reading: Reading, per_wait: int, takes: bool, returned: int, empty: int) -> int:
    """Waits; accepts, where the wait call does not take itself; write and close of each connection; two looks at its
    CPU time where it works; and one at who connects where work is mixed."""
    accepts = 0 if takes else reading.connections + empty
    each = 2 + 2 * (reading.work != "0") + bool(reading.long)
    return per_wait * returned + accepts + each * reading.connections


@dataclass(frozen=True)
class RoundSpread:
    """One figure over the rounds."""

    median: float
    low: float
    high: float
    q1: float
    q3: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> RoundSpread | None:
        """The spread of the values that are known; None if no round has any."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        quarters = statistics.quantiles(known, n=4, method="inclusive") if len(known) > 1 else [known[0]] * 3
        return cls(quarters[1], min(known), max(known), quarters[0], quarters[2])

    def as_json(self) -> dict[str, float]:
        """For the document."""
        return asdict(self)


def over_rounds(rounds: Sequence[Mapping[str, float | None]]) -> dict[str, RoundSpread | None]:
    """Every figure over the rounds."""
    return {name: RoundSpread.of(each[name] for each in rounds) for name in FIGURES}


def ratios(
    rounds: Sequence[Mapping[str, float | None]], base: Sequence[Mapping[str, float | None]]
) -> dict[str, RoundSpread | None]:
    """Every figure divided by that of `base` in the same round, over the rounds."""
    return {
        name: RoundSpread.of(_ratio(each[name], other[name]) for each, other in zip(rounds, base, strict=True))
        for name in FIGURES
    }


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


@dataclass(frozen=True)
class Growth:
    """How a figure grows with the number of workers."""

    exponent: RoundSpread
    """b of figure = a * workers**b, by least squares on logarithms, one fit per round: 0 is flat, 1 is linear."""
    per_worker: RoundSpread
    """What each further worker adds, by least squares on the figures themselves."""

    @property
    def word(self) -> str:
        """The exponent, in a word."""
        if abs(self.exponent.median) < FLAT:
            return "flat"
        return "linear" if abs(self.exponent.median - 1) < FLAT else "grows" if self.exponent.median > 0 else "falls"

    def as_json(self) -> dict[str, Any]:
        """For the document."""
        return {"exponent": self.exponent.as_json(), "per_worker": self.per_worker.as_json(), "word": self.word}


FLAT = 0.15
"""An exponent so near to 0 is called flat, and so near to 1 linear: from 1 to 64 workers that is less than twice."""


def growth(sizes: Sequence[int], rounds: Sequence[Sequence[float | None]]) -> Growth | None:
    """From the figure at each size, in each round.  None with fewer than two sizes, or where a figure is not known."""
    exponents, slopes = [], []
    for values in rounds:
        known = [value for value in values if value is not None and value > 0]
        if len(sizes) < 2 or len(known) < len(sizes):
            return None
        logs = [[math.log(number) for number in numbers] for numbers in (sizes, known)]
        exponents.append(statistics.linear_regression(*logs).slope)
        slopes.append(statistics.linear_regression(sizes, known).slope)
    exponent, per_worker = RoundSpread.of(exponents), RoundSpread.of(slopes)
    return Growth(exponent, per_worker) if exponent and per_worker else None
