"""What chooses the member of a group: a selector by CPU, or the one attached last; and groups of UDP sockets."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play

_SELECTOR = man(
    "socket", 7, "SO_ATTACH_REUSEPORT_CBPF: may be set repeatedly on any socket of the group, for all of it"
)
_RUN = kernel("net/core/sock_reuseport.c", "run_bpf_filter: the program's result is the index of the member")


@claim(
    "reuseport-group.selector-by-cpu",
    "With a classic BPF selector that returns the CPU, what arrives on a CPU reaches that CPU's member, for TCP "
    "listeners and for UDP sockets.",
    level=OBSERVED,
    basis=[_SELECTOR, _RUN, kernel("net/core/filter.c", "convert_bpf_extensions: SKF_AD_CPU is the CPU that runs it")],
)
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_selector_by_cpu(play: Play, kind: str) -> None:
    """
    L0 L1 L2 L3  <--- selector says: CPU  <--- c0, c1 ... from each CPU
    """
    play("selectors.by_cpu", kind).expect("astray", 0)


@claim(
    "reuseport-group.last-selector-counts",
    "The selector that was attached last applies to the whole group, whichever member attached it; once a member "
    "detaches it, connections are spread again.",
    level=DOCUMENTED,
    basis=[
        _SELECTOR,
        kernel("net/core/sock_reuseport.c", "reuseport_attach_prog, reuseport_detach_prog: of the group"),
    ],
)
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_last_selector_counts(play: Play, kind: str) -> None:
    """
    L0 <- says 1;  L3 <- says 2;  L1 <- detach

    A uniform choice among four takes the same one 64 times with probability 4 * (1/4)**64.
    """
    seen = play("selectors.replaced", kind)
    seen.expect("first", 1)
    seen.expect("second", 2)
    seen.expect("several-reached", True)


@claim(
    "reuseport-group.datagrams-of-one-sender",
    "A datagram to a group of UDP sockets wakes one waiter, on the member that it reaches; further datagrams from "
    "the same sender reach that member, too, and other senders reach other members.",
    level=OBSERVED,
    basis=[kernel("net/ipv4/udp.c", "udp_ehashfn: a hash of both addresses and ports"), _RUN],
)
def test_datagrams_of_one_sender(play: Play) -> None:
    """
    w0 ... w3    (recvfrom)
    u0 ... u3    <- x; x ... of one sender
    """
    seen = play("selectors.datagrams")
    seen.expect("woken", 1)
    seen.expect("returned", 1)
    seen.expect("same-member", True)
    seen.expect("several-reached", True)
