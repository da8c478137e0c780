"""The reader of perf's rings, on rings made of bytes."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from typing import Any

import pytest

from probes.observers import Lost, Waking, perf_rings
from probes.observers.perf_rings import RAW, Tracepoint, long_of, offset_of, parse_cpu_list
from probes.observers.sched_waking import WakingRings, actor_name, names_of, waiter_name
from probes.scenario import MOST_WAITERS

PAGE = perf_rings._PAGE
DATA = PAGE
WORD = "0badcafe"
COMM = 8
"""Offset of `comm` in the raw data of the tracepoint."""
LOST, SAMPLE, THROTTLE = 2, 9, 5


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0\n", [0]),
        ("0-1\n", [0, 1]),
        ("0-2,5\n", [0, 1, 2, 5]),
        ("1,3,8-10", [1, 3, 8, 9, 10]),
    ],
)
def test_cpu_list(text: str, cpus: list[int]) -> None:
    assert parse_cpu_list(text) == cpus


def test_offset_of_the_name_is_read_from_the_format() -> None:
    text = """\
name: sched_waking
ID: 318
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;
"""
    assert offset_of("comm", text) == 8
    assert offset_of("pid", text) == 24
    assert offset_of("common_type", text) == 0


@pytest.mark.parametrize("size", [4, 8])
def test_a_long_is_as_long_as_the_kernels(size: int) -> None:
    """A 32-bit kernel's has 4 bytes, and a 64-bit kernel's has 8 for a 32-bit program, too."""
    text = f"\tfield:long id;\toffset:8;\tsize:{size};\tsigned:1;\n"
    raw = bytes(8) + struct.pack({4: "=ii", 8: "=qi"}[size], -516, 99)
    assert long_of("id", text).unpack_from(raw, offset_of("id", text)) == (-516,)


def test_format_without_a_name_is_refused() -> None:
    with pytest.raises(OSError, match="no comm field"):
        offset_of("comm", "field:pid_t pid;\toffset:24;\n")


@pytest.mark.parametrize("i", [0, MOST_WAITERS - 1])
def test_name_fits_into_the_kernels_fifteen_bytes(i: int) -> None:
    assert len(waiter_name(i)) <= 15


def test_no_other_conductor_has_the_same_names() -> None:
    """Nor one with the same process id, in another container: each draws a word of its own."""
    program = "from probes.observers.sched_waking import waiter_name; print(waiter_name(0))"
    drawn = {subprocess.check_output([sys.executable, "-c", program]) for _ in range(3)}
    assert len(drawn) == 3


# --- rings -------------------------------------------------------------------------------------


def _sample(i: int, at_ns: int, waker: int = 77, word: str = WORD, tail: int = 12) -> bytes:
    """A PERF_RECORD_SAMPLE as the kernel lays it out: header, pid and tid, time, cpu, size, raw data."""
    return _sample_of(waiter_name(i, word), at_ns, waker, tail=tail)


def _sample_of(name: str, at_ns: int, waker: int = 77, *, process: int = 70, flags: int = 1, tail: int = 12) -> bytes:
    raw = struct.pack("=HBBi", 1, flags, 0, waker) + name.encode().ljust(16, b"\0") + b"\0" * tail
    body = struct.pack("=iiQIII", process, waker, at_ns, 0, 0, len(raw)) + raw
    return struct.pack("=IHH", SAMPLE, 0, 8 + len(body)) + body


def _record(kind: int, body: bytes = b"\0" * 16) -> bytes:
    return struct.pack("=IHH", kind, 0, 8 + len(body)) + body


class _Ring(bytearray):
    """As an mmap: a part of it is bytes."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return bytes(part) if isinstance(at, slice) else part


def _ring(*records: bytes, begin: int = 0) -> _Ring:
    """The first page, and one page of data that was written from position `begin` on."""
    ring = _Ring(PAGE + DATA)
    position = begin
    for byte in b"".join(records):
        ring[PAGE + position % DATA] = byte
        position += 1
    struct.pack_into("=QQ", ring, 1024, position, begin)
    return ring


def _reader(*rings: _Ring) -> WakingRings:
    """A reader of these rings; no kernel is asked."""
    reader = WakingRings.__new__(WakingRings)
    reader._name = names_of(WORD)
    reader._flags, reader._task, reader._woken = RAW + 2, RAW + 4, RAW + 24
    reader._tracepoint = Tracepoint("sched/sched_waking", 1, "")
    reader._comm, reader._data_bytes, reader._wakees = RAW + COMM, DATA, {}
    reader._rings, reader._fds, reader._forgotten = list(rings), [], [-1] * len(rings)
    reader._read = [0] * len(rings)
    return reader


def test_empty_ring() -> None:
    assert _reader(_ring()).seen() == []


def test_samples_in_order_of_time_over_all_rings() -> None:
    reader = _reader(_ring(_sample(3, 200), _sample(1, 400)), _ring(_sample(7, 300, waker=0)))
    assert reader.seen() == [Waking(200, 77, 3, 70), Waking(300, 0, 7), Waking(400, 77, 1, 70)]


def test_seen_once_only() -> None:
    ring = _ring(_sample(3, 200))
    reader = _reader(ring)
    assert len(reader.seen()) == 1
    assert reader.seen() == []
    head, tail = struct.unpack_from("=QQ", ring, 1024)
    assert head == tail


def test_what_stands_behind_the_end_of_a_name_does_not_matter() -> None:
    """The tracepoint copies all 16 bytes; older kernels leave those of the name before (strlcpy, __set_task_comm)."""
    name = waiter_name(5, WORD) + "\0d"
    assert _reader(_ring(_sample_of(name, 100), _sample(5, 200))).seen() == [
        Waking(100, 77, 5, 70),
        Waking(200, 77, 5, 70),
    ]


@pytest.mark.parametrize("before_the_end", range(4, 92, 4))
def test_record_that_wraps_around(before_the_end: int) -> None:
    """Wherever the end of the ring cuts it: in the header, in the times, in the name."""
    ring = _ring(_sample(5, 123_456_789), _sample(6, 123_456_790), begin=3 * DATA - before_the_end)
    assert _reader(ring).seen() == [Waking(123_456_789, 77, 5, 70), Waking(123_456_790, 77, 6, 70)]


def test_what_was_lost_before_the_count_starts_is_no_loss() -> None:
    """A ring that was full says so before its next record, which comes after `forget`."""
    ring = _ring(_sample(1, 100))
    reader = _reader(ring)
    reader.forget()
    head = struct.unpack_from("=Q", ring, 1024)[0]
    after = _record(LOST) + _sample(2, 300)
    ring[PAGE + head : PAGE + head + len(after)] = after
    struct.pack_into("=Q", ring, 1024, head + len(after))
    assert reader.seen() == [Waking(300, 77, 2, 70)]


def test_lost_record_is_said_and_the_ring_goes_on() -> None:
    ring = _ring(_sample(1, 100), _record(LOST), _sample(2, 300))
    reader = _reader(ring)
    with pytest.raises(Lost, match="its ring was full"):
        reader.seen()
    assert reader.seen() == []


def test_a_ring_that_is_full_may_have_lost_the_last_records() -> None:
    """The kernel says so before the next record, and there may be none."""
    sample = _sample(1, 100)
    full = _ring(*[sample] * ((DATA - 24) // len(sample)))
    reader = _reader(_ring(sample), full)
    with pytest.raises(Lost, match="may have lost records"):
        reader.seen()
    assert reader.seen() == []


def test_other_records_are_passed_over() -> None:
    assert _reader(_ring(_record(THROTTLE, b"\0" * 24), _sample(2, 300))).seen() == [Waking(300, 77, 2, 70)]


def test_waiters_of_another_conductor_are_passed_over() -> None:
    """The kernel's filter is a glob: w*.0badcafe would also let w1.1.0badcafe through, if somebody is named so."""
    reader = _reader(_ring(_sample(1, 100, word="1." + WORD), _sample(1, 150, word=WORD + "1"), _sample(2, 300)))
    assert reader.seen() == [Waking(300, 77, 2, 70)]


@pytest.mark.parametrize(
    ("flags", "process"),
    [
        (0x00, 70),
        (0x01 | 0x80, 70),  # interrupts or bottom halves off: still the task's own doing
        (0x08, None),  # in an interrupt, which has come to whatever task ran
        (0x10, None),  # in a softirq likewise
    ],
)
def test_whose_doing_a_wake_up_is(flags: int, process: int | None) -> None:
    ring = _ring(_sample_of(waiter_name(4, WORD), 100, flags=flags))
    assert _reader(ring).seen() == [Waking(100, 77, 4, process)]


def test_waker_outside_of_our_pid_namespace() -> None:
    """perf says 0 of it (perf_event_pid_type, kernel/events/core.c), as it does of an idle CPU."""
    sample = bytearray(_sample_of(waiter_name(4, WORD), 100, 0, process=0))
    assert _reader(_ring(bytes(sample))).seen() == [Waking(100, 0, 4)]
    struct.pack_into("=i", sample, 8 + RAW + 4, 31337)  # common_pid, as the host numbers it
    assert _reader(_ring(bytes(sample))).seen() == [Waking(100, 0, 4, 0)]


def test_actors_are_told_from_waiters() -> None:
    ring = _ring(_sample_of(actor_name(0, WORD), 100), _sample_of(actor_name(12, WORD), 200))
    assert [waking.wakee for waking in _reader(ring).seen()] == [-1, -13]


def test_forget_drops_what_was_there() -> None:
    reader = _reader(_ring(_sample(1, 100)))
    reader.forget()
    assert reader.seen() == []


def test_what_was_counted_and_left_no_record() -> None:
    """The kernel's count is what the event's descriptor reads as (perf_event_open(2), without a read_format)."""
    reader = _reader(_ring(_sample(1, 100), _sample(2, 200)), _ring())
    ends = [os.pipe() for _ in range(2)]
    try:
        reader._fds = [end for end, _ in ends]
        for counts, unrecorded in (((2, 0), [2, 0]), ((3, 0), [1, 0]), ((3, 1), [1, 1])):
            for (_, writer), count in zip(ends, counts, strict=True):
                os.write(writer, count.to_bytes(8, sys.byteorder))
            assert reader.unrecorded() == unrecorded
            reader.seen()
    finally:
        for reader_end, writer in ends:
            os.close(reader_end)
            os.close(writer)
