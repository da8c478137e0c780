"""What the kernel answers about sockets, whatever their names are; and the file of a unix socket."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.audit import sock_diag, unix_path
from probes.audit.find import Wanted, find
from probes.audit.sock_diag import LISTEN, SYN_RECV, inet_sockets, unix_listeners
from probes.audit.sockets import ListeningSocket, is_half_open, is_udp_port, listeners, server_end
from probes.verdict import Inconclusive

FORGED = b"x\n0000000000000000: 00000002 00000000 00010000 0001 01 8965 @forged"
"""A name that looks like two lines of /proc/net/unix."""


@pytest.mark.parametrize(
    ("family", "protocol", "module"),
    [
        (socket.AF_UNIX, 0, "unix_diag"),
        (socket.AF_INET, socket.IPPROTO_TCP, "tcp_diag"),
        (socket.AF_INET6, socket.IPPROTO_UDP, "udp_diag"),
    ],
)
def test_a_module_that_is_not_there_is_named(family: int, protocol: int, module: str) -> None:
    refused = sock_diag._refusal(errno.ENOENT, family, protocol)
    assert (refused.errno, f"modprobe {module}" in str(refused)) == (errno.ENOENT, True)
    assert "sock_diag: Operation not permitted" in str(sock_diag._refusal(errno.EPERM, family, protocol))


@contextlib.contextmanager
def _listening(address: object, family: int = socket.AF_UNIX) -> Iterator[socket.socket]:
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        yield listener


def _inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def _listed(sock: socket.socket) -> ListeningSocket:
    (listed,) = [listener for listener in listeners("self") if _inode(sock) in listener.inodes]
    return listed


@pytest.mark.parametrize("name", [FORGED, b"\xff\xfe", b"a b\tc", b"padded\0\0\0", b"", b"\x1b[2J"])
def test_an_abstract_name_may_hold_anything(name: bytes) -> None:
    name += str(os.getpid()).encode()
    with _listening(b"\0" + name) as listener:
        listed = _listed(listener)
        assert (listed.kind, os.fsencode(listed.address), listed.file) == ("unix-abstract", b"@" + name, None)
        assert [listed.name for listed in unix_listeners("self") if listed.inode == _inode(listener)] == [b"\0" + name]
    assert "@forged" not in {listed.address for listed in listeners("self")}


def test_a_padded_abstract_name_is_named_without_its_padding() -> None:
    name = f"wakecheck-{os.getpid()}"
    with _listening(f"\0{name}\0\0\0"):
        assert find(Wanted(path=f"@{name}")).holders.keys() == {os.getpid()}


def test_a_path_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "one\nof \udcff.sock"
    with _listening(str(path)) as listener:
        listed = _listed(listener)
        assert (listed.kind, listed.address) == ("unix", str(path))
        file = unix_path.open_file(listed, [os.getpid()])
        assert os.fstat(file).st_ino == path.stat().st_ino
        os.close(file)


def test_only_what_listens_is_a_listener() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        known = {inode for listener in listeners("self") for inode in listener.inodes}
        assert not known & {_inode(ours), _inode(theirs), _inode(bound)}


def test_tcp() -> None:
    with _listening(("127.0.0.1", 0), socket.AF_INET) as listener:
        listed = _listed(listener)
        assert (listed.kind, listed.address, listed.port) == ("tcp4", *listener.getsockname())
        with socket.create_connection(listener.getsockname()) as client:
            end = server_end(os.getpid(), listed.port, client.getsockname())
            assert end is not None
            assert (end.inode, is_half_open(end)) == (0, False)
            taken, _ = listener.accept()
            with taken:
                end = server_end(os.getpid(), listed.port, client.getsockname())
                assert end is not None
                assert end.inode == _inode(taken)


def test_an_ipv4_client_of_an_ipv6_listener_is_known_by_its_ipv4_address() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        assert _listed(listener).kind == "tcp6"
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert server_end(os.getpid(), port, client.getsockname()) is not None


def test_a_connection_that_is_held_back_is_half_open() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            end = server_end(os.getpid(), listener.getsockname()[1], client.getsockname())
            assert end is not None
            assert end.state == SYN_RECV
            assert is_half_open(end)


def test_states_and_ports_narrow_the_list() -> None:
    with _listening(("127.0.0.1", 0), socket.AF_INET) as listener, _listening(("127.0.0.1", 0), socket.AF_INET):
        port = listener.getsockname()[1]
        asked = inet_sockets("self", socket.AF_INET, socket.IPPROTO_TCP, 1 << LISTEN, local_port=port)
        assert [queue.inode for queue in asked] == [_inode(listener)]


def test_a_udp_port() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        assert is_udp_port("self", udp.getsockname()[1])
    with _listening(("127.0.0.1", 0), socket.AF_INET) as tcp:
        assert not is_udp_port("self", tcp.getsockname()[1])


# --- the file of a unix socket -----------------------------------------------------------------


def test_a_file_that_took_the_path_meanwhile_is_not_connected_to(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with _listening(str(path)) as older:
        listed = _listed(older)
        path.unlink()
        with pytest.raises(Inconclusive, match="cannot be reached: No such file or directory"):
            unix_path.open_file(listed, [os.getpid()])
        with _listening(str(path)), pytest.raises(Inconclusive, match="leads to another file"):
            unix_path.open_file(listed, [os.getpid()])


def test_without_openat2_a_path_in_our_own_root_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux before 5.6."""
    monkeypatch.setattr(unix_path.syscalls, "number", lambda name: None)
    with _listening(str(tmp_path / "s")) as listener:
        os.close(unix_path.open_file(_listed(listener), [os.getpid()]))
        monkeypatch.setattr(unix_path, "_is_our_root", lambda pid: False)
        with pytest.raises(Inconclusive, match="Function not implemented"):
            unix_path.open_file(_listed(listener), [os.getpid()])


def test_what_waits_to_be_accepted() -> None:
    """A queue that holds two: two connections wait, and what comes then is dropped by this listener, and counted."""
    with socket.socket() as listener, socket.socket() as other, contextlib.ExitStack() as clients:
        for queued in (listener, other):
            queued.bind(("127.0.0.1", 0))
            queued.listen(1)
        inode = os.fstat(listener.fileno()).st_ino
        port = listener.getsockname()[1]

        def queue() -> sock_diag.SocketQueue:
            queues = list(
                sock_diag.inet_queues("self", socket.AF_INET, socket.IPPROTO_TCP, 1 << sock_diag.LISTEN, port)
            )
            return next(queue for queue in queues if queue.inode == inode)

        assert (queue().length, queue().most, queue().dropped) == (0, 1, 0)
        for _ in range(2):
            clients.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert (queue().length, queue().dropped) == (2, 0)
        late = clients.enter_context(socket.socket())
        late.setblocking(False)
        late.connect_ex(("127.0.0.1", port))  # over loopback its SYN has been handled when this returns
        assert queue().length == 2
        assert queue().dropped == 1


def test_what_waits_at_a_unix_socket() -> None:
    name = f"\0wakecheck-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(name)
        listener.listen(5)
        client.connect(name)
        inode = os.fstat(listener.fileno()).st_ino
        queue = next(unix_queue for unix_queue in sock_diag.unix_queues("self") if unix_queue.inode == inode)
        assert (queue.length, queue.most, queue.dropped) == (1, 5, None)
