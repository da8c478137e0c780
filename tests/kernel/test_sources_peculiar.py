"""Sources with peculiarities: it matters who waits, who writes, or through what somebody waits."""

from __future__ import annotations

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import Star, over

from .every import moved

_WAKE_ALL = kernel("kernel/sched/wait.c", "__wake_up_common: every waiter that is not exclusive is woken")
_WAKE_ONE = kernel("kernel/sched/wait.c", "__wake_up_common: the walk ends with the first exclusive waiter woken")
_FORKED = man("signalfd", 2, "fork(2) semantics: a read in the child returns signals that are queued to the child")
_OWN_QUEUE = kernel("fs/signalfd.c", "signalfd_poll, signalfd_dequeue: the queue and the signals of current->sighand")

PLAIN = ("poll", "epoll_wait.edge.listener")


def _on(source: str, *strategies: str, further: str = "") -> tuple[Star, ...]:
    """Eight processes in each strategy, and the stimulus that makes the source ready once."""
    return tuple(Star(strategy, "hold", moved(source), further, spokes=(), source=source) for strategy in strategies)


@claim(
    "sources.signalfd-wakes-own-process",
    "N processes wait for one signalfd, in read, poll, or an epoll instance that each has filled itself: a signal to "
    "one of them wakes only that process.",
    level=DOCUMENTED,
    basis=[_FORKED, _OWN_QUEUE],
)
@over(*_on("signalfd", "read", *PLAIN))
def test_signalfd_wakes_own_process(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn  <- SIGUSR2      (read, poll, epoll_wait)
      \\ |   /
     signalfd
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1
    assert seen.order == (scenario.n - 1,)


@claim(
    "sources.signalfd-of-parent-tells-nobody",
    "A signal to the parent does not show in a signalfd that its children inherited: it wakes none that waits for it "
    "in read, poll or an epoll instance of its own.",
    level=DOCUMENTED,
    basis=[_FORKED, _OWN_QUEUE],
)
@over(*_on("signalfd-of-parent", "read", *PLAIN))
def test_signalfd_of_parent_tells_nobody(herd: RunTrials, scenario: Scenario) -> None:
    """
    p  <- SIGUSR2
    |
    w0 w1 ... wn      (read, poll, epoll_wait)
      \\ |   /
     signalfd
    """
    seen = herd(scenario)
    assert seen.returned == 0
    assert seen.woken == 0


@claim(
    "sources.signalfd-registered-by-parent",
    "If the parent put a signalfd into its children's epoll instances before the fork, a signal to the parent wakes "
    "all N waiters, and none returns.",
    level=OBSERVED,
    basis=[
        man("signalfd", 2, "epoll(7) semantics: only for signals sent to the process that added the descriptor"),
        kernel(
            "fs/signalfd.c", "signalfd_poll: joins the queue of the registering task, but checks the waiter's signals"
        ),
    ],
)
@over(*_on("signalfd-of-parent", "epoll_wait.edge.listener", further="registered-before-fork"))
def test_signalfd_registered_by_parent(herd: RunTrials, scenario: Scenario) -> None:
    """
    p  <- SIGUSR2     (and it filled e0 ... en)
    |
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en
      \\  |     /
       signalfd
    """
    seen = herd(scenario)
    assert seen.returned == 0
    assert seen.woken == scenario.n


@claim(
    "sources.mountinfo-wakes-all",
    "One mount wakes all N that wait for a change of /proc/self/mountinfo on one open file, in poll or private epoll "
    "instances, and at least one returns: the others may find that it has already been seen, and sleep again.",
    level=OBSERVED,
    basis=[
        kernel(
            "fs/proc_namespace.c", "mounts_poll: whoever looks records the change in the file, for all, without a lock"
        ),
        man(
            "proc_pid_mounts",
            5,
            "a change causes select, poll and epoll_wait to mark the file as having a priority event",
        ),
        _WAKE_ALL,
    ],
)
@over(*_on("mountinfo", *PLAIN))
def test_mountinfo_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (poll, epoll_wait: POLLPRI)
      \\ |   /
     mountinfo  <- mount
    """
    seen = herd(scenario)
    assert seen.returned >= 1
    assert seen.woken == scenario.n


@claim(
    "sources.pty-wakes-two",
    "One byte on a terminal wakes two of N blocked readers: the one that waits for input, which returns with it, and "
    "the first of those that wait for their turn to read, which then waits for input.",
    level=OBSERVED,
    basis=[
        kernel("drivers/tty/n_tty.c", "n_tty_read: mutex_lock_interruptible on atomic_read_lock, then add_wait_queue"),
        kernel("kernel/locking/mutex.c", "__mutex_unlock_slowpath: wakes the first that waits"),
    ],
)
@over(Star("read", "hold", "one-write", spokes=("threads",), source="pty", smallest=2))
def test_pty_wakes_two(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 | w1 ... wn      (read: one at a time)
      \\
       tty  <- "x"
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == 2


@claim(
    "sources.room-wakes-one-writer",
    "One read from a full pipe that makes room for one writer wakes exactly one of N blocked writers, which returns.",
    level=OBSERVED,
    basis=[kernel("fs/pipe.c", "pipe_write: wait_event_interruptible_exclusive on wr_wait"), _WAKE_ONE],
)
@over(Star("write", "hold", "one-read", spokes=("threads",), source="pipe"))
def test_room_wakes_one_writer(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (write)
      \\ |   /
       full pipe  -> one read
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == 1


@claim(
    "sources.ring-reads-wake-all",
    "One write to an eventfd, or one datagram to an AF_UNIX socket, wakes all N io_urings that wait with a read; one "
    "of them completes it.",
    level=OBSERVED,
    basis=[
        kernel("io_uring/poll.c", "io_arm_poll_handler: exclusive if the operation has poll_exclusive"),
        kernel("io_uring/opdef.c", "io_issue_defs: accept has it, read does not"),
        _WAKE_ALL,
    ],
)
@over(*_on("eventfd", "io_uring_read"), *_on("unix-datagram", "io_uring_read"))
def test_ring_reads_wake_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (io_uring_enter)
    r0 r1 ... rn      (read)
      \\ |   /
       fd  <- one write
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == scenario.n
