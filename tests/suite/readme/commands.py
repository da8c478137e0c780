"""The commands of the README, in its order, and a shell that runs them as a reader types them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..installs import ROOT

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
_MARK = "wakecheck-readme-ended"


def commands(page: Path = ROOT / "README.md") -> list[str]:
    """Every line of every `sh` block, word for word."""
    return [line for block in _BLOCK.findall(page.read_text(encoding="utf-8")) for line in block.splitlines() if line]


def without_comment(command: str) -> str:
    """The command without what the shell ignores, and without `&`."""
    return re.sub(r"\s+#.*$", "", command).removesuffix(" &").strip()


class Shell:
    """One interactive reader's bash: jobs, folder and variables last from one command to the next."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def __enter__(self) -> Shell:
        # Job control, so that `kill %1` works as in a terminal.
        self.run("set -m")
        return self

    def __exit__(self, *_: object) -> None:
        self._bash.kill()
        self._bash.communicate()

    def run(self, command: str) -> tuple[int, str]:
        """The exit code, and what was printed.  AssertionError where the shell itself ended."""
        assert self._bash.stdin is not None
        self._bash.stdin.write(f'{command}\necho "{_MARK} $?"\n')
        self._bash.stdin.flush()
        said: list[str] = []
        for line in self._lines():
            match = re.fullmatch(rf"(.*){_MARK} (\d+)\n", line)
            if match:
                return int(match[2]), "".join([*said, match[1]])
            said.append(line)
        raise AssertionError(f"the shell ended in {command!r}:\n{''.join(said)}")

    def _lines(self) -> Iterator[str]:
        assert self._bash.stdout is not None
        # Not `yield from`: that would close the stream with the generator.
        yield from iter(self._bash.stdout.readline, "")
