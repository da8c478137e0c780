"""The kernel's lists of sockets, by netlink (sock_diag(7)).

The answers are binary records of known length, whereas the text of /proc/net/unix contains names that any user can
choose, line breaks included.  pyroute2 0.9.7 is not used: its DiagSocket drops the first byte of a unix name, so an
abstract name looks like a path; it takes an error for an empty answer; it cannot ask in another network namespace; and
it takes 0.13 s to import.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .namespace import is_ours, network_of, socket_beside

ESTABLISHED, LISTEN, SYN_RECV, CLOSE = 1, 10, 3, 7
"""Socket states (include/net/tcp_states.h).  An unconnected UDP socket is in CLOSE."""
_ALL_STATES = 0xFFFFFFFF
_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG, include/uapi/linux/netlink.h
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY, include/uapi/linux/sock_diag.h
_REQUEST, _DUMP = 0x001, 0x300  # NLM_F_REQUEST, NLM_F_DUMP
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_HEADER = struct.Struct("=IHHII")
_INET_REQUEST = struct.Struct("=BBBxI2s2s16s16sI8s")  # struct inet_diag_req_v2, include/uapi/linux/inet_diag.h
_INET_ANSWER = struct.Struct("=BBBB2s2s16s16sI8sIIIII")  # struct inet_diag_msg
_UNIX_REQUEST = struct.Struct("=BBHIII8s")  # struct unix_diag_req, include/uapi/linux/unix_diag.h
_UNIX_ANSWER = struct.Struct("=BBBxI8s")  # struct unix_diag_msg
_SHOW_NAME, _SHOW_FILE = 1, 2  # UDIAG_SHOW_NAME, UDIAG_SHOW_VFS
_NAME, _FILE = 0, 1  # UNIX_DIAG_NAME, UNIX_DIAG_VFS
_ANSWER_BYTES = 65_536
_INET_MEMORY, _UNIX_LENGTHS = 7, 4  # INET_DIAG_SKMEMINFO, UNIX_DIAG_RQLEN
_SHOW_LENGTHS = 0x10  # UDIAG_SHOW_RQLEN
_DROPS = 8
"""Place of SK_MEMINFO_DROPS among the numbers of INET_DIAG_SKMEMINFO (include/uapi/linux/sock_diag.h)."""


class InetSocket(NamedTuple):
    """One TCP or UDP socket."""

    family: int
    state: int
    local: tuple[bytes, int]
    """Packed address, port."""
    remote: tuple[bytes, int]
    inode: int
    """0 while nobody has accepted the connection (or all have closed it)."""


class UnixSocket(NamedTuple):
    """One unix socket that listens."""

    name: bytes
    """As it was given to bind: a path, or, for an abstract name, NUL and any bytes (unix(7))."""
    inode: int
    file: tuple[int, int] | None
    """Device and inode of its path, as stat(2) shows them; None for an abstract name."""


class SocketQueue(NamedTuple):
    """The queue of one socket."""

    inode: int
    length: int
    """Connections that nobody has accepted yet; for a datagram socket, bytes."""
    most: int
    """How long the queue of a listener may become."""
    dropped: int | None
    """What the socket has dropped since it was created (sk_drops); None if this kernel does not say."""


_lines: dict[int, socket.socket] = {}
"""One netlink socket for each network namespace, by its inode."""


def inet_sockets(
    pid: int | str, family: int, protocol: int, states: int = _ALL_STATES, local_port: int = 0, remote_port: int = 0
) -> Iterator[InetSocket]:
    """Sockets of this family and protocol in the network namespace of process `pid`, or of "self".

    `states` is a set of bits; port 0 means any port.  Raises OSError if we may not enter the namespace, or if this
    kernel cannot list such sockets.
    """
    ports = (local_port.to_bytes(2, "big"), remote_port.to_bytes(2, "big"))
    request = _INET_REQUEST.pack(family, protocol, 0, states, *ports, bytes(16), bytes(16), 0, bytes(8))
    for body in _answers(pid, request):
        its_family, state, _, _, here, there, source, destination, _, _, *rest = _INET_ANSWER.unpack_from(body)
        size = 4 if its_family == socket.AF_INET else 16
        local, remote = (source[:size], int.from_bytes(here, "big")), (destination[:size], int.from_bytes(there, "big"))
        yield InetSocket(its_family, state, local, remote, rest[-1])


def inet_queues(pid: int | str, family: int, protocol: int, states: int, local_port: int) -> Iterator[SocketQueue]:
    """Queues of the sockets of this family and protocol at this port.  Raises OSError as `inet_sockets`."""
    port = local_port.to_bytes(2, "big")
    extension = 1 << (_INET_MEMORY - 1)
    request = _INET_REQUEST.pack(family, protocol, extension, states, port, bytes(2), bytes(16), bytes(16), 0, bytes(8))
    for body in _answers(pid, request):
        *_, length, most, _, inode = _INET_ANSWER.unpack_from(body)
        memory = dict(_attributes(body[_INET_ANSWER.size :])).get(_INET_MEMORY, b"")
        dropped = None
        if len(memory) >= 4 * (_DROPS + 1):
            (dropped,) = struct.unpack_from("=I", memory, 4 * _DROPS)
        yield SocketQueue(inode, length, most, dropped)


def unix_queues(pid: int | str) -> Iterator[SocketQueue]:
    """Queues of all unix sockets that listen.  Raises OSError as `inet_sockets`."""
    request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, 1 << LISTEN, 0, _SHOW_LENGTHS, bytes(8))
    for body in _answers(pid, request):
        _, _, _, inode, _ = _UNIX_ANSWER.unpack_from(body)
        lengths = dict(_attributes(body[_UNIX_ANSWER.size :])).get(_UNIX_LENGTHS, b"")
        if len(lengths) >= 8:
            length, most = struct.unpack_from("=II", lengths)
            yield SocketQueue(inode, length, most, None)


def unix_listeners(pid: int | str) -> Iterator[UnixSocket]:
    """Unix sockets that listen in the network namespace of process `pid`, or of "self".

    Raises OSError as `inet_sockets`.
    """
    request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, 1 << LISTEN, 0, _SHOW_NAME | _SHOW_FILE, bytes(8))
    for body in _answers(pid, request):
        _, _, _, inode, _ = _UNIX_ANSWER.unpack_from(body)
        attributes = dict(_attributes(body[_UNIX_ANSWER.size :]))
        name = attributes.get(_NAME, b"")
        file = None
        if _FILE in attributes:
            number, device = struct.unpack_from("=II", attributes[_FILE])
            file = (os.makedev(device >> 20, device & 0xFFFFF), number)
        # A path's length includes its terminating NUL; an abstract name has none (unix_mkname_bsd).
        yield UnixSocket(name if name.startswith(b"\0") else name.rstrip(b"\0"), inode, file)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute, which are padded to 4 bytes (netlink(7))."""
    at = 0
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if length < 4:
            return
        yield kind, body[at + 4 : at + length]
        at += (length + 3) & ~3


def _answers(pid: int | str, request: bytes) -> Iterator[bytes]:
    line = _line(pid)
    line.sendall(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _REQUEST | _DUMP, 1, 0) + request)
    bodies: list[bytes] = []
    while True:
        message = line.recv(_ANSWER_BYTES)
        at = 0
        while at + _HEADER.size <= len(message):
            length, kind, *_ = _HEADER.unpack_from(message, at)
            body = message[at + _HEADER.size : at + length]
            if kind == _DONE:
                return iter(bodies)
            if kind == _ERROR:
                (number,) = struct.unpack_from("=i", body)
                raise _refusal(-number or errno.EPROTO, *request[:2])
            bodies.append(body)
            at += max(_HEADER.size, (length + 3) & ~3)


def _refusal(error: int, family: int, protocol: int) -> OSError:
    """The error to raise.  ENOENT means that no handler for such sockets is loaded, and that none could be loaded
    (net/core/sock_diag.c, net/ipv4/inet_diag.c)."""
    kind = "unix" if family == socket.AF_UNIX else {6: "tcp", 17: "udp"}.get(protocol)
    if error != errno.ENOENT or kind is None:
        return OSError(error, f"sock_diag: {os.strerror(error)}")
    return OSError(error, f"this kernel lists no {kind} sockets without its module {kind}_diag: modprobe {kind}_diag")


def _line(pid: int | str) -> socket.socket:
    namespace = network_of(pid)
    if namespace not in _lines:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        if isinstance(pid, str) or is_ours(pid):
            _lines[namespace] = socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG)
        else:
            _lines[namespace] = socket_beside(pid, socket.AF_NETLINK, kind, _SOCK_DIAG)
    return _lines[namespace]
