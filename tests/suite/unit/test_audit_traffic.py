"""What is made of the trace of real traffic: who slept, who was woken through the listener, who found nothing."""

from __future__ import annotations

import pytest

from probes.audit.judge import HERDS, INCONCLUSIVE, WAKES_ONE
from probes.audit.traffic.account import Account, Totals, WaitsIn, WokenBy
from probes.audit.traffic.figures import TrafficFigures, figures_of, jain
from probes.audit.traffic.judge import judge
from probes.audit.traffic.records import Arrival, Entered, Left, Record, Switched, WakeUpRecord

PORT, CLIENT, EPOLL, LISTENER, CONNECTION = 80, 900, 7, 3, 9
WORKERS = (1, 2, 3, 4)
_SOFTIRQ = 0x10


def _account(workers: tuple[int, ...] = WORKERS, port: int = PORT, shared: bool = False) -> Account:
    ways = {tid: WaitsIn("epoll_wait", EPOLL) for tid in workers}
    account = Account(port, ways, dict.fromkeys(workers, (LISTENER,)), lambda thread, other: shared)
    account.known_asleep(workers)
    return account


class Trace:
    """Records as a kernel writes them, one microsecond apart."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def _now(self) -> int:
        return 1000 * len(self.records)

    def arrives(self, port: int = PORT) -> Trace:
        self.records.append(Arrival(self._now(), 0, port))
        return self

    def wakes(self, *tids: int, by_listener: bool = True, waker: int = CLIENT, flags: int = _SOFTIRQ) -> Trace:
        for tid in tids:
            self.records.append(WakeUpRecord(self._now(), 0, waker, tid, flags, by_listener))
        return self

    def runs(self, tid: int) -> Trace:
        self.records.append(Switched(self._now(), 1, 0, True, tid))
        return self

    def sleeps(self, tid: int) -> Trace:
        self.records.append(Switched(self._now(), 1, tid, True, 0))
        return self

    def returns(self, tid: int, call: str = "epoll_wait", result: int = 1) -> Trace:
        self.records.append(Left(self._now(), 1, tid, call, result))
        return self

    def accepts(self, tid: int, result: int = CONNECTION, fd: int = LISTENER) -> Trace:
        self.records.append(Entered(self._now(), 1, tid, "accept4", fd))
        return self.returns(tid, "accept4", result)

    def receives(self, tid: int, result: int = 100, fd: int = LISTENER, call: str = "recvmsg") -> Trace:
        self.records.append(Entered(self._now(), 1, tid, call, fd))
        return self.returns(tid, call, result)

    def waits(self, tid: int) -> Trace:
        self.records.append(Entered(self._now(), 1, tid, "epoll_wait", EPOLL))
        return self

    def serves(self, tid: int) -> Trace:
        """It takes the connection, and waits again."""
        return self.runs(tid).returns(tid).accepts(tid).waits(tid).sleeps(tid)

    def finds_nothing(self, tid: int) -> Trace:
        return self.runs(tid).returns(tid).accepts(tid, -11).waits(tid).sleeps(tid)

    def slumbers_on(self, tid: int) -> Trace:
        """Woken, it sees in the kernel that nothing is there, and does not return."""
        return self.runs(tid).sleeps(tid)


def _counted(trace: Trace, account: Account | None = None) -> Account:
    account = account or _account()
    account.add(trace.records)
    account.interrupted()
    return account


def _datagrams(trace: Trace) -> Totals:
    ways = {tid: WaitsIn("epoll_wait", EPOLL) for tid in WORKERS}
    account = Account(PORT, ways, dict.fromkeys(WORKERS, (LISTENER,)), datagrams=True)
    account.known_asleep(WORKERS)
    return _counted(trace, account).totals


def test_a_datagram_that_wakes_a_herd() -> None:
    """One worker takes it; another one that finds nothing has returned from its wait in vain, or sleeps on."""
    trace = Trace().wakes(*WORKERS).runs(2).returns(2).receives(2).waits(2).sleeps(2)
    trace.runs(1).returns(1).receives(1, -11).waits(1).sleeps(1).slumbers_on(3).slumbers_on(4)
    totals = _datagrams(trace.arrives())
    assert (totals.arrived, totals.woken, totals.in_vain, totals.accepted.total()) == (0, 4, 3, 1)
    assert totals.found_nothing == {1: 1}


def test_a_datagram_of_another_socket() -> None:
    """A worker waited for an answer: it is woken, and receives from another socket."""
    trace = Trace().wakes(2).runs(2).returns(2).receives(2, fd=CONNECTION).waits(2).sleeps(2)
    totals = _datagrams(trace)
    assert (totals.woken, totals.otherwise, totals.in_vain, totals.accepted.total()) == (0, 1, 0, 0)


def test_datagrams_of_another_socket_that_all_share() -> None:
    """One takes each, and the others sleep on; a datagram of the audited socket, which is exclusive, wakes one."""
    trace = Trace()
    for _ in range(20):
        trace.wakes(*WORKERS).runs(2).returns(2).receives(2, fd=CONNECTION).waits(2).sleeps(2)
        trace.slumbers_on(1).slumbers_on(3).slumbers_on(4)
        trace.wakes(2).runs(2).returns(2).receives(2).waits(2).sleeps(2)
    totals = _datagrams(trace)
    assert (totals.woken, totals.in_vain, totals.accepted.total(), totals.otherwise) == (20, 0, 20, 80)


def test_who_slept_before_another_took_is_not_in_vain() -> None:
    """Its blocking call was entered long before; it may have taken nothing until it was woken in it."""
    ways = {tid: WaitsIn("recvfrom") for tid in WORKERS}
    account = Account(PORT, ways, dict.fromkeys(WORKERS, (LISTENER,)), datagrams=True)
    trace = Trace()
    for tid in WORKERS:
        trace.records.append(Entered(1000 * len(trace.records), 1, tid, "recvfrom", LISTENER))
        trace.sleeps(tid)
    trace.wakes(1).slumbers_on(1).wakes(2).runs(2).returns(2, "recvfrom")
    totals = _counted(trace, account).totals
    assert (totals.woken, totals.in_vain, totals.otherwise) == (1, 0, 1)


def test_who_slept_while_another_was_still_taking_is_in_vain() -> None:
    """The datagram is gone when that call has taken it, before it returns."""
    trace = Trace().wakes(1, 2).runs(2).returns(2)
    trace.records.append(Entered(1000 * len(trace.records), 1, 2, "recvmsg", LISTENER))
    trace.slumbers_on(1).returns(2, "recvmsg").waits(2).sleeps(2)
    totals = _datagrams(trace)
    assert (totals.woken, totals.in_vain, totals.otherwise) == (2, 1, 0)


def test_recvmmsg_takes_several() -> None:
    trace = Trace().wakes(2).runs(2).returns(2).receives(2, 3, call="recvmmsg").waits(2).sleeps(2)
    totals = _datagrams(trace)
    assert (totals.woken, totals.in_vain, totals.accepted) == (1, 0, {2: 3})


def test_a_herd() -> None:
    trace = Trace().arrives().wakes(*WORKERS).serves(2).finds_nothing(1).slumbers_on(3).slumbers_on(4)
    account = _counted(trace)
    assert account.connections == [WokenBy(asleep=4, woken=4, returned=2, won=1, in_vain=3)]
    totals = account.totals
    assert (totals.arrived, totals.woken, totals.in_vain, dict(totals.accepted)) == (1, 4, 3, {2: 1})
    assert dict(totals.found_nothing) == {1: 1}
    assert 0 < totals.in_vain_ns < totals.ran_ns


def test_who_is_awake_cannot_be_woken_and_is_not_asleep() -> None:
    """One worker serves when the second connection comes: three slept, and all three are woken."""
    trace = Trace().arrives().wakes(*WORKERS).slumbers_on(3).slumbers_on(4).finds_nothing(1)
    trace.runs(2).returns(2).accepts(2)
    trace.arrives().wakes(1, 3, 4).serves(1).slumbers_on(3).slumbers_on(4).waits(2).sleeps(2)
    assert [(connection.asleep, connection.woken) for connection in _counted(trace).connections] == [(4, 4), (3, 3)]


def test_data_for_a_worker_is_not_the_listeners_doing() -> None:
    """A packet of a connection that a worker has already comes in the same softirq as another's handshake."""
    trace = Trace().arrives().wakes(1).wakes(2, by_listener=False).serves(1)
    trace.runs(2).returns(2).waits(2).sleeps(2)
    account = _counted(trace)
    assert [connection.woken for connection in account.connections] == [1]
    assert (account.totals.woken, account.totals.otherwise, account.totals.in_vain) == (1, 1, 0)


def test_another_port_of_the_same_workers() -> None:
    """A handshake on the other port goes through the same functions of the kernel, but is not this listener's."""
    trace = Trace().arrives(port=443).wakes(*WORKERS)
    for tid in WORKERS:
        trace.finds_nothing(tid)
    account = _counted(trace)
    assert account.connections == []
    assert (account.totals.arrived, account.totals.woken) == (0, 0)


def test_what_is_accepted_from_another_listener_does_not_count() -> None:
    account = _counted(Trace().arrives().wakes(1).runs(1).returns(1).accepts(1, fd=LISTENER + 1).accepts(1))
    assert dict(account.totals.accepted) == {1: 1}


@pytest.mark.parametrize(("shared", "woken"), [(True, 2), (False, 1)])
def test_one_that_returns_wakes_the_next(shared: bool, woken: int) -> None:
    """This counts if they share an epoll instance; otherwise the server did it."""
    trace = Trace().arrives().wakes(1).runs(1).wakes(2, by_listener=False, waker=1, flags=0)
    trace.returns(1).accepts(1).waits(1).sleeps(1).finds_nothing(2)
    account = _counted(trace, _account(shared=shared))
    assert [(connection.asleep, connection.woken) for connection in account.connections] == [(4, woken)]


def test_after_a_gap_nothing_is_known() -> None:
    account = _account()
    account.interrupted()
    account.add(Trace().arrives().wakes(1).serves(1).records)
    assert [connection.asleep for connection in account.connections] == [None]


def test_in_a_pause_connections_are_counted_and_not_judged() -> None:
    """Nor is the last one before it, whose wake-ups may be recorded in part."""
    account = _account()
    account.add(Trace().arrives().wakes(1).serves(1).arrives().wakes(2).records)
    account.observe(False)
    account.add(Trace().arrives().accepts(2).arrives().accepts(3).accepts(4, -11).records)
    account.observe(True)
    account.known_asleep(WORKERS)
    account.add(Trace().arrives().wakes(1).serves(1).records)
    account.interrupted()
    totals, shown = account.totals, figures_of(account.totals, account.connections, WORKERS)
    assert [connection.asleep for connection in account.connections] == [4, None, None, None, 4]
    assert (totals.arrived, shown.accepted, shown.accepted_observed) == (5, 4, 2)
    assert (totals.woken, shown.judged) == (3, 2)
    assert shown.each(totals.woken) == 1.5


def test_whom_an_unclear_connection_woke_is_not_judged() -> None:
    account = _account()
    account.add([Arrival(0, 0, PORT, unclear=True), *Trace().wakes(1, by_listener=False).serves(1).records])
    assert (account.connections[0].asleep, account.totals.arrived, account.totals.unclear) == (None, 1, 1)


def test_who_was_not_seen_to_sleep_again_is_in_vain_for_nobody() -> None:
    """Cut off by the end of the watch: it may have taken the connection a moment later."""
    account = _counted(Trace().arrives().wakes(1, 2).serves(1).runs(2).returns(2))
    assert (account.totals.woken, account.totals.in_vain) == (2, 0)


def test_blocking_accept() -> None:
    ways = {tid: WaitsIn("accept4") for tid in WORKERS}
    account = Account(PORT, ways, dict.fromkeys(WORKERS, (LISTENER,)))
    account.known_asleep(WORKERS)
    trace = Trace().arrives().wakes(1).runs(1).returns(1, "accept4", CONNECTION)
    trace.records.append(Entered(99_000, 1, 1, "accept4", LISTENER))
    trace.sleeps(1).arrives().wakes(2).runs(2).returns(2, "accept4", CONNECTION)
    assert [(connection.asleep, connection.woken) for connection in _counted(trace, account).connections] == [
        (4, 1),
        (4, 1),
    ]


def test_a_worker_that_came_later() -> None:
    trace = Trace().arrives().wakes(5).runs(5).returns(5).accepts(5).waits(5).sleeps(5).arrives().wakes(5)
    account = _counted(trace)
    assert [(connection.asleep, connection.woken) for connection in account.connections] == [(4, 1), (5, 1)]


def test_unix_connections_are_counted_together() -> None:
    account = _counted(Trace().wakes(*WORKERS).serves(1).finds_nothing(2), _account(port=0))
    assert account.connections == []
    assert (account.totals.woken, sum(account.totals.accepted.values())) == (4, 1)


# --- figures and verdicts -----------------------------------------------------------------------


def _figures(*woken: tuple[int, int], accepted: int = 20) -> TrafficFigures:
    """(asleep, woken) of each connection."""
    totals = Totals(arrived=len(woken), woken=sum(number for _, number in woken))
    totals.accepted[1] = accepted
    connections = [WokenBy(asleep, number, 1, 1, number - 1) for asleep, number in woken]
    return figures_of(totals, connections, WORKERS)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ([(4, 4)] * 9, HERDS),
        ([(4, 1)] * 9, WAKES_ONE),
        ([(2, 2)] * 9, HERDS),
        ([(1, 1)] * 50, INCONCLUSIVE),  # a herd of one shows nothing
        ([(4, 4)] * 4, INCONCLUSIVE),
        ([(4, 0)] * 9, INCONCLUSIVE),
    ],
)
def test_verdicts(seen: list[tuple[int, int]], verdict: str) -> None:
    judgement = judge(_figures(*seen), 10, "tcp4")
    assert judgement.verdict == verdict, judgement.sentence
    assert judgement.sentence.startswith(verdict)


def test_nobody_came() -> None:
    assert "nobody connected within 10 s" in judge(figures_of(Totals(), [], WORKERS), 10, "tcp4").sentence


def test_nobody_was_seen_to_accept() -> None:
    assert "no system call" in judge(_figures((4, 4), accepted=0), 10, "tcp6").sentence


@pytest.mark.parametrize(("woken", "verdict"), [(80, HERDS), (20, WAKES_ONE), (26, INCONCLUSIVE)])
def test_verdicts_where_connections_are_not_told_apart(woken: int, verdict: str) -> None:
    totals = Totals(woken=woken)
    totals.accepted[1] = 20
    assert judge(figures_of(totals, [], WORKERS), 10, "unix").verdict == verdict
    assert judge(figures_of(totals, [], WORKERS), 10, "udp4").verdict == verdict


@pytest.mark.parametrize(("woken", "verdict"), [(80, INCONCLUSIVE), (20, WAKES_ONE)])
def test_a_herd_beside_another_shared_socket_may_be_that_sockets(woken: int, verdict: str) -> None:
    totals = Totals(woken=woken)
    totals.accepted[1] = 20
    judgement = judge(figures_of(totals, [], WORKERS), 10, "udp4", share_another=True)
    assert judgement.verdict == verdict
    assert ("its datagrams cannot be told from these" in judgement.sentence) == (verdict == INCONCLUSIVE)


@pytest.mark.parametrize("kind", ["unix", "udp4"])
def test_only_of_tcp_is_it_known_who_slept(kind: str) -> None:
    totals = Totals(woken=80)
    totals.accepted[1] = 20
    assert "how many workers slept then is not known" in judge(figures_of(totals, [], WORKERS), 10, kind).sure
    assert "held against the workers that slept" in judge(_figures(*[(4, 4)] * 9), 10, "tcp4").sure


def test_jain() -> None:
    assert jain([0.25] * 4) == pytest.approx(1.0)
    assert jain([1.0, 0, 0, 0]) == pytest.approx(0.25)
    assert jain([]) is None


def test_shares_name_those_that_took_none() -> None:
    assert _figures((4, 1)).shares == {1: 1.0, 2: 0.0, 3: 0.0, 4: 0.0}
