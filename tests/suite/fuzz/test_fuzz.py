"""Whatever is fed in, it is read, or refused in one sentence; and nothing of it steers a terminal or a page."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from probes import expectation_file, printable
from probes.audit.arguments import parse_port
from probes.audit.find import BadTarget
from probes.audit.registered import parse_fdinfo
from probes.audit.waits import parse_syscall
from probes.exits import BadInput
from probes.kernels import catalogue, versions
from probes.observers import task_files
from probes.report import ktap, page
from probes.report import run as run_json
from probes.report.run import BadRun
from probes.scenario import BadScenario, Scenario

SAMPLES = Path(__file__).parents[1] / "unit" / "samples"
REFUSED = (BadInput, BadTarget, BadRun, BadScenario, expectation_file.BadExpectations)
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""C0 but the newline, C1, and what turns the direction of writing."""

fuzzed = settings(
    derandomize=True,
    deadline=None,
    max_examples=int(os.environ.get("WAKECHECK_FUZZ", "200")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NASTY = st.sampled_from(
    ["\x1b[31m", "::error::x", "</script><script>x()</script>", "\u202e", "\x9b", "a\nb", "\x00", "%s", "{0}", "'\"<&"]
)
TEXT = st.one_of(st.text(max_size=20), NASTY)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a value."""
    places = []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        places += [(value, key), *_places(child)]
    return places


def _refused(act: Callable[[], Any]) -> bool:
    """Whether it was refused, in one sentence that steers no terminal."""
    try:
        act()
    except REFUSED as refusal:
        said = printable.printable(str(refusal))
        assert said
        assert not CONTROLS.search(said)
        return True
    return False


@fuzzed
@given(st.integers(0, 10**6), VALUE)
@pytest.mark.parametrize("sample", ["run-small.json", "run-small-2.json"])
def test_run(tmp_path: Path, sample: str, place: int, value: Any) -> None:
    """One value of a run.json is another: it is refused, or the page and KTAP are made of it without foreign script."""
    run = json.loads((SAMPLES / sample).read_text())
    places = _places(run)
    container, key = places[place % len(places)]
    container[key] = value
    file = tmp_path / "run.json"
    file.write_text(json.dumps(run))
    read: dict[str, Any] = {}
    if _refused(lambda: read.update(run_json.load(file))):
        return
    assert "<script>x()" not in page.render(read)
    text = ktap.render(read)
    assert not CONTROLS.search(text)
    assert not re.search(r"^::", text, re.M)


@fuzzed
@given(st.one_of(st.binary(max_size=200), TEXT.map(str.encode)))
def test_run_of_any_bytes(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content)
    assert _refused(lambda: run_json.load(file))


@fuzzed
@given(st.one_of(st.text(max_size=200), st.lists(st.tuples(st.sampled_from(["claims", "verdict", "why", "x"]), VALUE))))
def test_expectations(tmp_path: Path, content: Any) -> None:
    if not isinstance(content, str):
        rows = "\n".join(f"{key} = {json.dumps(value)}" for key, value in content)
        content = f'kernel = "a kernel"\n[[expected]]\n{rows}\n'
    file = tmp_path / "kernel.toml"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    _refused(lambda: expectation_file.load(str(file)))


@fuzzed
@given(TEXT)
@example("../../etc/passwd")
def test_names_of_kernels_scenarios_ports(name: str) -> None:
    _refused(lambda: catalogue.find([name]))
    _refused(lambda: Scenario.parse(name))
    _refused(lambda: parse_port(name))


@fuzzed
@given(st.text(max_size=200))
def test_lists_of_packages(text: str) -> None:
    versions.candidates(text)
    versions.fields(text)


@fuzzed
@given(TEXT, st.text(alphabet="tfd: 0123456789abcdefevents\n", max_size=100))
def test_text_of_proc(text: str, likely: str) -> None:
    """What /proc says of a foreign process may be anything: it is read, or ValueError says that it is not."""
    for content in (text, likely, f"tfd: {likely}", f"{likely} 0x1 0x2"):
        for parse in (
            parse_fdinfo,
            parse_syscall,
            lambda line: task_files.parse_syscall(line.encode("utf-8", "replace")),
            lambda line: task_files.parse_schedstat(line.encode("utf-8", "replace")),
            lambda line: task_files.parse_status(line.encode("utf-8", "replace")),
        ):
            try:
                parse(content)
            except (ValueError, IndexError):
                continue


@fuzzed
@given(TEXT)
def test_what_is_printed(text: str) -> None:
    line = printable.one_line(text)
    assert not CONTROLS.search(line)
    assert "\n" not in line
    assert not line.startswith("::")
    assert not CONTROLS.search(printable.printable(text))
