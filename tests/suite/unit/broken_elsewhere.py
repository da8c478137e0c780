"""Kernels that are broken elsewhere than in accept, poll and epoll: in io_uring, signals, pipes, datagrams."""

from __future__ import annotations

import os

from probes.axes import RARE_LISTENERS, READS
from probes.scenario import Scenario

from .broken import LosesOneInTwenty
from .model import Kernel


class RingAcceptHerds(Kernel):
    """A connection wakes every ring that waits in accept; one completes."""

    def ring_accept_wakes(self, asleep: list[int]) -> list[int]:
        return asleep


class RingAcceptLastInFirstOut(Kernel):
    """The accept that was armed last completes first."""

    def ring_accept_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[-1:]


class MultishotGoesRound(Kernel):
    """A multishot accept goes to the tail after each completion."""

    def multishot_completes(self, asleep: list[int], busy: list[int]) -> list[int]:
        return asleep[:1] or busy[:1]


class MultishotNeedsItsWaiter(Kernel):
    """A multishot accept completes only while its waiter waits for it; a burst goes round."""

    def multishot_completes(self, asleep: list[int], busy: list[int]) -> list[int]:
        return [min(asleep or busy)]


class RingExclusiveIgnored(Kernel):
    """EPOLLEXCLUSIVE does nothing in a poll of io_uring."""

    def ring_exclusive_wakes(self, asleep: list[int]) -> list[int]:
        return asleep


class RingPollWakesOne(Kernel):
    """Only one of the rings that poll gets a completion."""

    def ring_poll_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class RingWakesOneThread(Kernel):
    """A completion wakes only one of the threads that wait on a ring."""

    def ring_threads_wake(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class GroupSignalledByHalf(Kernel):
    """SIGIO to a process group reaches only its first member."""

    def group_signalled(self, members: list[int]) -> list[int]:
        return members[:1]


class SignalTakenTwice(Kernel):
    """Two threads of a process receive one signal."""

    def threads_receiving(self, woken: list[int]) -> list[int]:
        return woken


class SignalWakesOneThread(Kernel):
    """Only one thread wakes, and it receives the signal, as many have wished."""

    def threads_signalled(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class PipeHerdsSilently(Kernel):
    """A byte wakes every reader of the pipe, and all but one sleep again: before Linux 5.6."""

    def pipe_wakes(self, asleep: list[int]) -> list[int]:
        return asleep


class PipeLastInFirstOut(Kernel):
    """A byte wakes the reader that blocked last."""

    def pipe_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[-1:]


class DatagramHerdsSilently(Kernel):
    """A datagram wakes every receiver, and all but one sleep again."""

    def datagram_wakes(self, asleep: list[int]) -> list[int]:
        return asleep


class EventfdWakesOne(Kernel):
    """A write to an eventfd wakes only one of its readers."""

    def eventfd_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class LosesAmongReaders(LosesOneInTwenty):
    """One wake-up in twenty is lost among readers."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return super().issues(scenario, wakes) if scenario.call in READS else wakes


class HerdOfCpus(Kernel):
    """select, poll and private instances wake no more waiters than there are CPUs, as folklore has it."""

    cpus = len(os.sched_getaffinity(0))

    def poll_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[: self.cpus]

    def private_wakes(self, asleep: list[int], trigger: str) -> list[int]:
        return asleep[: self.cpus]


class VsockAcceptWakesOne(Kernel):
    """accept on AF_VSOCK wakes only one waiter, as many have wished."""

    def vsock_accept_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class LosesOnRareListeners(LosesOneInTwenty):
    """One wake-up in twenty is lost on Multipath TCP and AF_VSOCK."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return super().issues(scenario, wakes) if scenario.source in RARE_LISTENERS else wakes


class MptcpAcceptHerds(Kernel):
    """accept on Multipath TCP wakes all; the others sleep again."""

    def begin(self, scenario: Scenario) -> None:
        self.herds = scenario.source == "mptcp4"

    def accept_wakes(self, asleep: list[int]) -> list[int]:
        return asleep if self.herds else super().accept_wakes(asleep)
