"""The concurrent server: a process forked for each connection."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, LORE, OBSERVED, claim, kernel, man, text
from probes.fixtures import Play

STRATEGIES = ("accept", "select", "poll", "epoll_wait.level.listener")
_FORK = man("fork", 2, "DESCRIPTION: the child inherits copies of the parent's open file descriptors")
_CLOSE = man("close", 2, "DESCRIPTION: freed with the last descriptor of the open file description")
_SIGNAL7 = man("signal", 7, "Interruption of system calls and library functions by signal handlers")


@claim(
    "server.child-has-both",
    "A forked child has both the accepted socket and the listener: it can serve the client, and accept the next one.",
    level=DOCUMENTED,
    basis=[_FORK],
    rows=["L-B1"],
)
def test_child_has_both(play: Play) -> None:
    """
    server: accept c0, fork;  child: answer c0, accept c1, answer c1
    """
    seen = play("concurrent_server.child_has_both")
    seen.expect("accepted-client-reads", "from the child")
    seen.expect("next-client-reads", "from the child too")


@claim(
    "server.child-keeps-the-port",
    "A child that did not close the listener keeps the port: after the server is gone nobody else can bind it, and "
    "clients can still connect, until the child is gone, too.",
    level=DOCUMENTED,
    basis=[_FORK, _CLOSE, man("bind", 2, "ERRORS: EADDRINUSE"), man("connect", 2, "ERRORS: ECONNREFUSED")],
    rows=["L-B2"],
)
def test_child_keeps_the_port(play: Play) -> None:
    """
    server X    child ---> L  <--- bind? connect?        then child X
    """
    seen = play("concurrent_server.port_kept_by_child")
    seen.expect("bind-after-server", "EADDRINUSE")
    seen.expect("connect-after-server", "ok")
    seen.expect("connect-after-child", "ECONNREFUSED")
    seen.expect("bind-after-child", "ok")


@claim(
    "server.parent-keeps-client-waiting",
    "While the parent keeps its copy of the accepted socket, the client sees no end of file, even though the child "
    "has closed its own and is gone; it sees it as soon as the parent closes.",
    level=DOCUMENTED,
    basis=[_FORK, _CLOSE],
    rows=["L-B3"],
)
def test_parent_keeps_client_waiting(play: Play) -> None:
    """
    parent --- s0 ---> c0  <--- "bye" --- child X        then the parent closes
    """
    seen = play("concurrent_server.kept_by_parent")
    seen.expect("parent-write", 1)
    seen.expect("client-reads", "bye!")
    seen.expect("client-reads-after-close", "end of file")


@claim(
    "server.out-of-descriptors",
    "In a process without a free descriptor accept returns EMFILE.",
    level=DOCUMENTED,
    basis=[man("accept", 2, "ERRORS: EMFILE")],
    rows=["L-B3", "G4"],
)
def test_out_of_descriptors(play: Play) -> None:
    """
    accept (no descriptor left)  ---> L  <--- c0
    """
    play("accept_queue.out_of_descriptors").expect("accept-without-descriptor", "EMFILE")


@claim(
    "server.emfile-keeps-the-connection",
    "EMFILE loses nothing: the connection stays in the queue, a level-triggered waiter sees it reported again and "
    "again, and accept takes it once a descriptor is free.",
    level=OBSERVED,
    basis=[kernel("net/socket.c", "__sys_accept4_file: a descriptor is reserved before the queue is looked at")],
    rows=["L-B3", "G4"],
)
def test_emfile_keeps_the_connection(play: Play) -> None:
    """
    accept (no descriptor left)  ---> L  <--- c0;    then close one, accept
    """
    seen = play("accept_queue.out_of_descriptors")
    seen.expect("reported-in-three-waits", 3)
    seen.expect("queued", 1)
    seen.expect("accept-with-descriptor", True)


@claim(
    "server.zombie-until-waited-for",
    "A finished child is a zombie, with its exit status, until its parent waits for it.",
    level=DOCUMENTED,
    basis=[man("wait", 2, "NOTES: a child that terminates, but has not been waited for")],
    rows=["L-B4"],
)
def test_zombie(play: Play) -> None:
    """
    server  --- waitpid --->  child (exit 7)
    """
    seen = play("concurrent_server.zombie")
    seen.expect("child-state", "Z")
    seen.expect("exit-code", 7)
    seen.expect("child-state-after-wait", "gone")


@claim(
    "server.ignored-children-vanish",
    "While SIGCHLD is ignored, finished children leave no zombies, and waitpid returns ECHILD.",
    level=DOCUMENTED,
    basis=[man("wait", 2, "NOTES: the disposition of SIGCHLD is set to SIG_IGN")],
    rows=["L-B4"],
)
def test_ignored(play: Play) -> None:
    """
    server (SIGCHLD ignored)  --- waitpid --->  child (exit 7)
    """
    seen = play("concurrent_server.ignored")
    seen.expect("waitpid", "ECHILD")
    seen.expect("child-state", "gone")


@claim(
    "server.one-sigchld-for-several",
    "Three children that end while SIGCHLD is blocked leave one signal, so a handler must wait until no child is left.",
    level=DOCUMENTED,
    basis=[man("signal", 7, "Queueing and delivery semantics for standard signals")],
    rows=["L-B4"],
)
def test_one_signal(play: Play) -> None:
    """
    server  <--- SIGCHLD x 1 ---  three children
    """
    seen = play("concurrent_server.one_signal")
    seen.expect("sigchld", 1)
    seen.expect("reaped", 3)


@claim(
    "server.handled-sigchld-interrupts",
    "If the handler for SIGCHLD has no SA_RESTART, the end of a child ends accept, select, poll and epoll_wait with "
    "EINTR; with SA_RESTART it ends all of them except accept, which goes on.",
    level=DOCUMENTED,
    basis=[_SIGNAL7],
    rows=["L-B5", "G9"],
)
@pytest.mark.parametrize("handler", ["plain", "SA_RESTART"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sigchld_interrupts(play: Play, strategy: str, handler: str) -> None:
    """
    w0 (accept, select, poll, epoll_wait)  <--- SIGCHLD, with a handler ---  child X
    """
    goes_on = strategy == "accept" and handler == "SA_RESTART"
    seen = play("concurrent_server.child_ends", {"strategy": strategy, "handler": handler})
    seen.expect("server-woken", True)
    seen.expect("server", "blocked" if goes_on else "EINTR")
    if goes_on:
        seen.expect("server-after-connection", "took a connection")


@claim(
    "server.unhandled-sigchld-wakes-nobody",
    "Without a handler for SIGCHLD, the end of a child does not even wake a server that waits for a connection.",
    level=OBSERVED,
    basis=[
        man("signal", 7, "Standard signals: the default action of SIGCHLD is to ignore it"),
        kernel("kernel/signal.c", "sig_ignored: what would be ignored is not sent"),
    ],
    rows=["L-B5"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_unhandled_sigchld(play: Play, strategy: str) -> None:
    """
    w0 (accept, select, poll, epoll_wait)  <--- SIGCHLD, no handler ---  child X
    """
    seen = play("concurrent_server.child_ends", {"strategy": strategy, "handler": "none"})
    seen.expect("server-woken", False)
    seen.expect("server", "blocked")
    seen.expect("server-after-connection", "took a connection")


@claim(
    "server.served-client-holds-nobody-up",
    "A client that a child serves does not hold up the server's next connection, and that connection does not wake "
    "the child.",
    level=LORE,
    truth="true",
    basis=[_FORK, man("accept", 2, "DESCRIPTION: the listening socket is unaffected by this call")],
    rows=["L-B6"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_served_client(play: Play, strategy: str) -> None:
    """
    server ---> L  <--- c1        child (read) ---> s0  --- c0 (silent)
    """
    seen = play("concurrent_server.another_is_served", strategy)
    seen.expect("server", "took a connection")
    seen.expect("child-woken", False)
    seen.expect("child-reads", "late")


@claim(
    "server.ports-of-their-own",
    "One listener per worker, each on its own port, needs no lock and has no herd: a connection wakes only the "
    "worker of its port.",
    level=LORE,
    truth="true",
    basis=[
        text("uWSGI documentation, articles/SerializingAccept: independent processes bound on different sockets"),
        kernel("net/ipv4/tcp_minisocks.c", "tcp_child_process: sk_data_ready of that one listener"),
    ],
    rows=["E5"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ports_of_their_own(play: Play, strategy: str) -> None:
    """
    w0 ---> L0 (port a)        w1 ---> L1 (port b)  <--- c0
    """
    seen = play("concurrent_server.ports_of_their_own", strategy)
    seen.expect("worker", "took a connection")
    seen.expect("other-worker-woken", False)
    seen.expect("other-worker", "blocked")
    seen.expect("other-worker-own-client", "took a connection")
