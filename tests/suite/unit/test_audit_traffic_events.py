"""Which tracepoints a watch opens: those of single calls where these can be had, those of all calls otherwise."""

from __future__ import annotations

import resource

import pytest

from probes.audit.traffic.events import OWN_TRACEPOINTS, TRACEPOINTS, Event, events
from probes.observers.perf_rings import Tracepoint

CALLS = {232: "epoll_wait", 281: "epoll_pwait", 288: "accept4"}


def _described(long: int = 8, without: str = "") -> dict[str, Tracepoint]:
    text = f"\tfield:long id;\toffset:8;\tsize:{long};\n"
    paths = {**TRACEPOINTS, **OWN_TRACEPOINTS}
    return {kind: Tracepoint(path, 1, text) for kind, path in paths.items() if path != without}


def _chosen(described: dict[str, Tracepoint], cpus: int = 2) -> list[Event]:
    return list(events(described, [7, 8, 12], CALLS, cpus, own_apart=False))


def _names(chosen: list[Event], kind: str) -> list[str]:
    return [event.tracepoint.name for event in chosen if event.kind == kind]


def test_each_call_has_its_own() -> None:
    chosen = _chosen(_described())
    for kind in ("enter", "exit"):
        assert set(_names(chosen, kind)) == {f"syscalls/sys_{kind}_{call}" for call in CALLS.values()}
    assert {event.narrow for event in chosen if event.kind == "enter"} == {
        "((common_pid >= 7 && common_pid <= 8) || common_pid == 12)"
    }
    assert {event.kind for event in chosen} == set(TRACEPOINTS)


@pytest.mark.parametrize("described", [_described(without="syscalls/sys_exit_accept4"), _described(long=4)])
def test_those_of_all_calls(described: dict[str, Tracepoint]) -> None:
    """Where one is missing, or a call with 64-bit times has another name (32-bit kernels)."""
    chosen = _chosen(described)
    assert set(_names(chosen, "enter")) == {"raw_syscalls/sys_enter"}
    assert set(_names(chosen, "exit")) == {"raw_syscalls/sys_exit"}
    of_calls = {(event.narrow.partition(" && (id")[2], event.always) for event in chosen if event.kind == "enter"}
    assert of_calls == {(" == 232 || id == 281)", False), (" == 288)", True)}


def test_what_pauses() -> None:
    """Connections and who takes them are recorded all the time; who finds nothing is not."""
    always = [event for event in _chosen(_described()) if event.always]
    assert [event.tracepoint.short_name for event in always] == [
        "inet_sock_set_state", "sys_enter_accept4", "sys_exit_accept4",
    ]  # fmt: skip
    assert always[2].narrow.endswith(" && ret >= 0")


@pytest.mark.parametrize(("limit", "their_own"), [(1024, False), (4096, True), (resource.RLIM_INFINITY, True)])
def test_not_more_than_may_be_open(monkeypatch: pytest.MonkeyPatch, limit: int, their_own: bool) -> None:
    """Each event has a descriptor for each CPU."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert ("syscalls/sys_enter_accept4" in _names(_chosen(_described(), cpus=64), "enter")) == their_own


def test_what_the_kernel_lacks_is_left_out() -> None:
    chosen = _chosen(_described(without="sock/inet_sock_set_state"))
    assert {event.kind for event in chosen} == set(TRACEPOINTS) - {"arrival"}


_OWN = "(common_pid >= 7 && common_pid <= 8) || common_pid == 12"


def test_own_wake_ups_apart() -> None:
    """Every wake-up passes one of the filters: with a call chain if it may be the listener's, and else without."""
    chosen = events(_described(), [7, 8, 12], CALLS, 2, own_apart=True)
    waking, own = (event for event in chosen if event.tracepoint.name == TRACEPOINTS["waking"])
    whose = "((pid >= 7 && pid <= 8) || pid == 12)"
    assert waking == Event("waking", waking.tracepoint, f"{whose} && (common_flags & 16 || !({_OWN}))")
    assert own == Event("own waking", waking.tracepoint, f"{whose} && !(common_flags & 16) && ({_OWN})")


def test_who_cannot_be_told_from_others_is_not_apart() -> None:
    """A filter of so many threads that it lets others through."""
    chosen = events(_described(), range(7, 7000, 7), CALLS, 2, own_apart=True)
    assert "own waking" not in {event.kind for event in chosen}
