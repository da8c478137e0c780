"""Why this user may not look into a process, in words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence


def why_closed(pid: int) -> str:
    """Why this user may not look into the process (the rules are those of ptrace(2)), and what to do about it."""
    if os.geteuid() != 0:
        return f"belongs to {_owner(pid)}: run as root to audit it"
    lacking = "you have no CAP_SYS_PTRACE over it"
    if _permitted(pid) & ~_permitted("self"):
        why = f"it holds capabilities that you lack, and {lacking}"
    else:
        why = f"{lacking}, or a security module forbids it"
    return f"may not be looked into, although you are root: {why} (ptrace(2))"


def _permitted(pid: int | str) -> int:
    """The permitted capabilities of a process, as a set of bits (proc_pid_status(5), CapPrm); 0 if it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapPrm:"):
                return int(line.split()[1], 16)
    return 0


def why_nobody_holds_it(unseen: Sequence[int]) -> str:
    """Why no process is seen that holds the listener; `unseen` are the processes that may not be looked into."""
    if os.geteuid() != 0:
        return "none of the processes that you may look into holds it: run as root"
    if not unseen:
        return "no process that /proc shows here holds it: audit it where its processes are seen"
    return (
        f"none of the processes that may be looked into holds it, and although you are root, {in_words(unseen)} may "
        "not (CAP_SYS_PTRACE, ptrace(2))"
    )


def in_words(pids: Sequence[int]) -> str:
    """`process 7`, or `processes 7 9`; at most the first eight."""
    listed = " ".join(map(str, pids[:8])) + (" ..." if len(pids) > 8 else "")
    return f"process{'es' if len(pids) > 1 else ''} {listed}"


def _uid_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


def _owner(pid: int) -> str:
    try:
        uid = _uid_of(pid)
    except OSError:
        return "somebody else"
    if uid == os.geteuid():
        return "you, but may not be looked into (ptrace(2))"
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        return pwd.getpwuid(uid).pw_name
    return f"uid {uid}"
