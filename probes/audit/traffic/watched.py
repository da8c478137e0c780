"""How much of the traffic was observed, and what that cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import cost


@dataclass
class Watched:
    """How much was observed, and what that cost."""

    seconds: float
    """How long the watch lasted."""
    most_records_per_s: int
    """How many records there may be on average."""
    observed_s: float = 0.0
    """The part of `seconds` in which everything was recorded."""
    uncounted_s: float = 0.0
    """The part of `seconds` in which nothing was recorded, not even connections and who took them."""
    records: int = 0
    lost: int = 0
    """How often a ring was full, so that what was recorded just before does not count."""
    pauses: int = 0
    """How often wake-ups were not recorded for a while, because there were too many records."""
    own_cpu_s: float = 0.0
    """CPU time of the audit itself, while it counted."""
    cost: cost.RecordCost | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def pauses_above_per_s(self) -> float:
        """At a higher rate, wake-ups are observed only a part of the time."""
        return self.most_records_per_s / 8

    def as_dict(self) -> dict[str, Any]:
        server_ms = None if self.cost is None else self.records * self.cost.record_ns / 1e6
        return {
            "seconds": round(self.seconds, 2),
            "observed_s": round(self.observed_s, 2),
            "counted_s": round(self.seconds - self.uncounted_s, 2),
            "records": self.records,
            "rings_full": self.lost,
            "own_cpu_ms": round(self.own_cpu_s * 1000, 1),
            "record_ns": None if self.cost is None else round(self.cost.record_ns),
            "other_call_ns": None if self.cost is None else round(self.cost.call_ns),
            "cost_to_server_ms": None if server_ms is None else round(server_ms, 2),
            "most_records_per_s": self.most_records_per_s,
        }

    def sum_up(self) -> list[str]:
        """`notes`, and why a part of the time was not observed."""
        sentences = list(self.notes)
        if self.pauses:
            others = "all connections were counted, and the other figures are of that part"
            if self.uncounted_s:
                counted = 1 - self.uncounted_s / self.seconds
                others = f"connections were counted {counted:.0%} of the time, and sums are of these parts"
            sentences.append(
                f"the tracepoints wrote more than {self.pauses_above_per_s:,.0f} records a second, so "
                f"{self.observed_s / self.seconds:.0%} of the time was observed: {others}"
            )
        if self.lost:
            sentences.append(f"a ring of the trace was full {self.lost} times: some events were not counted")
        return sentences
