"""The wake-up tests of others, case by case, and the claim that judges each: a page of docs/ shows them.

The cases are told in words of our own.  Nothing of the suites is here.
"""

from __future__ import annotations

from tests.kernel.graph_cases import BOTH, JUST_ONE, LOOKS, ONE_INSIDE

from .peer_case import ERRORS, KERNEL_CRASH, RACE, PeerCase
from .peers_elsewhere import ELSEWHERE


def _graphs() -> tuple[PeerCase, ...]:
    """epoll1 to epoll58: the arrangements of tests/kernel/graph_cases.py."""
    judges = (
        (LOOKS, "epoll-graphs.level-again-edge-once"),
        (BOTH, "epoll-graphs.both-report"),
        (JUST_ONE, "epoll-graphs.edge-reports-once"),
        (ONE_INSIDE, "epoll-graphs.inside-reports"),
    )
    judged = [(graph, claim) for graphs, claim in judges for graph in graphs]
    return tuple(
        PeerCase(f"epoll{graph.number}", graph.in_words, (claim,))
        for graph, claim in sorted(judged, key=lambda pair: pair[0].number)
    )


PEERS: dict[str, tuple[PeerCase, ...]] = {
    "Linux, tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c": (
        *_graphs(),
        PeerCase(
            "epoll59",
            "EPOLL_CTL_MOD again and again, against epoll_wait in another thread",
            ("epoll-instances.mod-beside-a-wait",),
        ),
        PeerCase(
            "epoll60",
            "ten threads on an edge-triggered instance with ten eventfds, all written to",
            ("epoll-graphs.one-source-each",),
        ),
        PeerCase("epoll61", "a write just when the time limit of one of two waiters is over", why_not=RACE),
        PeerCase(
            "epoll62",
            "epoll_pwait2 reports a level-triggered socket twice",
            ("epoll-graphs.level-again-edge-once", "sources.shared-level-wakes-all", "epoll-private.wakes-all"),
        ),
        PeerCase("epoll63", "epoll_pwait2 with a limit of 10 ms", ("limits.never-early", "limits.ends-with-zero")),
        PeerCase(
            "epoll64",
            "two threads on a level-triggered instance both return",
            ("epoll-graphs.both-report", "sources.shared-level-wakes-all"),
        ),
        PeerCase(
            "epoll65",
            "64 threads look at an instance with one ready eventfd, at once",
            ("epoll-instances.looks-beside-each-other",),
        ),
    ),
    "Linux, tools/testing/selftests/net/so_incoming_cpu.c": (
        PeerCase(
            "before_reuseport, before_listen, after_listen, after_all_listen",
            "a group whose members ask for a CPU each, set at four moments: connections from each CPU",
            ("reuseport-group.incoming-cpu",),
        ),
        PeerCase(
            "test1 to test3",
            "the same, with a member for each CPU; with one more that asks for none, and was closed, or gets nothing",
            ("reuseport-group.incoming-cpu", "reuseport-group.incoming-cpu-leaves-nothing"),
        ),
    ),
    "Linux, tools/testing/selftests/net: reuseport_bpf.c, reuseport_bpf_cpu.c, reuseport_addr_any.c": (
        PeerCase(
            "reuseport_bpf", "a classic program chooses the member by its index", ("reuseport-group.selector-index",)
        ),
        PeerCase(
            "reuseport_bpf, invalid filters and sockets",
            "an index without a member, and a program for a socket outside a group",
            ("reuseport-group.invalid-index-falls-back",),
        ),
        PeerCase(
            "reuseport_bpf_cpu",
            "a classic program chooses the member by the CPU",
            ("reuseport-group.selector-by-cpu",),
        ),
        PeerCase(
            "reuseport_addr_any",
            "a member bound to the exact address comes before one bound to any",
            why_not="The choice by address does not decide who wakes.",
        ),
    ),
    "Linux, tools/testing/selftests/bpf/prog_tests/migrate_reuseport.c": (
        PeerCase(
            "migrate_reuseport",
            "connections of a listener that is shut down go to another member, and can be accepted there",
            ("reuseport-group.migration-keeps-connections", "reuseport-group.migration-wakes"),
        ),
    ),
    "Linux Test Project, testcases/kernel/syscalls": (
        PeerCase("epoll_wait02", "a time limit is kept", ("limits.never-early", "limits.ends-with-zero")),
        PeerCase("epoll_pwait03", "the same for epoll_pwait and epoll_pwait2", ("limits.never-early",)),
        PeerCase("epoll_pwait06", "no limit is taken for an endless one", ("limits.ends-with-zero",)),
        PeerCase("epoll_wait05", "EPOLLRDHUP when the peer shuts down", ("sources.half-closed-is-rdhup",)),
        PeerCase(
            "epoll_wait06",
            "a pipe, edge-triggered: what is left unread is not reported again; nor is room",
            ("epoll-triggers.edge-told-once-per-change", "epoll-instances.write-edge"),
        ),
        PeerCase("epoll_wait07", "EPOLLONESHOT: two writes, one report", ("epoll-triggers.oneshot-until-mod",)),
        PeerCase("epoll_wait08", "a signal ends the wait with EINTR", ("signals.multiplexers-never-restart",)),
        PeerCase("epoll_wait09", "five instances in one another", ("epoll-instances.nests-five-deep",)),
        PeerCase("epoll_wait10", "EPOLLPRI for a change of /proc/mounts", ("sources.mountinfo-wakes-all",)),
        PeerCase("epoll_wait11", "the last writer of a pipe closes it", ("sources.end-of-file-wakes-pollers",)),
        PeerCase("epoll_wait12", "the last reader of a full pipe closes it", ("sources.no-reader-wakes-pollers",)),
        PeerCase(
            "epoll_wait13",
            "no more events than maxevents, and the rest in the next calls",
            ("epoll-instances.maxevents-round-robin",),
        ),
        PeerCase(
            "epoll_wait14", "every descriptor is reported equally often", ("epoll-instances.maxevents-round-robin",)
        ),
        PeerCase("epoll_wait15", "a write to a pipe returns every private instance", ("sources.wakes-all",)),
        PeerCase("epoll_wait16", "with EPOLLEXCLUSIVE it returns exactly one", ("sources.exclusive-wakes-one",)),
        PeerCase(
            "epoll_ctl04, epoll_ctl05", "how deep instances nest, and no loops", ("epoll-instances.nests-five-deep",)
        ),
        PeerCase("pipe13", "the end of a pipe wakes every reader", ("sources.end-of-file-tells-all",)),
        PeerCase("pipe15", "a pipe of one page", why_not="The wake-ups are right; there is too little room."),
        PeerCase(
            "select01 to select04, pselect01, ppoll01, poll01, poll02",
            "time limits, and what is ready",
            ("limits.never-early", "limits.ends-with-zero", "sources.wakes-all"),
        ),
        PeerCase(
            "futex_wake01 to futex_wake03",
            "as many wake as asked",
            ("accept-locks.futex-wakes-as-many", "accept-locks.unlock-wakes-one"),
        ),
        PeerCase("futex_wake04", "two futexes in one huge page are two", ("accept-locks.futex-wakes-its-own",)),
        PeerCase("futex_wake05", "EFAULT", why_not=ERRORS),
        PeerCase("accept01, accept03, accept4_01", "errors and flags of accept", ("sockets.accept-only-on-listeners",)),
        PeerCase("accept02", "multicast groups of an accepted socket", why_not=KERNEL_CRASH),
        PeerCase(
            "eventfd01 to eventfd06, eventfd2",
            "what an eventfd counts; semaphore mode",
            ("sources.event-wakes-all-readers", "read.eventfd-wakes-all"),
        ),
    ),
    **ELSEWHERE,
}
"""By suite."""
