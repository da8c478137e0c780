"""What must be true of a reading, or none of its figures counts.

Each check is a function that gives None, or one sentence on what is wrong; `wrong` gives the first.
"""

from __future__ import annotations

from collections.abc import Callable

from .figures import shares
from .plan import REST
from .reading import SLEPT, Reading
from .ways import parse

_MONOTONE = ("voluntary", "involuntary", "cpu_ns", "returned", "won", "empty", "failed", "long", "work_ns")
_CLOCK_SLACK_NS = 1_000_000
"""CPU clocks of several CPUs are read one after the other."""


def answered_once(reading: Reading) -> str | None:
    """Every connection got one byte: none, and it was lost; two, and two workers, or one twice, served it."""
    if reading.unanswered:
        return f"{reading.unanswered} of {reading.connections} connections got no answer"
    if reading.answered_again:
        return f"{reading.answered_again} answers more than the {reading.connections} connections"
    answered = len(reading.latencies_ns)
    if answered != reading.connections:
        return f"{answered} of {reading.connections} connections got an answer"
    return None


def winners_agree(reading: Reading) -> str | None:
    """Each worker counted as many connections as the clients got answers from it."""
    won = reading.gained("won") or []
    for worker, count in enumerate(won):
        seen = reading.answers.get(worker, 0)
        if count != seen:
            return f"worker {worker} counted {count} connections, and the clients {seen} answers from it"
    if strangers := sorted(set(reading.answers) - set(range(len(won)))):
        return f"an answer came from worker {strangers[0]}, and there is none"
    return None


def shares_are_whole(reading: Reading) -> str | None:
    """The workers' shares are 100 % together."""
    whole = sum(shares(reading))
    return None if abs(whole - 1) < 1e-9 else f"the workers' shares are {100 * whole:.1f} % together"


def counters_grow(reading: Reading) -> str | None:
    """No counter goes backwards, and every worker has all of them."""
    for name in _MONOTONE:
        gained = reading.gained(name)
        if gained is None:
            continue
        if len(gained) != reading.workers:
            return f"{name} was counted of {len(gained)} of {reading.workers} workers"
        if min(gained) < 0:
            return f"{name} of worker {gained.index(min(gained))} went backwards"
    return None


def no_failures(reading: Reading) -> str | None:
    """No worker took a connection that it could not answer."""
    failed = sum(reading.gained("failed") or [])
    return f"workers could not answer {failed} connections that they had taken" if failed else None


def returns_add_up(reading: Reading) -> str | None:
    """A worker that came back found a connection or nothing; one that goes on until there is none finds more."""
    returned, won, empty, failed = (reading.gained(name) or [] for name in ("returned", "won", "empty", "failed"))
    drains = parse(reading.way).drains
    for worker, (came, *outcomes) in enumerate(zip(returned, won, empty, failed, strict=True)):
        if came > sum(outcomes) or (came < sum(outcomes) and not drains):
            return f"worker {worker} returned {came} times, and found something or nothing {sum(outcomes)} times"
    return None


def time_adds_up(reading: Reading) -> str | None:
    """Latencies are positive, and all of them fit into the time that went by, as many at once as were outstanding."""
    if min(reading.latencies_ns, default=0) < 0:
        return "a latency is negative"
    if sum(reading.latencies_ns) > reading.elapsed_ns * reading.outstanding:
        return "the latencies together are longer than the time that went by"
    return None


def work_was_done(reading: Reading) -> str | None:
    """Workers took for long the requests that clients meant so, and worked where they should and nowhere else."""
    long, worked = sum(reading.gained("long") or []), sum(reading.gained("work_ns") or [])
    if long != reading.long_connections:
        return f"clients meant {reading.long_connections} requests to be long, and workers took {long} for that"
    if (worked > 0) != (reading.work != "0"):
        return f"the work asked for was {reading.work}, and workers worked {worked / 1e6:.1f} ms"
    cpu_ns = reading.gained("cpu_ns")
    if cpu_ns is not None and worked > sum(cpu_ns):
        return f"workers worked {worked / 1e6:.1f} ms, and used {sum(cpu_ns) / 1e6:.1f} ms of CPU time in all"
    return None


def cpu_adds_up(reading: Reading) -> str | None:
    """Two clocks agree: the CPU clocks, read from outside, and getrusage(2) of the workers, which has a little more."""
    gained = reading.gained("cpu_ns")
    if gained is None:
        return None
    split = sum(reading.user_ns) + sum(reading.system_ns)
    if sum(gained) > split + reading.workers * _CLOCK_SLACK_NS:
        return f"the CPU clocks say {sum(gained) / 1e6:.1f} ms, and getrusage {split / 1e6:.1f} ms"
    return None


def sleepers_were_woken(reading: Reading) -> str | None:
    """At rest all workers sleep, so who takes a connection was woken; and the counts of the single connections and
    of the whole reading agree."""
    if reading.load != REST:
        return None
    if len(reading.each_woken) != reading.connections:
        return f"{len(reading.each_woken)} of {reading.connections} connections were looked at"
    if not all(reading.each_woken):
        return "a connection was served, and no worker was woken"
    switches = sum(reading.gained("voluntary") or [])
    if switches < sum(reading.each_woken):
        return f"{sum(reading.each_woken)} workers woken one by one, and {switches} in all"
    if len(reading.dots) != reading.workers or reading.dots.count(SLEPT) == reading.workers:
        return "the picture of one connection shows no worker that was woken"
    return None


CHECKS: tuple[Callable[[Reading], str | None], ...] = (
    answered_once,
    no_failures,
    counters_grow,
    winners_agree,
    returns_add_up,
    shares_are_whole,
    time_adds_up,
    work_was_done,
    cpu_adds_up,
    sleepers_were_woken,
)


def wrong(reading: Reading) -> str | None:
    """The first thing that is wrong with this reading, with its place; None if all is well."""
    for check in CHECKS:
        if problem := check(reading):
            return f"{reading.place}: {problem}"
    return None
