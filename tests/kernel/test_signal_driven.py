"""Signal-driven: blocked in rt_sigtimedwait until a listener with O_ASYNC sends SIGIO."""

from __future__ import annotations

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.evidence import Trial
from probes.fixtures import Play, RunTrials
from probes.scenario import Scenario
from probes.star import Star, centre, over

_CALL = "rt_sigtimedwait"
_OWNER = man("fcntl", 2, "F_SETOWN: the process ID or process group ID that will receive SIGIO")
_GROUP = kernel("fs/fcntl.c", "send_sigio: do_each_pid_task, so every process of the owning group")
_READABLE = kernel("net/core/sock.c", "sock_def_readable: sk_wake_async, POLL_IN")
_KINDS = ("sources",)


@claim(
    "signal-driven.group-wakes-all",
    "One connection to a listener that a process group owns wakes all N of its processes, and all return, even if "
    "the first takes the connection at once.",
    level=OBSERVED,
    basis=[_OWNER, _GROUP, _READABLE],
    rows=["W1", "Q1", "Q10", "L-A3"],
)
@over(Star(_CALL, spokes=_KINDS), centre(_CALL, "accept"))
def test_group_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (rt_sigtimedwait)
      \\ |   /   SIGIO
      group           (F_SETOWN)
        |
        L
    """
    seen = herd(scenario)
    assert seen.woken == scenario.n
    assert seen.returned == scenario.n


@claim(
    "signal-driven.losers-find-nothing",
    "Of the processes that get a signal for one connection, one takes it, and all the others return and find nothing.",
    level=OBSERVED,
    basis=[
        _GROUP,
        kernel("kernel/signal.c", "do_sigtimedwait: returns the signal, and knows nothing of what it was about"),
    ],
    rows=["W1", "Q10", "L-A2"],
)
@over(centre(_CALL, "accept"))
def test_losers_find_nothing(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (rt_sigtimedwait; then accept at once)
      \\ |   /   SIGIO
        L
    """
    seen = herd(scenario)
    assert seen.won == 1
    assert seen.spurious == scenario.n - 1


def _received(trial: Trial) -> int:
    """Waiters whose call gave them a signal."""
    return sum(waiter.result is not None and waiter.result > 0 for waiter in trial.waiters)


@claim(
    "signal-driven.one-thread-receives",
    "Of N threads of one process that wait for the same signal, exactly one receives it.",
    level=DOCUMENTED,
    basis=[man("sigwaitinfo", 2, "NOTES: exactly one of the threads will actually receive the signal")],
    rows=["W1", "L-A8"],
)
@over(Star(_CALL, spokes=(), waiter="thread"))
def test_one_thread_receives(herd: RunTrials, scenario: Scenario) -> None:
    """
    t0 t1 ... tn      (rt_sigtimedwait)
      \\ |   /   one SIGIO
      process         (F_SETOWN)
        |
        L
    """
    assert herd(scenario).each("threads that received the signal", _received) == 1


@claim(
    "signal-driven.second-thread-in-vain",
    "One signal wakes two threads that wait for it, and no more: one receives it, and the other returns with EINTR.",
    level=OBSERVED,
    basis=[
        kernel("kernel/signal.c", "do_sigtimedwait: blocks the signal again before it takes it from the queue"),
        kernel("kernel/signal.c", "retarget_shared_pending: and so wakes the next thread that wants it"),
    ],
    rows=["W1", "L-A8"],
)
@over(Star(_CALL, smallest=2, spokes=(), waiter="thread"))
def test_second_thread_in_vain(herd: RunTrials, scenario: Scenario) -> None:
    """
    t0 t1 ... tn      (rt_sigtimedwait)
    |  |
    29 EINTR
    """

    def interrupted(trial: Trial) -> int:
        return sum(waiter.errno == 4 for waiter in trial.waiters)

    seen = herd(scenario)
    assert seen.woken == 2
    assert seen.returned == 2
    assert seen.each("threads that got EINTR", interrupted) == 1


@claim(
    "signal-driven.last-owner-alone",
    "If N processes make themselves the owner of one listener in turn, a connection wakes only the last of them: an "
    "open file description has one owner.",
    level=OBSERVED,
    basis=[kernel("fs/fcntl.c", "__f_setown: the owner before is forgotten"), _OWNER],
    rows=["W1", "Q1"],
)
def test_last_owner_alone(play: Play) -> None:
    """
    w0  w1  w2        (rt_sigtimedwait)
             |   SIGIO
             L        (F_SETOWN by w0, then w1, then w2)
    """
    seen = play("signals.owners", 3)
    seen.expect("woken", ["w2"])
    seen.expect("received-sigio", ["w2"])


@claim(
    "signal-driven.told-once",
    "One signal announces a connection: a process that leaves it in the queue gets no second signal, and a burst "
    "that arrives while the signal is pending is announced once.",
    level=OBSERVED,
    basis=[
        _READABLE,
        man("signal", 7, "Queueing and delivery semantics for standard signals: only one instance is queued"),
    ],
    rows=["W1", "Q5", "L-C8"],
)
def test_told_once(play: Play) -> None:
    """
    w0  (rt_sigtimedwait, take nothing, and again)
     |   SIGIO
     L  <- c0;  then c1 c2 c3 while SIGIO is pending
    """
    seen = play("signals.told_once")
    seen.expect("signals-one", 1)
    seen.expect("signals-burst", 1)
    seen.expect("queued", 4)


@claim(
    "signal-driven.wakes-own-process",
    "If each of N processes owns its own listener (SO_REUSEPORT), one connection wakes one process.",
    level=OBSERVED,
    basis=[_GROUP, kernel("net/core/sock_reuseport.c", "reuseport_select_sock: one socket of the group")],
    rows=["W1", "L-C5", "Q6"],
)
@over(centre(f"{_CALL}.nothing"), centre(f"{_CALL}.nothing", "accept"))
def test_wakes_own_process(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (rt_sigtimedwait)
    |    |        |
    L0   L1  ...  Ln      (one address, SO_REUSEPORT)
    """
    seen = herd(scenario)
    assert seen.woken == 1
    assert seen.returned == 1
