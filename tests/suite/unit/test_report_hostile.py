"""No text in a run.json can control the terminal, break a line, or give a command to a CI service."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from probes.kernels import aftermath
from probes.report import compare, kcidb, ktap, lineage, markdown, matrix, page, terminal
from probes.report.run import load, violation

Run = dict[str, Any]
SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"
HOSTILE = "::error::{0}\x1b[2J\n::set-env name=x::{0}\r\n##[error]{0}\t\x9b31m\x00\u202e\u2028\udc80\ud800[/red]</b>`|"
PLAIN = "text {0}"


def _full() -> Run:
    """A run with everything that a run can hold."""
    run = load(SAMPLE)
    run["kernel"]["splats"] = ["BUG: at 1", "psi: inconsistent task state! task=1:a cpu=0 psi_flags=0 clear=1 set=4"]
    run["partial_reason"] = "why"
    run["controls"] = {"one": "inconclusive", "two": "held"}
    run["controls_reasons"] = {"one": "why"}
    run["observers"] = {"one": "why", "two": True}
    expected = [{"verdict": "broken", "reason": "known", "pattern": "*", "met": met} for met in (True, False, None)]
    run["expectations"] = {"file": "known.toml", "kernel": "one", "controls": {"one": expected}}
    run["suite"]["options"] = {"herd_preset": "fast", "other": "text"}
    for claim in run["claims"]:
        claim["expected"] = expected
        claim["reason"] = claim["reason"] or "why"
        for case in claim["cases"]:
            case["reason"], case["expected"] = "why", "known"
            for trial in case["trials"]:
                trial["missing"] = {"one": "why"}
    return run


def _texts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every text of the run: what holds it, and its place there; a key of an object that may have any is one, too."""
    if isinstance(value, dict):
        for key in list(value):
            if isinstance(value[key], str):
                yield value, key
            yield from _texts(value[key])
    elif isinstance(value, list):
        for place, item in enumerate(value):
            if isinstance(item, str):
                yield value, place
            yield from _texts(item)


KEPT = {
    "verdict",
    "level",
    "truth",
    "started",
    "one",
    "two",
    "waiter",
    "source",
    "reaction",
    "stimulus",
    "sharing",
} | {"registered", "blocked"}
"""What has to be one of some words by the schema, or for a strategy to be in the table at all."""


def _is_free(holder: Any, place: Any) -> bool:
    """Whether the schema lets any text be there.  A claim and a fact have an id of a certain form."""
    return place not in KEPT and not (place == "id" and ("sentence" in holder or "seen" in holder))


def _spoilt(pattern: str) -> Run:
    """The full run, with this text wherever the schema lets one be."""
    run = _full()
    run["kernel"]["splats"][1:] = []
    for number, (holder, place) in enumerate(_texts(run)):
        if _is_free(holder, place):
            holder[place] = pattern.format(number)
    run["controls"] = {"one": "inconclusive", "two": "held"}
    run["observers"]["one"] = run["controls_reasons"]["one"] = pattern.format("why")
    for mapping in (run["observers"], run["controls"], run["kernel"]["sysctls"], run["suite"]["options"]):
        for number, key in enumerate(list(mapping)):
            mapping[pattern.format(number)] = mapping.pop(key)
    names = dict(zip(_full()["controls"], run["controls"], strict=True))
    for mapping in (run["controls_reasons"], run["expectations"]["controls"]):
        for key in list(mapping):
            mapping[names[key]] = mapping.pop(key)
    for claim in run["claims"]:
        for case in claim["cases"]:
            for trial in case["trials"]:
                for mapping in (trial["missing"], trial["observers"], trial["proof"], trial["timing_us"]):
                    for number, key in enumerate(list(mapping)):
                        mapping[pattern.format(number)] = mapping.pop(key)
    assert violation(run) is None
    return run


@cache
def _runs() -> dict[str, tuple[Run, Run]]:
    """For each text: a run full of it, and one that differs from it in everything."""
    pairs = {}
    for pattern in (HOSTILE, PLAIN):
        first, other = _spoilt(pattern), _spoilt(pattern)
        other["label"] = f"{other['label']}!"
        other["kernel"]["splats"] = []
        for claim in first["claims"]:
            claim["verdict"] = "held"
        for claim in other["claims"]:
            claim["verdict"] = "broken"
        pairs[pattern] = (first, other)
    return pairs


def _on_console(show: Callable[[Console], object], encoding: str) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    show(Console(file=file, width=4000, legacy_windows=False))
    file.flush()
    file.seek(0)
    return file.read()


def _kernels(first: Run, other: Run, console: Console) -> None:
    kernels = lineage.ordered([first, other])
    terminal.kernels(kernels, console)
    terminal.differences(list(matrix.rows_of(kernels)), "matrix/index.html", console)
    for warning in matrix.warnings(kernels):
        terminal.line(console, terminal.warning(warning))


WRITERS: dict[str, Callable[[Run, Run], str]] = {
    **{
        f"{name}-{encoding}": lambda first, other, show=show, encoding=encoding: _on_console(
            lambda console: show(first, other, console), encoding
        )
        for encoding in ("utf-8", "ascii")
        for name, show in {
            "summary": lambda first, other, console: terminal.summary(copy.deepcopy(other), console, ["x.html"]),
            "table": lambda first, other, console: terminal.table(first, console),
            "kernels": _kernels,
            "compare": compare.show,
        }.items()
    },
    "compare-warnings": lambda first, other: "\n".join(compare.warnings(first, other)),
    "markdown": lambda first, other: markdown.render([first, other]),
    "ktap": lambda first, other: ktap.render(other),
    "aftermath": lambda first, other: "\n".join(aftermath.complaints(first)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_no_text_of_a_run_steers_a_terminal(name: str) -> None:
    said = {pattern: WRITERS[name](*_runs()[pattern]) for pattern in (HOSTILE, PLAIN)}
    lines = said[HOSTILE].split("\n")
    assert [line for line in lines if not line.replace("\xa0", " ").isprintable()] == []
    assert [line for line in lines if re.match(r"\s*::[a-z]", line) or "##[" in line] == []
    assert len(lines) == len(said[PLAIN].split("\n"))
    assert "error" in said[HOSTILE], "the text is shown"


@pytest.mark.parametrize("write", [page.render, lambda run: matrix.render([run, run], ["a.html", "b.html"])])
def test_no_text_of_a_run_spoils_a_page(write: Callable[[Run], str]) -> None:
    text = write(_runs()[HOSTILE][1])
    assert [letter for letter in set(text) if not letter.isprintable() and letter not in "\n\xa0"] == []
    assert "</b>`" not in text
    text.encode()


def test_no_text_of_a_run_spoils_what_goes_to_kernelci() -> None:
    text = kcidb.render(list(_runs()[HOSTILE]))
    assert [string for string in _strings(json.loads(text)) if not string.replace("\n", "").isprintable()] == []


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(item)
