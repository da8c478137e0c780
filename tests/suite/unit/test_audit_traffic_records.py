"""Records of the trace, as bytes: read in order of time, also where another CPU writes an earlier one later."""

from __future__ import annotations

import struct

import pytest

from probes.audit.traffic import later
from probes.audit.traffic.later import Later
from probes.audit.traffic.records import (
    SAMPLE,
    Arrival,
    Entered,
    Layout,
    Left,
    Raw,
    Record,
    RecordReader,
    Switched,
    WakeUpRecord,
)
from probes.audit.traffic.symbols import AddressRange
from probes.observers.perf_rings import Tracepoint

WORKER, STRANGER, CALL = 42, 43, 232
LAYOUT = Layout(
    frozenset({WORKER}),
    {CALL: "epoll_wait"},
    [AddressRange(100, 200)],
    dict.fromkeys(("port", "wakee", "number", "left", "before"), 0)
    | {"context": 2, "flags": 4, "first": 8, "result": 8, "after": 4, "state": 8},
    {1: "arrival", 2: "waking", 3: "enter", 4: "exit", 5: "switch", 6: "own waking"},
)


def _sample(kind: int, tid: int, at_ns: int, raw: bytes, callers: tuple[int, ...] | None = None) -> bytes:
    chain = b"" if callers is None else struct.pack(f"=q{len(callers)}Q", len(callers), *callers)
    body = struct.pack("=QiiQII", kind, tid, tid, at_ns, 1, 0) + chain + struct.pack("=I", len(raw)) + raw
    return struct.pack("=IHH", SAMPLE, 0, 8 + len(body)) + body


def _arrival(at_ns: int, tid: int = 0, flags: int = 0) -> bytes:
    return _sample(1, tid, at_ns, struct.pack("=HBB", 80, flags, 0))


def _read(*texts: bytes) -> list[Record]:
    return RecordReader().read(Raw(texts, None, LAYOUT))


def test_each_kind() -> None:
    assert _read(
        _arrival(10)
        + _sample(2, STRANGER, 11, struct.pack("=ii", WORKER, 16), (150, 900))
        + _sample(3, WORKER, 12, struct.pack("=qq", CALL, 7))
        + _sample(4, WORKER, 13, struct.pack("=qq", CALL, -11))
        + _sample(5, WORKER, 14, struct.pack("=iiq", WORKER, STRANGER, 1))
    ) == [
        Arrival(10, 1, 80),
        WakeUpRecord(11, 1, STRANGER, WORKER, 16, True),
        Entered(12, 1, WORKER, "epoll_wait", 7),
        Left(13, 1, WORKER, "epoll_wait", -11),
        Switched(14, 1, WORKER, True, STRANGER),
    ]


def test_without_a_call_chain_a_wake_up_is_not_the_listeners() -> None:
    (record,) = _read(_sample(6, WORKER, 11, struct.pack("=ii", WORKER, 0)))
    assert record == WakeUpRecord(11, 1, WORKER, WORKER, 0, False)


def test_what_such_a_wake_up_may_belong_to_is_unclear() -> None:
    """A connection that a thread of the server established itself, and in no softirq."""
    records = _read(_arrival(1, WORKER, 16) + _arrival(2, STRANGER) + _arrival(3, WORKER))
    assert records == [Arrival(1, 1, 80), Arrival(2, 1, 80), Arrival(3, 1, 80, unclear=True)]


def test_a_wake_up_that_went_another_way() -> None:
    (record,) = _read(_sample(2, STRANGER, 11, struct.pack("=ii", WORKER, 16), (200, 99)))
    assert record == WakeUpRecord(11, 1, STRANGER, WORKER, 16, False)


@pytest.mark.parametrize(
    "sample",
    [
        _sample(2, WORKER, 1, struct.pack("=ii", STRANGER, 16), (150,)),
        _sample(3, STRANGER, 1, struct.pack("=qq", CALL, 7)),
        _sample(4, STRANGER, 1, struct.pack("=qq", CALL, 7)),
        _sample(5, STRANGER, 1, struct.pack("=iiq", STRANGER, STRANGER, 1)),
        # The kernel goes back into the call: for the thread it has not come back.
        _sample(4, WORKER, 1, struct.pack("=qq", CALL, -512)),
        struct.pack("=IHHQ", 1, 0, 16, 7),
    ],
)
def test_what_is_nobodys(sample: bytes) -> None:
    assert _read(sample) == []


def test_rings_are_one_order() -> None:
    assert [record.at_ns for record in _read(_arrival(1) + _arrival(4), _arrival(2) + _arrival(3))] == [1, 2, 3, 4]


def test_what_is_written_late_comes_before_what_was_held_back() -> None:
    reader = RecordReader()
    first = reader.read(Raw([_arrival(1) + _arrival(9), b""], 5, LAYOUT))
    second = reader.read(Raw([b"", _arrival(6)], None, LAYOUT))
    assert [[record.at_ns for record in records] for records in (first, second)] == [[1], [6, 9]]


def test_after_a_gap_nothing_is_held_back() -> None:
    reader = RecordReader()
    reader.read(Raw([_arrival(9)], 5, LAYOUT))
    reader.forget()
    assert reader.read(Raw([_arrival(10)], None, LAYOUT)) == [Arrival(10, 1, 80)]


_COMMON = "\tfield:int common_pid;\toffset:4;\tsize:4;\n"
_OF_ALL = {
    "enter": "\tfield:long id;\toffset:8;\tsize:8;\n\tfield:unsigned long args[6];\toffset:16;\tsize:48;\n",
    "exit": "\tfield:long id;\toffset:8;\tsize:8;\n\tfield:long ret;\toffset:16;\tsize:8;\n",
}
_NUMBERED = "\tfield:int __syscall_nr;\toffset:8;\tsize:4;\n"
_OF_ONE = {
    "enter": f"{_NUMBERED}\tfield:struct pollfd * ufds;\toffset:16;\tsize:8;\n"
    "\tfield:unsigned int nfds;\toffset:24;\tsize:8;\n",
    "exit": f"{_NUMBERED}\tfield:long ret;\toffset:16;\tsize:8;\n",
}


@pytest.mark.parametrize(("formats", "number"), [(_OF_ALL, 8), (_OF_ONE, 4)])
def test_fields_are_where_the_kernel_says(formats: dict[str, str], number: int) -> None:
    tracepoints = {kind: Tracepoint("any", 1, _COMMON + text) for kind, text in formats.items()}
    layout = Layout.of(tracepoints, frozenset(), {}, ())
    assert dict(layout.at) == {"number": 8, "first": 16, "left": 8, "result": 16}
    assert (layout.long.size, layout.number.size) == (8, number)


def test_later_keeps_the_order() -> None:
    done: list[int] = []
    todo = Later()
    for number in range(3):
        todo.then(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == []
    todo.work_off()
    todo.work_off()
    assert done == [0, 1, 2]


def test_later_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits holds memory: beyond its bound it is worked off at once."""
    monkeypatch.setattr(later, "MOST_BYTES", 10)
    done: list[str] = []
    todo = Later()
    todo.then(lambda: done.append("first"), 6)
    assert done == []
    todo.then(lambda: done.append("second"), 6)
    assert done == ["first", "second"]
    todo.then(lambda: done.append("third"), 6)
    assert done == ["first", "second"]
