"""The listener's end: closed in another thread, in another process, or shut down, while somebody waits."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play

_SELECT = man("select", 2, "Multithreaded applications: closing the file descriptor in another thread has no effect")
_WAKE_ALL = kernel("net/core/sock.c", "sock_def_wakeup: wake_up_interruptible_all")
_TCP = kernel("net/ipv4/af_inet.c", "inet_shutdown: a listener is disconnected, and everybody woken")
_UNIX = kernel("net/unix/af_unix.c", "unix_shutdown")
PRIVATE = tuple(f"epoll_wait.{trigger}.listener" for trigger in ("level", "edge", "exclusive"))


@claim(
    "death.close-in-thread-select",
    "Closing a descriptor in another thread has no effect on a thread that waits for it in select or poll.",
    level=DOCUMENTED,
    basis=[_SELECT, man("poll", 2, "NOTES: see select(2)")],
    rows=["G6", "W4"],
)
@pytest.mark.parametrize("call", ["select", "pselect6", "poll", "ppoll"])
def test_close_in_thread_select(play: Play, call: str) -> None:
    """
    w0: thread 0 (select)  thread 1: close(L)
                    \\
                     L  <- c0
    """
    seen = play("ends.closed_in_thread", {"strategy": call, "last": False})
    seen.expect("after-close", "blocked")
    seen.expect("waiter-after-connection", "returned")


@claim(
    "death.close-in-thread-accept",
    "When another thread closes a listener, a thread that sleeps on it in accept sleeps on, and takes the next "
    "connection.",
    level=DOCUMENTED,
    basis=[man("close", 2, "Multithreaded processes and close(): the blocking call holds a reference")],
    rows=["G6", "W4"],
)
@pytest.mark.parametrize("call", ["accept", "accept4"])
def test_close_in_thread_accept(play: Play, call: str) -> None:
    """
    w0: thread 0 (accept)  thread 1: close(L)
                    \\
                     L  <- c0
    """
    seen = play("ends.closed_in_thread", {"strategy": call, "last": False})
    seen.expect("after-close", "blocked")
    seen.expect("waiter-after-connection", "took a connection")


@claim(
    "death.sleeper-keeps-listener",
    "If the last descriptor of a listener is closed while a thread sleeps on it in accept, select or poll, it keeps "
    "listening until that call returns.",
    level=OBSERVED,
    basis=[man("close", 2, "Multithreaded processes and close()"), kernel("fs/select.c", "__pollwait: get_file")],
    rows=["G6", "W4"],
)
@pytest.mark.parametrize("call", ["accept", "select", "poll"])
def test_sleeper_keeps_listener(play: Play, call: str) -> None:
    """
    w0: thread 0 (accept)  thread 1: close(L), its last descriptor
                    \\
                     L  <- c0
    """
    seen = play("ends.closed_in_thread", {"strategy": call, "last": True})
    seen.expect("after-close", "blocked")
    seen.expect("connection", "accepted")
    seen.expect("waiter-after-connection", "took a connection" if call == "accept" else "returned")


@claim(
    "death.epoll-keeps-no-listener",
    "An epoll instance does not keep a listener alive: once its last descriptor is closed, connections are refused, "
    "and those that sleep in epoll_wait get no event and sleep on.",
    level=OBSERVED,
    basis=[
        man("epoll", 7, "Questions and answers: removed when all descriptors have been closed"),
        kernel("fs/eventpoll.c", "eventpoll_release_file"),
    ],
    rows=["G6", "G2", "W4"],
)
@pytest.mark.parametrize("strategy", [*PRIVATE, "epoll_wait.edge.epoll"])
def test_epoll_keeps_no_listener(play: Play, strategy: str) -> None:
    """
    w0: thread 0 (epoll_wait)  thread 1: close(L), its last descriptor
                 |
                 e ---> L  <- c0
    """
    seen = play("ends.closed_in_thread", {"strategy": strategy, "last": True})
    seen.expect("after-close", "blocked")
    seen.expect("connection", "refused")
    seen.expect("waiter-after-connection", "blocked")


@claim(
    "death.close-elsewhere",
    "When another process closes its copy of the listener, nothing happens to those that wait on it.",
    level=OBSERVED,
    basis=[man("close", 2, "DESCRIPTION: the last file descriptor referring to the open file description")],
    rows=["W4"],
)
@pytest.mark.parametrize("strategy", ["accept", "select", "poll", *PRIVATE, "epoll_wait.edge.epoll"])
def test_close_elsewhere(play: Play, strategy: str) -> None:
    """
    w0 (waits)     another process: close(L)
         \\
          L  <- c0
    """
    seen = play("ends.closed_elsewhere", strategy)
    seen.expect("after-close", "blocked")
    seen.expect("waiter-after-connection", "took a connection" if strategy == "accept" else "returned")


@claim(
    "death.shutdown-ends-accept",
    "shutdown(SHUT_RD) of the listener ends every blocked accept with EINVAL; new connections are refused.",
    level=OBSERVED,
    basis=[_TCP, _WAKE_ALL, _UNIX],
    rows=["W4"],
)
@pytest.mark.parametrize("listener", ["tcp4", "unix", "unix-seqpacket"])
def test_shutdown_ends_accept(play: Play, listener: str) -> None:
    """
    w0 w1  (accept)
      \\ |
       L  <- shutdown
    """
    seen = play("ends.shut_down", {"strategy": "accept", "listener": listener})
    seen.expect("shutdown", "ok")
    seen.expect("waiters", ["EINVAL", "EINVAL"])
    seen.expect("connection", "refused")


@claim(
    "death.shutdown-tells-all",
    "shutdown(SHUT_RD) of the listener returns every waiter from select, poll and private epoll instances, even with "
    "EPOLLEXCLUSIVE.",
    level=OBSERVED,
    basis=[_TCP, _WAKE_ALL, _UNIX],
    rows=["W4", "N5"],
)
@pytest.mark.parametrize("listener", ["tcp4", "unix"])
@pytest.mark.parametrize("strategy", ["select", "poll", *PRIVATE])
def test_shutdown_tells_all(play: Play, strategy: str, listener: str) -> None:
    """
    w0 w1  (select, poll, epoll_wait)
      \\ |
       L  <- shutdown
    """
    seen = play("ends.shut_down", {"strategy": strategy, "listener": listener})
    seen.expect("waiters", ["returned", "returned"])


@claim(
    "death.shutdown-shared-edge-tells-one",
    "On a shared edge-triggered instance, shutdown(SHUT_RD) of the listener returns only one waiter; the others "
    "sleep on.  TCP reports it twice, and the second report returns another waiter if the first has been taken by "
    "then.",
    level=OBSERVED,
    basis=[
        kernel("fs/eventpoll.c", "ep_poll_callback: wake_up, one waiter of the instance"),
        kernel("net/ipv4/tcp.c", "tcp_disconnect: sk_error_report"),
        kernel("net/ipv4/af_inet.c", "inet_shutdown: tcp_disconnect, then sk_state_change"),
        _WAKE_ALL,
    ],
    rows=["W4", "N5"],
)
@pytest.mark.parametrize("listener", ["tcp4", "unix"])
def test_shutdown_shared_edge(play: Play, listener: str) -> None:
    """
    w0 w1 w2  (epoll_wait)
      \\ | /
        e     (edge)
        |
        L  <- shutdown
    """
    reports = 2 if listener == "tcp4" else 1
    argument = {"strategy": "epoll_wait.edge.epoll", "listener": listener, "n": 3, "reports": reports}
    seen = play("ends.shut_down", argument)
    seen.expect("one-for-a-report", True)


@claim(
    "death.shutdown-tcp-hangs-up",
    "A TCP listener that was shut down reports POLLHUP, and accept returns EINVAL.",
    level=OBSERVED,
    basis=[_TCP, kernel("net/ipv4/tcp.c", "tcp_poll: EPOLLHUP in state TCP_CLOSE"), man("accept", 2, "ERRORS: EINVAL")],
    rows=["W4", "G4"],
)
def test_shutdown_tcp(play: Play) -> None:
    """
    w0 w1  (poll)
      \\ |
       L  <- shutdown;  poll, accept
    """
    seen = play("ends.shut_down", {"strategy": "poll", "listener": "tcp4"})
    seen.expect("polled", "POLLHUP")
    seen.expect("non-blocking-accept", "EINVAL")


@claim(
    "death.shutdown-unix-spins",
    "An AF_UNIX listener that was shut down for reading stays readable forever, and a non-blocking accept returns "
    "EAGAIN: a worker that relies on poll spins.",
    level=OBSERVED,
    basis=[_UNIX, kernel("net/unix/af_unix.c", "unix_poll: RCV_SHUTDOWN is EPOLLIN; unix_accept")],
    rows=["W4"],
)
@pytest.mark.parametrize("listener", ["unix", "unix-seqpacket"])
def test_shutdown_unix(play: Play, listener: str) -> None:
    """
    w0 w1  (poll)
      \\ |
       L  <- shutdown;  poll, accept, poll
    """
    seen = play("ends.shut_down", {"strategy": "poll", "listener": listener})
    seen.expect("polled", "POLLIN")
    seen.expect("non-blocking-accept", "EAGAIN")
    seen.expect("polled-again", "POLLIN")


@claim(
    "death.listens-again-after-shutdown",
    "A listener that was shut down and then listens again wakes its waiters for the next connection.",
    level=OBSERVED,
    basis=[_TCP, kernel("net/ipv4/inet_connection_sock.c", "inet_csk_listen_start: takes a port again")],
)
@pytest.mark.parametrize("strategy", ["accept", "poll", "epoll_wait.edge.epoll"])
def test_listens_again_after_shutdown(play: Play, strategy: str) -> None:
    """
    L  <- shutdown, listen
    |
    w0   then c0
    """
    seen = play("ends.listens_again", strategy)
    seen.expect("listen", "ok")
    seen.expect("waiter", "took a connection")
