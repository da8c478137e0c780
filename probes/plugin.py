"""pytest's hooks, and nothing else.  This is the way of a case, from its test to its verdict:

tests/kernel/test_*.py     the test asks a fixture, and asserts what its claim allows
fixtures.py                herd, play or ask: runs it, and keeps what came of it in the Case
lab/session.py             sends it to the conductor, a process of its own, as one line of JSON
lab/conductor.py           does the trial; its ledger makes a Trial (evidence.py), which comes back as JSON
seen.py                    the test's comparisons, each asked of every Trial
case.py                    Case.judged: verdict and reason, from the evidence and what the test raised
judged.py                  JudgedCase: one text, which crosses from xdist's workers, and is a line of the journal
outcome.py                 makes pytest's outcome of it, and failure.py the text of a failure
report/recorder.py         takes every JudgedCase; assemble.py puts them under their claims
report/places.py           writes run.json, the page, and the other formats
"""

from __future__ import annotations

import contextlib
import functools
import gc
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from functools import cache
from types import FunctionType
from typing import Any

import pytest

from . import catalogue, host, interrupt, outcome
from .case import claim_of
from .expectations import Expectations
from .fixtures import ask, begin_case, case_of, close_lab, controls, controls_so_far, herd, lab_of, play
from .lab.sweep import sweep
from .options import add_options, expectations_of, insist_on_known_claims
from .printable import printable
from .report.places import NoPlace
from .reporting import Reporting
from .scenario import BadScenario
from .star import PRESETS, scenarios
from .verdict import BROKEN, Inconclusive, NotApplicable

__all__ = ["ask", "controls", "herd", "play"]
"""The fixtures, which pytest finds here."""

_EXPECTATIONS = pytest.StashKey[Expectations | None]()
_REFUSED = "wakecheck-refused"
"""What a worker of pytest-xdist refuses to collect, in its output (workeroutput)."""
_HEEDED = pytest.StashKey[Iterable[signal.Signals]]()
REPORTING = pytest.StashKey[Reporting]()
"""In the process that collects alone, not in a worker of pytest-xdist."""


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if not __debug__:
        raise pytest.UsageError("run without -O and PYTHONOPTIMIZE: they strip the asserts that judge")
    if not config.pluginmanager.hasplugin("timeout"):
        raise pytest.UsageError(
            "pytest-timeout ends a case that hangs: run without -p no:timeout, and with it installed"
        )
    with _usage_errors():
        insist_on_known_claims(config)
        config.stash[_EXPECTATIONS] = expectations_of(config)
    config.stash[_HEEDED] = interrupt.heed_once(interrupt.ENDS)
    if not hasattr(config, "workerinput"):
        with _usage_errors():
            config.stash[REPORTING] = Reporting(config.option, config.stash[_EXPECTATIONS])
        config.pluginmanager.register(_Listener(config.stash[REPORTING], config), "wakecheck-listener")


@contextlib.contextmanager
def _usage_errors() -> Generator[None, None, None]:
    try:
        yield
    except (NoPlace, BadScenario) as error:
        raise pytest.UsageError(str(error)) from None


# --- collection --------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Have a worker of pytest-xdist say what it refuses to collect: pytest-xdist says only that there were no tests."""
    try:
        return (yield)
    except pytest.UsageError as error:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_REFUSED] = "\n".join(map(str, error.args))
        raise


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if hasattr(metafunc.function, "stars"):
        try:
            options = metafunc.config.option
            chosen = scenarios(metafunc.function, PRESETS[options.herd_preset], options.herd_sizes)
        except BadScenario as error:
            raise pytest.Collector.CollectError(f"{metafunc.function.__name__}: {error}") from None
        metafunc.parametrize("scenario", list(chosen.values()), ids=list(chosen))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Leave the preset's cases, and with --herd-claim those of these claims; then what `-k` and others leave, of which
    --herd-one-in judges the first of every so many.

    `-k` finds claims by a part of their id too.
    """
    options = config.option
    cut = _keep(config, items, lambda item: _is_of_preset(item, options.herd_preset))
    if by_hand := [item.name for item in cut if _is_asked_for(item, config)]:
        raise pytest.UsageError(f"{by_hand[0]} is no case of the preset {options.herd_preset}: choose another one")
    for item in items:
        if (claim := claim_of(item)) is not None:
            item.extra_keyword_matches.add(claim.id)
    wanted = options.herd_claim
    _keep(config, items, lambda item: not wanted or ((claim := claim_of(item)) is not None and claim.id in wanted))
    yield
    places: Counter[str] = Counter()

    def is_next(item: pytest.Item) -> bool:
        if (claim := claim_of(item)) is None:
            return True
        places[claim.id] += 1
        return bool((places[claim.id] - 1) % options.herd_one_in == 0)

    _keep(config, items, is_next)


def _keep(
    config: pytest.Config, items: list[pytest.Item], is_wanted: Callable[[pytest.Item], bool]
) -> list[pytest.Item]:
    """Leave nothing but what is wanted in the list, have pytest count the rest as deselected, and give it."""
    wanted: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (wanted if is_wanted(item) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = wanted
    return left


def _is_asked_for(item: pytest.Item, config: pytest.Config) -> bool:
    """Whether this very case was named on the command line."""
    for argument in config.args:
        path, _, name = argument.partition("::")
        if "[" in name and name == item.nodeid.partition("::")[2]:
            return bool((config.invocation_params.dir / path).resolve() == item.path.resolve())
    return False


def _is_of_preset(item: pytest.Item, preset: str) -> bool:
    """Whether this preset has the case; scenarios were chosen where they were made."""
    test = getattr(item, "function", None)
    if claim_of(item) is None or not isinstance(test, FunctionType) or hasattr(test, "stars"):
        return True
    return item.name in _cases_of(test, preset)


@cache
def _cases_of(test: FunctionType, preset: str) -> frozenset[str]:
    return frozenset(catalogue.cases_of(test, preset))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was collected lives as long as the session."""
    _keep_from_the_garbage_collector()


@functools.cache
def _keep_from_the_garbage_collector() -> None:
    """Keep the garbage collector away from all that there is now: to visit all of it again and again takes a sixth of
    this process's time.

    Once in a process: nothing that is frozen is ever collected, and a session may run inside another one.
    """
    gc.collect()
    gc.freeze()


# --- one test ----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    begin_case(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    case = case_of(item)
    if case is not None and call.excinfo is not None:
        # `outcome` says what is to be read.  pytest's own text, with the source of each frame, takes 25 ms for nothing.
        item.repr_failure = lambda *_: ""  # type: ignore[method-assign]  # there is no hook for it
    report = yield
    if case is None:
        if call.excinfo is not None and call.excinfo.errisinstance(NotApplicable):
            outcome.skip(report, item, str(call.excinfo.value))
        return report
    failed_early = call.when == "setup" and call.excinfo is not None
    if call.when != "call" and not failed_early:
        return report
    expectations = item.config.stash[_EXPECTATIONS]
    judged = case.judged(call.excinfo, controls_so_far(item.config), expectations, item.config.option.herd_level)
    broken = judged.verdict == BROKEN
    text = case.failure_text(judged, host.in_one_line()) if broken else judged.case["reason"]
    outcome.set_outcome(report, item, judged, text, expectations)
    report.judged_case = judged.as_text()  # type: ignore[attr-defined]  # a string crosses xdist intact
    # On the item: junitxml reads the teardown's report, which copies them from there.
    item.user_properties += outcome.properties(judged)
    return report


# --- the session -------------------------------------------------------------------------------


def pytest_report_header(config: pytest.Config) -> list[str]:
    if REPORTING not in config.stash:
        return []  # nobody reads it in a worker
    swept = sweep()
    lines = [f"kernel: {host.in_one_line()}, {host.user_in_words()}"]
    if config.option.collectonly:
        return lines
    try:
        greeting = lab_of(config).greeting
    except Inconclusive as reason:
        return [*lines, printable(f"observers: unknown, {reason}")]
    config.stash[REPORTING].greet(greeting)
    why_not = greeting["why_not"]
    lines.append(f"observers: {', '.join(name for name, why in why_not.items() if why is None)}")
    lines += [f"  no {name}: {why}" for name, why in why_not.items() if why is not None]
    if greeting["why_no_syscall_file"]:
        lines.append(f"  blocked is proven without /proc/PID/syscall: {greeting['why_no_syscall_file']}")
    if greeting["why_slow"]:
        lines.append(f"  {greeting['why_slow']}")
    lines.append(f"isolation: {greeting['isolation']}; fence: {greeting['fence']}")
    lines += [f"inherited from whoever started this: {sentence}" for sentence in greeting["inherited"]]
    lines += [f"swept up after a run that was killed: {path}" for path in swept]
    return [printable(line) for line in lines]


class _Listener:
    """In the process that collects: hears what the tests of all workers say."""

    def __init__(self, reporting: Reporting, config: pytest.Config) -> None:
        self._reporting = reporting
        self._config = config

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        with _usage_errors():
            self._reporting.expect(sum(claim_of(item) is not None for item in session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        with _usage_errors():
            self._reporting.expect_nodes(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        refused = getattr(node, "workeroutput", {}).get(_REFUSED)
        if refused is not None:
            raise pytest.UsageError(refused)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        judged_case = getattr(report, "judged_case", None)
        if judged_case is not None:
            with _usage_errors():
                self._reporting.add(judged_case)

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        by = str(excinfo.value) or "Ctrl-C"
        self._reporting.stopped(by)
        # The terminal would name the line of the signal's handler, which looks like a crash.  Unless it was asked to.
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        shown = getattr(getattr(terminal, "_keyboardinterrupt_memo", None), "reprcrash", None)
        if shown is not None and type(excinfo.value) is KeyboardInterrupt and not self._config.option.fulltrace:
            shown.message = f"stopped ({by})"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
    """End the conductor and write the report, before the terminal's summary names it; then see to the exit status."""
    config = session.config
    refused = config.option.collectonly or exitstatus == pytest.ExitCode.USAGE_ERROR
    reporting = None if refused else config.stash.get(REPORTING, None)
    interrupt.ignore(config.stash[_HEEDED])
    if reporting is not None:
        reporting.write(lambda: lab_of(config).greeting)
    close_lab(config)
    yield
    if reporting is not None and reporting.fails and session.exitstatus == pytest.ExitCode.OK:
        # Whatever other plugins made of the tests' outcomes (pytest-rerunfailures, say), it is that of the report.
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    close_lab(config)
    if REPORTING in config.stash:
        config.stash[REPORTING].release()
    interrupt.heed_again(config.stash.get(_HEEDED, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.config.stash[REPORTING].show(terminalreporter)
