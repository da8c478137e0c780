"""What a run inherits from whoever starts it breaks no claim: the conductor resets it, and says so."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[3]

CLAIMS = (
    "sockets.write-after-end-raises-sigpipe",
    "server.handled-sigchld-interrupts",
    "signals.accept-interrupted",
    "death.handler-ends-timed-accept",
)
"""Those that were broken by a signal that the run had inherited blocked."""
_SET_TIMERSLACK = 29  # prctl(2)
_STICKY_TIMEOUTS = 0x4000000  # personality(2)


def _ignore_all() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)


def _policy(policy: int) -> Callable[[], None]:
    return lambda: os.sched_setscheduler(0, policy, os.sched_param(0))


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _libc(function: str, *arguments: int) -> None:
    getattr(ctypes.CDLL(None), function)(*map(ctypes.c_ulong, arguments))


STATES: dict[str, tuple[Callable[[], object], str]] = {
    "all-blocked": (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()),
        "signals were blocked: unblocked",
    ),
    "sigchld-ignored": (
        lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        "SIGCHLD was ignored: set to the default action",
    ),
    "all-ignored": (_ignore_all, "signals were ignored: set to the default action"),
    "umask": (lambda: os.umask(0o777), "umask was 0777: set to 0022"),
    "batch": (_policy(os.SCHED_BATCH), "SCHED_BATCH: set to SCHED_OTHER"),
    "timer-slack": (lambda: _libc("prctl", _SET_TIMERSLACK, 4_000_000_000, 0, 0, 0), "timer slack was 4000000000 ns"),
    "descriptors": (_few_descriptors, "RLIMIT_NOFILE was 64: raised to"),
    "personality": (lambda: _libc("personality", _STICKY_TIMEOUTS), "personality was 0x4000000: set to PER_LINUX"),
}


def _inheriting(act: Callable[[], None], *module: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in the state that `act` puts its process into."""
    return subprocess.run(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        preexec_fn=act,
        restore_signals=False,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("state", STATES)
def test_no_claim_is_broken_by_it(tmp_path: Path, state: str) -> None:
    act, _ = STATES[state]
    chosen = [f"--herd-claim={claim}" for claim in CLAIMS]
    done = _inheriting(act, "pytest", "-q", *chosen, f"--herd-report={tmp_path}", "-p", "no:cacheprovider")
    assert "held 4" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout


def test_header_says_what_was_changed() -> None:
    for act, sentence in STATES.values():
        done = _inheriting(act, "probes", "host")
        lines = [line for line in done.stdout.splitlines() if sentence in line]
        assert [line[:11] for line in lines] == ["inherited  "], (sentence, done.stdout, done.stderr)


def test_usual_state_is_not_worth_a_word() -> None:
    done = subprocess.run([sys.executable, "-c", _SETTLE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n", "the first call may only say something where this test itself inherited it"


_SETTLE = """
from probes.lab import inherited
import resource
import shutil
inherited.settle()
print(inherited.settle())
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
print(inherited.settle())
"""

# A tracer without options: the tracee, and what it forks, is this process's; ptrace(2), PTRACE_TRACEME.
_TRACED = """
import sys
from probes.lab import inherited
from probes.verdict import Inconclusive
from ptrace.binding import func as binding
import os, signal
pid = os.fork()
if pid == 0:
    binding.ptrace_traceme()
    try:
        inherited.insist_on_no_tracer()
    except Inconclusive as reason:
        print(reason, flush=True)
    os._exit(0)
while not os.WIFEXITED(os.waitpid(pid, 0)[1]):
    binding.ptrace_cont(pid)
inherited.insist_on_no_tracer()
"""


def test_traced_run_says_so_and_judges_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", _TRACED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("the run itself is traced by 'python"), done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_around_a_run_leaves_it_inconclusive(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", f"--herd-claim={CLAIMS[2]}", f"--herd-report={tmp_path}"]
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "? inconclusive control positive: the run itself is traced by 'strace'" in done.stdout, done.stdout
    assert "broken" not in done.stdout
