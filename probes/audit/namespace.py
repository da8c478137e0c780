"""The network namespace of another process.  A child enters it, so this process stays in its own."""

from __future__ import annotations

import os
import socket

from .. import syscalls

_NEWNET, _NEWUSER = 0x40000000, 0x10000000


def network_of(pid: int | str) -> int:
    """Inode of the network namespace of process `pid`, or of "self".

    Raises OSError if the process is gone, or if we may not look into it.
    """
    return os.stat(f"/proc/{pid}/ns/net").st_ino


def is_ours(pid: int | str) -> bool:
    """Whether process `pid` is in our network namespace.  Raises OSError as `network_of` does."""
    return network_of(pid) == network_of("self")


def enter_network(pid: int) -> None:
    """Enter the network namespace of `pid`; if that is denied, enter its user namespace first (setns(2)).

    Raises OSError if both are denied.
    """
    namespaces = {}
    for kind in ("net", "user"):
        namespaces[kind] = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    number = syscalls.NUMBERS["setns"]
    result = syscalls.call(number, namespaces["net"], _NEWNET)
    if result < 0:
        syscalls.call(number, namespaces["user"], _NEWUSER)
        result = syscalls.call(number, namespaces["net"], _NEWNET)
    for fd in namespaces.values():
        os.close(fd)
    if result < 0:
        raise OSError(-result, f"its network namespace may not be entered: {os.strerror(-result)}")


def socket_beside(pid: int, family: int, kind: int, protocol: int) -> socket.socket:
    """A new socket in the network namespace of process `pid`: it stays there, whichever process uses it
    (namespaces(7)).

    Raises OSError if that namespace may not be entered.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            enter_network(pid)
            with socket.socket(family, kind, protocol) as inside:
                socket.send_fds(theirs, [b"\0"], [inside.fileno()])
            code = 0
        except OSError as error:
            theirs.send(bytes([error.errno or 1]))
            code = 0
        finally:
            os._exit(code)
    theirs.close()
    with ours:
        said, fds, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(child, 0)
    if not fds:
        number = said[0] if said else 1
        raise OSError(number, f"its network namespace may not be entered: {os.strerror(number)}")
    return socket.socket(family, kind, protocol, fileno=fds[0])
