"""Goes to every setting of the machine, and refuses to do so anywhere but in an emulated guest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from probes import host


@pytest.mark.timeout(0)
def test_machine_wide() -> None:
    assert host.kernel()["emulated"], "this is no guest"
    # Whatever it sets, pytest itself is as it was.
    subprocess.run([sys.executable, "-m", "tests.suite.surroundings.machine_wide"], check=True)
