"""run.json is small because it says once what all trials have in common; here it is left out, and put back.

The file says itself how to read it.  `columns` names what stands in a row: each object of LISTS and OBJECTS is a row of
its values, and what is left out at its end is null.  `proofs` holds each set of proofs once, and a trial the number of
its own.  `defaults` holds the values of what a trial leaves out.  An object that has other keys stays an object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

LISTS = ("steps", "waiters", "wakings", "exits")
"""Lists of objects of a trial: each object is written as a row."""
OBJECTS = ("observers", "timing_us")
"""Objects of a trial that are written as a row each."""
DEFAULTS: Mapping[str, Any] = {
    "traced": False,
    "inconclusive": None,
    "agree": True,
    "order": [],
    "missing": {},
    "steps": [],
    "answers": [],
    "wakings": [],
    "exits": [],
}
"""What a trial leaves out where it is so."""


TABLES = ("columns", "proofs", "defaults")
"""The keys of the file that say how to read it."""


def pack(run: Mapping[str, Any]) -> dict[str, Any]:
    """The run as the file has it.

    The wake-ups of a traced trial are left out, unless it proves nothing: the tracer stops and wakes a waiter at every
    system call, so they say what the tracer did, and are nine tenths of all wake-ups.
    """
    packer = _Packer()
    claims = [
        {
            **claim,
            "cases": [{**case, "trials": [packer.trial(trial) for trial in case["trials"]]} for case in claim["cases"]],
        }
        for claim in run["claims"]
    ]
    tables = {"columns": packer.columns, "proofs": packer.proofs, "defaults": DEFAULTS}
    return {**{key: value for key, value in run.items() if key != "claims"}, **tables, "claims": claims}


class _Packer:
    def __init__(self) -> None:
        self.columns: dict[str, list[str]] = {}
        self.proofs: list[Any] = []
        self._numbers: dict[str, int] = {}

    def trial(self, trial: Mapping[str, Any]) -> dict[str, Any]:
        packed = {key: value for key, value in trial.items() if key not in DEFAULTS or value != DEFAULTS[key]}
        if trial["traced"] and trial["agree"] and trial["inconclusive"] is None:
            packed.pop("wakings", None)
        for key in LISTS:
            if key in packed:
                packed[key] = [self._row(key, each) for each in packed[key]]
        for key in OBJECTS:
            packed[key] = self._row(key, packed[key])
        text = json.dumps(trial["proof"])
        packed["proof"] = self._numbers.setdefault(text, len(self.proofs))
        if packed["proof"] == len(self.proofs):
            self.proofs.append(trial["proof"])
        return packed

    def _row(self, key: str, value: Mapping[str, Any]) -> Any:
        columns = self.columns.setdefault(key, list(value)) if value else None
        if list(value) != columns:
            return value
        row = list(value.values())
        while row and row[-1] is None:
            row.pop()
        return row


def unpack(run: dict[str, Any]) -> None:
    """Put back what `pack` left out; the tables go.  What is not as it should be stays, for the schema to refuse."""
    columns, proofs, defaults = (run.pop(key, None) for key in TABLES)
    unpacker = _Unpacker(_object(columns), proofs if isinstance(proofs, list) else [], _object(defaults))
    for claim in _list(run.get("claims")):
        for case in _list(_object(claim).get("cases")):
            for trial in _list(_object(case).get("trials")):
                if isinstance(trial, dict):
                    unpacker.trial(trial)


class _Unpacker:
    def __init__(self, columns: Mapping[str, Any], proofs: Sequence[Any], defaults: Mapping[str, Any]) -> None:
        self._columns, self._proofs, self._defaults = columns, proofs, defaults

    def trial(self, trial: dict[str, Any]) -> None:
        for key, value in self._defaults.items():
            if key not in trial:
                # A list of its own: whoever changes one trial must not change all.
                trial[key] = value.copy() if isinstance(value, (dict, list)) else value
        for key in LISTS:
            if isinstance(trial.get(key), list):
                trial[key] = [self._object(key, each) for each in trial[key]]
        for key in OBJECTS:
            trial[key] = self._object(key, trial.get(key))
        proof = trial.get("proof")
        if isinstance(proof, int) and not isinstance(proof, bool) and 0 <= proof < len(self._proofs):
            trial["proof"] = self._proofs[proof]

    def _object(self, key: str, row: Any) -> Any:
        columns = self._columns.get(key)
        if not isinstance(row, list) or not isinstance(columns, list) or len(row) > len(columns):
            return row
        return dict(zip(columns, [*row, *[None] * (len(columns) - len(row))], strict=True))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
