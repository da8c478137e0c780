"""A short run of the suite in a subprocess: start it, follow its output, end it, and see what is left.

Every process of a run carries a token of its own in its environment, which all its children
inherit, so that they can be found in /proc whoever their parent has become.
"""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from probes.report.run import load

ROOT = Path(__file__).resolve().parents[3]
SEED = int(os.environ.setdefault("WAKECHECK_SEED", str(random.SystemRandom().randrange(10**6))))
"""Kept in the environment, so that the workers of xdist agree on it."""

PATIENCE_S = 60.0
"""How long a step of a run may take: far longer than the whole run does on an idle machine."""

_PLAIN = {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", "PY_COLORS": "0"}
_TOKEN = "WAKECHECK_TEST_TOKEN"
_RESULT = re.compile(rb"\b(?:PASSED|FAILED|ERROR|SKIPPED|XFAIL)\b")
_TRACEBACKS = ("Traceback (most recent call last)", "INTERNALERROR")
_CONDUCTOR = "wakecheck"


def moment(*name: object) -> random.Random:
    """The random numbers of one test: the same again under the same seed."""
    print(f"seed {SEED}, moment {name}")
    return random.Random(f"{SEED} {name}")


class Member(NamedTuple):
    """One live process of a run."""

    pid: int
    parent: int
    comm: str
    command: str


class Run:
    """One `python -m pytest` in a session of its own, with its temp folder and report below `folder`.

    A context manager: on leaving, every process of the run is killed, also after a test that failed.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        prefix: Sequence[str] = (),
        python: str = sys.executable,
        checkout: Path = ROOT,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.report = folder / "report"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.temporary.chmod(0o1777)
        self._token = f"{_TOKEN}={os.urandom(8).hex()}".encode()
        self._printed = b""
        options = ("-v", f"--herd-report={self.report}", f"--basetemp={folder / 'basetemp'}")
        self.process = subprocess.Popen(
            [*prefix, python, "-m", "pytest", *arguments, *options],
            cwd=checkout,
            env={**self._environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout.fileno()
        self._pidfd = os.pidfd_open(self.process.pid)

    def _environment(self) -> dict[str, str]:
        """Ours, without what pytest and xdist tell their own children."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        name, _, value = self._token.decode().partition("=")
        return {**kept, name: value, "TMPDIR": str(self.temporary), **_PLAIN}

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill what still runs, pytest first, and let go of it."""
        self.process.kill()
        self.process.wait()
        for member in self.members():
            kill(member.pid)
        os.close(self._pidfd)
        assert self.process.stdout is not None
        self.process.stdout.close()

    # --- following it --------------------------------------------------------------------------

    @property
    def output(self) -> str:
        """What it has printed so far, stdout and stderr together."""
        return self._printed.decode(errors="replace")

    @property
    def results(self) -> int:
        """How many tests have been reported so far."""
        return len(_RESULT.findall(self._printed))

    def wait_for_results(self, count: int) -> None:
        """Return once `count` results have been printed.  AssertionError if it ended before."""
        end = time.monotonic() + PATIENCE_S
        while self.results < count:
            self._must_go_on(end, f"{count} results")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Return once `condition` holds, which nothing printed tells.  AssertionError at the deadline."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            self._must_go_on(end, what, look_again_at=time.monotonic())

    def _must_go_on(self, end: float, what: str, look_again_at: float | None = None) -> None:
        assert self._read(end if look_again_at is None else look_again_at), f"it ended before: {what}\n{self.output}"
        assert time.monotonic() < end, f"no {what} within {PATIENCE_S:.0f} s\n{self.output}"

    def go_on_for(self, seconds: float) -> None:
        """Let it run to a random moment between two results, following its output.  No end is proven by it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._read(end):
            pass

    def finish(self, patience_s: float = PATIENCE_S) -> int:
        """Its exit code, once it has ended by itself.  AssertionError if it does not."""
        end = time.monotonic() + patience_s
        while self._read(end):
            assert time.monotonic() < end, f"the run did not end within {patience_s:.0f} s\n{self.output}"
        return self.process.wait()

    def _read(self, end: float) -> bool:
        """Take in what it prints until `end` at the latest.  False once it has ended and all is read."""
        readable, _, _ = select.select([self._out, self._pidfd], [], [], max(0.0, end - time.monotonic()))
        if self._out in readable:
            part = os.read(self._out, 1 << 16)
            self._printed += part
            if part:
                return True
            return not select.select([self._pidfd], [], [], max(0.0, end - time.monotonic()))[0]
        return self._pidfd not in readable

    # --- its processes -------------------------------------------------------------------------

    def members(self) -> list[Member]:
        """Every live process of the run; a zombie has no environment any more, and is none."""
        return [member for pid in pids() if (member := self._member(pid)) is not None]

    def _member(self, pid: int) -> Member | None:
        try:
            if self._token not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                return None
            comm, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").partition("(")[2].rpartition(")")
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return None  # it ended meanwhile, or belongs to somebody whose environment is closed to us
        return Member(pid, int(rest.split()[1]), comm, command)

    def conductors(self) -> list[Member]:
        """The conductors, by their name; a waiter that has no name of its own yet has one for a parent."""
        members = self.members()
        named = {member.pid for member in members if member.comm == _CONDUCTOR}
        return [member for member in members if member.comm == _CONDUCTOR and member.parent not in named]

    def workers(self) -> list[Member]:
        """The workers of xdist: children of pytest that are fed their program over a pipe."""
        return [
            process
            for process in self.members()
            if process.parent == self.process.pid and "sys.stdin.readline" in process.command
        ]

    # --- what it said --------------------------------------------------------------------------

    def run_json(self) -> dict[str, Any]:
        """Its run.json, checked against the schema."""
        return load(self.report / "run.json")

    def header(self) -> str:
        """What it printed before it collected."""
        return self.output.partition("collecting")[0]

    def crashed_at(self) -> str:
        """The test at which a worker of xdist died, by what xdist says; one worker alone must have died."""
        tests = set(re.findall(r"crashed while running '(.+)'", self.output))
        assert len(tests) == 1, self.output
        return str(tests.pop())

    def reports_of(self, test: str) -> int:
        """How often a worker's result of this test was printed: once more if the worker then died."""
        return len(re.findall(rf"\] (?:PASSED|FAILED|SKIPPED|XFAIL) {re.escape(test)}", self.output))

    def assert_no_traceback(self) -> None:
        """Whatever happened, it was explained in words."""
        for sign in _TRACEBACKS:
            assert sign not in self.output, f"{sign} in:\n{self.output}"


def cases(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every case of every claim of a run.json."""
    for claim in run["claims"]:
        yield from claim["cases"]


def assert_held_by_evidence(run: dict[str, Any], untraced: int = 1, traced: int = 1) -> None:
    """No case is held that lacks a trial, or one of whose trials could not be judged."""
    for case in cases(run):
        if case["verdict"] != "held" or case["facts"]:
            continue
        kinds = [trial["traced"] for trial in case["trials"]]
        assert (kinds.count(False), kinds.count(True)) == (untraced, traced), f"{case['id']} is held by {kinds}"
        hidden = [trial["inconclusive"] for trial in case["trials"] if trial["inconclusive"] is not None]
        assert not hidden, f"{case['id']} is held in spite of {hidden}"


def kill(pid: int) -> bool:
    """kill -9; False where it is gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def pids() -> list[int]:
    """Of every process that is seen here."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def words(run: dict[str, Any]) -> str:
    """The verdicts of a run in one line each, for a failure text."""
    return "\n".join(json.dumps([case["id"], case["verdict"], case["reason"]]) for case in cases(run))
