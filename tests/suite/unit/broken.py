"""Kernels that are broken, each in one way."""

from __future__ import annotations

from probes.scenario import Scenario

from .model import EAGAIN, LIMBO, NOWHERE, QUEUE, Kernel


class AcceptHerdsSilently(Kernel):
    """accept wakes all; one returns, the others find the queue empty and sleep again inside the kernel."""

    def accept_wakes(self, asleep: list[int]) -> list[int]:
        return asleep


class AcceptHerdsVisibly(AcceptHerdsSilently):
    """accept wakes all, and those that find the queue empty come back with EAGAIN."""

    def accept_finds_nothing(self) -> int | None:
        return -EAGAIN


class AcceptWakesTwo(Kernel):
    """accept wakes two, the second for nothing."""

    def accept_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:2]


class AcceptLastInFirstOut(Kernel):
    """accept wakes the waiter that blocked last."""

    def accept_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[-1:]


class AcceptAtRandom(Kernel):
    """accept wakes a waiter at random."""

    def accept_wakes(self, asleep: list[int]) -> list[int]:
        return [self.chance.choice(asleep)] if asleep else []


class LosesOneInTwenty(Kernel):
    """One wake-up in twenty is never issued."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return [] if wakes and self.chance.random() < 0.05 else wakes


class LosesOneInTwentyOf(LosesOneInTwenty):
    """The same, for one strategy only."""

    def __init__(self, seed: int, strategy: str) -> None:
        super().__init__(seed)
        self.strategy = strategy

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return super().issues(scenario, wakes) if scenario.strategy == self.strategy else wakes


class LosesTheFortieth(Kernel):
    """Nobody is woken for the fortieth connection of a trial: a traced trial of twelve does not come to it."""

    def tells(self, scenario: Scenario, number: int) -> bool:
        return number != 39


class SkipsOneWaiterInTwenty(Kernel):
    """Each waiter that should be woken stays asleep one time in twenty."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return [i for i in wakes if self.chance.random() >= 0.05]


class NeverWakesOne(Kernel):
    """Under one strategy, one of eight waiters never wakes; a different one in each trial."""

    def __init__(self, seed: int, strategy: str) -> None:
        super().__init__(seed)
        self.strategy = strategy

    def begin(self, scenario: Scenario) -> None:
        self.forgotten = self.chance.randrange(max(8, scenario.n))

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return [i for i in wakes if i != self.forgotten] if scenario.strategy == self.strategy else wakes


class TellsNobody(Kernel):
    """The eighth connection of a series is queued, but wakes nobody."""

    def tells(self, scenario: Scenario, number: int) -> bool:
        return number != 7


class ExclusiveIgnored(Kernel):
    """EPOLLEXCLUSIVE is accepted, but does nothing."""

    def exclusive_wakes(self, idle: list[int], by_blocking: list[int]) -> list[int]:
        return idle


class ExclusiveWakesTwo(Kernel):
    """EPOLLEXCLUSIVE wakes two: `one or more`, as the man page says."""

    def exclusive_wakes(self, idle: list[int], by_blocking: list[int]) -> list[int]:
        return idle[:2]


class ExclusiveWakesNobody(Kernel):
    """EPOLLEXCLUSIVE loses every wake-up."""

    def exclusive_wakes(self, idle: list[int], by_blocking: list[int]) -> list[int]:
        return []


class ExclusiveGoesRound(Kernel):
    """EPOLLEXCLUSIVE goes round, as many have wished."""

    def begin(self, scenario: Scenario) -> None:
        self.last = -1

    def exclusive_wakes(self, idle: list[int], by_blocking: list[int]) -> list[int]:
        if not idle:
            return []
        self.last = next((i for i in idle if i > self.last), idle[0])
        return [self.last]


class ExclusiveByBlocking(Kernel):
    """EPOLLEXCLUSIVE wakes the waiter that blocked first, not the one that registered first."""

    def exclusive_wakes(self, idle: list[int], by_blocking: list[int]) -> list[int]:
        return [i for i in by_blocking if i in idle][:1]


class SharedEdgeFirstInFirstOut(Kernel):
    """A shared edge-triggered instance wakes the waiter that blocked first."""

    def shared_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        return asleep[-1:] if trigger in ("level", "exclusive") else asleep[:1]


class SharedEdgeWakesTwo(Kernel):
    """A shared edge-triggered instance wakes two, and both get the event."""

    def begin(self, scenario: Scenario) -> None:
        self.again = False

    def put_back(self, trigger: str) -> bool:
        self.again = not self.again
        return super().put_back(trigger) or (trigger == "edge" and self.again)


class SharedEdgeHerdsSilently(Kernel):
    """A shared edge-triggered instance wakes all; one gets the event, the others sleep again."""

    def shared_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        return asleep[-1:] if trigger in ("level", "exclusive") else asleep


class OneshotFiresTwice(Kernel):
    """A oneshot item is delivered a second time before it is disabled."""

    def begin(self, scenario: Scenario) -> None:
        self.again = False

    def put_back(self, trigger: str) -> bool:
        self.again = not self.again
        return super().put_back(trigger) or (trigger == "oneshot" and self.again)


class OneshotStaysArmed(Kernel):
    """A oneshot item reports every connection, like an edge-triggered one."""

    def disables_oneshot(self) -> bool:
        return False


class SharedLevelWakesOne(Kernel):
    """A level-triggered item wakes nobody when it is put back: Linux 5.5 to 5.12."""

    def next_wakes(self, asleep: list[int]) -> list[int]:
        return []


class PollWakesOne(Kernel):
    """select and poll wake only one waiter."""

    def poll_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class PollForgetsTheLast(Kernel):
    """select and poll leave the waiter that blocked last asleep, unless it is alone."""

    def poll_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:-1] or asleep


class PrivateEdgeWakesOne(Kernel):
    """Only one of the private edge-triggered instances gets the event."""

    def private_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        return asleep[:1] if trigger == "edge" else asleep


class PrivateLevelForgetsOne(Kernel):
    """One of the private level-triggered instances does not get the event."""

    def private_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        return (asleep[:-1] or asleep) if trigger == "level" else asleep


class ReuseportTakesTheFirst(Kernel):
    """A reuseport group gives every connection to its first socket."""

    def sockets_for(self, n: int) -> list[int]:
        return [0]


class ReuseportHasAFavourite(Kernel):
    """A reuseport group gives every other connection to its first socket, and spreads the rest."""

    def sockets_for(self, n: int) -> list[int]:
        return [0] if self.chance.random() < 0.5 else super().sockets_for(n)


class ReuseportDeliversToTwo(Kernel):
    """A reuseport group gives a connection to two of its sockets."""

    def sockets_for(self, n: int) -> list[int]:
        first = self.chance.randrange(n)
        return [first, (first + 1) % n] if n > 1 else [first]


class ReuseportWakesAnother(Kernel):
    """A connection to one socket of a reuseport group also wakes a waiter of another."""

    def bystanders(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        return asleep[:1] if scenario.sharing == "nothing" and scenario.stimulus != "elsewhere" else []


class PhantomWakeUp(Kernel):
    """A connection to another listener wakes a waiter."""

    def bystanders(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        return asleep[:1] if scenario.stimulus == "elsewhere" else []


class WonTwice(Kernel):
    """accept hands out every connection twice."""

    def begin(self, scenario: Scenario) -> None:
        self.given: set[int] = set()

    def take(self, queue: list[int]) -> int:
        if queue[0] in self.given:
            return queue.pop(0)
        self.given.add(queue[0])
        return queue[0]


class BurstLeavesTheLast(Kernel):
    """The last connection of a burst stays in the accept queue, but accept returns EAGAIN."""

    def place_of(self, scenario: Scenario, number: int) -> str:
        return LIMBO if scenario.stimulus == "burst" and number == scenario.k - 1 else QUEUE


class BurstLosesTheLast(Kernel):
    """The last connection of a burst is established for the client, but the server never sees it."""

    def place_of(self, scenario: Scenario, number: int) -> str:
        return NOWHERE if scenario.stimulus == "burst" and number == scenario.k - 1 else QUEUE


# --- broken where no claim looks ---------------------------------------------------------------


class LevelComesOnce(Kernel):
    """A level-triggered item is not put back: it behaves like an edge-triggered one."""

    def put_back(self, trigger: str) -> bool:
        return False


class PrivateLevelComesOnce(Kernel):
    """The same, but a shared instance is healthy."""

    def begin(self, scenario: Scenario) -> None:
        self.shared = scenario.sharing == "epoll"

    def put_back(self, trigger: str) -> bool:
        return self.shared and super().put_back(trigger)


class PrivateEdgeComesAgain(Kernel):
    """A private edge-triggered item is put back: it behaves like a level-triggered one."""

    def begin(self, scenario: Scenario) -> None:
        self.shared = scenario.sharing == "epoll"

    def put_back(self, trigger: str) -> bool:
        return super().put_back(trigger) or (trigger == "edge" and not self.shared)


class SharedLevelFirstInFirstOut(Kernel):
    """A shared level-triggered instance wakes the waiter that blocked first."""

    def shared_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        return asleep[:1] if trigger in ("level", "exclusive") else asleep[-1:]

    def next_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class SharedOneshotFirstInFirstOut(Kernel):
    """A shared oneshot instance wakes the waiter that blocked first."""

    def shared_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        return asleep[:1] if trigger == "oneshot" else asleep[-1:]


class PhantomOnUnix(Kernel):
    """A connection to another listener wakes a waiter, on AF_UNIX."""

    def bystanders(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        return asleep[:1] if scenario.stimulus == "elsewhere" and scenario.source.startswith("unix") else []


class LosesOnUnix(LosesOneInTwenty):
    """One wake-up in twenty is lost, on AF_UNIX."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return super().issues(scenario, wakes) if scenario.source.startswith("unix") else wakes


class LosesAmongThreads(LosesOneInTwenty):
    """One wake-up in twenty is lost among threads."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return super().issues(scenario, wakes) if scenario.waiter == "thread" else wakes
