"""A model of a kernel, as far as this suite can see one: whom it wakes, and who gets what.

`Kernel` decides as mainline does; each broken kernel in `broken.py` takes one decision otherwise.
`Run` plays one trial on such a kernel, in a random (seeded) order of execution, and fills in the
evidence as `probes/lab/ledger.py` does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from probes.evidence import Trial
from probes.scenario import Scenario

from .builders import trial

EAGAIN = 11
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

    def ring_accept_wakes(self, asleep: list[int]) -> list[int]:
        """io_arm_poll_handler: exclusive, and armed anew at the tail."""
        return asleep[:1]

    def multishot_wakes(self, asleep: list[int]) -> list[int]:
        """The same, but a multishot request keeps its place."""
        return [min(asleep)] if asleep else []

    def ring_poll_wakes(self, asleep: list[int]) -> list[int]:
        """__io_queue_proc: not exclusive."""
        return asleep

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
        """Waiters woken by what is none of their business."""
        return []

    def place_of(self, scenario: Scenario, number: int) -> str:
        """Where connection `number` of this trial goes."""
        return QUEUE

    def tells(self, scenario: Scenario, number: int) -> bool:
        """Whether anybody is woken for connection `number`."""
        return True

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        """The wake-ups that arrive, of those decided on."""
        return wakes

    def take(self, queue: list[int]) -> int:
        """accept: the first connection leaves the queue."""
        return queue.pop(0)

    def trial(self, scenario: Scenario, *, traced: bool = False) -> Trial:
        """The evidence of one trial of `scenario` on this kernel."""
        self.begin(scenario)
        return Run(self, scenario, traced).evidence()


class Run:
    """One trial: waiters asleep, woken, returned or parked, and the connections between them."""

    def __init__(self, kernel: Kernel, scenario: Scenario, traced: bool) -> None:
        self._kernel, self._scenario, self._traced = kernel, scenario, traced
        self._random = kernel.chance.random
        n, self._takes = scenario.n, scenario.takes
        self._grouped, self._shared = scenario.sharing == "nothing", scenario.sharing == "epoll"
        self._queues: list[list[int]] = [[] for _ in range(n if self._grouped else 1)]
        self._limbo = self._lost = 0
        self._asleep = list(range(n)) if scenario.blocked == "in-order" else list(reversed(range(n)))
        self._ready: set[int] = set()
        self._disarmed: set[int] = set()
        self._running: list[tuple[int, str, int]] = []
        """Waiters on their way: number, what they do next, connections taken since the return."""
        self._clock = 0
        self._woken: set[int] = set()
        self._returned: dict[int, int] = {}
        self._spurious: set[int] = set()
        self._takers: list[int] = []
        """Of this step, as the three before it."""
        self._won = [0] * n
        self._at: list[int | None] = [None] * n
        self._result: list[int | None] = [None] * n
        self._answers: list[list[int]] = []
        self._steps: list[dict[str, Any]] = []
        self._all_woken: set[int] = set()
        self._all_spurious: set[int] = set()

    # --- the kernel's side ---------------------------------------------------------------------

    def _arrive(self) -> None:
        """One connection to the waiters' listener."""
        number = len(self._answers)
        self._answers.append([])
        place = self._kernel.place_of(self._scenario, number)
        if place != QUEUE:
            self._limbo += place == LIMBO
            self._lost += place == NOWHERE
            return
        for socket in self._kernel.sockets_for(self._scenario.n) if self._grouped else (0,):
            self._queues[socket].append(number)
            if self._kernel.tells(self._scenario, number):
                self._tell(socket)
        self._wake(self._kernel.bystanders(self._scenario, self._asleep))

    def _tell(self, socket: int) -> None:
        """Wake whom the kernel would for a connection on `socket`."""
        asleep = [i for i in self._asleep if i == socket] if self._grouped else self._asleep
        trigger = self._scenario.trigger
        rings = {
            "io_uring_accept": self._kernel.ring_accept_wakes,
            "io_uring_multishot": self._kernel.multishot_wakes,
            "io_uring_poll": self._kernel.ring_poll_wakes,
        }
        if self._scenario.call in rings:
            self._wake(rings[self._scenario.call](asleep))
        elif self._takes:
            self._wake(self._kernel.accept_wakes(asleep))
        elif trigger is None:
            self._wake(self._kernel.poll_wakes(asleep))
        elif self._shared:
            if 0 not in self._disarmed:
                self._ready.add(0)
                self._wake(self._kernel.shared_wakes(asleep, trigger))
        else:
            self._tell_private(trigger, asleep, [socket] if self._grouped else range(self._scenario.n))

    def _tell_private(self, trigger: str, asleep: list[int], registered: Sequence[int]) -> None:
        """The callback of every instance, in the order of registration, until an exclusive one says stop."""
        idle = [i for i in registered if i in asleep and i not in self._disarmed]
        if "exclusive" in trigger:
            chosen = self._kernel.exclusive_wakes(idle, asleep)
        else:
            chosen = self._kernel.private_wakes(idle, trigger)
        stop = max(chosen) if chosen and "exclusive" in trigger else self._scenario.n
        self._ready.update(i for i in registered if i in chosen or (i not in idle and i < stop))
        self._ready -= self._disarmed
        self._wake(chosen)

    def _wake(self, chosen: list[int]) -> None:
        for i in self._kernel.issues(self._scenario, list(chosen)):
            self._asleep.remove(i)
            self._woken.add(i)
            self._running.append((i, "look", 0))

    def _look(self, i: int, just_woken: bool) -> int | None:
        """What the wait call of `i` finds when it runs: its result, or None if it sleeps (again)."""
        queue = self._queues[i if self._grouped else 0]
        if self._takes:
            if not queue:
                return self._kernel.accept_finds_nothing() if just_woken else None
            self._take(i, queue)
            return 8
        if self._scenario.trigger is None:
            return 1 if queue else None
        return self._look_at_items(0 if self._shared else i, queue)

    def _look_at_items(self, instance: int, queue: list[int]) -> int | None:
        """epoll_wait: deliver the ready item, unless there is nothing behind it any more."""
        if instance not in self._ready:
            return None
        trigger = str(self._scenario.trigger)
        if not queue:
            self._ready.discard(instance)
            return None
        if self._kernel.put_back(trigger):
            if self._shared:
                self._wake(self._kernel.next_wakes(self._asleep))
        else:
            self._ready.discard(instance)
            if trigger == "oneshot" and self._kernel.disables_oneshot():
                self._disarmed.add(instance)
        return 1

    # --- the waiters' side ---------------------------------------------------------------------

    def _run_one(self) -> None:
        """One waiter, any of those that can, goes one step further."""
        others = len(self._running)
        i, doing, taken = self._running.pop(int(self._random() * others) if others > 1 else 0)
        if doing == "look":
            self._wait(i, just_woken=True)
        else:
            self._react(i, taken)

    def _wait(self, i: int, *, just_woken: bool = False) -> None:
        result = self._look(i, just_woken)
        if result is None:
            self._asleep.append(i)
            return
        self._clock += 7
        self._returned[i] = self._clock
        self._at[i], self._result[i] = self._clock, result
        self._running.append((i, "react", 0))

    def _react(self, i: int, taken: int) -> None:
        """What the server's code does after a return; see probes/lab/waiter.py."""
        reaction = self._scenario.reaction
        if self._takes:
            if self._result[i] < 0:
                self._spurious.add(i)
        elif reaction != "hold":
            queue = self._queues[i if self._grouped else 0]
            if queue:
                self._take(i, queue)
                if reaction == "drain":
                    self._running.append((i, "react", taken + 1))
                    return
            elif not taken:
                self._spurious.add(i)
        if reaction in ("drain", "loop"):
            self._wait_again(i)

    def _wait_again(self, i: int) -> None:
        instance = 0 if self._shared else i
        if instance in self._disarmed:
            self._disarmed.discard(instance)
            if self._queues[i if self._grouped else 0]:
                self._ready.add(instance)
                if self._shared:
                    self._wake(self._kernel.shared_wakes(self._asleep, "oneshot"))
        self._wait(i)

    def _take(self, i: int, queue: list[int]) -> None:
        number = self._kernel.take(queue)
        self._won[i] += 1
        self._takers.append(i)
        if self._scenario.reaction != "hold":
            self._answers[number].append(i)

    # --- the conductor's side ------------------------------------------------------------------

    def evidence(self) -> Trial:
        """Stir, let everybody come to rest, and write down what moved."""
        stimulus, k = self._scenario.stimulus, self._scenario.k
        if stimulus == "one-by-one":
            for _ in range(k):
                self._step(1)
        else:
            self._step(k)
        return self._account()

    def _step(self, connections: int) -> None:
        self._woken, self._returned, self._spurious, self._takers = set(), {}, set(), []
        for _ in range(connections):
            self._arrive()
            # The waiters of a burst run while it goes on, more or less.
            for _ in range(min(len(self._running), int(self._random() * 3)) if connections > 1 else 0):
                self._run_one()
        if self._scenario.stimulus == "elsewhere":
            self._wake(self._kernel.bystanders(self._scenario, self._asleep))
        while self._running:
            self._run_one()
        self._all_woken |= self._woken
        self._all_spurious |= self._spurious
        self._steps.append(
            {
                "woken": len(self._woken),
                "returned": len(self._returned),
                "won": len(set(self._takers)),
                "connections": len(self._takers),
                "spurious": self._counted(self._spurious),
                "order": sorted(self._returned, key=self._returned.__getitem__),
                "queued": sum(map(len, self._queues)) + self._limbo if self._tells_queue else None,
            }
        )

    @property
    def _tells_queue(self) -> bool:
        return self._scenario.listener in ("tcp4", "tcp6")

    def _counted(self, spurious: set[int]) -> int | None:
        return None if self._scenario.reaction == "hold" and not self._takes else len(spurious)

    def _undelivered(self) -> str | None:
        """As the lab says it where the queue can be read, and does not account for every connection."""
        if not self._lost or not self._tells_queue:
            return None
        taken, made = sum(self._won), len(self._answers)
        return f"{made} connections made, {taken} taken and {self._limbo} queued: the others were not delivered"

    def _account(self) -> Trial:
        hold = self._scenario.reaction == "hold"
        return trial(
            n=self._scenario.n,
            traced=self._traced,
            inconclusive=self._undelivered(),
            woken=self._all_woken,
            order=[i for step in self._steps for i in step["order"]],
            won=self._won,
            spurious=self._counted(self._all_spurious),
            results=self._result,
            at_us=self._at,
            steps=self._steps,
            answers=() if hold else map(tuple, self._answers),
        )
