"""What CONTRIBUTING.md shows can be added as it shows it, and what an addition may forget is asked for here."""

from __future__ import annotations

import importlib.util
import re
import socket
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from probes import axes, catalogue, claims, strategies, syscalls
from probes.axes import CALLS, CONNECTIONS, POLLING, READ, STIMULI, WaitCall
from probes.host import PROJECT
from probes.locks import LOCKS, LockKind
from probes.scenario import Scenario
from probes.star import PRESETS
from tests.kernel import every

from .model import Kernel

KILLED = ("killed-holder", "killed-holder-stuck")
_GUIDE = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _example(title: str) -> str:
    """The code below the heading `### A TITLE, for example`."""
    code = re.search(r"```python\n(.*?)```", _GUIDE.partition(f"### A {title}, for example")[2], re.S)
    assert code is not None
    return code[1]


def _parts(example: str) -> dict[str, str]:
    """The code of each file that the example names in a comment of its own line."""
    pieces = re.split(r"^# (probes/\S+\.py).*\n", example, flags=re.M)[1:]
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


@pytest.fixture
def wait_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's wait call, added to the tables."""
    parts = _parts(_example("wait call"))
    rows = {**vars(axes), "WaitCall": WaitCall}
    for name, row in eval(f"{{{parts['probes/axes.py']}}}", rows).items():
        monkeypatch.setitem(CALLS, name, row)  # type: ignore[arg-type]  # a dict, behind a Mapping
    module = ModuleType("probes.strategies.recvmsg")
    exec(compile(parts["probes/strategies/recvmsg.py"], "CONTRIBUTING.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("wait_call")
def test_wait_call_of_the_guide_reads() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.sendto(b"x", receiver.getsockname())
        scenario = Scenario.parse("recvmsg/udp4/n1/hold/one-write")
        strategy = strategies.prepare(scenario, [receiver.fileno()])
        assert strategy.waiting(0).wait() == 1
        strategy.close()


@pytest.mark.usefixtures("wait_call")
@pytest.mark.parametrize(("woken", "holds"), [(1, True), (2, False)])
def test_claim_of_the_guide_judges(monkeypatch: pytest.MonkeyPatch, woken: int, holds: bool) -> None:
    monkeypatch.setattr(claims, "CLAIMS", {})
    monkeypatch.setattr(claims, "_judges", {})
    chapter: dict[str, Any] = {"__name__": "guide"}
    exec(compile(_example("claim"), "CONTRIBUTING.md", "exec"), chapter)
    test = chapter["test_recvmsg_wakes_one"]
    cut = PRESETS["default"]
    scenarios = [scenario for star in test.stars for scenario in star.scenarios(cut.sizes, cut.sources)]
    assert {scenario.source for scenario in scenarios} == {"udp4"}
    for scenario in scenarios:
        try:
            test(lambda _: SimpleNamespace(woken=woken, returned=1), scenario)
        except AssertionError:
            assert not holds
        else:
            assert holds


def test_every_call_has_a_number() -> None:
    """A mistyped name would look like a call that this architecture lacks."""
    called = {kind.system_call or name for name, kind in CALLS.items()}
    assert [name for name in called if syscalls.number(name) is None] == []


def test_every_call_for_connections_is_among_every_strategy() -> None:
    listed = {strategy.split(".")[0] for strategy in every.EVERY}
    assert {name for name, kind in CALLS.items() if kind.needs in (CONNECTIONS, POLLING)} - listed == set()


def test_every_reader_has_a_claim() -> None:
    judged = {case.split("/")[0] for claim in catalogue.load() for case in claim["cases"]}
    assert {name for name, kind in CALLS.items() if kind.group == READ} - judged == set()


def test_stimulus_that_no_model_plays_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STIMULI, "two-at-once", STIMULI["one-connection"])  # type: ignore[arg-type]  # a dict
    with pytest.raises(NotImplementedError, match="two-at-once"):
        Kernel(0).trial(Scenario.parse("poll/tcp4/n2/hold/two-at-once"))


def test_sentence_about_killed_holders_names_every_lock() -> None:
    sentences = " ".join(catalogue.find(f"accept-locks.{name}")["sentence"] for name in KILLED)
    assert [name for name, kind in LOCKS.items() if kind.called not in sentences] == []


def test_lock_that_wakes_all_is_not_asked_to_wake_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "CLAIMS", {})
    monkeypatch.setattr(claims, "_judges", {})
    monkeypatch.setitem(LOCKS, "eventfd", LockKind("files.Token", "eventfd", herds=True))  # type: ignore[arg-type]  # a dict
    spec = importlib.util.spec_from_file_location("guide_locks", PROJECT / "tests/kernel/test_accept_locks.py")
    assert spec is not None
    assert spec.loader is not None
    chapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chapter)
    judging = {name for name, test in vars(chapter).items() if name.startswith("test_") and _tries("eventfd", test)}
    assert judging == {"test_one_in_accept", "test_last_user_again"}


def _tries(lock: str, test: Any) -> bool:
    return any(f"[{lock}]" in case for case in catalogue.parametrized(test))
