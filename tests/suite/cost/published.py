"""docs/published.md: published figures beside those of this machine.

    python -m tests.suite.cost.published measure     run `wakecheck cost` (takes minutes; use an idle machine)
    python -m tests.suite.cost.published page        write the page again from the last measurement

The measurement is kept in docs/published.json, and a test compares the page with it.
Exit codes: 0 written, 2 bad input, 3 the measurement failed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from probes import host
from probes.cost.figures import RoundSpread

from .figures import (
    ACCEPT,
    DIRECTION,
    EXCLUSIVE,
    LEVEL,
    MULTISHOT,
    NO,
    ONE_SHOT,
    PART,
    POLL,
    PUBLISHED,
    SERIAL,
    SHARDS,
    UNCLEAR,
    YES,
    Published,
)
from .measured import Measured

PAGE = host.PROJECT / "docs" / "published.md"
KEPT = host.PROJECT / "docs" / "published.json"
ROUNDS = 9

RUNS: tuple[tuple[str, ...], ...] = (
    (ACCEPT, POLL, f"{POLL}+robust-mutex", LEVEL, EXCLUSIVE, "--load", "rest", "--workers", "3,8,64,256"),
    (ACCEPT, POLL, LEVEL, EXCLUSIVE, SHARDS, "--load", "light", "--workers", "8,64"),
    (ONE_SHOT, MULTISHOT, "--load", "light", "--workers", "1"),
    (POLL, SERIAL, LEVEL, EXCLUSIVE, SHARDS, "--load", "saturating", "--work", "0,1000,mixed", "--workers", "2,8"),
)
"""The commands that the figures come from, without `wakecheck cost` and the number of rounds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or write the page; the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["measure"]:
        began, answers = time.monotonic(), []
        for number, run in enumerate(RUNS, 1):
            print(
                f"{number} of {len(RUNS)}, {time.monotonic() - began:.0f} s: wakecheck cost {' '.join(run)}", flush=True
            )
            answer = _run(run)
            if answer is None:
                print("nothing was written: the command above failed", file=sys.stderr)
                return 3
            answers.append(answer)
        print(f"measured in {time.monotonic() - began:.0f} s; wrote {KEPT.name} and {PAGE.name} in docs/", flush=True)
        KEPT.write_text(json.dumps(extract(answers), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    elif given != ["page"]:
        print(__doc__, file=sys.stderr)
        return 2
    PAGE.write_text(page(kept()), encoding="utf-8")
    return 0


def kept() -> dict[str, Any] | None:
    """The last measurement; None if there is none yet."""
    if not KEPT.exists():
        return None
    measured: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return measured


def _run(run: tuple[str, ...]) -> dict[str, Any] | None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cost.json"
        command = [sys.executable, "-m", "probes", "cost", *run, "--rounds", str(ROUNDS), "--json", str(file)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout, file=sys.stderr)
            return None
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return document


def extract(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures that the page shows, from the answers of `wakecheck cost`."""
    measured = Measured(answers)
    kernel = answers[0]["kernel"]
    return {
        "kernel": f"Linux {kernel['release']} {kernel['machine']}, {kernel['cpus']} CPUs",
        "marks": worst_of(mark for answer in answers for mark in answer["marks"]),
        "rounds": answers[0]["rounds"],
        "here": {
            figure.title: [[words, spread.as_json()] for words, spread in figure.here(measured)] for figure in PUBLISHED
        },
    }


def worst_of(marks: Iterable[str]) -> list[str]:
    """The marks; of those that differ only in a number, the one with the highest."""
    worst: dict[str, tuple[int, str]] = {}
    for mark in marks:
        number = max(map(int, re.findall(r"\d+", mark)), default=0)
        kind = re.sub(r"\d+", "", mark)
        worst[kind] = max(worst.get(kind, (0, mark)), (number, mark))
    return [mark for _, mark in worst.values()]


def page(measured: dict[str, Any] | None) -> str:
    """docs/published.md"""
    return (
        "\n".join([*_head(measured), *(line for figure in PUBLISHED for line in _section(figure, measured))]).rstrip()
        + "\n"
    )


def _head(measured: dict[str, Any] | None) -> Iterator[str]:
    yield "# Published figures, beside this machine's"
    yield ""
    yield from _wrapped(
        "What articles, commit messages and manuals say about the cost of waiting, and what `wakecheck cost` measures "
        "on this machine.  Each of them measured another server, on another machine and kernel.  So only ratios and "
        "shares are compared: in which direction they go, and how far."
    )
    yield ""
    if measured is None:
        yield from _wrapped("Not measured yet: run `python -m tests.suite.cost.published measure` on an idle machine.")
    else:
        yield from _wrapped(
            f"Measured here: {measured['kernel']}, {measured['rounds']} rounds.  The tables show the median of the "
            "rounds, and their middle half (first to third quartile).  `python -m tests.suite.cost.published measure` "
            "measures again."
        )
        for mark in measured["marks"]:
            yield ""
            yield from _wrapped(f"**Take care: {mark}.**")
    yield ""
    yield from _wrapped(
        f"Whether the two agree: *{YES}*; *{DIRECTION}*, if the effect is the same but much smaller here; *{PART}*, if "
        f"one of two comparisons agrees; *{NO}*, if the measurement contradicts the figure; *{UNCLEAR}*, if the middle "
        "half of the rounds lies on both sides of the limit."
    )
    yield ""
    yield "| figure | agrees |"
    yield "|---|---|"
    for number, figure in enumerate(PUBLISHED, 1):
        yield f"| {number}. {figure.title} | {_agrees(figure, measured)} |"
    yield ""


def _section(figure: Published, measured: dict[str, Any] | None) -> Iterator[str]:
    yield f"## {PUBLISHED.index(figure) + 1}. {figure.title}"
    yield ""
    yield from _wrapped(f"Source: {figure.source}.")
    yield ""
    yield from _wrapped(f"Published: {figure.then}")
    yield ""
    yield "| measured here | median | middle half |"
    yield "|---|---:|---:|"
    if measured is None:
        yield "| not yet | | |"
    else:
        for words, spread in measured["here"][figure.title]:
            yield f"| {words} | {_short(spread['median'])} | {_short(spread['q1'])}–{_short(spread['q3'])} |"
    yield ""
    yield from _wrapped(f"Agrees: **{_agrees(figure, measured)}**.  {figure.why}")
    yield ""


def _agrees(figure: Published, measured: dict[str, Any] | None) -> str:
    if measured is None:
        return "?"
    return figure.agrees([RoundSpread(**spread) for _, spread in measured["here"][figure.title]])


def _short(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _wrapped(text: str) -> list[str]:
    """Prose in lines of the repository's width."""
    return textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())
