"""The other end of a pipe or of a connection closes while several wait; a waiter dies; a queue is removed."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play

_LAST = linux("5.6", "6551d5c56eb0", "pipe: make sure to wake up everybody when the last reader/writer closes")
_MULTIPLEXERS = ("poll", "select", "epoll_wait.level.listener", "epoll_wait.exclusive.listener")
_READERS = (
    ("read", "pipe"),
    ("read", "fifo"),
    ("recvfrom", "tcp4-connected"),
    ("recvfrom", "unix-connected"),
    ("recvfrom", "unix-seqpacket-connected"),
)


@claim(
    "sources.end-of-file-tells-all",
    "End of file reaches everyone: when the last writer of a pipe closes it, or the peer of a connection shuts it "
    "down for writing, each of N blocked readers returns 0.",
    level=DOCUMENTED,
    basis=[
        man("pipe", 7, "I/O on pipes and FIFOs: once all write ends are closed, read sees end-of-file"),
        man("recv", 2, "RETURN VALUE: 0 when a stream socket peer has performed an orderly shutdown"),
        _LAST,
    ],
)
@pytest.mark.parametrize(("call", "source"), _READERS)
def test_end_of_file_tells_all(play: Play, call: str, source: str) -> None:
    """
    w0 w1 w2 w3      (read, recvfrom)
      \\ |  /
       fd  <- close, shutdown(SHUT_WR)
    """
    seen = play("hang_ups.end_of_file", {"strategy": call, "source": source})
    seen.expect("answers", [0, 0, 0, 0])


@claim(
    "sources.end-of-file-wakes-pollers",
    "When the last writer closes a pipe, all N that wait for it in poll, select or private epoll instances wake, "
    "even with EPOLLEXCLUSIVE.",
    level=OBSERVED,
    basis=[kernel("fs/pipe.c", "pipe_release: wake_up_interruptible_all on both queues, exclusive waiters too"), _LAST],
)
@pytest.mark.parametrize("strategy", _MULTIPLEXERS)
def test_end_of_file_wakes_pollers(play: Play, strategy: str) -> None:
    """
    w0 w1 w2 w3      (poll, select, epoll_wait)
      \\ |  /
       pipe  <- close
    """
    seen = play("hang_ups.end_of_file", {"strategy": strategy, "source": "pipe"})
    seen.expect("answers", [1, 1, 1, 1])


@claim(
    "sources.no-reader-tells-all-writers",
    "When the last reader of a full pipe closes it, each of N blocked writers returns with EPIPE.",
    level=DOCUMENTED,
    basis=[man("pipe", 7, "I/O on pipes and FIFOs: once all read ends are closed, write fails with EPIPE"), _LAST],
)
def test_no_reader_tells_all_writers(play: Play) -> None:
    """
    w0 w1 w2 w3      (write)
      \\ |  /
     full pipe  -> close
    """
    play("hang_ups.no_reader").expect("answers", ["EPIPE"] * 4)


@claim(
    "sources.no-reader-wakes-pollers",
    "When the last reader of a full pipe closes it, all N that wait for room in poll, select or private epoll "
    "instances wake, even with EPOLLEXCLUSIVE.",
    level=OBSERVED,
    basis=[kernel("fs/pipe.c", "pipe_release: wake_up_interruptible_all on both queues, exclusive waiters too"), _LAST],
)
@pytest.mark.parametrize("strategy", ["poll", "epoll_wait.exclusive.listener"])
def test_no_reader_wakes_pollers(play: Play, strategy: str) -> None:
    """
    w0 w1 w2 w3      (poll, epoll_wait: POLLOUT)
      \\ |  /
     full pipe  -> close
    """
    play("hang_ups.no_reader", f"{strategy}/full-pipe").expect("answers", [1, 1, 1, 1])


@claim(
    "sources.killed-waiter-swallows-nothing",
    "A waiter that is killed takes nothing with it: what arrives next returns the next waiter, and so on.",
    level=OBSERVED,
    basis=[
        kernel("kernel/sched/wait.c", "prepare_to_wait_event: one with a signal leaves the queue of exclusive waiters"),
        kernel("fs/pipe.c", "pipe_read, pipe_write: wait_event_interruptible_exclusive"),
        kernel("ipc/mqueue.c", "wq_sleep: one with a signal leaves the list of those that wait"),
        kernel("ipc/msg.c", "do_msgrcv: list_del, if a signal ended the wait"),
    ],
)
@pytest.mark.parametrize(
    ("call", "source"),
    [
        ("read", "pipe"),
        ("write", "pipe"),
        ("recvfrom", "unix-datagram"),
        ("mq_timedreceive", "mqueue"),
        ("msgrcv", "sysv-queue"),
    ],
)
def test_killed_waiter_swallows_nothing(play: Play, call: str, source: str) -> None:
    """
    w0 (killed) w1 w2      (read, write, recvfrom, mq_timedreceive, msgrcv)
             \\  |  /
               fd  <- one, and another one
    """
    seen = play("swallowed.one_killed", {"call": call, "source": source})
    seen.expect("after-one", 1)
    seen.expect("after-two", 2)


@claim(
    "sources.removal-tells-all",
    "When a System V message queue or semaphore is removed, each of N that wait for it returns with EIDRM.",
    level=DOCUMENTED,
    basis=[
        man("msgop", 2, "ERRORS: EIDRM, while the process was sleeping to receive a message, the queue was removed"),
        man("semop", 2, "the semaphore set is removed from the system: semop fails with EIDRM"),
    ],
)
@pytest.mark.parametrize("kind", ["queue", "semaphore"])
def test_removal_tells_all(play: Play, kind: str) -> None:
    """
    w0 w1 w2      (msgrcv, semop)
      \\ | /
       q  <- IPC_RMID
    """
    play("swallowed.removed", kind).expect("answers", ["EIDRM"] * 3)


@claim(
    "sources.half-closed-is-rdhup",
    "When a peer shuts a stream down for writing, POLLRDHUP (EPOLLRDHUP) is reported, on TCP and on AF_UNIX; data do "
    "not cause it.",
    level=DOCUMENTED,
    basis=[
        man("poll", 2, "POLLRDHUP: stream socket peer closed connection, or shut down writing half of connection"),
        man("epoll_ctl", 2, "EPOLLRDHUP"),
    ],
)
@pytest.mark.parametrize("source", ["tcp4-connected", "unix-connected"])
def test_half_closed_is_rdhup(play: Play, source: str) -> None:
    """
    w0 (poll: POLLRDHUP) ---> s  <- "x", shutdown(SHUT_WR)
    """
    seen = play("hang_ups.half_closed", source)
    seen.expect("after-data", "blocked")
    seen.expect("after-shutdown", "RDHUP")
    seen.expect("epoll", "RDHUP")


@claim(
    "sources.hangs-up-before-listen",
    "A stream socket that does not listen yet counts as hung up: poll on it returns at once with POLLHUP.  Once it "
    "listens, it no longer does, and connections are reported, even by an instance that it was added to before.",
    level=OBSERVED,
    basis=[
        kernel("net/ipv4/tcp.c", "tcp_poll: EPOLLHUP in state TCP_CLOSE"),
        kernel("net/unix/af_unix.c", "unix_poll: EPOLLHUP for a stream socket in state TCP_CLOSE"),
        man("poll", 2, "POLLHUP"),
    ],
)
@pytest.mark.parametrize("kind", ["tcp4", "unix"])
def test_hangs_up_before_listen(play: Play, kind: str) -> None:
    """
    w0 (poll), e ---> s  <- listen; c0
    """
    seen = play("hang_ups.before_listen", kind)
    seen.expect("poll", "POLLHUP")
    seen.expect("before", "HUP")
    seen.expect("listening", "nothing")
    seen.expect("connection", "IN")


@claim(
    "sources.own-shutdown-is-rdhup",
    "When a stream is shut down for reading at the waiter's own end, poll on it returns POLLRDHUP, on TCP and on "
    "AF_UNIX.",
    level=OBSERVED,
    basis=[
        kernel("net/ipv4/af_inet.c", "inet_shutdown: sk_state_change, for those that sleep in poll"),
        kernel("net/unix/af_unix.c", "unix_shutdown: the same"),
    ],
)
@pytest.mark.parametrize("source", ["tcp4-connected", "unix-connected"])
def test_own_shutdown_is_rdhup(play: Play, source: str) -> None:
    """
    w0 (poll: POLLRDHUP) ---> s  <- shutdown(SHUT_RD) here
    """
    play("hang_ups.shut_here", source).expect("after-shutdown", "RDHUP")


@claim(
    "sources.vsock-ends-are-told",
    "The end of an AF_VSOCK connection is reported as on TCP: when the peer shuts it down for writing, each of N "
    "blocked readers returns 0, and poll returns POLLRDHUP, as it does when the waiter's own end is shut down for "
    "reading.",
    level=OBSERVED,
    basis=[
        kernel("net/vmw_vsock/virtio_transport_common.c", "virtio_transport_recv_connected: sk_state_change"),
        kernel("net/vmw_vsock/af_vsock.c", "vsock_shutdown: sk_state_change; vsock_poll: EPOLLRDHUP for either end"),
    ],
)
def test_vsock_ends_are_told(play: Play) -> None:
    """
    w0 w1 w2 w3 (recvfrom), w0 (poll: POLLRDHUP) ---> s  <- shutdown there, shutdown here      (AF_VSOCK)
    """
    source = "vsock-connected"
    play("hang_ups.end_of_file", {"strategy": "recvfrom", "source": source}).expect("answers", [0, 0, 0, 0])
    seen = play("hang_ups.half_closed", source)
    seen.expect("after-data", "blocked")
    seen.expect("after-shutdown", "RDHUP")
    play("hang_ups.shut_here", source).expect("after-shutdown", "RDHUP")
