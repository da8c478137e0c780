"""No text from outside becomes an element, an attribute or a script of a page: a browser says what it sees there."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probes.cost import charts
from probes.report import audit_page, matrix, page
from tests.suite.unit.cost_readings import document
from tests.suite.unit.test_audit_answer import _answer
from tests.suite.unit.test_report_hostile import _spoilt

from .browser import CHROMIUM, MARK, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

ATTACKS = (
    "<script>top.MARK({0})</script>",
    "</style></title></textarea></script><script>top.MARK({0})</script>",
    "<img src=x onerror=top.MARK({0})>",
    '"><svg onload=top.MARK({0})>',
    "' onmouseover='top.MARK({0})' onfocus='top.MARK({0})' autofocus='",
    '" onclick="top.MARK({0})" style="x" b="',
    "javascript:top.MARK({0})",
    "data:text/html,<script>top.MARK({0})</script>",
    "x` onerror=top.MARK({0}) <a href=javascript:top.MARK({0})>y</a>",
    "--><iframe srcdoc='<script>parent.top.MARK({0})</script>'></iframe><!--",
    "<![CDATA[</desc><script>top.MARK({0})</script>]]>",
    "{{{{ cycler.__init__ }}}} {{% raw %}} &lt;script&gt;top.MARK({0})&lt;/script&gt; &#60;b&#62;",
    "](javascript:top.MARK({0})) **<b>{0}</b>** \u2028<base href=//x>",
)
"""Texts as they could stand in a label, a reason, a server's name; {0} is where."""
_PLAIN = "text, {0} (or so)"
_SEED, _MIXTURES = 17, 3
_KEPT = ("verdict", "kind", "call", "trigger", "id", "way", "load", "work", "dots", "word", "pin")


def _everywhere(answer: dict[str, Any], pattern: str) -> dict[str, Any]:
    """An answer with this text for every text that no list of words bounds."""
    numbers = itertools.count()

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoilt(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [spoilt(each, key) for each in value]
        if isinstance(value, str) and key not in _KEPT:
            return pattern.format(next(numbers))
        return value

    spoilt_answer: dict[str, Any] = spoilt(answer)
    return spoilt_answer


def _pages(pattern: str, *, every_kind: bool) -> Iterator[tuple[str, str]]:
    """A report and an audit full of this text; or every kind of page."""
    run = _spoilt(pattern)
    yield "report", page.render(run)
    answer = _everywhere(_answer(), pattern)
    yield "audit", audit_page.render(answer)
    if not every_kind:
        return
    other = copy.deepcopy(run)
    other["label"] = pattern.format("another")
    yield "matrix", matrix.render([run, other], [pattern.format("a.html"), pattern.format("b.html")])
    yield "audits", audit_page.render_several({"kernel": pattern.format("kernel"), "listeners": [answer, answer]})
    for name, drawing in charts.draw(_everywhere(document(), pattern)).items():
        yield name, f"<!doctype html><title>a chart</title>{drawing}"


class _Mixed(str):
    """Each time another one of the attacks, drawn at random."""

    def __new__(cls, seed: int) -> _Mixed:
        mixed = super().__new__(cls)
        mixed._dice = random.Random(seed)
        return mixed

    _dice: random.Random

    def format(self, *values: object, **_: object) -> str:
        return self._dice.choice(ATTACKS).replace("MARK", MARK).format(*values)


def test_no_text_becomes_markup(tmp_path: Path) -> None:
    """Each attack for every text of a report and of an audit; and mixtures of them in every kind of page."""
    patterns = {f"attack {number}": attack.replace("MARK", MARK) for number, attack in enumerate(ATTACKS)}
    pages = {
        (kind, name): text for name, pattern in patterns.items() for kind, text in _pages(pattern, every_kind=False)
    }
    mixtures = {f"mixture {seed}": _Mixed(seed) for seed in range(_SEED, _SEED + _MIXTURES)}
    pages |= {
        (kind, name): text for name, pattern in mixtures.items() for kind, text in _pages(pattern, every_kind=True)
    }
    plain = {(kind, "plain"): text for kind, text in _pages(_PLAIN, every_kind=True)}
    ran, found = opened({f"{kind}: {name}": text for (kind, name), text in {**plain, **pages}.items()}, tmp_path)
    assert ran == []
    assert {name: page["orders"] for name, page in found.items() if page["orders"]} == {}
    # How many there are depends on how texts are broken into lines, and on which of them are equal.
    kinds = {kind: set(found[f"{kind}: plain"]["skeleton"]) for kind, _ in plain}
    foreign = {(kind, name): set(found[f"{kind}: {name}"]["skeleton"]) - kinds[kind] for kind, name in pages}
    assert {where: elements for where, elements in foreign.items() if elements} == {}
    print(f"{len(pages)} pages of {len({kind for kind, _ in pages})} kinds")


def test_what_would_run_is_seen_to_run(tmp_path: Path) -> None:
    """The check can fail: the same texts, written to pages as they are."""
    attacks = [attack for attack in ATTACKS if attack.startswith(("<", '"><'))]
    pages = {
        f"page {number}": f'<!doctype html><p title="{attack.replace("MARK", MARK).format(number)}">{attack}</p>'
        for number, attack in enumerate(attacks)
    }
    pages["link"] = "<!doctype html><a href='javascript:top.foreign(0)'>x</a>"
    pages["plain"] = "<!doctype html><p title=x>x</p>"
    ran, found = opened(pages, tmp_path)
    assert set(ran) >= {"3"}
    assert found["link"]["orders"] == ["a href=javascript:top.foreign(0)"]
    assert all(page["skeleton"] != found["plain"]["skeleton"] for name, page in found.items() if name != "plain")
