"""KCIDB JSON, the format of KernelCI's common database: a test for each claim, and one for the whole run.

Written for version 5.3 of its schema (kcidb-io, kcidb_io/schema/v05_03.py), whose words for a status
are quoted here.  Nothing is sent: `kcidb-submit`, or the service that runs the tests, does that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import splats
from ..printable import lines, printable_all
from ..verdict import BROKEN, HELD, INCONCLUSIVE, MEASURED, NOT_APPLICABLE
from .figures import COLUMNS, over

Run = Mapping[str, Any]
Object = dict[str, Any]

ORIGIN = "wakecheck"
"""The origin of the report, if nobody gave the name under which KernelCI knows the submitter."""

SUITE = "wakecheck"
"""Where all paths begin."""

STATUSES = {
    BROKEN: "FAIL",  # "the test completed and reported the tested code as faulty"
    INCONCLUSIVE: "ERROR",  # "the test didn't complete [...], and the status of the tested code is unknown"
    HELD: "PASS",  # "the test completed and reported the tested code as correct"
    MEASURED: "DONE",  # "the test completed and had not reported the status", "but [...] a performance measurement"
    NOT_APPLICABLE: "SKIP",  # "the test did not run or complete, because it was not applicable"
}
NOT_RUN = "MISS"
"""'the test didn't run due to a failure in the test harness': nothing is judged when a control fails."""

_PRIORITY = ("FAIL", "ERROR", "MISS", "PASS", "DONE", "SKIP")
"""As the schema orders them, for the status of a collection."""

_LONGEST_EXCERPT = 16384


class BadName(ValueError):
    """An origin or a build's id that the schema refuses; the message is one sentence."""


def render(runs: Sequence[Run], origin: str = ORIGIN, build: str | None = None) -> str:
    """All runs as one submission.

    `build`: the id under which KernelCI knows the build that was judged.  Without it the report
    names a checkout and a build of its own, of which only release and machine are known.
    Raises BadName.
    """
    if not re.fullmatch(r"[a-z0-9_]+", origin):
        raise BadName(f"{origin!r} is not an origin: use a-z, 0-9 and _")
    if build is not None and not re.fullmatch(r"[a-z0-9_]+:.*", build):
        raise BadName(f"{build!r} is not a build id: write ORIGIN:NAME")
    submission: dict[str, Any] = {"version": {"major": 5, "minor": 3}}
    if build is None:
        # Two runs on one kernel share its build.
        builds = {own["id"]: own for own in (_build(run, origin) for run in runs)}
        submission["checkouts"] = [_checkout(own) for own in builds.values()]
        submission["builds"] = list(builds.values())
    submission["tests"] = [test for run in runs for test in _tests(run, origin, build or _build(run, origin)["id"])]
    # The schema refuses NUL, and no text there is meant to steer anything.
    return json.dumps(printable_all(submission, lines), indent=1, allow_nan=False) + "\n"


def _build(run: Run, origin: str) -> Object:
    kernel = run["kernel"]
    name = f"{kernel['release']} {kernel['version']} {kernel['machine']}"
    number = f"{origin}:{SUITE}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"
    return {
        "id": number,
        "checkout_id": number,
        "origin": origin,
        "comment": f"{kernel['release']} {kernel['version']}",
        "architecture": re.sub(r"[^a-z0-9_]", "_", kernel["machine"].lower()),
    }


def _checkout(build: Object) -> Object:
    return {"id": build["checkout_id"], "origin": build["origin"], "comment": build["comment"]}


def _tests(run: Run, origin: str, build: str) -> Iterator[Object]:
    # The whole run, so that the same one submitted twice is one, and no two share an id.
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]
    common = {"origin": origin, "build_id": build, "start_time": run["started"], "environment": _environment(run)}
    tests = [*_controls(run), *(test for claim in run["claims"] for test in _claim(claim, _control_failed(run)))]
    for test in [_suite(run, [test["status"] for test in tests]), *tests]:
        # The path at the end, as people look for it; the rest makes it unique.
        yield {"id": f"{origin}:{SUITE}-{digest}:{test['path']}", **common, **test}


def _environment(run: Run) -> Object:
    kernel = run["kernel"]
    return {
        "comment": run["label"] or kernel["release"],
        "misc": {
            **{key: kernel[key] for key in ("cpus", "emulated", "flavour")},
            "isolation": run["isolation"],
            "missing": {name: why for name, why in run["observers"].items() if why is not True},
        },
    }


def _suite(run: Run, statuses: Sequence[str]) -> Object:
    """All of it.  A run that was cut short cannot have passed."""
    known = [*statuses, *([NOT_RUN] if run["partial"] or not run["claims"] else [])]
    excerpt = "\n".join(map(splats.in_words, run["kernel"]["splats"]))
    return {
        "path": SUITE,
        "status": next(status for status in _PRIORITY if status in known),
        "comment": "partial: not every claim was judged" if run["partial"] else "all claims",
        **({"log_excerpt": _cut(excerpt)} if excerpt else {}),
        "misc": {"suite": {"version": run["suite"]["version"], "revision": run["suite"]["revision"] or "unknown"}},
    }


def _control_failed(run: Run) -> bool:
    return bool({BROKEN, INCONCLUSIVE} & set(run["controls"].values()))


def _controls(run: Run) -> Iterator[Object]:
    """A control judges the instrument, so its failure is an error, never a fault of the kernel."""
    reasons = run.get("controls_reasons", {})
    for name, verdict in run["controls"].items():
        status = "ERROR" if verdict == BROKEN else STATUSES[verdict]
        reason = reasons.get(name)
        yield {
            "path": f"{SUITE}.control.{_part(name)}",
            "status": status,
            "comment": f"control {name}",
            **({"log_excerpt": _cut(reason)} if reason else {}),
        }


def _claim(claim: Mapping[str, Any], control_failed: bool) -> Iterator[Object]:
    verdict = claim["verdict"]
    path = f"{SUITE}.{claim['id']}"
    about = {
        "comment": claim["sentence"],
        "misc": {
            "level": claim["level"],
            "verdict": verdict,
            "basis": claim["basis"],
            **({"expected": claim["expected"]} if claim.get("expected") else {}),
        },
    }
    if verdict == MEASURED:
        # A test has one number, and a measured claim is its numbers.
        for case in claim["cases"]:
            if case["verdict"] == MEASURED:
                for name, value in _numbers(case):
                    number_path = f"{path}.{_part(case['id'])}.{_part(name)}"
                    yield {**about, "path": number_path, "status": STATUSES[MEASURED], "number": value}
    excerpt = "\n".join(_excerpt(claim))
    yield {
        **about,
        "path": path,
        "status": NOT_RUN if verdict == INCONCLUSIVE and control_failed else STATUSES[verdict],
        **({"log_excerpt": _cut(excerpt)} if excerpt else {}),
    }


def _numbers(case: Mapping[str, Any]) -> Iterator[tuple[str, Object]]:
    """The highest that any trial showed, of each figure; and every fact that is a number."""
    figures = over(case["trials"])
    for column in COLUMNS:
        if figures[column].high is not None:
            yield column, {"value": figures[column].high, "unit": "waiters"}
    for fact in case["facts"]:
        if isinstance(fact["seen"], (int, float)) and not isinstance(fact["seen"], bool):
            yield fact["id"], {"value": fact["seen"]}


def _excerpt(claim: Mapping[str, Any]) -> Iterator[str]:
    """Why it is not held: the claim's reason, then each such case with how to repeat it."""
    if claim["verdict"] in (HELD, MEASURED):
        return
    if claim["reason"]:
        yield claim["reason"]
    for case in claim["cases"]:
        if case["verdict"] == claim["verdict"]:
            yield f"{case['id']}: {case['reason'] or case['verdict']}"
            if case["again"]:
                yield f"  again: {case['again']}"


def _part(name: str) -> str:
    """One part of a path: its dots would be levels."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name)


def _cut(excerpt: str) -> str:
    """The first lines of a text, as many as the schema allows."""
    return lines(excerpt)[:_LONGEST_EXCERPT]
