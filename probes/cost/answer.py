"""Everything that was measured, as one JSON document: cost.schema.json says what each key is."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .. import __version__, host
from ..schema import Schema
from .figures import QUANTILES, figures, growth, jain_by_chance, over_rounds, quantile, ratios, shares
from .plan import REST, Plan
from .reading import Reading
from .ways import BASE

SCHEMA = 1
"""The version of the document."""
SCHEMA_FILE = Path(__file__).with_name("cost.schema.json")

BUSY, STOLEN = 0.10, 0.02
"""Shares of the machine's CPU time: used by others, or taken by the host; above them its figures are marked."""
LEAST_TICKS = 5.0
"""Most kernels sample by ticks whether a process is in user mode (cputime_adjust, kernel/sched/cputime.c): with fewer
of them per worker the split is biased."""
_MONOTONIC_COARSE = 6
"""Its resolution is a tick (clock_getres(2))."""


def document(
    plan: Plan,
    readings: Sequence[Reading],
    absent: Mapping[str, str],
    machine: Sequence[Mapping[str, float | None]],
    greeting: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The document.  `readings` have passed the checks."""
    kernel = host.kernel()
    return {
        "schema": SCHEMA,
        "suite": {"version": __version__, "revision": host.revision()},
        "kernel": {key: kernel[key] for key in ("release", "version", "machine", "flavour", "cpus", "emulated")},
        "isolation": greeting["isolation"],
        "options": dict(options),
        "rounds": plan.rounds,
        "machine": [dict(each) for each in machine],
        "marks": marks(machine, emulated=kernel["emulated"]),
        "ways": [{"id": way.id, "name": way.name, "not_applicable": absent.get(way.id)} for way in plan.ways],
        "cells": _cells(plan, readings, absent),
        "growth": _growth(plan, readings, absent),
    }


def marks(machine: Sequence[Mapping[str, float | None]], *, emulated: bool) -> list[str]:
    """Why the figures are to be taken with care, a sentence each; none on an idle machine."""
    reasons = []
    if emulated:
        reasons.append("this kernel is emulated: times here say nothing about a real machine")
    foreign = [each["foreign"] or 0.0 for each in machine]
    if sum(share > BUSY for share in foreign):
        reasons.append(f"the machine was busy: others used up to {100 * max(foreign):.0f} % of its CPU time")
    stolen = [each["stolen"] or 0.0 for each in machine]
    if sum(share > STOLEN for share in stolen):
        reasons.append(f"the host gave up to {100 * max(stolen):.0f} % of this machine's CPU time to others (steal)")
    return reasons


def _cells(plan: Plan, readings: Sequence[Reading], absent: Mapping[str, str]) -> list[dict[str, Any]]:
    """One for each scene and way: its rounds, and what they come to."""
    cells = []
    for scene in plan.scenes:
        by_way = {
            way.id: [
                reading
                for reading in readings
                if (reading.way, reading.load, reading.work, reading.workers)
                == (way.id, scene.load, scene.work.id, scene.workers)
            ]
            for way in plan.ways
            if way.id not in absent
        }
        base = [figures(reading) for reading in by_way[BASE]]
        cells += [
            {
                "way": way,
                "load": scene.load,
                "work": scene.work.id,
                "workers": scene.workers,
                **_cell(rounds, base),
            }
            for way, rounds in by_way.items()
        ]
    return cells


def _cell(rounds: Sequence[Reading], base: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    each = [figures(reading) for reading in rounds]
    latencies = sorted(latency / 1000 for reading in rounds for latency in reading.latencies_ns)
    first = rounds[0]
    return {
        "connections": first.connections,
        "outstanding": first.outstanding,
        "figures": {name: spread and spread.as_json() for name, spread in over_rounds(each).items()},
        "ratios": {name: spread and spread.as_json() for name, spread in ratios(each, base).items()},
        "rounds": each,
        "latency_us": {f"{part:g}": quantile(latencies, part) for part in QUANTILES},
        "shares": [shares(reading) for reading in rounds],
        "jain_by_chance": jain_by_chance(first.connections, first.workers),
        "user_share": _user_share(rounds),
        "dots": first.dots,
    }


def _user_share(rounds: Sequence[Reading]) -> float | None:
    """Part of the workers' CPU time that was spent in user mode; None if the kernel, which samples that by ticks,
    had too few of them to tell."""
    user, system = (sum(sum(getattr(reading, side)) for reading in rounds) for side in ("user_ns", "system_ns"))
    ticks = (user + system) / (1e9 * time.clock_getres(_MONOTONIC_COARSE)) / (rounds[0].workers * len(rounds))
    return user / (user + system) if ticks >= LEAST_TICKS else None


def _growth(plan: Plan, readings: Sequence[Reading], absent: Mapping[str, str]) -> list[dict[str, Any]]:
    """At rest and without work: how woken and CPU time grow with the number of workers."""
    sizes = sorted({scene.workers for scene in plan.scenes if scene.load == REST and scene.work.mean_us == 0})
    rows = []
    for way in plan.ways:
        if way.id in absent:
            continue
        at_rest = {
            (reading.round, reading.workers): figures(reading)
            for reading in readings
            if reading.way == way.id and reading.load == REST and reading.work == "0"
        }
        row: dict[str, Any] = {"way": way.id, "sizes": sizes}
        for name in ("woken", "cpu_us"):
            rounds = [[at_rest[number, size][name] for size in sizes] for number in range(plan.rounds)]
            grown = growth(sizes, rounds)
            row[name] = grown and grown.as_json()
        rows.append(row)
    return rows


def violation(answer: Mapping[str, Any]) -> str | None:
    """Where `answer` departs from the schema, or None."""
    return _schema().departure(answer)


@cache
def _schema() -> Schema:
    return Schema(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
