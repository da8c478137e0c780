"""A case that came to its end, in the one form in which it leaves the process that judged it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class JudgedCase:
    """What crosses from a worker of pytest-xdist, stands in the journal, and is kept in run.json."""

    claim: Mapping[str, Any]
    """The claim as run.json keeps it, but for its verdict and its cases."""
    case: Mapping[str, Any]
    """The case as run.json keeps it: what must be known of it is said in report/run.schema.json."""
    controls: Mapping[str, tuple[str, str | None]]
    """The verdict of each control of the process that judged it, with the reason."""
    fails: bool
    """Whether it fails the run: broken or inconclusive, unless `--herd-expect` or `--herd-level` lets that pass."""

    @property
    def key(self) -> tuple[str, str]:
        """The ids of its claim and of the case: a run has only one such case."""
        return self.claim["id"], self.case["id"]

    @property
    def verdict(self) -> str:
        """One of verdict.VERDICTS."""
        return str(self.case["verdict"])

    def as_text(self) -> str:
        """One line of JSON, in ASCII: what the kernel said may hold bytes that are no UTF-8 (surrogateescape)."""
        return json.dumps(vars(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> JudgedCase:
        """What `as_text` gave."""
        return cls.from_json(json.loads(text))

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> JudgedCase:
        """The same, from a line of a journal that was read already."""
        controls = {name: (verdict, reason) for name, (verdict, reason) in kept["controls"].items()}
        return cls(kept["claim"], kept["case"], controls, kept["fails"])
