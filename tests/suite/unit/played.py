"""One trial on a model of a kernel: who is told, who runs when, and what becomes of the connections."""

from __future__ import annotations

from collections.abc import Sequence

from probes.axes import CALLS, READ, SIGNAL, WRITE
from probes.evidence import StepRecord, Trial
from probes.scenario import Scenario

from .builders import trial
from .model import EAGAIN, EINTR, LIMBO, NOWHERE, QUEUE, SIGIO, Kernel


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
        self._signals: dict[int, int] = {}
        """What rt_sigtimedwait will return to whom: SIGIO, or an errno."""
        self._disarmed: set[int] = set()
        self._running: list[tuple[int, str, int]] = []
        """Waiters on their way: number, what they do next, connections taken since the return."""
        self._clock = 0
        self._woken: set[int] = set()
        self._returned: dict[int, int] = {}
        self._spurious: set[int] = set()
        self._takers: list[int] = []
        """Of this step, as the three before it."""
        self._lying: list[int] = []
        """Waiters for whom a multishot request completed while they did not wait."""
        self._won = [0] * n
        self._at: list[int | None] = [None] * n
        self._result: list[int | None] = [None] * n
        self._answers: list[list[int]] = []
        self._steps: list[StepRecord] = []
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
            "io_uring_poll": self._kernel.ring_poll_wakes,
            "io_uring_deferred": self._kernel.ring_accept_wakes,
            "io_uring_exclusive": self._kernel.ring_exclusive_wakes,
            "io_uring_read": self._kernel.ring_read_wakes,
        }
        if self._scenario.source.startswith("signalfd"):
            self._tell_by_signalfd(asleep)
        elif CALLS[self._scenario.call].group == SIGNAL:
            self._signal(asleep, [socket] if self._grouped else list(range(self._scenario.n)))
        elif CALLS[self._scenario.call].group in (READ, WRITE):
            self._wake(self._reader_wakes(asleep))
        elif self._scenario.sharing == "ring":
            self._wake(self._kernel.ring_threads_wake(asleep))
        elif self._scenario.call == "io_uring_multishot":
            self._complete(asleep, [socket] if self._grouped else range(self._scenario.n))
        elif self._scenario.call in rings:
            self._wake(rings[self._scenario.call](asleep))
        elif self._takes:
            vsock = self._scenario.source == "vsock"
            self._wake(self._kernel.vsock_accept_wakes(asleep) if vsock else self._kernel.accept_wakes(asleep))
        elif trigger is None:
            self._wake(self._kernel.poll_wakes(asleep))
        elif self._shared:
            if 0 not in self._disarmed:
                self._ready.add(0)
                self._wake(self._kernel.shared_wakes(asleep, trigger))
        else:
            self._tell_private(trigger, asleep, [socket] if self._grouped else range(self._scenario.n))

    def _complete(self, asleep: list[int], armed: Sequence[int]) -> None:
        """A multishot request: its waiter is woken, or the completion lies in its ring."""
        chosen = self._kernel.multishot_completes(asleep, [i for i in armed if i not in asleep])
        self._lying += [i for i in chosen if i not in asleep]
        self._wake([i for i in chosen if i in asleep])

    def _tell_by_signalfd(self, asleep: list[int]) -> None:
        """A signal to a process: the queue, and what is pending, are that process's own."""
        if self._scenario.source != "signalfd" and not self._kernel.parent_signal_shows():
            self._queues[0].pop()
        chosen = self._kernel.signalfd_wakes(self._scenario, asleep)
        self._ready.update(chosen)
        self._wake(chosen)

    def _reader_wakes(self, asleep: list[int]) -> list[int]:
        """Who is woken of those that read or write themselves: the queue is the source's own."""
        if CALLS[self._scenario.call].group == WRITE:
            return self._kernel.room_wakes(asleep)
        wakes = {
            "pipe": self._kernel.pipe_wakes,
            "fifo": self._kernel.pipe_wakes,
            "eventfd": self._kernel.eventfd_wakes,
            "eventfd-semaphore": self._kernel.eventfd_wakes,
            "unix-connected": self._kernel.stream_wakes,
            "tcp4-connected": self._kernel.stream_wakes,
            "vsock-connected": self._kernel.stream_wakes,
            "timerfd": self._kernel.event_wakes,
            "inotify": self._kernel.event_wakes,
            "fanotify": self._kernel.event_wakes,
            "pty": self._kernel.pty_wakes,
        }
        return wakes.get(self._scenario.source, self._kernel.datagram_wakes)(asleep)

    def _signal(self, asleep: list[int], members: list[int]) -> None:
        """SIGIO to the owner: pending in each process of a group; taken by one of the threads of a process."""
        if self._scenario.waiter == "thread":
            chosen = self._kernel.threads_signalled(asleep)
            receiving = self._kernel.threads_receiving(chosen)
            self._signals.update((i, SIGIO if i in receiving else -EINTR) for i in chosen)
        else:
            members = self._kernel.group_signalled(members)
            self._signals.update((i, SIGIO) for i in members)
            chosen = [i for i in asleep if i in members]
        self._wake(chosen)

    def _tell_private(self, trigger: str, asleep: list[int], registered: Sequence[int]) -> None:
        """The callback of every instance, in the order of registration, until an exclusive one says stop."""
        idle = [i for i in registered if i in asleep and i not in self._disarmed]
        exclusive = "exclusive" in trigger and self._kernel.obeys_exclusive(self._scenario.source)
        chosen = self._kernel.exclusive_wakes(idle, asleep) if exclusive else self._kernel.private_wakes(idle, trigger)
        stop = max(chosen) if chosen and exclusive else self._scenario.n
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
        if CALLS[self._scenario.call].group == SIGNAL:
            return self._signals.pop(i, None)
        if self._takes:
            if not queue:
                if self._scenario.sharing == "ring" and just_woken:
                    return -EAGAIN
                accepts = self._scenario.connects
                return self._kernel.accept_finds_nothing() if just_woken and accepts else None
            self._take(i, queue)
            return 8
        if self._scenario.trigger is None:
            shown = 1 if queue else None
            if shown and self._kernel.shows_once(self._scenario.source):
                queue.clear()
            return shown
        return self._look_at_items(0 if self._shared else i, queue)

    def _look_at_items(self, instance: int, queue: list[int]) -> int | None:
        """epoll_wait: deliver the ready item, unless there is nothing behind it any more."""
        if instance not in self._ready:
            return None
        trigger = str(self._scenario.trigger)
        if not queue:
            self._ready.discard(instance)
            return None
        if self._kernel.shows_once(self._scenario.source):
            queue.clear()
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
        """Let one waiter go a step further, chosen at random from those that can."""
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
        elif reaction != "hold" and (self._result[i] or 0) > 0:
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
        connects = self._scenario.connects
        number = self._kernel.take(queue) if connects else queue.pop(0)
        self._won[i] += 1
        self._takers.append(i)
        if self._scenario.reaction != "hold" and connects:
            self._answers[number].append(i)

    def _take_what_lies(self) -> None:
        """Take what completed while its waiter was busy: nobody reaps it, except in a loop, where the waiter does."""
        for i in self._lying:
            queue = self._queues[i if self._grouped else 0]
            if queue and self._scenario.reaction != "loop":
                queue.pop(0)
                self._won[i] += 1
                self._takers.append(i)
        self._lying.clear()

    # --- the conductor's side ------------------------------------------------------------------

    def evidence(self) -> Trial:
        """Play the stimulus, let all waiters come to rest after each step, and record who moved."""
        stimulus, k = self._scenario.stimulus, self._scenario.k
        if stimulus.endswith("one-by-one"):
            for _ in range(k):
                self._step(1)
        elif stimulus in ("one-write", "one-event", "one-read"):
            self._step(1)
        elif stimulus in ("one-connection", "burst", "write-burst", "elsewhere", "write-elsewhere", "nothing"):
            self._step(k)
        else:
            raise NotImplementedError(f"no model plays the stimulus {stimulus!r} yet")
        return self._account()

    def _step(self, connections: int) -> None:
        self._woken, self._returned, self._spurious, self._takers = set(), {}, set(), []
        for _ in range(connections):
            self._arrive()
            # The waiters of a burst run while it goes on, more or less.
            for _ in range(min(len(self._running), int(self._random() * 3)) if connections > 1 else 0):
                self._run_one()
        if self._scenario.stimulus.endswith("elsewhere"):
            self._wake(self._kernel.bystanders(self._scenario, self._asleep))
        while self._running:
            self._run_one()
        self._take_what_lies()
        self._all_woken |= self._woken
        self._all_spurious |= self._spurious
        self._steps.append(
            StepRecord(
                woken=len(self._woken),
                returned=len(self._returned),
                won=len(set(self._takers)),
                connections=len(self._takers),
                spurious=self._counted(self._spurious),
                order=tuple(sorted(self._returned, key=self._returned.__getitem__)),
                queued=sum(map(len, self._queues)) + self._limbo if self._tells_queue else None,
            )
        )

    @property
    def _tells_queue(self) -> bool:
        return self._scenario.source in ("tcp4", "tcp6")

    def _counted(self, spurious: set[int]) -> int | None:
        return None if self._scenario.reaction == "hold" and not self._takes else len(spurious)

    def _undelivered(self) -> str | None:
        """The reason that the lab gives if the queue, which can be read, does not account for every connection."""
        if not self._lost or not self._tells_queue:
            return None
        taken, answered = sum(self._won), len(self._answers)
        return f"{answered} connections made, {taken} taken and {self._limbo} queued: the others were not delivered"

    def _account(self) -> Trial:
        hold = self._scenario.reaction == "hold"
        return trial(
            n=self._scenario.n,
            traced=self._traced,
            inconclusive=self._undelivered(),
            woken=self._all_woken,
            order=[i for step in self._steps for i in step.order],
            won=self._won,
            spurious=self._counted(self._all_spurious),
            results=self._result,
            at_us=self._at,
            steps=self._steps,
            answers=() if hold else map(tuple, self._answers),
        )
