"""Makes this machine busy."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

_LOOP = """
import sys
from probes import syscalls

syscalls.die_with_parent(int(sys.argv[1]))
print(flush=True)
while True:
    pass
"""


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """Within the `with` statement, each CPU runs a loop that never sleeps."""
    with contextlib.ExitStack() as at_end:
        for _ in range(os.cpu_count() or 1):
            loop = subprocess.Popen([sys.executable, "-c", _LOOP, str(os.getpid())], stdout=subprocess.PIPE)
            at_end.callback(loop.communicate)
            at_end.callback(loop.kill)
            assert loop.stdout is not None
            assert loop.stdout.readline() == b"\n"
        yield
