"""The lab's own fork, and how small the process is that it copies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from probes.chapters import HOME
from probes.lab import fork as forking
from probes.lab.session import search_path

LOADS = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from probes.lab import conductor
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {"difflib", "hashlib", "logging", "pathlib", "ptrace", "random", "shutil", "subprocess", "tempfile"}
"""Nobody who forks waiters needs them; each costs pages and mappings that are copied with every waiter."""


def _code_of(act: str) -> int:
    """The exit code of a child that the lab's fork has made in a small interpreter of its own."""
    program = f"import os, sys, threading\nsys.path.insert(0, {str(HOME)!r})\nfrom probes.lab.fork import fork\n{act}"
    return subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode


def test_the_child_is_a_child_and_runs_python() -> None:
    assert (
        _code_of("""
pid = fork()
if not pid:
    os._exit(7 if os.getppid() != os.getpid() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")
        == 7
    )


def test_nobody_who_registered_is_called() -> None:
    code = _code_of("""
os.register_at_fork(before=lambda: os._exit(3), after_in_child=lambda: os._exit(4))
pid = fork()
if not pid:
    os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")
    if forking.fork is os.fork:
        pytest.skip("this libc has no _Fork")
    assert code == 7


def test_the_child_may_fork_and_start_threads() -> None:
    assert (
        _code_of("""
pid = fork()
if not pid:
    seen = []
    threads = [threading.Thread(target=seen.append, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    inner = os.fork()
    if not inner:
        os._exit(3)
    os._exit(len(seen) + os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")
        == 11
    )


def test_a_refusal_is_an_error_of_the_system() -> None:
    assert (
        _code_of("""
import ctypes, resource
os.setuid(65534) if os.getuid() == 0 else None
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    pid = fork()
except BlockingIOError:
    sys.exit(7)
os._exit(1)
""")
        == 7
    )


def test_conductor_loads_nothing_heavy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOADS, json.dumps(search_path())], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not HEAVY & set(loaded)
    assert threading.__name__ in loaded  # the list is that of a conductor
