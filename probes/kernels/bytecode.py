"""Compiles what guests import, here and once.

A guest sees this machine's files read-only, so it could not keep what it compiles: each would do it again, which takes
a quarter of a minute where it is emulated.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import shlex
import subprocess
import sys

from ..chapters import HOME
from ..host import PROJECT
from . import runtime
from .processes import Processes

_PATIENCE_S, _LAST_S = 300.0, 20.0


def compile_all() -> None:
    """Compile Wakecheck's modules and chapters, unless the user wants none kept (PYTHONDONTWRITEBYTECODE).

    What cannot be compiled or written is left to the guests: this only saves their time.
    """
    if sys.dont_write_bytecode:
        return
    compileall.compile_dir(PROJECT / "probes", quiet=2)
    # pytest rewrites the asserts of the chapters, and keeps what it compiles of them: so let it collect them.  Without
    # what the user may have asked of pytest in general (PYTEST_ADDOPTS), which may write files.
    with runtime.folder() as folder, open(os.devnull, "wb") as nowhere, Processes() as processes:
        judge = [sys.executable, "-m", "probes", "judge", "--collect-only", "-q", f"--herd-report={folder}"]
        script = f"unset PYTEST_ADDOPTS PYTEST_PLUGINS; cd {shlex.quote(str(HOME))} && exec {shlex.join(judge)}"
        child = processes.start(["sh", "-c", script], out=nowhere.fileno(), errors=nowhere.fileno())
        try:
            child.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            pass
        except BaseException:
            # A file that it is just writing would stay behind in half.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LAST_S)
            raise
