"""All the pytest hooks: options, collection, fixtures, verdicts, header and summary."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from . import controls as controls_module
from . import failure, host, interrupt, outcome
from .case import Case, Facts, entry, judge
from .claims import Claim
from .evidence import errno_name
from .expectations import Expectations
from .facts import OK
from .lab.session import Lab
from .lab.sweep import sweep
from .options import add_options, expectations_of, insist_on_known_claims, judging
from .outcome import Judged
from .report.files import why_not_writable
from .report.recorder import Recorder
from .scenario import Scenario
from .seen import Seen
from .star import PRESETS, Star
from .verdict import BROKEN, Inconclusive, NotApplicable

Herd = Callable[[Scenario], Seen]
"""The `herd` fixture: run the trials of a scenario, and get what they showed."""
Ask = Callable[[str, str, str, Callable[[], Any]], None]
"""The `ask` fixture: a fact's id and sentence, the answer that the claim allows, and the call that asks."""
Play = Callable[..., Facts]
"""The `play` fixture: an experiment's name, and an argument for it; the facts that it noted."""

_LAB = pytest.StashKey[Lab]()
_CONTROLS = pytest.StashKey[dict[str, controls_module.Outcome]]()
_CONTROLLED = pytest.StashKey[int]()
"""Which conductor they were the controls of."""
_RECORDER = pytest.StashKey[Recorder]()
_CASE = pytest.StashKey[Case]()
_CUT = pytest.StashKey[set[str]]()
"""The claims of which cases were left out by the user's choice."""
_EXPECTATIONS = pytest.StashKey[Expectations | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if not __debug__:
        raise pytest.UsageError("run without -O and PYTHONOPTIMIZE: they strip the asserts that judge")
    insist_on_known_claims(config)
    config.stash[_EXPECTATIONS] = expectations_of(config)
    interrupt.heed_once()
    if _is_worker(config):
        return
    report = Path(config.option.herd_report)
    run = Path(config.option.herd_run or report / "run.json")
    ktap = Path(config.option.herd_ktap) if config.option.herd_ktap else None
    journal = Path(config.option.herd_journal) if config.option.herd_journal else None
    for path in (report / "index.html", run, *filter(None, (ktap, journal))):
        if problem := why_not_writable(path):
            raise pytest.UsageError(f"{problem}: choose another place with --herd-report or --herd-run")
    options, expectations = judging(config.option), config.stash[_EXPECTATIONS]
    config.stash[_RECORDER] = Recorder(options, config.option.herd_label, report, run, ktap, journal, expectations)


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """--herd-claim leaves the cases of those claims alone; `-k` finds claims by a part of their id too."""
    wanted: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        claim = _claim(item)
        if claim is not None:
            item.extra_keyword_matches.add(claim.id)
        chosen = not config.option.herd_claim or (claim is not None and claim.id in config.option.herd_claim)
        (wanted if chosen else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = wanted


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """A run that left out a claim's case is partial; who was deselected as a test of the suite does not count."""
    for item in items:
        claim = _claim(item)
        if claim is not None:
            item.config.stash.setdefault(_CUT, set()).add(claim.id)


def pytest_collection_finish(session: pytest.Session) -> None:
    if not _is_worker(session.config):
        session.config.stash[_RECORDER].expect(sum(_claim(item) is not None for item in session.items))


def _claim(item: pytest.Item) -> Claim | None:
    """The claim that this test judges, if any."""
    return getattr(getattr(item, "function", None), "claim", None)


# --- fixtures ----------------------------------------------------------------------------------


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
    """Ask the kernel directly: `ask("id", "what is asked", "EINVAL", lambda: ...)` where no waiter is needed.

    The answer is the name of the errno, or `ok`.
    """
    case = _case(request.node)

    def put(id: str, what: str, expected: str, call: Callable[[], Any]) -> None:
        answer = OK
        try:
            call()
        except OSError as error:
            answer = errno_name(-(error.errno or 0)) or str(error)
        Facts({id: {"what": what, "seen": answer}}, case).expect(id, expected)

    return put


@pytest.fixture
def play(request: pytest.FixtureRequest) -> Play:
    """Play an experiment on a stage of its own: `play("subject.function").expect("id", allowed)`."""
    case = _case(request.node)
    lab = _lab(request.config)
    untrusted = controls_module.why_failed(_controls(request.config))

    def on_stage(experiment: str, argument: Any = None) -> Facts:
        if untrusted:
            raise Inconclusive(untrusted)
        return Facts(lab.play(experiment, argument), case)

    return on_stage


@pytest.fixture
def controls(request: pytest.FixtureRequest) -> dict[str, controls_module.Outcome]:
    """How this session's controls went."""
    return _controls(request.config)


def _lab(config: pytest.Config) -> Lab:
    if _LAB not in config.stash:
        config.stash[_LAB] = Lab(config.option.herd_without)
    return config.stash[_LAB]


def _controls(config: pytest.Config) -> dict[str, controls_module.Outcome]:
    """How the controls of the conductor went that is there now: one that replaces another runs its own."""
    lab = _lab(config)
    generation = lab.generation
    if _CONTROLS not in config.stash or config.stash[_CONTROLLED] != generation:
        config.stash[_CONTROLS] = controls_module.run_controls(lab)
        config.stash[_CONTROLLED] = generation
    return config.stash[_CONTROLS]


def _case(item: pytest.Item) -> Case | None:
    claim = _claim(item)
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
            outcome.skip(report, item, str(call.excinfo.value))
        return report
    failed_early = call.when == "setup" and call.excinfo is not None
    if call.when != "call" and not failed_early:
        return report
    verdict, reason = judge(case, call.excinfo)
    text = reason
    if verdict == BROKEN and case.seen and case.seen[-1].contradictions:
        text = failure.explain(case.claim, case.seen[-1], host.in_one_line())
    outcomes = item.config.stash.get(_CONTROLS, {})
    cut = item.config.stash.get(_CUT, set())
    told = {**entry(item, case, verdict, reason, outcomes), "selected": bool(cut), "cut": case.claim.id in cut}
    expected = item.config.stash[_EXPECTATIONS]
    if expected is not None and not controls_module.why_failed(outcomes):
        told["case"]["expected"] = expected.excuse(case.claim.id, told["case"]["id"], verdict)
    outcome.set_outcome(report, item, Judged(case.claim, verdict, text, expected, told["case"].get("expected")))
    report.wakecheck = json.dumps(told)  # type: ignore[attr-defined]  # a string crosses xdist intact
    # On the item: junitxml reads the teardown's report, which copies them from there.
    item.user_properties += outcome.properties(case, verdict, reason, told["case"].get("expected"))
    return report


# --- the session -------------------------------------------------------------------------------


def pytest_report_header(config: pytest.Config) -> list[str]:
    if _is_worker(config):
        return []  # nobody reads it there, and the report is the controller's
    swept = sweep()
    lines = [f"kernel: {host.in_one_line()}, {host.user_in_words()}"]
    if config.option.collectonly:
        return lines
    try:
        greeting = _lab(config).greeting
    except Inconclusive as reason:
        return [*lines, f"observers: unknown, {reason}"]
    config.stash[_RECORDER].greeting = greeting
    why_not = greeting["why_not"]
    lines.append(f"observers: {', '.join(name for name, why in why_not.items() if why is None)}")
    lines += [f"  no {name}: {why}" for name, why in why_not.items() if why is not None]
    if greeting["why_no_syscall_file"]:
        lines.append(f"  blocked is proven without /proc/PID/syscall: {greeting['why_no_syscall_file']}")
    lines.append(f"isolation: {greeting['isolation']}; fence: {greeting['fence']}")
    lines += [f"swept up after a run that was killed: {path}" for path in swept]
    return lines


class _Listener:
    """Collects the reports, also those that xdist's workers send."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        entry = getattr(report, "wakecheck", None)
        if entry is not None:
            found = json.loads(entry)
            self._recorder.add(found)
        elif report.failed and report.when not in ("setup", "call", "teardown"):
            self._recorder.crashed = True  # xdist's word for a test whose worker died: nobody judged it


def pytest_sessionstart(session: pytest.Session) -> None:
    if not _is_worker(session.config):
        session.config.pluginmanager.register(_Listener(session.config.stash[_RECORDER]), "wakecheck-listener")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the conductor and write the report, before the terminal's summary names it."""
    config = session.config
    if not _is_worker(config) and not config.option.collectonly and config.stash[_RECORDER].greeting is None:
        # A quiet run prints no header, and so has asked nobody yet.
        with contextlib.suppress(Inconclusive):
            config.stash[_RECORDER].greeting = _lab(config).greeting
    if _LAB in config.stash:
        config.stash[_LAB].close()
    if not _is_worker(config) and not config.option.collectonly:
        stopped = (
            bool(session.shouldstop or session.shouldfail) or exitstatus in (2, 3) or config.stash[_RECORDER].crashed
        )
        config.stash[_RECORDER].finish(partial=stopped)
        if config.stash[_RECORDER].complaint or config.stash[_RECORDER].unmet:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    if _LAB in config.stash:
        config.stash[_LAB].close()
    interrupt.heed_again()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from rich.console import Console

    from .report import terminal

    recorder = terminalreporter.config.stash[_RECORDER]
    if recorder.run is not None:
        terminalreporter.section("wakecheck")
        terminalreporter.flush()
        if recorder.complaint:
            terminalreporter.write_line(recorder.complaint, red=True)
        terminal.summary(recorder.run, Console(file=terminalreporter._tw._file), recorder.written.values())
