"""Futexes, from which locks are built: wake-ups, a requeue, and a wait for several futexes."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, claim, kernel, linux, man
from probes.fixtures import Play


@claim(
    "accept-locks.futex-wakes-as-many",
    "FUTEX_WAKE wakes as many waiters as it is asked to, and no more; if there are fewer, it wakes all.",
    level=DOCUMENTED,
    basis=[man("futex", 2, "FUTEX_WAKE: wakes at most val of the waiters, and returns how many that were")],
)
def test_futex_wakes_as_many(play: Play) -> None:
    """
    w0 w1 w2 w3  ->  f0      (futex)
                    wake 2, wake 1000
    """
    seen = play("futexes.woken_as_many")
    seen.expect("two", 2)
    seen.expect("after-two", 2)
    seen.expect("rest", 2)
    seen.expect("in-all", 4)


@claim(
    "accept-locks.futex-wakes-its-own",
    "FUTEX_WAKE wakes those that wait for this very futex, and none that waits for one in the next page, or elsewhere "
    "in the same huge page.",
    level=DOCUMENTED,
    basis=[
        man("futex", 2, "FUTEX_WAKE: of the waiters that are waiting on the futex word at the address uaddr"),
        linux("3.11", "13d60f4b6ab5", "futex: Take hugepages into account when generating futex_key"),
    ],
)
@pytest.mark.parametrize("huge", [False, True], ids=["pages", "huge-page"])
def test_futex_wakes_its_own(play: Play, huge: bool) -> None:
    """
    w0  ->  f0      (futex)
    w1  ->  f1  <- wake
    """
    seen = play("futexes.neighbours", huge)
    seen.expect("woken", 1)
    seen.expect("first", "blocked")
    seen.expect("second", "woken")


@claim(
    "accept-locks.requeue-wakes-as-many",
    "FUTEX_CMP_REQUEUE wakes no more waiters than asked, and moves no more than asked to the other futex, where they "
    "sleep until that one is woken; the rest stay.",
    level=DOCUMENTED,
    basis=[man("futex", 2, "FUTEX_CMP_REQUEUE: wakes val, requeues val2, and returns how many that were")],
)
def test_requeue_wakes_as_many(play: Play) -> None:
    """
    w0 w1 w2 w3  ->  f0      (futex)
                 requeue 1, 2 to f1
    """
    seen = play("futexes.requeued")
    seen.expect("affected", 3)
    seen.expect("after-requeue", 1)
    seen.expect("after-second", 3)
    seen.expect("in-all", 4)


@claim(
    "accept-locks.waitv-tells-which",
    "futex_waitv, which waits for several futexes at once, returns the index of the one that was woken.",
    level=DOCUMENTED,
    basis=[kernel("Documentation/userspace-api/futex2.rst", "a futex of the list was woken: the call gives its index")],
)
def test_waitv_tells_which(play: Play) -> None:
    """
    w0  ->  f0, f1, f2      (futex_waitv)
                ^ wake
    """
    seen = play("futexes.told_which")
    seen.expect("woken", 1)
    seen.expect("told", 1)
