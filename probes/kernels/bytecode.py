"""Compiles what guests import, here and once.

A guest sees this machine's files read-only, so it could not keep what it compiles: each would do it again, which takes
a quarter of a minute where it is emulated.
"""

from __future__ import annotations

import compileall
import contextlib
import subprocess
import sys

from ..chapters import HOME
from ..host import PROJECT
from . import runtime

_PATIENCE_S = 300.0


def compile_all() -> None:
    """Compile Wakecheck's modules and chapters, unless the user wants none kept (PYTHONDONTWRITEBYTECODE).

    What cannot be compiled or written is left to the guests: this only saves their time.
    """
    if sys.dont_write_bytecode:
        return
    compileall.compile_dir(PROJECT / "probes", quiet=2)
    # pytest rewrites the asserts of the chapters, and keeps what it compiles of them: so let it collect them.
    with runtime.folder() as folder:
        command = [sys.executable, "-m", "probes", "judge", "--collect-only", "-q", f"--herd-report={folder}"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                command,
                cwd=HOME,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE_S,
                check=False,
            )
