"""KTAP version 1 (Documentation/dev-tools/ktap.rst): a test for each claim, a subtest for each case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import splats
from ..facts import in_words
from ..printable import one_line
from ..verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE
from . import expected
from .figures import over

_INDENT = "  "


def render(run: Mapping[str, Any]) -> str:
    """The run as KTAP.  Broken and inconclusive are `not ok`: a suite that cannot tell must not say yes.

    What an expectations file foresaw is a known failure (XFAIL); what it foresaw in vain is `not ok`.
    """
    claims = run["claims"]
    lines = ["KTAP version 1", f"1..{len(claims)}", *_about(run)]
    for number, claim in enumerate(claims, 1):
        lines += _claim(number, claim, expected.unmet_of(claim, run))
    return "".join(f"{line}\n" for line in lines)


def _about(run: Mapping[str, Any]) -> Iterator[str]:
    kernel = run["kernel"]
    yield _note(f"kernel {kernel['release']} {kernel['machine']}, {kernel['cpus']} CPUs")
    if run["partial"]:
        yield _note("partial: not every claim was judged")
    for name, there in run["observers"].items():
        if there is not True:
            yield _note(f"without {name}: {there}")
    for splat in run["kernel"]["splats"]:
        yield _note(f"the kernel complained: {splats.in_words(splat)}")
    reasons = run.get("controls_reasons", {})
    for name, verdict in run["controls"].items():
        if verdict != HELD:
            yield _note(f"control {name}: {verdict}{_because(reasons.get(name))}")


def _claim(number: int, claim: Mapping[str, Any], unmet: Sequence[str]) -> Iterator[str]:
    cases = claim["cases"]
    if cases:
        yield f"{_INDENT}KTAP version 1"
        # Not in the standard, but the kernel's own parser (kunit.py) names the group by it.
        yield f"{_INDENT}# Subtest: {_name(claim['id'])}"
        yield f"{_INDENT}1..{len(cases)}"
        for place, case in enumerate(cases, 1):
            for line in _case(place, case):
                yield _INDENT + line
    yield _note(f"{claim['sentence']} ({claim['level']})")
    if claim["verdict"] != NOT_APPLICABLE:
        yield from _why(claim)
    if claim["verdict"] in (BROKEN, INCONCLUSIVE):
        yield _note(f"basis: {'; '.join(claim['basis'])}")
    yield from map(_note, unmet)
    yield _result(number, claim, expected.reason(claim), failed=bool(unmet))


def _case(number: int, case: Mapping[str, Any]) -> Iterator[str]:
    if case["verdict"] != NOT_APPLICABLE:
        yield from _why(case)
    if case["trials"]:
        figures = over(case["trials"])
        # KTAP is read on consoles that may know ASCII only.
        yield _note(f"{figures}  untraced trials {figures.trials}".replace("\N{EN DASH}", "-"))
    for fact in case["facts"]:
        expected_too = f"expected {in_words(fact['expected'])}, " if "expected" in fact else ""
        yield _note(f"{fact['what']}: {expected_too}seen {in_words(fact['seen'])}")
    if case["verdict"] in (BROKEN, INCONCLUSIVE) and case["again"]:
        yield _note(f"again: {case['again']}")
    yield _result(number, case, case.get("expected"))


def _why(judged: Mapping[str, Any]) -> Iterator[str]:
    if judged["verdict"] != HELD:
        yield _note(f"{judged['verdict']}{_because(judged['reason'])}")


def _result(number: int, judged: Mapping[str, Any], excuse: str | None, *, failed: bool = False) -> str:
    """An expected deviation is `ok ... # XFAIL`, as tools/testing/selftests/kselftest.h prints it.

    The standard has XFAIL ("expected to fail", and TODO, whose use it discourages), and lets a parser
    that does not know a directive go by `ok` and `not ok`: so `ok`, which is what CI is meant to see.
    """
    verdict = judged["verdict"]
    directive = ""
    if verdict == NOT_APPLICABLE:
        directive = f" # SKIP {_name(judged['reason'] or 'not applicable')}"
    elif verdict in expected.DEVIATIONS and excuse is not None:
        directive = f" # XFAIL {verdict}, as expected{_name(_because(excuse))}"
    elif verdict in expected.DEVIATIONS:
        failed = True
    return f"{'not ok' if failed else 'ok'} {number} {_name(judged['id'])}{directive}"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _note(text: str) -> str:
    return f"# {one_line(text)}"


def _name(text: str) -> str:
    """`#` begins a directive, so no name may hold one."""
    return one_line(text).replace("#", "_")
