"""What a watch showed, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST_SHOWN = 8


def head(answer: Mapping[str, Any]) -> Iterator[str]:
    """How many connections came, and which of them the figures below are about."""
    traffic = answer["traffic"]
    seconds = traffic["watched"]["seconds"]
    if "accepted" not in traffic:
        opened = traffic["opened_in_namespace"]
        came = "connections were not counted" if opened is None else f"{opened:,} connections were opened"
        of = "" if traffic["only_listener"] else ", of all listeners of its network namespace"
        yield f"watched {seconds:g} s of its own clients: {came}{of}"
        return
    accepted, per_s = traffic["accepted"], traffic["accepted"] / max(0.001, traffic["watched"]["counted_s"])
    came = f"{traffic['arrived']:,} connections came, " if traffic["arrived"] else ""
    were = "datagrams were taken" if _datagrams(answer) else "were accepted"
    yield f"watched {seconds:g} s of its own clients: {came}{accepted:,} {were}, {per_s:,.0f} a second"
    if answer["woken"] is not None:
        slept = "two workers or more" if answer["workers"] > 1 else "the worker"
        yield f"{traffic['judged']:,} came while {slept} slept; workers per connection:"


def _datagrams(answer: Mapping[str, Any]) -> bool:
    return bool(answer["listener"]["kind"].startswith("udp"))


def tail(answer: Mapping[str, Any]) -> Iterator[str]:
    """Sums over all connections."""
    traffic = answer["traffic"]
    if "accepted" in traffic:
        if traffic["asleep"] is not None:
            spread = traffic["asleep"]
            yield f"  asleep    {_range(spread):22} it waited for the listener when the connection came"
        yield from _sums(traffic, datagrams=_datagrams(answer))
    else:
        each = traffic["switches_per_opened"]
        per = "" if each is None else f", {each:.2f} for each connection that was opened"
        yield f"  switches  {traffic['switches']:,} context switches of the workers, whatever for{per}"
    yield from _shares(traffic)
    yield from _queue(traffic["queue"])
    yield from _cost(traffic["watched"])


def _range(spread: Mapping[str, Any]) -> str:
    if spread["min"] == spread["max"]:
        return f"{spread['min']}"
    return f"{spread['min']} to {spread['max']}, median {spread['median']:g}"


def _sums(traffic: Mapping[str, Any], *, datagrams: bool) -> Iterator[str]:
    if not traffic["accepted"]:
        return
    events, taken = ("datagrams", "taken") if datagrams else ("connections", "accepted")
    if observed := traffic["accepted_observed"]:
        of = "" if observed == traffic["accepted"] else f" meanwhile ({observed:,})"
        woken = f"{traffic['woken']:,} woken by {events}, {traffic['woken_per_accepted']:.2f} for each that was {taken}"
        in_vain = f"{traffic['in_vain']:,} of them in vain, {traffic['in_vain_per_accepted']:.2f} each"
        yield f"  in all    {woken}{of}; {in_vain}"
    if traffic["found_nothing"]:
        call = "recvfrom, recvmsg or recvmmsg" if datagrams else "accept"
        yield f"            {traffic['found_nothing']:,} calls of {call} came back with EAGAIN"
    spent, in_vain = traffic["cpu_ms"], traffic["in_vain_cpu_ms"]
    if spent:
        share = in_vain / spent
        yield f"  CPU time  {spent:,.1f} ms of the workers, {in_vain:,.1f} ms of it in vain ({share:.1%})"


def _shares(traffic: Mapping[str, Any]) -> Iterator[str]:
    if traffic.get("shares"):
        shown = [f"{tid}: {share:.0%}" for tid, share in list(traffic["shares"].items())[:_MOST_SHOWN]]
        more = " ..." if len(traffic["shares"]) > _MOST_SHOWN else ""
        yield f"  shares    {', '.join(shown)}{more}; Jain's index {traffic['jain']:.2f} (1: all took as many)"


def _queue(queue: Mapping[str, Any]) -> Iterator[str]:
    if not queue["looks"]:
        return
    dropped = "" if queue["dropped"] is None else f"; {queue['dropped']:,} dropped"
    overflows = "" if queue["overflows"] is None else f", {queue['overflows']:,} overflows in its network namespace"
    highest = f"at most {queue['highest']} of {queue['backlog']} in {queue['looks']:,} looks"
    yield f"  queue     {highest}{dropped}{overflows}"


def _cost(watched: Mapping[str, Any]) -> Iterator[str]:
    if not watched["records"]:
        return
    share = watched["cost_to_server_ms"] / 1000 / watched["seconds"]
    yield (
        f"  cost      {watched['records']:,} records of some {watched['record_ns'] / 1000:.2g} µs: "
        f"{watched['cost_to_server_ms']:,.1f} ms, {share:.2%} of one CPU; any other system call of this machine took "
        f"some {watched['other_call_ns'] / 1000:.2g} µs longer meanwhile, and the audit itself used "
        f"{watched['own_cpu_ms']:,.0f} ms"
    )
