"""The answer of an audit as one HTML file, in the style of the report; `audit --help` lists its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .page import environment

_SHAPES = {"herds": "broken", "wakes one": "held", "wakes nobody": "inconclusive", "inconclusive": "inconclusive"}
"""The report's shape and colour for each verdict of an audit."""

FIGURES = {
    "woken": "the scheduler made it runnable",
    "returned": "its wait call came back to user space",
    "won": "it took the connection",
    "in_vain": "it was woken, and took nothing",
    "handed_on": "the server itself woke it, not the listener",
    "timers": "a timer woke it meanwhile",
    "others": "a thread that does not wait for the listener moved",
}


def render(answer: Mapping[str, Any]) -> str:
    """The page for this answer, as a whole HTML document."""
    name = answer["server"]["name"] if answer["server"] else "a server"
    return (
        environment()
        .get_template("audit.html.j2")
        .render(
            answer=answer,
            title=f"{name} on {answer['listener']['name']}" if answer["listener"] else name,
            shape=_SHAPES.get(answer["verdict"], "inconclusive"),
            figures=FIGURES,
            facts=_facts(answer),
        )
    )


def render_several(answer: Mapping[str, Any]) -> str:
    """The page for the listeners of one server, as a whole HTML document."""
    answers = answer["listeners"]
    name = next((each["server"]["name"] for each in answers if each["server"]), "a server")
    rows = [(each, _SHAPES.get(each["verdict"], "inconclusive")) for each in answers]
    return (
        environment()
        .get_template("audits.html.j2")
        .render(title=f"{name}, {len(answers)} listeners", kernel=answer["kernel"], rows=rows)
    )


def _facts(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of the server and of this machine: (term, fact)."""
    facts = [("kernel", f"{answer['kernel']}, {answer['user']}")]
    if answer["listener"]:
        listener, settings = answer["listener"], answer["settings"]
        facts.append(("listener", f"{listener['name']}, {listener['kind']}, {listener['sockets']} socket(s)"))
        if listener["other_namespace"]:
            facts.append(("network", "in a namespace of its own"))
        known = {name: value for name, value in settings.items() if value is not None}
        facts.append(("settings", ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in known.items())))
        facts.append(("processes", " ".join(map(str, answer["server"]["pids"]))))
    if answer["waits"]:
        facts.append(("waits", answer["waits"]))
    if answer["window_ms"] is not None and answer["accidents"] is not None:
        facts.append(
            ("window", f"{answer['window_ms']} ms from connect to rest, {answer['accidents']} moves by timers in it")
        )
    if answer["traffic"]:
        facts += traffic_facts(answer["traffic"])
    for name, why in answer["observers"].items():
        facts.append((f"observer {name}", "yes" if why is None else f"no: {why}"))
    return [(term, fact) for term, fact in facts if fact]


def traffic_facts(traffic: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was watched of the server's own clients: (term, fact)."""
    watched, queue = traffic["watched"], traffic["queue"]
    facts = [("watched", f"{watched['seconds']:g} s of its own clients, without a connection of the audit's")]
    if "accepted" in traffic:
        facts.append(("connections", f"{traffic['arrived']:,} came, {traffic['accepted']:,} were accepted"))
        if traffic["accepted_observed"]:
            facts.append(
                ("woken in all", f"{traffic['woken']:,}, {traffic['woken_per_accepted']:.2f} for each accepted")
            )
            facts.append(
                ("in vain", f"{traffic['in_vain']:,}, {traffic['in_vain_per_accepted']:.2f} for each accepted")
            )
        facts.append(("CPU time", f"{traffic['cpu_ms']} ms of the workers, {traffic['in_vain_cpu_ms']} ms in vain"))
        shares = ", ".join(f"{tid}: {share:.0%}" for tid, share in traffic["shares"].items())
        facts.append(("shares", shares))
    else:
        facts.append(("context switches", f"{traffic['switches']:,} of the workers, whatever for"))
    if traffic["jain"] is not None:
        facts.append(("Jain's index", f"{traffic['jain']:.2f} (1: all took as many)"))
    if queue["looks"]:
        facts.append(("accept queue", f"at most {queue['highest']} of {queue['backlog']} in {queue['looks']} looks"))
        facts.append(("dropped", "not shown" if queue["dropped"] is None else f"{queue['dropped']:,}"))
    if watched["records"]:
        facts.append(
            (
                "cost to the server",
                f"{watched['records']:,} records, some {watched['cost_to_server_ms']:,.1f} ms in all",
            )
        )
    return facts
