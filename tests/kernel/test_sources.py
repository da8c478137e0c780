"""Sources that take no connections: pipes, eventfds, sockets, timers, processes."""

from __future__ import annotations

from probes.claims import OBSERVED, claim, kernel, man
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import EACH_WAY, Star, over

from .every import EXCLUSIVE_SOURCES, ONCE_SOURCES, TAKEN_SOURCES, WAITED_SOURCES, moved

_WAKE_ALL = kernel("kernel/sched/wait.c", "__wake_up_common: every waiter that is not exclusive is woken")
_WAKE_ONE = kernel("kernel/sched/wait.c", "__wake_up_common: the walk ends with the first exclusive waiter woken")
_POLLWAIT = kernel("fs/select.c", "__pollwait: add_wait_queue, so never an exclusive waiter")
_CALLBACK = kernel("fs/eventpoll.c", "ep_ptable_queue_proc: exclusive only with EPOLLEXCLUSIVE")
_EP_POLL = kernel("fs/eventpoll.c", "ep_poll: __add_wait_queue_exclusive on the instance, whatever is in it")
_PUT_BACK = kernel("fs/eventpoll.c", "ep_send_events: a level-triggered item goes back, and the next waiter is woken")

PLAIN = ("select", "pselect6", "ppoll", "epoll_wait.level.listener", "epoll_pwait.level.listener", "io_uring_poll")
"""Waits that are never exclusive, besides poll and edge-triggered epoll, which are tried on every source."""
_EVERYWHERE = ("pipe", "eventfd")
"""The sources that each of these is tried on.  A task writes to both; readers of a pipe wait exclusively, those of an
eventfd do not."""


def _at(source: str, strategy: str, reaction: str = "hold", stimulus: str = "", further: str = "") -> Star:
    """Eight processes, and the stimulus that makes this source ready once, unless another one is named."""
    return Star(strategy, reaction, stimulus or moved(source), further, spokes=(), source=source, one_of_many=True)


def _each(strategy: str, sources: tuple[str, ...], reaction: str = "hold") -> tuple[Star, ...]:
    return tuple(_at(source, strategy, reaction) for source in sources)


@claim(
    "sources.wakes-all",
    "Whatever the source, one write (or event) returns all N waiters from select, poll, private epoll instances and "
    "io_uring's poll.",
    level=OBSERVED,
    basis=[_POLLWAIT, _CALLBACK, _WAKE_ALL],
)
@over(
    *_each("poll", WAITED_SOURCES),
    *_each("epoll_wait.edge.listener", EACH_WAY),
    *(_at(source, strategy) for strategy in PLAIN for source in _EVERYWHERE),
    every_word=True,
)
def test_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (select, poll, epoll_wait, io_uring)
      \\ |   /
       fd  <- one write, one event
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "sources.wakes-all-for-one-reader",
    "Whatever the source, all N waiters in poll wake even if the first reads at once; one of them reads.",
    level=OBSERVED,
    basis=[
        _POLLWAIT,
        _WAKE_ALL,
        kernel("fs/select.c", "do_poll: a waiter that finds nothing ready sleeps again without returning"),
    ],
)
@over(*_each("poll", tuple(source for source in EACH_WAY if source in TAKEN_SOURCES), "read"))
def test_wakes_all_for_one_reader(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (poll; then read at once)
      \\ |   /
       fd  <- one write, one event
    """
    seen = herd(scenario)
    assert seen.woken == scenario.n
    assert seen.won == 1


@claim(
    "sources.exclusive-wakes-one",
    "EPOLLEXCLUSIVE: one write (or event) returns exactly one of N private instances, whatever the source, except a "
    "pidfd.",
    level=OBSERVED,
    basis=[man("epoll_ctl", 2, "EPOLLEXCLUSIVE: one or more will receive an event"), _CALLBACK, _WAKE_ONE],
)
@over(
    *_each("epoll_wait.exclusive.listener", EXCLUSIVE_SOURCES),
    *_each("epoll_wait.edge-exclusive.listener", _EVERYWHERE),
    every_word=True,
)
def test_exclusive_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en      (exclusive)
      \\  |     /
         fd  <- one write, one event
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "sources.exclusive-useless-on-pidfd",
    "EPOLLEXCLUSIVE does nothing on a pidfd: the end of the process returns all N private instances.",
    level=OBSERVED,
    basis=[
        man("epoll_ctl", 2, "EPOLLEXCLUSIVE: one or more will receive an event"),
        kernel("kernel/signal.c", "do_notify_pidfd: wakes with nr_exclusive 0, which is every exclusive waiter, too"),
    ],
)
@over(*_each("epoll_wait.exclusive.listener", ("pidfd",)))
def test_exclusive_is_useless_on_pidfd(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en      (exclusive)
      \\  |     /
        pidfd  <- SIGKILL
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "sources.shared-edge-wakes-one",
    "On one shared edge-triggered instance, one write (or event) returns exactly one of N waiters, whatever the "
    "source.",
    level=OBSERVED,
    basis=[_EP_POLL, _WAKE_ONE],
)
@over(*_each("epoll_wait.edge.epoll", ONCE_SOURCES))
def test_shared_edge_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait)
      \\ |   /
        e   (edge)
        |
        fd  <- one write, one event
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "sources.shared-level-wakes-all",
    "On one shared level-triggered instance, one write (or event) that nobody takes returns all N waiters, one after "
    "the other, whatever the source.",
    level=OBSERVED,
    basis=[_EP_POLL, _PUT_BACK],
)
@over(*_each("epoll_wait.level.epoll", EACH_WAY))
def test_shared_level_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait)
      \\ |   /
        e   (level)
        |
        fd  <- one write, one event
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "sources.message-wakes-one",
    "One message to an AF_UNIX datagram or seqpacket socket, over UDP or netlink, or to a POSIX or System V message "
    "queue wakes exactly one of N blocked receivers, which returns with it.  So does a byte in a FIFO among N "
    "readers, and a request among N that serve /dev/fuse.",
    level=OBSERVED,
    basis=[
        kernel("net/core/datagram.c", "__skb_wait_for_more_packets: prepare_to_wait_exclusive"),
        kernel("net/unix/af_unix.c", "__unix_dgram_recvmsg: waits in __skb_wait_for_more_packets"),
        kernel("net/netlink/af_netlink.c", "netlink_recvmsg: skb_recv_datagram, which waits there too"),
        kernel("ipc/mqueue.c", "do_mq_timedsend: pipelined_send hands the message to the first receiver alone"),
        kernel("ipc/msg.c", "do_msgsnd: pipelined_send hands the message to the first receiver alone"),
        kernel("fs/fuse/dev.c", "fuse_dev_do_read: wait_event_interruptible_exclusive"),
        kernel("fs/pipe.c", "pipe_read: wait_event_interruptible_exclusive"),
        _WAKE_ONE,
    ],
)
@over(
    *_each("recvfrom", ("udp6", "unix-datagram", "unix-seqpacket-connected", "netlink")),
    *_each("mq_timedreceive", ("mqueue",)),
    *_each("msgrcv", ("sysv-queue",)),
    *_each("read", ("fifo", "udp4", "fuse")),
)
def test_message_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (recvfrom, mq_timedreceive, msgrcv, read)
      \\ |   /
       fd  <- one message
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == 1


@claim(
    "sources.stream-wakes-all",
    "One byte on a connected stream socket, TCP or AF_UNIX, wakes all N that are blocked in recvfrom on it; one "
    "returns with it, the others sleep again inside the kernel.",
    level=OBSERVED,
    basis=[
        kernel("net/core/sock.c", "sk_wait_data: not exclusive"),
        kernel("net/unix/af_unix.c", "unix_stream_data_wait: prepare_to_wait, which is not exclusive"),
        _WAKE_ALL,
    ],
)
@over(*_each("recvfrom", ("tcp4-connected", "unix-connected")), *_each("read", ("tcp4-connected",)))
def test_stream_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (recvfrom)
      \\ |   /
       s  <- "x"
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == scenario.n


@claim(
    "sources.event-wakes-all-readers",
    "One expiry of a timerfd, one event of an inotify instance or a fanotify group, or one write to an eventfd in "
    "semaphore mode wakes all N blocked readers; one returns with it, the others sleep again inside the kernel.",
    level=OBSERVED,
    basis=[
        kernel("fs/timerfd.c", "timerfd_read: wait_event_interruptible_locked_irq, which is not exclusive"),
        kernel("fs/notify/inotify/inotify_user.c", "inotify_read: add_wait_queue, which is not exclusive"),
        kernel("fs/notify/fanotify/fanotify_user.c", "fanotify_read: add_wait_queue, which is not exclusive"),
        kernel("fs/eventfd.c", "eventfd_read: wait_event_interruptible_locked_irq, which is not exclusive"),
        _WAKE_ALL,
    ],
)
@over(*_each("read", ("timerfd", "inotify", "fanotify", "eventfd-semaphore")))
def test_event_wakes_all_readers(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (read)
      \\ |   /
       fd  <- one event
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == scenario.n
