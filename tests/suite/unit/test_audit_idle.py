"""What moves before the audit connects: from looks at threads to rates, and which rates are refused."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Collection
from types import SimpleNamespace
from typing import cast

import pytest

from probes import syscalls
from probes.audit import idle
from probes.audit.eyes import Eyes
from probes.audit.wakers import TracedWakeUp, Wakers
from probes.audit.watch import Looks, NotIdle, ServerThreads, ThreadLook
from probes.lab.deadline import until
from probes.observers.task_files import TaskFiles

TID = 7
_HARDIRQ = 0x08


class _Watch:
    """A server of one thread, which moves so many times in each period; its time goes by when it is looked at."""

    def __init__(self, moves: int) -> None:
        self.threads = {TID: TID}
        self.now_s = 0.0
        self._moves = moves

    def rescan(self) -> bool:
        return False

    def looks(self) -> Looks:
        return {TID: ThreadLook("S", round(self._moves * self.now_s / idle.PERIOD_S))}

    look_anew = looks

    def complain_about_end(self, wait_ms: float = 0) -> None:
        self.now_s += wait_ms / 1000


class _Wakers:
    """Sees every wake-up; all are a timer's."""

    def watch(self, tids: Collection[int]) -> None: ...

    def forget(self) -> None: ...

    def pump(self) -> None: ...

    def seen(self) -> list[TracedWakeUp]:
        return [TracedWakeUp(1, 0, TID, _HARDIRQ)] * 3


def _measured(monkeypatch: pytest.MonkeyPatch, per_s: float, *, traced: bool) -> idle.Idle:
    watch = _Watch(round(per_s * idle.PERIOD_S))
    monkeypatch.setattr(idle, "time", SimpleNamespace(monotonic=lambda: watch.now_s))
    eyes = Eyes(wakers=cast("Wakers", _Wakers()) if traced else None)
    return idle.measure(cast("ServerThreads", watch), lambda: [TID], eyes, lambda _: None)


@pytest.mark.parametrize(("per_s", "traced"), [(29, False), (30, False), (31, True), (299, True), (300, True)])
def test_a_thread_that_moves_so_often_is_audited(monkeypatch: pytest.MonkeyPatch, per_s: float, traced: bool) -> None:
    measured = _measured(monkeypatch, per_s, traced=traced)
    assert measured.rates == {TID: pytest.approx(per_s, abs=1)}
    assert measured.ticking == {TID}
    assert measured.sources == ({"timers": 3} if traced else None)


@pytest.mark.parametrize(("per_s", "traced"), [(31, False), (301, True)])
def test_a_busier_one_is_refused(monkeypatch: pytest.MonkeyPatch, per_s: float, traced: bool) -> None:
    with pytest.raises(NotIdle, match=f"thread {TID} moved {per_s} times a second") as refused:
        _measured(monkeypatch, per_s, traced=traced)
    assert ("as root, the scheduler's trace tells" in str(refused.value)) == (not traced)


_WAITS_FOR_A_LINE_THEN_FOR_A_SIGNAL = "import signal, sys; sys.stdin.readline(); signal.pause()"


def test_how_a_thread_waits_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was seen to wait, and then waits for something else within the period: it may be a worker only then."""
    moments = itertools.count(step=0.1)
    # So many turns, however slow the machine is.
    monkeypatch.setattr(idle, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    read = syscalls.number("read")
    with subprocess.Popen(
        [sys.executable, "-c", _WAITS_FOR_A_LINE_THEN_FOR_A_SIGNAL], stdin=subprocess.PIPE, text=True
    ) as server:
        files = TaskFiles(server.pid, server.pid, True)
        watch = ServerThreads([server.pid])
        seen: list[str | None] = []

        def candidates() -> list[int]:
            seen.extend(wait.call for wait in watch.waits({}))
            if len(seen) == 1:
                assert server.stdin is not None
                server.stdin.write("\n")
                server.stdin.flush()
                until(lambda: files.syscall() not in (None, read), lambda: "it does not wait for a signal")
            return []

        try:
            until(lambda: files.syscall() == read, lambda: "it does not wait for the line")
            idle.measure(watch, candidates, Eyes(), lambda _: None)
        finally:
            watch.close()
            server.kill()
    assert seen[0] == "read"
    assert seen[-1] != "read"
