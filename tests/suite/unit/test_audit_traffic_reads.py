"""What --watch reads of the kernel, and the options that it refuses."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from probes.audit.arguments import add_to, request_from
from probes.audit.find import BadTarget
from probes.audit.traffic.queue import parse_counters
from probes.audit.traffic.symbols import AddressRange, goes_through, ranges_of


def test_where_a_function_lies() -> None:
    lines = [
        "ffffffff81000000 T first",
        "ffffffff81000100 T tcp_child_process",
        "ffffffff81000180 t tcp_child_process.part.0",
        "ffffffff810001c0 T next",
        "ffffffff81000300 d tcp_conn_request",
    ]
    ranges = ranges_of(("tcp_child_process", "tcp_conn_request"), lines)
    assert [(part.start & 0xFFF, part.end & 0xFFF) for part in ranges] == [(0x100, 0x180), (0x180, 0x1C0)]


def test_hidden_addresses_are_none() -> None:
    assert ranges_of(("tcp_child_process",), ["0000000000000000 T tcp_child_process"]) == []


def test_a_chain_of_callers() -> None:
    ranges = [AddressRange(100, 200)]
    assert goes_through((5, 150), ranges)
    assert not goes_through((5, 200, 99), ranges)


def test_counters_of_a_namespace() -> None:
    lines = ["TcpExt: SyncookiesSent ListenOverflows", "TcpExt: 1 7", "IpExt: InNoRoutes", "IpExt: 3"]
    assert parse_counters(lines) == {"SyncookiesSent": 1, "ListenOverflows": 7}


# --- the command line ---------------------------------------------------------------------------


def _refused() -> Iterator[tuple[list[str], str]]:
    yield ["--port=80", "--watch=0"], "there can be 0.1 to 3,600 seconds"
    yield ["--port=80", "--watch=nan"], "there can be 0.1 to 3,600 seconds"
    for option in ("--connections=5", "--rate=1", "--send=x", "--http", "--trace"):
        yield ["--port=80", "--watch=5", option], f"leave {option.partition('=')[0]} out"
    yield ["--watch=5", "--", "server"], "one that the audit starts has none"


@pytest.mark.parametrize(("arguments", "why"), list(_refused()))
def test_what_cannot_be_watched(arguments: list[str], why: str) -> None:
    parser = argparse.ArgumentParser()
    add_to(parser)
    with pytest.raises(BadTarget, match=why):
        request_from(parser.parse_args(arguments))
