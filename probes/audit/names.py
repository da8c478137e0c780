"""The name of a server, and its command line.

The kernel's name of a process (comm, proc_pid_comm(5)) is cut off after 15 bytes; for a script it may be the name of
the interpreter.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Mapping, Sequence

_MOST_BYTES = 65_536
_INTERPRETERS = re.compile(r"(python|pypy|node|nodejs|ruby|perl|php|java|deno|bun)[\d.]*")
_WITH_VALUE = {
    "python": {"-W", "-X", "--check-hash-based-pycs"},
    "pypy": {"-W", "-X"},
    "node": {"-r", "--require", "--import", "--loader"},
    "ruby": {"-I", "-r", "-C", "-E"},
    "perl": {"-I", "-M"},
    "php": {"-S", "-c", "-d", "-t"},
    "java": {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules", "--add-opens"},
}
"""Options of each interpreter that take the next word as their value."""
_HOME = re.compile(r"/lib(?:exec|64)?/(?!systemd/)([a-z][\w.+-]*)/(?:.*/)?s?bin/")


def command_line(pid: int) -> list[str]:
    """The command line of process `pid`, or the title that it wrote over it; empty if the process is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        text = os.fsdecode(file.read(_MOST_BYTES)).rstrip("\0")
        return text.split("\0") if text else []
    return []


def environment(pid: int) -> dict[str, str]:
    """The environment that process `pid` was started with (proc_pid_environ(5)); empty if it may not be read."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        pairs = (entry.partition("=") for entry in os.fsdecode(file.read(_MOST_BYTES)).split("\0"))
        return {key: value for key, equals, value in pairs if equals}
    return {}


def comm_of(pid: int) -> str:
    """The kernel's name of the process: at most 15 bytes, any but NUL.  Raises OSError if the process is gone."""
    with open(f"/proc/{pid}/comm", "rb") as file:
        return os.fsdecode(file.read()).removesuffix("\n")


def program_of(pid: int) -> str:
    """The path of the program that process `pid` runs; empty if it may not be read."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    return ""


def name_of(pid: int) -> str:
    """The server's name: its program, or, if that is an interpreter, the script, module, class or archive that it
    runs."""
    words = command_line(pid)
    with contextlib.suppress(OSError):
        if any("multiprocessing.spawn" in word or "multiprocessing.forkserver" in word for word in words):
            # A child that multiprocessing spawned gets the name of its parent, which runs the script.
            return name_of(_parent_of(pid))
        return name_from(words, program_of(pid), comm_of(pid))
    return f"pid {pid}"


def _parent_of(pid: int) -> int:
    """The parent of process `pid`.  Raises OSError if the process is gone."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


def name_from(words: Sequence[str], program: str, comm: str) -> str:
    """The name, from the command line, the program's file and the kernel's name of the process."""
    if not words:
        return os.path.basename(program) or comm
    if is_title(words):
        # `puma 6.4.2 (tcp://0.0.0.0:80) [app]`, `postgres: checkpointer`, `php-fpm: master process (...)`
        return re.split(r"[: ]", words[0].lstrip("-"), maxsplit=1)[0] or comm
    called = os.path.basename(words[0])
    interpreter = _INTERPRETERS.fullmatch(os.path.basename(program) or called)
    if interpreter and (script := _script(words[1:], _WITH_VALUE.get(interpreter[1], set()), interpreter[1])):
        return script
    # Programs in a package's own folder often have names that say little: /usr/lib/postfix/sbin/master.
    home = _HOME.search(program)
    if home and home[1][:4] != called[:4]:
        return f"{home[1]} {called}"
    return called or comm


def is_title(words: Sequence[str]) -> bool:
    """Whether the process wrote a title over its command line, so that its options cannot be read there."""
    return len(words) == 1 and " " in words[0] and not words[0].startswith("/")


def _script(words: Sequence[str], with_value: set[str], interpreter: str) -> str | None:
    """What an interpreter runs, according to its arguments; None if that is not a file (`-c`, or nothing)."""
    rest = iter(words)
    for word in rest:
        if word in ("-m", "--module", "-jar"):
            ran = next(rest, "")
            return os.path.basename(ran) or None
        if word in ("-c", "-e", "-") and interpreter != "php":
            return None
        if word in with_value:
            next(rest, None)
        elif not word.startswith("-"):
            return os.path.basename(word) if interpreter != "java" else word.rpartition("/")[2]
    return None


def options_of(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Words that may hold the server's options: its command line, and gunicorn's GUNICORN_CMD_ARGS."""
    return [*words, *variables.get("GUNICORN_CMD_ARGS", "").split()]


def version_of(pid: int, package: str) -> tuple[int, ...] | None:
    """The version of the Python package whose script process `pid` runs; None if it cannot be determined.

    pip and Debian record it next to the package's modules, under the folder whose bin/ holds the script.
    """
    versions: set[str] = set()
    for word in command_line(pid)[:2]:
        prefix = os.path.dirname(os.path.dirname(word))
        if word.startswith("/"):
            pattern = f"/proc/{pid}/root{glob.escape(prefix)}/lib/python3*/*-packages/{package}-*.*-info"
            versions.update(os.path.basename(path).split("-")[1] for path in glob.glob(pattern))
    numbers = [re.match(r"\d+(?:\.\d+)*", version) for version in versions]
    if len(numbers) != 1 or numbers[0] is None:
        return None
    return tuple(int(number) for number in numbers[0][0].split("."))
