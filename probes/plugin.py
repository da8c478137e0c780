"""All the pytest hooks: options, collection, fixtures, verdicts, header and summary."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Generator, Iterable
from typing import Any

import pytest

from . import catalogue, chapters, failure, host, interrupt, outcome
from . import controls as controls_module
from .case import Case, Facts, claim_of
from .evidence import errno_name
from .expectations import Expectations
from .facts import OK
from .lab.session import Lab
from .lab.sweep import sweep
from .options import add_options, expectations_of, insist_on_known_claims, judging
from .report.assemble import EveryCase
from .report.places import NoPlace, Places
from .report.recorder import Recorder
from .scenario import Scenario
from .seen import Seen
from .star import PRESETS, Star, scenarios
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
_PLACES = pytest.StashKey[Places]()
_HEEDED = pytest.StashKey[Iterable[signal.Signals]]()
_CASE = pytest.StashKey[Case | None]()
_EXPECTATIONS = pytest.StashKey[Expectations | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if not __debug__:
        raise pytest.UsageError("run without -O and PYTHONOPTIMIZE: they strip the asserts that judge")
    if not config.pluginmanager.hasplugin("timeout"):
        raise pytest.UsageError(
            "pytest-timeout ends a case that hangs: run without -p no:timeout, and with it installed"
        )
    insist_on_known_claims(config)
    config.stash[_EXPECTATIONS] = expectations_of(config)
    config.stash[_HEEDED] = interrupt.heed_once(interrupt.ENDS)
    if _is_worker(config):
        return
    chosen = config.option
    places = Places(chosen.herd_report, chosen.herd_run, chosen.herd_ktap, chosen.herd_journal)
    with _usage_errors():
        places.check()
    config.stash[_PLACES] = places
    config.stash[_RECORDER] = Recorder(judging(chosen), chosen.herd_label, places.journal, config.stash[_EXPECTATIONS])


@contextlib.contextmanager
def _usage_errors() -> Generator[None, None, None]:
    try:
        yield
    except NoPlace as error:
        raise pytest.UsageError(str(error)) from None


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
    chosen = scenarios(stars, metafunc.config.option.herd_preset, metafunc.config.option.herd_sizes)
    metafunc.parametrize("scenario", list(chosen.values()), ids=list(chosen))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """--herd-claim leaves the cases of those claims alone; `-k` finds claims by a part of their id too."""
    wanted: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        claim = claim_of(item)
        if claim is not None:
            item.extra_keyword_matches.add(claim.id)
        chosen = not config.option.herd_claim or (claim is not None and claim.id in config.option.herd_claim)
        (wanted if chosen else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = wanted


def pytest_collection_finish(session: pytest.Session) -> None:
    if not _is_worker(session.config):
        _expect(session.config, sum(claim_of(item) is not None for item in session.items))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Every worker collects the same, and the controller nothing."""
    with contextlib.suppress(chapters.NoChapters):
        tests = {claim["test"] for claim in catalogue.load()}
        _expect(node.config, sum(nodeid.partition("[")[0] in tests for nodeid in ids))


def _expect(config: pytest.Config, cases: int) -> None:
    """So many cases are to be judged: where there are any, the report's folder is ours from now on."""
    if cases and not config.option.collectonly and not config.stash[_RECORDER].expected_cases:
        with _usage_errors():
            config.stash[_PLACES].occupy()
        config.stash[_RECORDER].expect(cases)


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
    if _CASE not in item.stash:
        item.stash[_CASE] = Case.of(item)
    return item.stash[_CASE]


# --- verdicts ----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that is run again (pytest-rerunfailures) begins anew."""
    item.stash[_CASE] = Case.of(item)


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
    config = item.config
    expectations = config.stash[_EXPECTATIONS]
    outcomes = config.stash.get(_CONTROLS, {})
    judged = case.judged(call.excinfo, outcomes, expectations, config.option.herd_level)
    text = judged.case["reason"]
    if judged.verdict == BROKEN and case.seen and case.seen[-1].contradictions:
        text = failure.explain(case.claim, case.seen[-1], host.in_one_line())
    outcome.set_outcome(report, item, judged, text, expectations)
    report.judged_case = judged.as_text()  # type: ignore[attr-defined]  # a string crosses xdist intact
    # On the item: junitxml reads the teardown's report, which copies them from there.
    item.user_properties += outcome.properties(judged)
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

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        judged_case = getattr(report, "judged_case", None)
        if judged_case is not None:
            # Under xdist a claim of which the catalogue does not know is the first that is heard of one.
            _expect(self._config, 1)
            self._config.stash[_RECORDER].add(judged_case)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._config.stash[_RECORDER].ended = f"stopped ({str(excinfo.value) or 'Ctrl-C'})"


def pytest_sessionstart(session: pytest.Session) -> None:
    if not _is_worker(session.config):
        session.config.pluginmanager.register(_Listener(session.config), "wakecheck-listener")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
    """End the conductor and write the report, before the terminal's summary names it; then see to the exit status."""
    config = session.config
    refused = config.option.collectonly or exitstatus == pytest.ExitCode.USAGE_ERROR
    reports = not _is_worker(config) and not refused
    if reports:
        interrupt.ignore(config.stash[_HEEDED])
        _write_report(config)
    if _LAB in config.stash:
        config.stash[_LAB].close()
    yield
    failed = reports and (config.stash[_RECORDER].fails or config.stash[_PLACES].complaint is not None)
    if failed and session.exitstatus == pytest.ExitCode.OK:
        # Whatever other plugins made of the tests' outcomes (pytest-rerunfailures, say), it is that of the report.
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _write_report(config: pytest.Config) -> None:
    recorder = config.stash[_RECORDER]
    if recorder.greeting is None and recorder.expected_cases:
        # A quiet run prints no header, and so has asked nobody yet.
        with contextlib.suppress(Inconclusive):
            recorder.greeting = _lab(config).greeting
    recorder.finish(_every_case(config))
    if recorder.run is not None:
        config.stash[_PLACES].write(recorder.run)


def _every_case(config: pytest.Config) -> EveryCase | None:
    """What a whole run with these options judges; None where nobody knows."""
    if not config.stash[_RECORDER].expected_cases:
        return None
    try:
        return catalogue.cases(config.option.herd_preset, config.option.herd_sizes)
    except Exception:  # noqa: BLE001  # a chapter that cannot be imported must not cost the report of the others
        return None


def pytest_unconfigure(config: pytest.Config) -> None:
    if _LAB in config.stash:
        config.stash[_LAB].close()
    if _PLACES in config.stash:
        config.stash[_PLACES].release()
    interrupt.heed_again(config.stash.get(_HEEDED, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from rich.console import Console

    from .report import terminal

    run, places = terminalreporter.config.stash[_RECORDER].run, terminalreporter.config.stash[_PLACES]
    if run is not None:
        terminalreporter.section("wakecheck")
        terminalreporter.flush()
        if places.complaint:
            terminalreporter.write_line(places.complaint, red=True)
        terminal.summary(run, Console(file=terminalreporter._tw._file), places.written)
        if remark := places.remark(run):
            terminalreporter.write_line(remark)
