"""Ends a server whose launcher was killed: `python -m tests.suite.servers.guard FOLDER`, with a pipe as its input.

The server's first process, which leads a session, writes its pid to the pipe before it starts, and the launcher keeps
that end of the pipe open.  The kernel closes it however the launcher dies.  Then the guard waits for the session to
end, kills what is left of it, and removes the folder.  A signal to the first process alone does not suffice, because
its children may outlive it (h2o, Tornado).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from probes.host import PROJECT

from .processes import await_end, pids_of_session

GRACE_S = 10.0
"""How long a server may take to end by itself, once its first process was told to: only then it can tidy up."""


class Guard:
    """A process beside the server, in a session of its own, so that no signal to the launcher's group reaches it."""

    def __init__(self, folder: Path) -> None:
        """`folder` is removed in the end, however the launcher ends."""
        reader, self._pipe = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.suite.servers.guard", str(folder)],
                cwd=PROJECT,
                stdin=reader,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(reader)
        self.pid = self._process.pid

    def guard_me(self) -> None:
        """Call this in the server's first process, once it leads its session; exec then closes its copy of the pipe."""
        os.write(self._pipe, b"%d" % os.getpid())

    def dismiss(self) -> None:
        """Let the guard remove the folder and end, and wait for that."""
        os.close(self._pipe)
        self._process.wait()


def main(folder: str, leader: bytes) -> None:
    """End the session of `leader`; none was started if that is empty."""
    end = time.monotonic() + GRACE_S
    # A zombie is for its parent to reap, or for whoever adopts it.
    while leader and (left := pids_of_session(int(leader), zombies=False)):
        if time.monotonic() > end:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await_end(left[0])
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.buffer.read())
