"""The published figures: what others measured, and what is measured here to compare with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from probes.cost.figures import RoundSpread

from .measured import Measured

YES, DIRECTION, PART, NO, UNCLEAR = "yes", "in direction", "in part", "not here", "undecided here"
"""What can come of a comparison; published.py says on its page what each of these words means."""

ACCEPT, POLL, SERIAL = "accept", "poll", "accept+robust-mutex"
LEVEL, EXCLUSIVE, SHARDS = (f"epoll_wait.{kind}" for kind in ("level.listener", "exclusive.listener", "level.nothing"))
ONE_SHOT, MULTISHOT = "io_uring_accept", "io_uring_multishot"

Here = Iterator[tuple[str, RoundSpread]]


@dataclass(frozen=True)
class Published:
    """One published figure, with the measurement that is compared with it."""

    title: str
    source: str
    then: str
    """What was published."""
    here: Callable[[Measured], Here]
    """What is measured here: each quantity in words, and its spread over the rounds."""
    agrees: Callable[[list[RoundSpread]], str]
    """Whether the two agree, from the spreads of `here`, in their order: one of the words above."""
    why: str
    """What explains the figure, or the difference."""


_CLOUDFLARE = (
    "[The sad state of Linux socket balancing](https://blog.cloudflare.com/the-sad-state-of-linux-socket-balancing/)"
)
_SCRIPTS = (
    "[its programs and output](https://github.com/cloudflare/cloudflare-blog/tree/master/2017-10-accept-balancing)"
)


def _turns(measured: Measured) -> Here:
    yield "share of the busiest of 3 workers in `accept`, at rest", measured.value("busiest", ACCEPT, "rest", 3)


def _one_takes_all(measured: Measured) -> Here:
    yield (
        "share of the busiest of 3 workers in epoll with `EPOLLEXCLUSIVE`, at rest",
        measured.value("busiest", EXCLUSIVE, "rest", 3),
    )


def _without_exclusive(measured: Measured) -> Here:
    yield "share of the busiest of 8, `EPOLLEXCLUSIVE`, light load", measured.value("busiest", EXCLUSIVE, "light", 8)
    yield (
        "share of the busiest of 8, without `EPOLLEXCLUSIVE`, light load",
        measured.value("busiest", LEVEL, "light", 8),
    )


def _even(measured: Measured) -> Here:
    yield "share of the busiest of 8, one listener (`EPOLLEXCLUSIVE`)", measured.value("busiest", EXCLUSIVE, "light", 8)
    yield "share of the busiest of 8, `SO_REUSEPORT`", measured.value("busiest", SHARDS, "light", 8)
    yield "busiest to idlest of 8, `SO_REUSEPORT`", measured.most_to_least(SHARDS, "light", 8)


def _tail(measured: Measured) -> Here:
    for work, said in (("1000", "1 ms of work each"), ("mixed", "mixed work")):
        for figure, word in (("latency_median_us", "median"), ("latency_p99_us", "p99"), ("latency_max_us", "maximum")):
            yield (
                f"{word} latency, `SO_REUSEPORT` relative to one listener, 2 workers, {said}",
                measured.ratio(figure, SHARDS, EXCLUSIVE, "saturating", 2, work),
            )


def _exclusive(measured: Measured) -> Here:
    for workers in (8, 64, 256):
        yield (
            f"CPU time per connection, without `EPOLLEXCLUSIVE` relative to with it, {workers} workers at rest",
            measured.ratio("cpu_us", LEVEL, EXCLUSIVE, "rest", workers),
        )


def _three_to_one(measured: Measured) -> Here:
    yield "busiest to idlest of 8 in `accept`, saturating", measured.most_to_least(ACCEPT, "saturating", 8)
    yield "busiest to idlest of 8 in `accept`, light load", measured.most_to_least(ACCEPT, "light", 8)
    yield "busiest to idlest of 8, `SO_REUSEPORT`, saturating", measured.most_to_least(SHARDS, "saturating", 8)


def _shards(measured: Measured) -> Here:
    yield (
        "connections per second, `SO_REUSEPORT` relative to one listener, 8 workers, saturating",
        measured.ratio("rate", SHARDS, LEVEL, "saturating", 8),
    )
    yield (
        "p99 latency, `SO_REUSEPORT` relative to one listener, 8 workers, saturating",
        measured.ratio("latency_p99_us", SHARDS, LEVEL, "saturating", 8),
    )


def _tengine(measured: Measured) -> Here:
    yield (
        "connections per second, `SO_REUSEPORT` relative to a lock around `accept`, 8 workers, saturating",
        measured.ratio("rate", SHARDS, SERIAL, "saturating", 8),
    )
    yield (
        "connections per second, `SO_REUSEPORT` relative to one listener without a lock, 8 workers, saturating",
        measured.ratio("rate", SHARDS, LEVEL, "saturating", 8),
    )


def _multishot(measured: Measured) -> Here:
    yield (
        "CPU time per connection, multishot relative to one-shot, 1 worker, light load",
        measured.ratio("cpu_us", MULTISHOT, ONE_SHOT, "light", 1),
    )


def _wake_one(measured: Measured) -> Here:
    yield (
        "CPU time per connection, all woken (`poll`) relative to one woken (`accept`), 64 workers at rest",
        measured.ratio("cpu_us", POLL, ACCEPT, "rest", 64),
    )
    yield (
        "connections per second, one woken (`accept`) relative to all woken (`poll`), 64 workers, light load",
        measured.ratio("rate", ACCEPT, POLL, "light", 64),
    )


def _serialised(measured: Measured) -> Here:
    for workers in (3, 8, 64, 256):
        yield (
            f"CPU time per connection, `poll` under a lock relative to `poll` alone, {workers} workers at rest",
            measured.ratio("cpu_us", f"{POLL}+robust-mutex", POLL, "rest", workers),
        )


def _irrelevant(measured: Measured) -> Here:
    yield "woken per connection, 8 workers in `poll`, at rest", measured.value("woken", POLL, "rest", 8)
    yield (
        "CPU time per connection, `poll` relative to `accept`, 8 workers at rest",
        measured.ratio("cpu_us", POLL, ACCEPT, "rest", 8),
    )
    yield (
        "woken per connection, 8 workers in `poll`, saturating, mixed work",
        measured.value("woken", POLL, "saturating", 8, "mixed"),
    )


def _more(spread: RoundSpread, than: float = 1.0) -> str:
    """YES if the middle half of the rounds is above `than`, NO if it is below."""
    return YES if spread.q1 > than else NO if spread.q3 < than else UNCLEAR


def _less(spread: RoundSpread, than: float = 1.0) -> str:
    """YES if the middle half of the rounds is below `than`, NO if it is above."""
    return {YES: NO, NO: YES}.get(_more(spread, than), UNCLEAR)


def _exceeds(spread: RoundSpread, other: RoundSpread) -> str:
    """YES if the middle half of `spread` is above that of `other`, NO if it is below."""
    return YES if spread.q1 > other.q3 else NO if spread.q3 < other.q1 else UNCLEAR


def _all(*answers: str) -> str:
    """YES if every answer is YES; NO if any is; otherwise UNCLEAR."""
    return YES if set(answers) == {YES} else NO if NO in answers else UNCLEAR


def _as_much(answer: str, spread: RoundSpread, least: float) -> str:
    """`answer`, but DIRECTION instead of YES if the median is below `least`: the effect is much smaller here."""
    return DIRECTION if answer == YES and spread.median < least else answer


def _lock_or_none(spreads: list[RoundSpread]) -> str:
    """PART if one of the two comparisons, with a lock and without, agrees with the published figure, and the other
    does not."""
    answers = {
        _as_much(_more(spread), spread, least) for spread, least in zip(spreads, (2.0, 1.3), strict=True)
    }  # published: 3.0 and 1.6
    if NO in answers:
        return PART if answers & {YES, DIRECTION} else NO
    return UNCLEAR if UNCLEAR in answers else DIRECTION if DIRECTION in answers else YES


PUBLISHED = (
    Published(
        "Blocking `accept` deals connections out in turns",
        f"Cloudflare, {_CLOUDFLARE} (2017); {_SCRIPTS}",
        "Three processes in blocking `accept`, six connections: 2 1 0 2 1 0.",
        _turns,
        lambda spreads: _less(spreads[0], 0.4),
        "Workers that block in `accept` queue up as exclusive waiters.  The kernel wakes the first in the queue; when "
        "that worker blocks again, it joins at the end.",
    ),
    Published(
        "With `EPOLLEXCLUSIVE` one worker takes all, while nobody is busy",
        f"Cloudflare, {_CLOUDFLARE} (2017); {_SCRIPTS}",
        "Three processes, each with its own epoll instance and `EPOLLEXCLUSIVE`, six connections: 0 0 0 0 0 0.",
        _one_takes_all,
        lambda spreads: _more(spreads[0], 0.95),
        "The kernel goes through the instances in the order in which they were registered, and stops at the first in "
        "which somebody sleeps.  The article calls the order last in, first out; while nobody is busy, both orders "
        "choose the same worker every time.",
    ),
    Published(
        "Without `EPOLLEXCLUSIVE` the load is less uneven",
        "Marek Majkowski, [linux-fsdevel](http://mail.spinics.net/lists/linux-fsdevel/msg141627.html)",
        "Without the flag “the described load-balancing problem is less prominent”, because all workers are woken and "
        "race for the connection.",
        _without_exclusive,
        lambda spreads: _exceeds(spreads[0], spreads[1]),
        "All workers are woken, and whichever gets a CPU first wins.",
    ),
    Published(
        "`SO_REUSEPORT` evens the load",
        f"Cloudflare, {_CLOUDFLARE} (2017)",
        "nginx, 12 workers.  With one listener the busiest worker used 30 % of a CPU, and the idlest almost nothing.  "
        "With `SO_REUSEPORT` it was 13.2 % and 9.3 %: 1.4 to 1.",
        _even,
        lambda spreads: _all(_more(spreads[0], 0.2), _less(spreads[1], 0.2)),
        "A hash of the connection's addresses and ports chooses the listener.  That is even only in the long run: "
        "with 400 connections and 8 workers, chance alone makes shares differ.",
    ),
    Published(
        "`SO_REUSEPORT` lengthens the tail",
        f"Cloudflare, {_CLOUDFLARE} (2017); {_SCRIPTS}",
        "nginx, 12 workers on 12 CPUs, 200 requests at a time, each a loop of a million steps.  With `SO_REUSEPORT` "
        "instead of one listener, the median latency fell from 30.28 to 24.67 ms (0.81), the maximum rose from 72.65 "
        "to 144.55 ms (2.0), and the standard deviation from 1.58 to 25.27 ms.",
        _tail,
        lambda spreads: _as_much(_more(spreads[1]), spreads[1], 1.2),
        "A connection in the queue of a busy worker waits for that worker, even if another worker is idle.  With one "
        "queue it goes to whichever is free first.  So the statement is conditional: it holds if each worker has a "
        "CPU of its own and connections have to queue.",
    ),
    Published(
        "`EPOLLEXCLUSIVE` takes a herd's cost away",
        "Jason Baron, commit df0108c5da56 (Linux 4.5, 2016): measured by Madars Vitolins with Enduro/X",
        "“reduce the length of this particular workload from 860s down to 24s”: a factor of 36.",
        _exclusive,
        lambda spreads: _as_much(_more(spreads[-1]), spreads[-1], 10),
        "The commit message says neither how many waiters there were nor how much other work a request took, and the "
        "factor depends on both: it grows with the number of sleepers, and shrinks with the work for each request.",
    ),
    Published(
        "Workers in `accept` get uneven shares, up to 3 to 1",
        "Tom Herbert, commit da5e36308d9f (Linux 3.9, 2013); LWN on it: "
        "[The SO_REUSEPORT socket option](https://lwn.net/Articles/542629/)",
        "Threads that accept from one listener at a high connection rate: “as high as 3:1” between the busiest and the "
        "idlest; with `SO_REUSEPORT` “the distribution is uniform”.",
        _three_to_one,
        lambda spreads: _as_much(_exceeds(spreads[0], spreads[2]), spreads[0], 1.5),
        "Under load a worker that is already running takes the next connection without sleeping, and so gets more than "
        "its share; the queue of sleepers plays no part.  If all of them sleep, the same workers take turns (figure "
        "1).",
    ),
    Published(
        "nginx with `reuseport` serves two to three times as much",
        "NGINX, [Socket Sharding in NGINX Release "
        "1.9.1](https://www.nginx.com/blog/socket-sharding-nginx-release-1-9-1/) (2015)",
        "wrk against nginx with 4 workers on 36 cores, over loopback: two to three times as many requests per second "
        "as with one listener, with or without `accept_mutex`, and a latency that is lower and steadier.",
        _shards,
        lambda spreads: _as_much(_more(spreads[0]), spreads[0], 2.0),
        "Sharding removes two costs: the herd of level-triggered workers, on any machine, and the contention of many "
        "CPUs for one listener, which hardly exists with two CPUs.",
    ),
    Published(
        "Tengine with `reuse_port` against nginx with and without a lock",
        "Tengine, [Benchmark](https://tengine.taobao.org/document/benchmark.html)",
        "ab from three machines, 100 to 1,000 requests at a time: 3.0 times as many requests per second as with "
        "`accept_mutex on`, 1.6 times as many as with it off.",
        _tengine,
        _lock_or_none,
        "The comparison with one listener and no lock is that of figure 8.  The locks differ: a worker that does not "
        "get nginx's lock tries again after a while, and is idle until then.  The lock measured here is handed on at "
        "once.  It prevents the herd as well, so little is left for `SO_REUSEPORT` to save.",
    ),
    Published(
        "Multishot accept is a little cheaper",
        "Hao Xu, [fast poll multishot mode](https://lkml.indiana.edu/hypermail/linux/kernel/2205.0/06717.html), "
        "commit 4e86a2c98013 (Linux 5.19, 2022)",
        "10,000 clients and one server that echoes 128 bytes, 20 runs each: 1.65 % less CPU time (`clock()`) than with "
        "one-shot accept.",
        _multishot,
        lambda spreads: _less(spreads[0]),
        "Multishot saves one system call per connection, and a new poll request.  How much that matters depends on how "
        "much else a server does for each connection.",
    ),
    Published(
        "Waking one in `accept` instead of all",
        "Honeyman, Lever, Molloy, Provos, "
        "[The Linux Scalability "
        "Project](https://m.moam.info/the-linux-scalability-project_5baf44fa097c47592e8b45d9.html), CITI Technical "
        "Report 99-4 (1999), and Molloy and Lever, [Accept() scalability on "
        "Linux](https://www.usenix.org/legacy/event/usenix2000/freenix/molloy.html) (2000)",
        "A change of a few dozen lines to Linux 2.2 that wakes one process instead of all: a macro-benchmark gains "
        "over 50 % on fast hardware.",
        _wake_one,
        lambda spreads: _as_much(_more(spreads[1]), spreads[1], 1.5),
        "Mainline has woken one process in `accept` ever since.  `poll` still wakes all of them, so `poll` here stands "
        "for the kernel before the change, and `accept` for the kernel after it.",
    ),
    Published(
        "A lock around the wait pays only with many workers",
        "Pgpool-II, "
        "[serialize_accept](https://www.pgpool.net/docs/latest/en/html/runtime-config-connection-pooling.html)",
        "Recommended “only with the larger values of num_init_children”; with few it “can degrade the performance "
        "because of serializing overhead”.",
        _serialised,
        lambda spreads: _all(_more(spreads[0]), _less(spreads[-1])),
        "The lock costs one more wake-up per connection, however many workers there are; the herd that it prevents "
        "grows with their number.",
    ),
    Published(
        "The herd is no problem on idle sites, and loaded ones have none",
        "uWSGI, [Serializing accept(), AKA Thundering Herd, AKA the Zeeg Problem]"
        "(https://uwsgi-docs.readthedocs.io/en/latest/articles/SerializingAccept.html)",
        "“On highly loaded sites you will pray for a free process, and in non-loaded sites the thundering herd "
        "problem is completely irrelevant”.  The article gives no figure.",
        _irrelevant,
        lambda spreads: _less(spreads[2]),
        "A busy worker does not sleep, so it is not woken.  On sites in between, where some workers sleep and "
        "connections come often, the herd does have a cost (figure 11).  On an idle site there is CPU time to spare, "
        "but other programs could use it, and it takes power.",
    ),
)
