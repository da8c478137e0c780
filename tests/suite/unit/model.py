"""A model of a kernel, as far as this suite can see it: whom it wakes, and who gets what.

`Kernel` decides as mainline does; each broken kernel in `broken.py` takes one decision otherwise.
`Run` (played.py) plays one trial on such a kernel, in a random (seeded) order of execution, and fills in
the evidence as `probes/lab/ledger.py` does.
"""

from __future__ import annotations

import random

from probes.evidence import Trial
from probes.scenario import Scenario

EINTR, EAGAIN, SIGIO = 4, 11, 29
LEVEL = ("level", "exclusive")
"""Triggers whose item is put back on the ready list when it was delivered."""
QUEUE, LIMBO, NOWHERE = "queue", "limbo", "nowhere"
"""Where a new connection goes: the accept queue; counted there, but never handed out; lost."""


class Kernel:
    """A healthy kernel: every method is one decision.  `asleep` is in the order of blocking."""

    def __init__(self, seed: int = 0) -> None:
        self.chance = random.Random(seed)

    def begin(self, scenario: Scenario) -> None:
        """A new trial: forget what belonged to the last one."""

    def accept_wakes(self, asleep: list[int]) -> list[int]:
        """inet_csk_wait_for_connect: exclusive, new ones to the tail."""
        return asleep[:1]

    def vsock_accept_wakes(self, asleep: list[int]) -> list[int]:
        """vsock_accept: not exclusive."""
        return asleep

    def ring_accept_wakes(self, asleep: list[int]) -> list[int]:
        """io_arm_poll_handler: exclusive, and armed anew at the tail."""
        return asleep[:1]

    def multishot_completes(self, asleep: list[int], busy: list[int]) -> list[int]:
        """The same, but a multishot request keeps its place, whether its waiter sleeps or is busy."""
        return [min(asleep + busy)]

    def ring_poll_wakes(self, asleep: list[int]) -> list[int]:
        """__io_queue_proc: not exclusive."""
        return asleep

    def ring_exclusive_wakes(self, asleep: list[int]) -> list[int]:
        """__io_queue_proc: exclusive with EPOLLEXCLUSIVE, and armed anew at the tail."""
        return asleep[:1]

    def ring_threads_wake(self, asleep: list[int]) -> list[int]:
        """__io_cqring_wake: every thread that waits on the ring."""
        return asleep

    def group_signalled(self, members: list[int]) -> list[int]:
        """send_sigio: every process of the group that owns the listener."""
        return members

    def threads_signalled(self, asleep: list[int]) -> list[int]:
        """complete_signal: one thread; and retarget_shared_pending: a second one, for nothing."""
        return asleep[:2]

    def threads_receiving(self, woken: list[int]) -> list[int]:
        """do_sigtimedwait: which of them get the signal; the others get EINTR."""
        return woken[:1]

    def pipe_wakes(self, asleep: list[int]) -> list[int]:
        """pipe_read: exclusive, new ones to the tail."""
        return asleep[:1]

    def datagram_wakes(self, asleep: list[int]) -> list[int]:
        """__skb_wait_for_more_packets: the same."""
        return asleep[:1]

    def eventfd_wakes(self, asleep: list[int]) -> list[int]:
        """eventfd_read: not exclusive."""
        return asleep

    def stream_wakes(self, asleep: list[int]) -> list[int]:
        """sk_wait_data, unix_stream_data_wait: not exclusive."""
        return asleep

    def event_wakes(self, asleep: list[int]) -> list[int]:
        """timerfd_read, inotify_read: not exclusive."""
        return asleep

    def pty_wakes(self, asleep: list[int]) -> list[int]:
        """n_tty_read: the one that has the lock of the readers, and then the next one for that lock."""
        return asleep[:2]

    def room_wakes(self, asleep: list[int]) -> list[int]:
        """pipe_write: exclusive, new ones to the tail."""
        return asleep[:1]

    def ring_read_wakes(self, asleep: list[int]) -> list[int]:
        """io_arm_poll_handler: a read is not exclusive."""
        return asleep

    def signalfd_wakes(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        """signalfd_notify: who waits in the queue of the process that the signal is for."""
        if scenario.source == "signalfd":
            return [i for i in asleep if i == scenario.n - 1]
        return asleep if scenario.registered == "before-fork" else []

    def parent_signal_shows(self) -> bool:
        """signalfd_poll: whether a child sees what is pending for its parent."""
        return False

    def shows_once(self, source: str) -> bool:
        """mounts_poll: whether the first that looks takes the news away."""
        return source == "mountinfo"

    def obeys_exclusive(self, source: str) -> bool:
        """do_notify_pidfd, io_poll_wq_wake: wake the exclusive ones too, all of them."""
        return source not in ("pidfd", "io-uring")

    def accept_finds_nothing(self) -> int | None:
        """What accept returns to a waiter that was woken for nothing; None: it sleeps again."""
        return None

    def poll_wakes(self, asleep: list[int]) -> list[int]:
        """__pollwait: never exclusive."""
        return asleep

    def private_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        """ep_ptable_queue_proc without EPOLLEXCLUSIVE: as poll."""
        return asleep

    def exclusive_wakes(self, idle: list[int], by_blocking: list[int]) -> list[int]:
        """The first registered instance on which somebody waits; `idle` is in the order of registration."""
        return idle[:1]

    def shared_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        """ep_poll: exclusive, and the last one to block stands first."""
        return asleep[-1:]

    def next_wakes(self, asleep: list[int]) -> list[int]:
        """ep_done_scan: the item is still on the ready list, so wake the next one."""
        return asleep[-1:]

    def put_back(self, trigger: str) -> bool:
        """ep_send_events: whether a delivered item stays on the ready list."""
        return trigger in LEVEL

    def disables_oneshot(self) -> bool:
        """ep_send_events: whether a oneshot item tells of nothing more until it is armed again."""
        return True

    def sockets_for(self, n: int) -> list[int]:
        """reuseport_select_sock: one socket of the group, by a hash."""
        return [self.chance.randrange(n)]

    def bystanders(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        """Waiters that are woken by events that do not concern them."""
        return []

    def place_of(self, scenario: Scenario, number: int) -> str:
        """Where connection `number` of this trial goes."""
        return QUEUE

    def tells(self, scenario: Scenario, number: int) -> bool:
        """Whether anybody is woken for connection `number`."""
        return True

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        """Which of these wake-ups take effect."""
        return wakes

    def take(self, queue: list[int]) -> int:
        """accept: the first connection leaves the queue."""
        return queue.pop(0)

    def trial(self, scenario: Scenario, *, traced: bool = False) -> Trial:
        """The evidence of one trial of `scenario` on this kernel."""
        from .played import Run  # which plays by the decisions of this class

        self.begin(scenario)
        return Run(self, scenario, traced).evidence()
