"""One `wakecheck kernels run` in a subprocess: follow it, end it, and see what is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from probes.report import journal
from probes.report.run import load

ROOT = Path(__file__).resolve().parents[3]
QEMU, UML, GVISOR = "6.12", "uml-7.2", "gvisor-2024-systrap"
ARM64, COMPATIBLE = "arm64-6.12", "i386-on-amd64-6.12"
FEW = ("tests/kernel/test_accept.py", "--herd-claim=accept.wakes-one", "-k=tcp4 and n8 and not n8t")
"""A handful of cases."""
INSIDE = "tests/suite/guests/inside"

PATIENCE_S = 600.0
"""Far longer than a guest takes on an idle machine, where a boot takes 3 s."""
GONE_WITHIN_S = 10.0


class Runner:
    """A context manager: on leaving, it and every process of it are killed."""

    def __init__(
        self,
        folder: Path,
        *names: str,
        pytest: Sequence[str] = (),
        prefix: Sequence[str] = (),
        program: Sequence[str] = (sys.executable, "-m", "probes"),
        cwd: Path = ROOT,
    ) -> None:
        self.out = folder / "out"
        self._token = f"WAKECHECK_KERNELS_TOKEN={os.urandom(8).hex()}"
        name, _, value = self._token.partition("=")
        self._said = (folder / "said.txt").open("w+b")
        command = [*program, "kernels", "run", *names, f"--out={self.out}", "--", *pytest]
        self.process = subprocess.Popen(
            [*prefix, *command],
            cwd=cwd,
            env={**os.environ, name: value},
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pid in self.members():
            kill(pid)
        self._said.close()

    @property
    def said(self) -> str:
        """What it printed so far."""
        return Path(self._said.name).read_text(errors="replace")

    def finish(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE_S)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Return once `condition` holds.  AssertionError where it ended before, or at the deadline."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, f"it ended before: {what}\n{self.said}"
            assert time.monotonic() < end, f"no {what} within {PATIENCE_S:.0f} s\n{self.said}"
            os.sched_yield()

    def wait_for_cases(self, name: str, count: int) -> None:
        """Until the guest of this name has judged so many cases, and their lines are whole.

        FUSE hands a line on page by page, so that its beginning may come long before its end.
        """
        path = self.out / name / "journal.jsonl"
        self.wait_until(lambda: sum(kind == journal.CASE for kind, _ in journal.read(path)) >= count, f"{count} cases")

    def members(self, word: str = "") -> list[int]:
        """Every live process of it whose command line holds `word`; they carry its token, whoever their parent is."""
        pids = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self._token.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if word in command:
                        pids.append(int(entry.name))
        return pids

    def assert_nothing_left(self, *, folders: bool = True) -> None:
        """Within ten seconds no process, and no runtime folder, of it is left."""
        end = time.monotonic() + GONE_WITHIN_S
        while left := [f"process {pid}" for pid in self.members()] + (self.folders() if folders else []):
            assert time.monotonic() < end, f"left behind: {left}\n{self.said}"
            os.sched_yield()

    def folders(self) -> list[str]:
        """Its runtime folders: sockets and initramfs."""
        base = Path(tempfile.gettempdir())
        return [str(path) for path in base.glob(f"wakecheck-guest-{self.process.pid}-*")]

    def run_json(self, name: str) -> dict[str, Any]:
        """What this guest left, checked against the schema."""
        return load(self.out / name / "run.json")

    def interrupt(self) -> None:
        """Ctrl-C, as a terminal sends it."""
        os.killpg(self.process.pid, signal.SIGINT)


def kill(pid: int) -> None:
    """kill -9, unless it is gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def verdicts(run: dict[str, Any]) -> list[str]:
    """Of every case."""
    return [case["verdict"] for claim in run["claims"] for case in claim["cases"]]
