"""A ring that cannot be had leaves no descriptor open, and the reason tells a limit from a refusal."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from probes.experiments import futexes, ring_requests
from probes.experiments import rings as rings_played
from probes.experiments.other_limits import MAKERS
from probes.rings import Completion, Request, Ring
from probes.verdict import Inconclusive, NotApplicable


@pytest.mark.parametrize("failing", [0, 1], ids=["the rings", "the requests"])
@pytest.mark.parametrize(("number", "kind"), [(errno.ENOMEM, Inconclusive), (errno.EACCES, NotApplicable)])
def test_memory_that_is_not_to_be_had(
    failing: int, number: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        Ring().close()
    except NotApplicable as reason:
        pytest.skip(str(reason))
    maps, mapped = mmap.mmap, iter(range(2))

    def fails(*arguments: Any, **named: Any) -> mmap.mmap:
        if next(mapped) == failing:
            raise OSError(number, os.strerror(number))
        return maps(*arguments, **named)

    before = os.listdir("/proc/self/fd")
    with monkeypatch.context() as scarce:
        scarce.setattr(mmap, "mmap", fails)
        with pytest.raises(kind, match="io_uring: mmap: "):
            Ring()
    assert os.listdir("/proc/self/fd") == before


def test_poll_that_could_go_round_is_asked_of_no_ring_that_does_not_show_its_age() -> None:
    old = SimpleNamespace(has_reg_reg_ring=False)
    stage = SimpleNamespace(keep=lambda _: old)
    with pytest.raises(NotApplicable, match=r"IORING_FEAT_REG_REG_RING, from Linux 6\.3 on"):
        ring_requests.own_news(stage, "eventfd")  # type: ignore[arg-type]  # it is asked for no more


def test_clock_of_a_linked_timeout_starts_when_its_ring_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = SimpleNamespace(keep=lambda ring: ring)
    try:
        wait = MAKERS["io-uring-linked-timeout"](stage, 1_000_000)  # type: ignore[arg-type]  # as above
    except NotApplicable as reason:
        pytest.skip(str(reason))
    monkeypatch.delattr("probes.experiments.other_limits.Ring")
    assert wait() == -errno.ECANCELED


class _Unknowing:
    """A ring of a kernel that knows none of the requests, as gVisor's: each completes at once with EINVAL."""

    def __init__(self) -> None:
        self._completions: list[Completion] = []

    def submit(self, request: Request, fd: int, tag: int) -> None:
        self._completions.append(Completion(tag, -errno.EINVAL, False))

    def enter(self, to_submit: int, wait_for: int) -> int:
        return to_submit

    def lying(self) -> list[Completion]:
        return self._completions


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (rings_played.last_read, "a read with io_uring: EINVAL"),
        (lambda stage: ring_requests.cancelled(stage, "poll"), "an exclusive poll with io_uring: EINVAL"),
    ],
)
def test_a_request_that_the_kernel_does_not_know_is_asked_before_all_else(
    act: Callable[[Any], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a proof of delivery is, which such a kernel may not have either."""

    def fence(*, needed: bool) -> None:
        raise Inconclusive("there is no fence")

    for module in (rings_played, ring_requests):
        monkeypatch.setattr(module, "Ring", _Unknowing)
    with pytest.raises(NotApplicable, match=said):
        act(SimpleNamespace(keep=lambda ring: ring, fence=fence))


def test_wait_for_a_futex_that_fails_is_not_taken_for_a_wake_up() -> None:
    assert futexes._wait(1) == "EINVAL"  # futex(2): uaddr is not aligned on a four-byte boundary
