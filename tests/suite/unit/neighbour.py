"""A process beside a lab that does something to its tasks again and again, and what is measured meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from probes.chapters import HOME
from probes.lab.session import Lab
from probes.scenario import Scenario

ACCEPT = Scenario.parse("accept/tcp4/n8/hold/one-connection")
CHILD_ENDS = ("concurrent_server.child_ends", {"strategy": "accept", "handler": "none"})
MOST = 3000
"""In so many measurements at least one moment is met, also on a busy machine."""

_TASKS = """
import contextlib, os, random, re, sys, time
def scan(session):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.getsid(int(pid)) == session:
                yield pid
def below(pid):
    with contextlib.suppress(OSError):
        for child in open(f"/proc/{pid}/task/{pid}/children").read().split():
            yield child
            yield from below(child)
SESSION, WHOM = int(sys.argv[1]), re.compile(sys.argv[2])
# A trial takes a few milliseconds; to look at every process of the machine takes longer.  Those that are there from the
# beginning, the sentinel among them, need not be the conductor's children.
FIRST = list(scan(SESSION))
QUICK = os.path.exists("/proc/thread-self/children")  # CONFIG_PROC_CHILDREN (proc_pid_children(5))
def tasks():
    for pid in (*FIRST, *below(SESSION)) if QUICK else scan(SESSION):
        with contextlib.suppress(OSError):
            comm = open(f"/proc/{pid}/comm", errors="replace").read().strip()
            if WHOM.match(comm):
                yield int(pid), comm
print(flush=True)
"""


@contextmanager
def neighbour(lab: Lab, whom: str, script: str, *arguments: str) -> Iterator[None]:
    """Run this Python `script` meanwhile, with `arguments` from sys.argv[3] on.

    There, `tasks()` gives the process id and the name of each task of the lab whose name begins so (`whom`, a regular
    expression), and time, random, os, sys and contextlib are imported.
    """
    command = [sys.executable, "-c", _TASKS + script, str(lab.greeting["pid"]), whom, *arguments]
    with subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()
