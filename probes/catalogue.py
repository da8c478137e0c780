"""The catalogue of claims: generated from the tests, and kept as two files that a test compares.

`catalogue.json` beside this file is what `list` and `show` read, also where the tests are not
installed; `docs/claims.md` is the same for people.  `python -m probes list --update` writes both.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from types import FunctionType
from typing import Any

from .claims import LEVELS, Claim
from .star import PRESETS

FILE = Path(__file__).with_name("catalogue.json")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "claims.md"
ROWS = PAGE.with_name("rows.md")

NOT_JUDGED = {"E6": "it is about test suites, not about a kernel"}
"""Rows that no claim can judge, with the reason."""


class NoCatalogue(Exception):
    """The catalogue is missing or unreadable; the message says what to do."""


class NoSuchClaim(Exception):
    """No claim has this id; the message is one sentence with the nearest."""


def load() -> list[dict[str, Any]]:
    """Every claim: id, sentence, level, truth, basis, rows, drawing, test, scenarios.  Raises NoCatalogue."""
    try:
        found: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NoCatalogue(f"{FILE} cannot be read ({error}); `python -m probes list --update` makes it.") from error
    return found


def find(claim_id: str) -> dict[str, Any]:
    """The claim with this id.  Raises NoSuchClaim, which names the nearest, and NoCatalogue."""
    claims = {claim["id"]: claim for claim in load()}
    if claim_id not in claims:
        raise NoSuchClaim(f"no claim {claim_id!r}{nearest(claim_id, claims)}")
    return claims[claim_id]


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the nearest of the known words, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def generate(project: Path) -> list[dict[str, Any]]:
    """The catalogue as the tests in `project`/tests define it.  Raises NoCatalogue where there are none."""
    files = sorted((project / "tests").glob("test_*.py"))
    if not files:
        raise NoCatalogue(f"{project} holds no tests to make a catalogue from; run this in a checkout.")
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    found = [
        _entry(test, file.name)
        for file in files
        for test in vars(importlib.import_module(f"tests.{file.stem}")).values()
        if isinstance(test, FunctionType) and hasattr(test, "claim")
    ]
    # A chapter may be spread over several files; its claims stand together.
    return sorted(found, key=lambda claim: str(claim["chapter"]))


def _entry(test: FunctionType, file: str) -> dict[str, Any]:
    claim: Claim = vars(test)["claim"]
    return {
        "id": claim.id,
        "chapter": claim.chapter,
        "sentence": claim.sentence,
        "level": claim.level,
        "truth": claim.truth,
        "basis": [str(basis) for basis in claim.basis],
        "rows": list(claim.rows),
        "drawing": inspect.cleandoc(claim.drawing),
        "test": f"tests/{file}::{test.__name__}",
        "cases": _cases(test),
    }


def _cases(test: FunctionType) -> list[str]:
    """Scenario ids of the default preset; for a claim that is asked directly, pytest's parameters."""
    default = PRESETS["default"]
    stars = vars(test).get("stars", ())
    scenarios = [s.id for star in stars for s in star.scenarios(default.sizes, default.listeners)]
    return list(dict.fromkeys(scenarios)) or parametrized(test) or [test.__name__]


def parametrized(test: FunctionType) -> list[str]:
    """`name[a-b]` for every combination of its parameters, as pytest prints it; empty where it has none."""
    marks = [mark for mark in vars(test).get("pytestmark", []) if mark.name == "parametrize"]
    # pytest lets the mark nearest to the function vary the slowest, and names it first.
    words = [[_word(mark, place) for place in range(len(list(mark.args[1])))] for mark in marks]
    return [f"{test.__name__}[{'-'.join(chosen)}]" for chosen in product(*words)] if words else []


def _word(mark: Any, place: int) -> str:
    """What pytest calls the values at this place: the id given for them, or the values themselves."""
    ids = mark.kwargs.get("ids")
    if ids is not None and not callable(ids):
        return str(ids[place])
    value = list(mark.args[1])[place]
    names = mark.args[0].replace(" ", "").split(",") if isinstance(mark.args[0], str) else list(mark.args[0])
    values = [value] if len(names) == 1 else value
    return "-".join(
        str(ids(one) if ids is not None else one if isinstance(one, (str, int, type(None))) else f"{name}{place}")
        for name, one in zip(names, values, strict=True)
    )


def as_json(claims: list[dict[str, Any]]) -> str:
    """The text of catalogue.json."""
    return json.dumps(claims, indent=1, ensure_ascii=False) + "\n"


def as_page(claims: list[dict[str, Any]]) -> str:
    """The text of docs/claims.md."""
    lines = [
        "# The claims",
        "",
        "What a kernel is held to, generated from the tests: `python -m probes list --update` writes this page,",
        "and a test compares it.  Judge one with `python -m pytest --herd-claim ID`.",
        "",
        *(f"- *{level}*: {meaning}" for level, meaning in LEVELS.items()),
        "- *rows*: the statements and questions of [rows.md](rows.md) that a claim answers",
    ]
    chapter = None
    for claim in claims:
        if claim["chapter"] != chapter:
            chapter = claim["chapter"]
            lines += ["", f"## {chapter}"]
        truth = f", {claim['truth']}" if claim["truth"] else ""
        rows = f"; rows {', '.join(claim['rows'])}" if claim["rows"] else ""
        lines += [
            "",
            f"### {claim['id']}",
            "",
            f"{claim['sentence']} (*{claim['level']}{truth}*{rows})",
            "",
            *(f"- {basis}" for basis in claim["basis"]),
            f"- judged by `{claim['test']}`; cases by default: {len(claim['cases'])}",
        ]
    lines += [
        "",
        "## Rows",
        "",
        "Which claims judge each row of [rows.md](rows.md).",
        "",
        "| row | claims |",
        "|---|---|",
    ]
    lines += [f"| {row} | {_judges_of(row, claims)} |" for row in known_rows()]
    return "\n".join(lines) + "\n"


def known_rows() -> list[str]:
    """The ids of the rows in docs/rows.md, in their order."""
    return re.findall(r"^- ((?:L-[A-Z]|[A-Z])\d{1,2})\. ", ROWS.read_text(encoding="utf-8"), re.MULTILINE)


def _judges_of(row: str, claims: list[dict[str, Any]]) -> str:
    found = [claim["id"] for claim in claims if row in claim["rows"]]
    return ", ".join(found) or f"none: {NOT_JUDGED.get(row, 'not yet')}"
