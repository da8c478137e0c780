"""Printing with standard output closed, or in a poor locale, gives no traceback."""

from __future__ import annotations

import os
import subprocess
import sys

from probes.chapters import HOME

ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
"""Python takes UTF-8 for the C locale unless it is told not to (PEP 538, PEP 540); tox sets PYTHONIOENCODING."""


def test_a_sign_that_the_locale_lacks_is_escaped() -> None:
    command = [sys.executable, "-m", "probes", "cost", "--help"]
    done = subprocess.run(command, cwd=HOME, env={**os.environ, **ASCII}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\xb1" in done.stdout


def test_judge_without_standard_output() -> None:
    judge = [sys.executable, "-m", "probes", "judge", "--collect-only", "tests/kernel/test_accept.py"]
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *judge]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
