"""Wakecheck as somebody gets it: a fresh clone, a wheel, a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
"""Far longer than pip takes for what is small."""


def run(*command: object, cwd: Path = ROOT) -> str:
    """What it printed.  AssertionError, with all that it printed, where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def clone(folder: Path) -> Path:
    """A clone of this checkout in `folder`, which may have any name; of what is here now, committed or not."""
    folder.mkdir(parents=True)
    for name in run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
            copy.chmod((ROOT / name).stat().st_mode & 0o755)
    run("git", "init", "-q", cwd=folder)
    run("git", "add", "-A", cwd=folder)
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    run("git", *author, "commit", "-q", "-m", "as it is now", cwd=folder)
    return folder


def wheel(folder: Path) -> Path:
    """The wheel of this checkout, built into `folder`."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, clone(folder / "source"))
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, *packages: object) -> Path:
    """A fresh virtual environment with these packages; the folder of its programs."""
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/pip", "install", "-q", *packages)
    return folder / "bin"
