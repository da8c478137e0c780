"""Addresses of kernel functions, from /proc/kallsyms: a wake-up is recognised by the functions on its call chain.

Only a few functions wake a listener's waiters, and they wake nobody else (net/ipv4/tcp_minisocks.c,
net/ipv4/tcp_input.c, net/unix/af_unix.c):

    tcp_child_process    the last packet of a handshake has arrived: `parent->sk_data_ready(parent)`
    tcp_conn_request     a connection with data in its first packet (TCP Fast Open)
    unix_stream_connect  a client's connect

__udp_enqueue_schedule_skb puts a datagram into its socket's queue and wakes whoever waits for it (net/ipv4/udp.c, also
for IPv6; since Linux 4.10).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

LISTENERS_WAKE = ("tcp_child_process", "tcp_conn_request", "unix_stream_connect")
DATAGRAMS_WAKE = ("__udp_enqueue_schedule_skb",)


class AddressRange(NamedTuple):
    """Addresses of one kernel function, the end excluded."""

    start: int
    end: int


def ranges_of(names: Collection[str], lines: Iterable[str]) -> list[AddressRange]:
    """Addresses of these functions, from the lines of /proc/kallsyms; empty if addresses are hidden (kptr_restrict).

    The compiler may have split a function: `name.part.0` and `name.cold` are parts of `name`.
    """
    starts: list[int] = []
    wanted: list[int] = []
    for line in lines:
        address, kind, name = line.split(None, 3)[:3]
        if kind in "tTwW":
            start = int(address, 16)
            starts.append(start)
            if name.partition(".")[0] in names:
                wanted.append(start)
    starts = sorted(set(starts))
    if not wanted or not starts[0]:
        return []
    after = dict(zip(starts, [*starts[1:], starts[-1] + 1], strict=True))
    return sorted(AddressRange(start, after[start]) for start in set(wanted))


def listener_functions(*, datagrams: bool = False) -> list[AddressRange]:
    """Addresses of the functions that wake a listener's waiters, or those of a UDP socket.

    Empty if this kernel hides its addresses from us.
    """
    try:
        with open("/proc/kallsyms") as lines:
            return ranges_of(DATAGRAMS_WAKE if datagrams else LISTENERS_WAKE, lines)
    except OSError:
        return []


def goes_through(chain: Sequence[int], ranges: Sequence[AddressRange]) -> bool:
    """Whether any of these return addresses is in one of the functions."""
    return any(start <= address < end for address in chain for start, end in ranges)
