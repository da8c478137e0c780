"""All the pytest hooks: options, collection, fixtures, verdicts, header and summary."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import controls as controls_module
from . import failure, host
from .claims import DOCUMENTED, FAILING_LEVELS, MEASURED, OBSERVED, Claim
from .lab.session import Lab
from .lab.sweep import sweep
from .observers import NAMES
from .report.recorder import Recorder
from .scenario import BadScenario, Scenario
from .seen import Seen
from .star import PRESETS, Star
from .verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE, Inconclusive, NotApplicable
from .verdict import MEASURED as MEASURED_VERDICT

Herd = Callable[[Scenario], Seen]
"""The `herd` fixture: run the trials of a scenario, and get what they showed."""
Ask = Callable[[str, str, Callable[[], Any]], None]
"""The `ask` fixture: what is asked, the answer that the claim allows, and the call that asks."""

_LAB = pytest.StashKey[Lab]()
_CONTROLS = pytest.StashKey[dict[str, controls_module.Outcome]]()
_RECORDER = pytest.StashKey[Recorder]()
_CASE = pytest.StashKey["Case"]()


# --- options -----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("wakecheck", "wakecheck: which waiters does this kernel wake?")
    presets = "; ".join(f"{name}: {preset.sentence}" for name, preset in PRESETS.items())
    group.addoption("--herd-preset", choices=PRESETS, default="default", help=f"how far to vary each axis ({presets})")
    group.addoption("--herd-trials", type=_count("trials", 1000), help="untraced trials per case; one traced is added")
    group.addoption("--herd-sizes", type=_sizes, help="numbers of waiters, for example 2,8,200")
    group.addoption(
        "--herd-without",
        action="append",
        default=[],
        choices=NAMES,
        metavar="OBSERVER",
        help=f"do without an observer, as where it is denied; may be given again ({', '.join(NAMES)})",
    )
    group.addoption(
        "--herd-level",
        choices=FAILING_LEVELS,
        default=FAILING_LEVELS[-1],
        help="the last level whose broken claims fail the run (documented < observed < lore); "
        "documented is for kernels that are not mainline",
    )
    group.addoption("--herd-report", metavar="DIR", default="report", help="where the report goes (default: report)")
    group.addoption("--herd-run", metavar="FILE", help="where run.json goes (default: run.json in the report folder)")
    group.addoption("--herd-ktap", metavar="FILE", help="also write KTAP, the kernel's test format")
    group.addoption("--herd-label", metavar="NAME", default="", help="what to call this kernel in the report")


def _count(what: str, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise pytest.UsageError(f"{text!r} is no number of {what}") from None
        if not 1 <= value <= most:
            raise pytest.UsageError(f"{value} {what}: there can be 1 to {most}")
        return value

    return parse


def _sizes(text: str) -> tuple[int, ...]:
    sizes = []
    for part in text.split(","):
        try:
            sizes.append(Scenario("poll", n=int(part)).n)
        except BadScenario as error:
            raise pytest.UsageError(f"--herd-sizes: {error}") from None
        except ValueError:
            raise pytest.UsageError(f"--herd-sizes: {part!r} is no number of waiters") from None
    return tuple(dict.fromkeys(sizes))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "instrument: a test of the suite itself, not of the kernel")
    if _is_worker(config):
        return
    report = Path(config.option.herd_report)
    run = Path(config.option.herd_run or report / "run.json")
    ktap = Path(config.option.herd_ktap) if config.option.herd_ktap else None
    for path in (report / "index.html", run, *([ktap] if ktap else [])):
        _must_be_writable(path)
    recorder = Recorder(_options(config), config.option.herd_label, report, run, ktap)
    config.stash[_RECORDER] = recorder


def _must_be_writable(path: Path) -> None:
    """Say so before the run and not after it, where a report could not be written."""
    existing = path.parent
    while not existing.exists():
        existing = existing.parent
    if path.is_dir():
        raise pytest.UsageError(f"{path} is a folder; the report needs a file there")
    if not existing.is_dir() or not os.access(existing, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise pytest.UsageError(f"{path} cannot be written: choose another place with --herd-report or --herd-run")


def _options(config: pytest.Config) -> dict[str, Any]:
    return {
        name: value
        for name, value in sorted(vars(config.option).items())
        if name.startswith("herd_") and name not in ("herd_report", "herd_run", "herd_ktap", "herd_label")
    }


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


# --- collection --------------------------------------------------------------------------------


def over(*stars: Star) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Try a claim on every scenario of these stars: the test gets them one by one as `scenario`."""

    def mark(test: Callable[..., Any]) -> Callable[..., Any]:
        test.stars = stars  # type: ignore[attr-defined]  # read again in pytest_generate_tests
        return test

    return mark


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stars: tuple[Star, ...] | None = getattr(metafunc.function, "stars", None)
    if stars is None:
        return
    preset = PRESETS[metafunc.config.option.herd_preset]
    sizes = metafunc.config.option.herd_sizes or preset.sizes
    scenarios = {s.id: s for one in stars for s in one.scenarios(sizes, preset.listeners)}
    metafunc.parametrize("scenario", list(scenarios.values()), ids=list(scenarios))


def pytest_itemcollected(item: pytest.Item) -> None:
    """A claim's id selects its cases: `-k accept.wakes-one`."""
    claim: Claim | None = getattr(getattr(item, "function", None), "claim", None)
    if claim is not None:
        item.extra_keyword_matches.add(claim.id)


# --- fixtures ----------------------------------------------------------------------------------


class Case:
    """One test under one claim: its trials, its facts, and how it ended."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.seen: list[Seen] = []
        self.facts: list[dict[str, str]] = []


@pytest.fixture
def herd(request: pytest.FixtureRequest) -> Herd:
    """Run the trials of a scenario, untraced and traced, and give what they showed."""
    config = request.config
    case = _case(request.node)
    lab = _lab(config)
    untrusted = controls_module.why_failed(_controls(config))
    untraced = config.option.herd_trials or PRESETS[config.option.herd_preset].untraced

    def run(scenario: Scenario) -> Seen:
        if untrusted:
            raise Inconclusive(untrusted)
        why_not = lab.greeting["why_not"]
        trials = [lab.run(scenario, traced=False) for _ in range(untraced)]
        if why_not["syscall_exit"] is None:
            trials.append(lab.run(scenario, traced=True))
        seen = Seen(scenario, trials, why_not)
        if case is not None:
            case.seen.append(seen)
        return seen

    return run


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask the kernel directly: `ask("what", "EINVAL", lambda: ...)` where no waiter is needed.

    The answer is the name of the errno, or what the call returned, as text.
    """
    case = _case(request.node)

    def put(what: str, expected: str, call: Callable[[], Any]) -> None:
        from .evidence import errno_name

        try:
            got = str(call())
        except OSError as error:
            got = errno_name(-(error.errno or 0)) or str(error)
        if case is not None:
            case.facts.append({"what": what, "expected": expected, "seen": got})
        assert got == expected, f"{what}: {got}; the claim allows {expected}"

    return put


@pytest.fixture
def controls(request: pytest.FixtureRequest) -> dict[str, controls_module.Outcome]:
    """How this session's controls went."""
    return _controls(request.config)


def _lab(config: pytest.Config) -> Lab:
    if _LAB not in config.stash:
        config.stash[_LAB] = Lab(config.option.herd_without)
    return config.stash[_LAB]


def _controls(config: pytest.Config) -> dict[str, controls_module.Outcome]:
    if _CONTROLS not in config.stash:
        config.stash[_CONTROLS] = controls_module.run_controls(_lab(config))
    return config.stash[_CONTROLS]


def _case(item: pytest.Item) -> Case | None:
    claim: Claim | None = getattr(getattr(item, "function", None), "claim", None)
    if claim is None:
        return None
    if _CASE not in item.stash:
        item.stash[_CASE] = Case(claim)
    return item.stash[_CASE]


# --- verdicts ----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    case = _case(item)
    if case is None:
        if call.excinfo is not None and call.excinfo.errisinstance(NotApplicable):
            _skip(report, item, str(call.excinfo.value))
        return report
    failed_early = call.when == "setup" and call.excinfo is not None
    if call.when != "call" and not failed_early:
        return report
    verdict, reason = _judge(case, call.excinfo)
    text = reason
    if verdict == BROKEN and case.seen and case.seen[-1].contradictions:
        text = failure.explain(case.claim, case.seen[-1], host.in_one_line())
    _set_outcome(report, item, case, verdict, text)
    entry = _entry(item, case, verdict, reason)
    report.wakecheck = json.dumps(entry)  # type: ignore[attr-defined]  # a string crosses xdist intact
    report.user_properties += [
        ("wakecheck.claim", case.claim.id),
        ("wakecheck.level", case.claim.level),
        ("wakecheck.verdict", verdict),
        *([("wakecheck.reason", reason)] if reason else []),
        *((f"wakecheck.{name}", json.dumps(values)) for name, values in _numbers(case).items()),
    ]
    return report


def _judge(case: Case, excinfo: pytest.ExceptionInfo[BaseException] | None) -> tuple[str, str | None]:
    """The verdict of one case, and the reason in one line."""
    if excinfo is None:
        hidden = next((seen.inconclusive for seen in case.seen if seen.inconclusive), None)
        if hidden is not None:
            return INCONCLUSIVE, hidden
        if not case.seen and not case.facts:
            return INCONCLUSIVE, "the test looked at nothing"
        return (MEASURED_VERDICT if case.claim.level == MEASURED else HELD), None
    if excinfo.errisinstance(NotApplicable):
        return NOT_APPLICABLE, str(excinfo.value)
    if excinfo.errisinstance(Inconclusive):
        return INCONCLUSIVE, str(excinfo.value)
    if excinfo.errisinstance(AssertionError):
        found = case.seen[-1].contradictions if case.seen else []
        if not found:
            return BROKEN, str(excinfo.value).splitlines()[0]
        first = failure.sentence(found[0], case.seen[-1].scenario.n)
        if _only_traced(case.seen[-1]):
            return INCONCLUSIVE, f"only the traced trial shows it, so the tracer may have caused it: {first}"
        return BROKEN, first
    if excinfo.errisinstance(pytest.skip.Exception):
        return NOT_APPLICABLE, str(excinfo.value)
    return INCONCLUSIVE, f"{excinfo.typename}: {str(excinfo.value).splitlines()[0] if str(excinfo.value) else ''}"


def _only_traced(seen: Seen) -> bool:
    """Whether untraced trials were run, and none of them broke the claim.  Asked under hold alone:
    elsewhere what returns is a race, and differs by itself."""
    return (
        seen.scenario.reaction == "hold"
        and all(found.trial.traced for found in seen.contradictions)
        and any(not trial.traced and trial.inconclusive is None for trial in seen.trials)
    )


def _set_outcome(report: pytest.TestReport, item: pytest.Item, case: Case, verdict: str, text: str | None) -> None:
    """Make pytest's outcome that of the verdict: broken and inconclusive fail, not applicable skips."""
    if verdict in (HELD, MEASURED_VERDICT):
        report.outcome = "passed"
    elif verdict == NOT_APPLICABLE:
        _skip(report, item, text or verdict)
    elif verdict == BROKEN and not _fails(case.claim, item.config.option.herd_level):
        report.outcome = "skipped"
        report.wasxfail = f"broken, but {case.claim.level} claims do not fail this run"  # type: ignore[attr-defined]
    else:
        report.outcome = "failed"
        report.longrepr = f"{verdict}: {text}" if verdict == INCONCLUSIVE else text


def _fails(claim: Claim, last_level: str) -> bool:
    level = OBSERVED if claim.level == MEASURED else claim.level
    return FAILING_LEVELS.index(level) <= FAILING_LEVELS.index(last_level) or claim.level == DOCUMENTED


def _skip(report: pytest.TestReport, item: pytest.Item, reason: str) -> None:
    report.outcome = "skipped"
    path, line, _ = item.location
    report.longrepr = (str(path), (line or 0) + 1, f"Skipped: not applicable: {reason}")


def _numbers(case: Case) -> dict[str, list[int | None]]:
    if not case.seen:
        return {}
    trials = case.seen[-1].trials
    return {name: [getattr(one, name) for one in trials] for name in ("woken", "returned", "won", "spurious")}


def _entry(item: pytest.Item, case: Case, verdict: str, reason: str | None) -> dict[str, Any]:
    """Everything that run.json will say about this case, as JSON can carry it."""
    claim = case.claim
    scenario = case.seen[0].scenario if case.seen else None
    if scenario is None:
        callspec = getattr(item, "callspec", None)
        scenario = callspec.params.get("scenario") if callspec else None
    outcomes = _controls(item.config) if _CONTROLS in item.config.stash else {}
    return {
        "claim": {
            "id": claim.id,
            "chapter": claim.chapter,
            "sentence": claim.sentence,
            "level": claim.level,
            "truth": claim.truth,
            "basis": [str(one) for one in claim.basis],
            "rows": list(claim.rows),
            "drawing": claim.drawing,
        },
        "case": {
            "id": scenario.id if scenario else item.name,
            "verdict": verdict,
            "reason": reason,
            "scenario": scenario.as_dict() if scenario else None,
            "trials": [trial.as_dict() for seen in case.seen for trial in seen.trials],
            "facts": case.facts,
            "again": failure.again(scenario.id) if scenario else f"python -m pytest {shlex.quote(item.nodeid)}",
        },
        "controls": {name: [one.verdict, one.reason] for name, one in outcomes.items()},
    }


# --- the session -------------------------------------------------------------------------------


def pytest_report_header(config: pytest.Config) -> list[str]:
    swept = sweep()
    lines = [f"kernel: {host.in_one_line()}, {host.user_in_words()}"]
    if config.option.collectonly:
        return lines
    greeting = _lab(config).greeting
    _recorder(config).greeting = greeting
    why_not = greeting["why_not"]
    lines.append(f"observers: {', '.join(name for name, why in why_not.items() if why is None)}")
    lines += [f"  no {name}: {why}" for name, why in why_not.items() if why is not None]
    if greeting["why_no_syscall_file"]:
        lines.append(f"  blocked is proven without /proc/PID/syscall: {greeting['why_no_syscall_file']}")
    lines.append(f"isolation: {greeting['isolation']}; fence: {greeting['fence']}")
    lines += [f"swept up after a run that was killed: {path}" for path in swept]
    return lines


def _recorder(config: pytest.Config) -> Recorder:
    return config.stash[_RECORDER]


def pytest_collection_finish(session: pytest.Session) -> None:
    if not _is_worker(session.config):
        _recorder(session.config).expected = len(session.items)


class _Listener:
    """Collects the reports, also those that xdist's workers send."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        entry = getattr(report, "wakecheck", None)
        if entry is not None:
            self._recorder.add(json.loads(entry))


def pytest_sessionstart(session: pytest.Session) -> None:
    if not _is_worker(session.config):
        session.config.pluginmanager.register(_Listener(_recorder(session.config)), "wakecheck-listener")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    try:
        return (yield)
    finally:
        config = session.config
        if _LAB in config.stash:
            config.stash[_LAB].close()
        if not _is_worker(config) and not config.option.collectonly:
            stopped = bool(session.shouldstop or session.shouldfail) or exitstatus in (2, 3)
            _recorder(config).finish(partial=stopped)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _LAB in config.stash:
        config.stash[_LAB].close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from rich.console import Console

    try:
        from .report import terminal
    except ImportError: return
    recorder = _recorder(terminalreporter.config)
    if recorder.run is not None:
        terminalreporter.section("wakecheck")
        terminalreporter.flush()
        terminal.summary(recorder.run, Console(file=terminalreporter._tw._file), recorder.written)
