"""Kernels that are broken where waiters wait for a source without connections."""

from __future__ import annotations

from probes.axes import CALLS, CONNECTIONS, SOURCES
from probes.scenario import Scenario

from .broken import LosesOneInTwenty
from .model import Kernel


class StreamWakesOne(Kernel):
    """A byte on a connected stream wakes only one of its readers."""

    def stream_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class EventWakesOneReader(Kernel):
    """The expiry of a timerfd, or an inotify event, wakes only one of its readers."""

    def event_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class PtyHerdsSilently(Kernel):
    """A byte on a terminal wakes every reader, and all but one sleep again."""

    def pty_wakes(self, asleep: list[int]) -> list[int]:
        return asleep


class PtyForgetsTheLock(Kernel):
    """When a reader of a terminal returns, it does not wake the next reader for the readers' lock."""

    def pty_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class RoomHerdsSilently(Kernel):
    """Room in a pipe wakes every writer, and all but one sleep again: before Linux 5.6."""

    def room_wakes(self, asleep: list[int]) -> list[int]:
        return asleep


class RingReadWakesOne(Kernel):
    """A write wakes only one of the rings that wait with a read."""

    def ring_read_wakes(self, asleep: list[int]) -> list[int]:
        return asleep[:1]


class PidfdObeysExclusive(Kernel):
    """The end of a process reaches only one of the instances that hold its pidfd with EPOLLEXCLUSIVE."""

    def obeys_exclusive(self, source: str) -> bool:
        return source == "pidfd" or super().obeys_exclusive(source)


class RingObeysExclusive(Kernel):
    """A completion reaches only one of the instances that hold the ring with EPOLLEXCLUSIVE."""

    def obeys_exclusive(self, source: str) -> bool:
        return source == "io-uring" or super().obeys_exclusive(source)


class ExclusiveHerdsOnTimers(Kernel):
    """EPOLLEXCLUSIVE does nothing on a timerfd."""

    def obeys_exclusive(self, source: str) -> bool:
        return super().obeys_exclusive(source) and source != "timerfd"


class SignalfdTellsAll(Kernel):
    """A signal to one process wakes everyone that waits for the signalfd."""

    def signalfd_wakes(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        return asleep if scenario.source == "signalfd" else super().signalfd_wakes(scenario, asleep)


class SignalfdTellsChildren(Kernel):
    """A signal to the parent shows up in its children, through the signalfd that they inherited."""

    def signalfd_wakes(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        return asleep if scenario.source != "signalfd" else super().signalfd_wakes(scenario, asleep)

    def parent_signal_shows(self) -> bool:
        return True


class MountsWakeOne(Kernel):
    """A mount wakes only one of its waiters."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return wakes[:1] if scenario.source == "mountinfo" else wakes


class OneSource(Kernel):
    """A decision that is wrong for one source, and right for all others."""

    source = ""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        return self.of_it(wakes) if scenario.source == self.source else wakes

    def of_it(self, wakes: list[int]) -> list[int]:
        return wakes


class InotifyForgetsOne(OneSource):
    """An inotify event reaches all waiters but one."""

    source = "inotify"

    def of_it(self, wakes: list[int]) -> list[int]:
        return wakes[1:]


class FullPipeWakesOnePoller(OneSource):
    """Room in a pipe wakes only one of those that poll for it."""

    source = "full-pipe"

    def of_it(self, wakes: list[int]) -> list[int]:
        return wakes[:1]


class FanotifyWakesOne(OneSource):
    """A fanotify event wakes only one of its waiters."""

    source = "fanotify"

    def of_it(self, wakes: list[int]) -> list[int]:
        return wakes[:1]


class FuseForgetsOne(OneSource):
    """A request on /dev/fuse reaches all waiters but one."""

    source = "fuse"

    def of_it(self, wakes: list[int]) -> list[int]:
        return wakes[1:]


class PhantomOnEventfd(Kernel):
    """A write to another eventfd wakes a waiter."""

    def bystanders(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        return asleep[:1] if scenario.stimulus == "write-elsewhere" and scenario.source == "eventfd" else []


class LosesOnSources(LosesOneInTwenty):
    """One wake-up in twenty is lost under multiplexers that wait for anything but connections."""

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        waits = not CALLS[scenario.call].takes and CONNECTIONS not in SOURCES[scenario.source].can
        return super().issues(scenario, wakes) if waits else wakes
