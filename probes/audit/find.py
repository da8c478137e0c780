"""Finds the listener that the user named (by port, path or pid), and the processes that hold it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..exits import BadInput
from ..printable import printable
from .closed import why_closed, why_nobody_holds_it
from .sockets import ListeningSocket, datagram_sockets, is_udp_port, listeners


class BadTarget(BadInput):
    """The named target cannot be audited; the message is one sentence for the user, safe to print."""

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence))


@dataclass(frozen=True)
class Wanted:
    """What the user named.  `pid` alone means its listeners; with it, a port or path is one in its namespace."""

    port: int | None = None
    host: str | None = None
    """A numeric address of this machine, or None for any."""
    path: str | None = None
    """A unix socket's path, or @name."""
    pid: int | None = None
    udp: bool = False
    """Whether a UDP socket is meant."""
    sends: bool = False
    """Whether the audit has something to send: if so, a port on which nothing listens may be a UDP port."""

    @property
    def name(self) -> str:
        if self.path is not None:
            return self.path
        if self.port is not None:
            return f"port {self.port}" if self.host is None else f"{self.host} port {self.port}"
        return f"pid {self.pid}"


@dataclass
class AuditedServer:
    """A listener, and who holds it."""

    listener: ListeningSocket
    holders: dict[int, dict[int, int]]
    """For each process that holds one of its sockets: descriptor -> inode."""
    others: list[ListeningSocket] = field(default_factory=list)
    """Listeners that the name would fit as well; they are not audited."""
    unseen: list[int] = field(default_factory=list)
    """Processes whose descriptors this user may not see, and which may hold the listener, too."""

    @property
    def anyone(self) -> int:
        """Any process in the listener's namespace that holds it."""
        return min(self.holders)


def find(wanted: Wanted) -> AuditedServer:
    """The server that the user named.  Raises BadTarget with one sentence if there is none, or more than one."""
    if wanted.pid is not None:
        _complain_about_pid(wanted.pid)
        candidates = _of_pid(wanted)
    else:
        candidates = _anywhere(wanted)
    if wanted.pid is not None and wanted.port is None and wanted.path is None:
        chosen = the_one_of(candidates, f"pid {wanted.pid}")
    else:
        chosen = candidates[0]
    others = [candidate for candidate in candidates if candidate is not chosen]
    if any(other.address == chosen.address and not other.port for other in others):
        raise BadTarget(
            f"several sockets were bound to {chosen.name}, one after the other, and a client reaches the last: "
            "add --pid, or end the older server"
        )
    holders, unseen = holders_of(chosen.inodes)
    if not holders:
        raise BadTarget(f"{chosen.name} listens, but {why_nobody_holds_it(unseen)}")
    return AuditedServer(chosen, holders, others, _kin(unseen, holders))


def listeners_of(wanted: Wanted) -> list[ListeningSocket]:
    """Every listener of a process that was named by its pid alone: its TCP ports, or its unix sockets if it has none.

    A unix socket next to a port is left alone: it may be the server's control socket.  Raises BadTarget as `find`.
    """
    assert wanted.pid is not None
    _complain_about_pid(wanted.pid)
    held = _of_pid(wanted)
    return sorted(
        [listener for listener in held if listener.port] or held, key=lambda listener: (listener.port, listener.name)
    )


def the_one_of(candidates: Sequence[ListeningSocket], whose: str) -> ListeningSocket:
    """The listener to audit if none was named: the one on the only TCP port, otherwise the only one there is.

    A unix socket next to a port may be the server's control socket.  Raises BadTarget if there are several.
    """
    by_port = [candidate for candidate in candidates if candidate.port] or candidates
    if len({candidate.port or candidate.address for candidate in by_port}) > 1:
        names = ", ".join(candidate.name for candidate in candidates)
        raise BadTarget(f"{whose} has several listeners ({names}): add --port or --unix to choose one")
    return min(by_port, key=_preference)


def _complain_about_pid(pid: int) -> None:
    try:
        os.listdir(f"/proc/{pid}/fd")
        os.stat(f"/proc/{pid}/ns/net")
    except (FileNotFoundError, ProcessLookupError):
        raise BadTarget(f"no process {pid}: it is gone, or never was") from None
    except PermissionError:
        raise BadTarget(f"process {pid} {why_closed(pid)}") from None


def _of_pid(wanted: Wanted) -> list[ListeningSocket]:
    """Listeners that the process or its descendants hold; only those on the given port or path, if there is one."""
    assert wanted.pid is not None
    pid = wanted.pid
    try:
        there = _fitting(sockets_to_audit(pid, wanted), wanted, pid)
        held = set(sockets_of(pid).values())
    except (FileNotFoundError, ProcessLookupError):
        raise BadTarget(f"process {pid} has just ended") from None
    except OSError as error:
        raise BadTarget(f"process {pid}: {error.strerror}") from None
    for child in descendants(pid):
        # The child may have ended, or belong to another user.
        with contextlib.suppress(OSError):
            held.update(sockets_of(child).values())
    mine = [listener for listener in there if held & set(listener.inodes)]
    if wanted.port is None and wanted.path is None:
        if not mine:
            raise BadTarget(f"process {pid} and its children hold no listening socket")
        return mine
    # With a port or path, any process in the container may hold it.
    if not there:
        if not wanted.udp and wanted.sends and wanted.port is not None and is_udp_port(pid, wanted.port):
            return _of_pid(replace(wanted, udp=True))
        raise BadTarget(f"nothing listens on {wanted.name} in the network namespace of process {pid}")
    return mine or there


def _anywhere(wanted: Wanted) -> list[ListeningSocket]:
    """Listeners in this network namespace, or else in the only other one that has any and that we may look into."""
    if wanted.host is not None:
        _complain_about_remote(wanted.host)
    here = _fitting(sockets_to_audit("self", wanted), wanted, None)
    if here:
        return here
    elsewhere: dict[int, list[ListeningSocket]] = {}
    seen = {os.stat("/proc/self/ns/net").st_ino}
    if wanted.host is None:
        for pid in pids():
            with contextlib.suppress(OSError):
                namespace = os.stat(f"/proc/{pid}/ns/net").st_ino
                if namespace not in seen:
                    seen.add(namespace)
                    if there := _fitting(sockets_to_audit(pid, wanted), wanted, pid):
                        elsewhere[namespace] = there
    if not elsewhere:
        if wanted.port is not None and is_udp_port("self", wanted.port):
            if wanted.sends:
                return _anywhere(replace(wanted, udp=True))
            raise BadTarget(
                f"port {wanted.port} is a UDP port here, to which nobody connects: say what to send to it, with --send "
                "TEXT, or --dns NAME"
            )
        raise BadTarget(f"nothing listens on {wanted.name} here: start the server first, or name another")
    if len(elsewhere) > 1:
        raise BadTarget(
            f"{len(elsewhere)} network namespaces have a listener on {wanted.name}: add --pid to choose one"
        )
    return next(iter(elsewhere.values()))


def sockets_to_audit(pid: int | str, wanted: Wanted) -> list[ListeningSocket]:
    """All sockets of the wanted sort in the network namespace of process `pid`.  OSError as `listeners`."""
    return datagram_sockets(pid) if wanted.udp else listeners(pid)


def _complain_about_remote(host: str) -> None:
    """Raise BadTarget unless `host` is an address of this machine: others cannot be bound to."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host, 0))
    except OSError:
        raise BadTarget(
            f"{host} is not an address of this machine: only servers on this machine can be audited"
        ) from None


def _fitting(sockets: Iterable[ListeningSocket], wanted: Wanted, pid: int | None) -> list[ListeningSocket]:
    """The sockets that the name fits; first the one that a connection to 127.0.0.1 would reach."""
    if wanted.path is not None:
        return _of_path(list(sockets), wanted.path, pid)
    if wanted.port is None:
        return sorted(sockets, key=_preference)
    exact = [listener for listener in sockets if listener.port == wanted.port]
    if wanted.host is not None:
        mine = [listener for listener in exact if listener.address == wanted.host]
        everywhere = "::" if ":" in wanted.host else "0.0.0.0"
        return mine or [listener for listener in exact if listener.address in (everywhere, "::")]
    return sorted(exact, key=_preference)


def _preference(listener: ListeningSocket) -> tuple[int, str]:
    order = ("127.0.0.1", "0.0.0.0", "::", "::1")
    place = order.index(listener.address) if listener.address in order else len(order)
    return place, listener.name


def _of_path(sockets: Sequence[ListeningSocket], path: str, pid: int | None) -> list[ListeningSocket]:
    """Listeners on this unix socket; `pid` is the process whose view of the path counts, None: ours."""
    named = [listener for listener in sockets if not listener.port and _same_path(listener, path, pid)]
    if pid is None and not path.startswith("@"):
        with contextlib.suppress(OSError):
            status = os.stat(path)
            # Others may have been bound to this path in another mount namespace, or before it was removed.
            ours = [listener for listener in sockets if listener.file == (status.st_dev, status.st_ino & 0xFFFFFFFF)]
            return ours or named
    return named


def _same_path(listener: ListeningSocket, wanted: str, pid: int | None) -> bool:
    """Whether a unix socket has this name.  Of a path that was given to bind as a relative one, the end is compared."""
    listed = listener.address
    if listener.kind == "unix-abstract":
        # A NUL cannot be given on the command line, and names are often padded with them.
        return listed.rstrip("\0") == wanted
    if listed == wanted:
        return True
    if wanted.startswith("@"):
        return False
    if not listed.startswith("/"):
        return os.path.basename(listed) == os.path.basename(wanted)
    return pid is None and os.path.realpath(listed) == os.path.realpath(wanted)


# --- processes ---------------------------------------------------------------------------------


def pids() -> Iterator[int]:
    """Every process that /proc shows."""
    yield from (int(name) for name in os.listdir("/proc") if name.isdigit())


def sockets_of(pid: int) -> dict[int, int]:
    """Descriptor -> inode of every socket that process `pid` holds.  OSError where it is gone or closed to us."""
    inodes = {}
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            link = os.readlink(f"{folder}/{name}")
            if link.startswith("socket:["):
                inodes[int(name)] = int(link[8:-1])
    return inodes


def _kin(unseen: Iterable[int], holders: Iterable[int]) -> list[int]:
    """The unseen processes that may have inherited the listener: parents, children and siblings of its holders.

    For root, all of the unseen, because they are few.  An ordinary user cannot see anybody else's processes.
    """
    if os.geteuid() == 0:
        return sorted(unseen)
    parents = {}
    for pid in (*unseen, *holders):
        with contextlib.suppress(OSError):
            parents[pid] = parent_of(pid)
    held = set(holders)
    families = {parents[pid] for pid in held if pid in parents} - {0, 1, 2}
    return sorted(pid for pid in unseen if pid in families or parents.get(pid) in families | held)


def holders_of(inodes: Iterable[int]) -> tuple[dict[int, dict[int, int]], list[int]]:
    """Processes that hold one of these sockets (descriptor -> inode), and those that could not be looked into."""
    wanted = set(inodes)
    holders: dict[int, dict[int, int]] = {}
    unseen = []
    for pid in pids():
        try:
            held = {fd: inode for fd, inode in sockets_of(pid).items() if inode in wanted}
        except PermissionError:
            unseen.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        else:
            if held:
                holders[pid] = held
    return holders, unseen


def parent_of(pid: int) -> int:
    """Parent of process `pid`, from /proc/PID/stat (proc_pid_stat(5)).  OSError where it is gone."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        # The name in parentheses may hold anything, parentheses too.
        return int(file.read().rpartition(b")")[2].split()[1])


def family_of(heads: Iterable[int]) -> set[int]:
    """These processes and those of their descendants that are in the same session (setsid(2)).

    Descendants in other sessions are other servers and logins: systemd, which holds the listeners of its socket units,
    and sshd have such children.
    """
    children = _children()
    family = set()
    for head in heads:
        family.add(head)
        with contextlib.suppress(ProcessLookupError):
            session = os.getsid(head)
            for child in _below(head, children):
                with contextlib.suppress(ProcessLookupError):
                    if os.getsid(child) == session:
                        family.add(child)
    return family


def descendants(pid: int) -> list[int]:
    """Children of `pid`, their children, and so on."""
    return _below(pid, _children())


def _children() -> dict[int, list[int]]:
    """The children of each process that has any."""
    children: dict[int, list[int]] = {}
    for process in pids():
        with contextlib.suppress(OSError):
            children.setdefault(parent_of(process), []).append(process)
    return children


def _below(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    below: list[int] = []
    todo = [pid]
    while todo:
        mine = children.get(todo.pop(), [])
        below += mine
        todo += mine
    return below
