"""What the launcher of a guest's program does for it before it starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from probes.kernels import launch


@pytest.mark.parametrize(("options", "nice"), [([], 0), (["--make-way"], 10)])
def test_a_guest_makes_way_for_others(options: list[str], nice: int) -> None:
    """Within its session, and as a session among others where these compete as groups: also if it asks for another."""
    program = """
import contextlib, os
with contextlib.suppress(OSError):
    os.setsid()
print(os.nice(0))
with contextlib.suppress(OSError):
    print(open("/proc/self/autogroup").read())
"""
    command = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *options, "--", sys.executable, "-c"]
    done = subprocess.run([*command, program], capture_output=True, check=True, text=True, start_new_session=True)
    first, *groups = done.stdout.split("\n")
    assert int(first) == min(19, os.nice(0) + nice)
    if os.geteuid() == 0:  # others may set only ten in a second, all together
        assert all(line.endswith(f" nice {nice}") for line in groups if line)
