"""How the workers of a server wait: the strategy's id in the lab, and a sentence."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..axes import CALLS, EPOLL_CALLS, MULTIPLEXERS
from ..scenario import BadScenario, Scenario, strategy_name
from .registered import same_instance
from .sockets import ListeningSocket
from .waits import Wait

Same = Callable[[tuple[int, int], tuple[int, int]], "bool | None"]

_TRIGGERS = {
    "level": "level-triggered, not exclusive",
    "edge": "edge-triggered, not exclusive",
    "oneshot": "level-triggered with EPOLLONESHOT",
    "exclusive": "level-triggered with EPOLLEXCLUSIVE",
    "edge-exclusive": "edge-triggered with EPOLLEXCLUSIVE",
}


@dataclass(frozen=True)
class WayOfWaiting:
    """What the workers have in common."""

    id: str | None
    """CALL[.TRIGGER][.SHARING] as in a scenario; None if the workers differ, or if it could not be seen."""
    sentence: str
    sharing: str | None
    """listener, epoll or nothing; None if it could not be seen."""
    per_socket: int
    """How many workers wait for the same socket: all of them, or one in a plain reuseport group."""
    threads: bool
    """Whether they are threads of one process."""
    shared_with: tuple[frozenset[int], ...] = ()
    """Sets of threads (ids) that wait in the same epoll instance."""

    def shares_an_instance(self, thread: int, other: int) -> bool:
        """Whether two threads wait in the same epoll instance, so that one wakes the next (epoll(7))."""
        return any({thread, other} <= together for together in self.shared_with)

    def scenario(self, kind: str, workers: int) -> Scenario | None:
        """The lab's scenario for this strategy, or None if it has none."""
        if self.id is None or workers < 1:
            return None
        size = f"n{workers}{'t' if self.threads else ''}"
        # A waiter that is blocked in the call that receives has received when it returns, so `read` does not apply.
        datagrams = ("read/one-write", "hold/one-write")
        for reaction_and_stimulus in datagrams if kind.startswith("udp") else ("accept/one-connection",):
            with contextlib.suppress(BadScenario):
                return Scenario.parse(f"{self.id}/{kind}/{size}/{reaction_and_stimulus}")
        return None


def strategy_of(
    waits: Sequence[Wait], peers: int, listener: ListeningSocket, holders: int, same: Same = same_instance
) -> WayOfWaiting:
    """The strategy of the threads that wait for the listener.

    `peers` is the number of workers that take turns with them and do not wait for the listener just now; `holders` is
    the number of processes that hold it.
    """
    sharing, groups = _sharing(waits, listener, same)
    kinds = Counter((wait.call, wait.trigger) for wait in waits)
    (call, trigger), _ = kinds.most_common(1)[0]
    threads = len(waits) > 1 and len({wait.pid for wait in waits}) == 1
    name = None
    known = sharing in ("listener", "epoll", "nothing") and all(wait.listens for wait in waits)
    if len(kinds) == 1 and known and call and call in CALLS and (trigger is not None or call not in EPOLL_CALLS):
        name = strategy_name(call, trigger, sharing or "listener")
    sockets = Counter(inode for wait in waits for inode in wait.inodes)
    per_socket = max(sockets.values(), default=len(waits))
    instances = len(groups) if sharing == "some" else 0
    sharing = None if sharing == "some" else sharing
    sentence = _sentence(waits, kinds, sharing, threads, peers, listener, holders, instances)
    shared = tuple(frozenset(wait.tid for wait in group) for group in groups if len(group) > 1)
    return WayOfWaiting(name, sentence, sharing, per_socket, threads, shared)


def _sharing(waits: Sequence[Wait], listener: ListeningSocket, same: Same) -> tuple[str | None, list[list[Wait]]]:
    """What they share, and the groups of them that share an epoll instance."""
    groups: list[list[Wait]] = []
    unknown = False
    for wait in waits:
        if wait.epoll is None:
            continue
        for group in groups:
            assert group[0].epoll is not None
            answer = same(group[0].epoll, wait.epoll)
            unknown |= answer is None
            if answer:
                group.append(wait)
                break
        else:
            groups.append([wait])
    if unknown:
        return None, groups
    instances = len(groups)
    in_epoll = sum(len(group) for group in groups)
    if in_epoll and instances == 1 and in_epoll > 1:
        return "epoll", groups
    if in_epoll and instances < in_epoll:
        return "some", groups
    if len(listener.inodes) > 1:
        return "nothing", groups
    return "listener", groups


def _sentence(
    waits: Sequence[Wait],
    kinds: Counter[tuple[str | None, str | None]],
    sharing: str | None,
    threads: bool,
    peers: int,
    listener: ListeningSocket,
    holders: int,
    instances: int,
) -> str:
    n = len(waits) + peers
    who = f"{n} {_kind_of_worker(threads)}{'' if n == 1 else 's'}"
    how = " and ".join(
        (f"{count} " if len(kinds) > 1 else "") + _how(call, trigger, sharing, n if len(kinds) == 1 else 1, instances)
        for (call, trigger), count in kinds.items()
    )
    sure = "" if all(wait.listens for wait in waits) else ", probably (what the call waits for could not be read)"
    turns = f"; {len(waits)} waits for it now, and the others take their turns" if peers else ""
    return f"{who}, {how}, {_on(listener, sharing, n, holders)}{turns}{sure}"


def _kind_of_worker(threads: bool) -> str:
    return "thread" if threads else "worker"


def _how(call: str | None, trigger: str | None, sharing: str | None, n: int, instances: int) -> str:
    each = "each " if n > 1 else ""
    if call in EPOLL_CALLS:
        flags = _TRIGGERS.get(trigger or "", "with flags that could not be read")
        if sharing == "epoll":
            return f"all in one shared epoll instance, {flags}"
        if instances:  # some of them share an instance, and some do not
            return f"in {instances} epoll instances, {flags}"
        if sharing is None:
            return f"in {call}, {flags}, and it is not known which of them share an epoll instance"
        return f"{each}with its own epoll instance, {flags}" if n > 1 else f"with an epoll instance, {flags}"
    if call in MULTIPLEXERS:
        return f"{each}in {call}"
    if call is None:
        return "in a call that could not be seen"
    return f"{each}blocked in {call}" if call != "io_uring_enter" else f"{each}with an io_uring"


def _on(listener: ListeningSocket, sharing: str | None, n: int, holders: int) -> str:
    sockets = len(listener.inodes)
    noun = "UDP socket" if listener.takes_datagrams else "listener"
    if sockets > 1:
        if sockets == n:
            return f"each on a {noun} of its own (SO_REUSEPORT)"
        return f"on {sockets} {noun}s of one SO_REUSEPORT group"
    return f"on one inherited {noun}" if holders > 1 else f"on one {noun}"
