"""Blocked in read, in recvfrom, or in a receive from a message queue."""

from __future__ import annotations

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import Star, over

_PIPE = kernel("fs/pipe.c", "pipe_read: wait_event_interruptible_exclusive")
_DATAGRAM = kernel("net/core/datagram.c", "__skb_wait_for_more_packets: prepare_to_wait_exclusive")
_EVENTFD = kernel("fs/eventfd.c", "eventfd_read: wait_event_interruptible_locked_irq, which is not exclusive")
_WAKE_ONE = kernel("kernel/sched/wait.c", "__wake_up_common: the walk ends with the first exclusive waiter woken")
_TAIL = kernel("kernel/sched/wait.c", "prepare_to_wait_exclusive: a new exclusive waiter goes to the tail")

PIPE, EVENTFD, DATAGRAM = ("read", "pipe"), ("read", "eventfd"), ("recvfrom", "udp4")
MQUEUE, SYSV_QUEUE = ("mq_timedreceive", "mqueue"), ("msgrcv", "sysv-queue")
SPOKES = ("threads",)


def _star(who: tuple[str, str], stimulus: str = "one-write", **more: int) -> Star:
    """With 8 waiters, processes and threads.  Larger herds show nothing more here, and would cost time in every run."""
    return Star(who[0], "hold", stimulus, spokes=SPOKES, source=who[1], **more)


def _loop(who: tuple[str, str], further: str) -> Star:
    return Star(who[0], "loop", "writes-one-by-one", further, spokes=(), source=who[1])


@claim(
    "read.pipe-wakes-one",
    "One byte written to a pipe wakes exactly one of N blocked readers, which returns with it.",
    level=OBSERVED,
    basis=[
        _PIPE,
        _WAKE_ONE,
        linux("5.6", "0ddad21d3e99", "pipe: use exclusive waits when reading or writing; all were woken before"),
    ],
    rows=["W1", "L-A6"],
)
@over(_star(PIPE))
def test_pipe_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (read)
      \\ |   /
       pipe  <- "x"
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == 1


@claim(
    "read.datagram-wakes-one",
    "One datagram wakes exactly one of N waiters blocked in recvfrom on one UDP socket, which returns with it.",
    level=OBSERVED,
    basis=[_DATAGRAM, _WAKE_ONE],
    rows=["W1"],
)
@over(_star(DATAGRAM))
def test_datagram_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (recvfrom)
      \\ |   /
       UDP  <- one datagram
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == 1


@claim(
    "read.eventfd-wakes-all",
    "One write to an eventfd wakes all N blocked readers; one returns, the others sleep again inside the kernel.",
    level=OBSERVED,
    basis=[_EVENTFD, kernel("kernel/sched/wait.c", "__wake_up_common: every waiter that is not exclusive is woken")],
    rows=["W1", "L-A3"],
)
@over(_star(EVENTFD))
def test_eventfd_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (read)
      \\ |   /
      eventfd  <- 1
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == scenario.n


@claim(
    "read.first-in-first-out",
    "Each byte of a pipe, and each datagram, goes to the reader that has been blocked the longest; one that reads "
    "again comes after all the others.",
    level=OBSERVED,
    basis=[_TAIL, _WAKE_ONE, _PIPE, _DATAGRAM],
    rows=["W1", "N2"],
)
@over(
    *(_star(who, "writes-one-by-one", smallest=2) for who in (PIPE, DATAGRAM)),
    *(_loop(who, "k24") for who in (PIPE, DATAGRAM)),
)
def test_first_in_first_out(herd: RunTrials, scenario: Scenario) -> None:
    """
    blocked first  w0 w1 ... wn  blocked last      (read, recvfrom; in a loop: and again)
                     \\ |   /
                 pipe, UDP  <- one by one
    """
    assert herd(scenario).order == tuple(i % scenario.n for i in range(scenario.k))


@claim(
    "read.no-lost-wake-up",
    "No wake-up is lost among readers: of 48 writes, one by one while all readers are idle, each is read before the "
    "next.",
    level=DOCUMENTED,
    basis=[
        man("pipe", 7, "I/O on pipes and FIFOs: read(2) will block until data is available"),
        man("recv", 2, "DESCRIPTION: the receive calls wait for a message to arrive"),
        man("eventfd", 2, "read(2): blocks until the counter becomes nonzero"),
        kernel("ipc/mqueue.c", "do_mq_timedsend: pipelined_send hands the message to the first receiver alone"),
        kernel("ipc/msg.c", "do_msgsnd: pipelined_send hands the message to the first receiver alone"),
    ],
    rows=["W1"],
)
@over(*(_loop(who, "k48") for who in (PIPE, EVENTFD, DATAGRAM, MQUEUE, SYSV_QUEUE)), every_word=True)
def test_no_lost_wake_up(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... w7      (read, recvfrom, mq_timedreceive, msgrcv, and again)
      \\ |   /
      pipe, eventfd, UDP, message queue  <- 48 one by one

    A wake-up that is lost one time in twenty passes 4 trials of 48 with probability 0.95**192.
    """
    assert herd(scenario, in_part=True).each_step("connections") == 1
