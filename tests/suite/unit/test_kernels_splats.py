"""What a kernel's console tells: complaints, deaths, and what to show."""

from __future__ import annotations

import pytest

from probes import splats
from probes.kernels import console

PSI = "psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=0 clear=1 set=4"
CONSOLE = """\
[    0.036000] tsc: Unable to calibrate against PIT\r
[    1.200000][    T1] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on\r
[   12.345678] ------------[ cut here ]------------\r
[   12.345679][  T123] WARNING: CPU: 1 PID: 123 at net/core/sock.c:1 sk_free+0x1/0x2\r
[   13.0] rcu: INFO: rcu_preempt self-detected stall on CPU\r
[   14.0] INFO: task python:99 blocked for more than 120 seconds.\r
[   15.0] sysrq: Trigger a crash\r
[   15.1] Kernel panic - not syncing: sysrq triggered crash\r
[   15.2] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---\r
"""


def test_splats_of_a_console() -> None:
    assert splats.in_log(CONSOLE) == [
        "WARNING: CPU: 1 PID: 123 at net/core/sock.c:1 sk_free+0x1/0x2",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "INFO: task python:99 blocked for more than 120 seconds.",
        "Kernel panic - not syncing: sysrq triggered crash",
        "---[ end Kernel panic - not syncing: sysrq triggered crash ]---",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: possible circular locking dependency detected",
        "WARNING: kernel/futex/core.c:12 at futex_wait+0x1/0x2, CPU#1: python/12",
        "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [python:99]",
        "kernel BUG at fs/eventpoll.c:100!",
        "psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=0 clear=1 set=4",
        "BUG: KASAN: slab-use-after-free in ep_poll",
        "Oops: int3: 0000 [#1] PREEMPT SMP",
        "general protection fault, probably for non-canonical address",
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "refcount_t: underflow; use-after-free.",
        "list_del corruption. prev->next should be",
    ],
)
def test_each_kind_of_complaint_is_seen(line: str) -> None:
    assert splats.is_splat(line)


@pytest.mark.parametrize(
    "line",
    [
        "Spectre V2 : WARNING: Unprivileged eBPF is enabled",
        "mtrr: your CPUs had inconsistent fixed MTRR settings",
        "hrtimer: interrupt took 136848683 ns",
        "rcu: Hierarchical RCU implementation.",
        "DEBUG: nothing",
    ],
)
def test_harmless_words_are_none(line: str) -> None:
    assert not splats.is_splat(line)


def test_a_complaint_that_is_understood_has_an_explanation_and_a_source() -> None:
    (known,) = [splat for splat in splats.UNDERSTOOD if splat.sign.search(PSI)]
    assert "wake-ups" in known.explanation
    assert known.source.startswith("kernel/sched/psi.c")
    assert splats.in_words(PSI) == f"{PSI} (known: {known.explanation})"


@pytest.mark.parametrize(
    "line",
    [
        "psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=4 clear=4 set=4",
        "psi: task underflow! cpu=1 t=2 tasks=[0 0 0 0] clear=4 set=0",
        "BUG: sleeping function called, psi: inconsistent task state! task=1:a cpu=0 psi_flags=0 clear=1 set=4",
    ],
)
def test_a_complaint_that_only_looks_alike_is_not_understood(line: str) -> None:
    assert splats.is_splat(line)
    assert splats.not_understood([PSI, line]) == [line]


def test_the_first_death_is_the_cause() -> None:
    assert console.last_word(CONSOLE) == "Kernel panic - not syncing: sysrq triggered crash"
    assert console.last_word("[ 1.0] all is well\n") is None


def test_the_tail_is_clean() -> None:
    assert console.tail("a\x1b[31mb\x1b[0m\r\n\r\nc\n\n", 2) == ["ab", "c"]
