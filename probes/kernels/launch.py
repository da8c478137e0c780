"""Starts one program of a guest so that nothing of it can outlive the runner.

Run as a file by an isolated interpreter, so it imports the standard library alone:

    python -I -S launch.py PARENT OPTIONS -- PROGRAM ARGUMENTS...

The program becomes a child of the first process of a PID namespace of its own; when that process dies, the kernel
kills every other in it (pid_namespaces(7)).  It dies with this one, and this one with the runner (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NEWNS, _NEWUSER, _NEWPID = 0x00020000, 0x10000000, 0x20000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 1 << 14, 1 << 18
_AT_RECURSIVE, _MOUNT_ATTR_RDONLY, _MOUNT_SETATTR, _AT_FDCWD = 0x8000, 1, 442, -100
_LESS = 10
"""This nice value has a weight of 110, and 0 has 1,024 (sched_prio_to_weight, kernel/sched/core.c)."""
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    parent = int(arguments[0])
    end = arguments.index("--")
    options, command = arguments[1:end], arguments[end + 1 :]
    _die_with(parent)
    uid, gid = os.getuid(), os.getgid()
    flags = _NEWPID | _NEWNS
    if _libc.unshare(flags) != 0:
        # Without root: a user namespace first, in which this user is root.
        _check(_libc.unshare(flags | _NEWUSER), "a PID namespace")
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{file}", "w") as opened:
                opened.write(text)
    alive, ours = os.pipe()
    if first := os.fork():
        return _code(os.waitpid(first, 0)[1])
    os.close(ours)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # In the namespace every parent outside has the number 0, so its death before the call shows by the pipe alone.
    if select.select([alive], [], [], 0)[0]:
        os._exit(137)
    os.close(alive)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("proc", "/proc", "proc", 0)
    if writable := [option.partition("=")[2] for option in options if option.startswith("--writable=")]:
        _all_read_only_but(writable)
    if not (program := os.fork()):
        if "--make-way" in options:
            _make_way()
        for option in options:
            name, _, value = option.partition("=")
            if name == "--set":
                os.environ.__setitem__(*value.split("=", 1))
            elif name == "--folder":
                os.chdir(value)
            elif name == "--cpu":
                # One that has gone offline meanwhile: the guest is slower without, and no worse.
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(0, [int(value)])
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
            os._exit(127)
    while True:
        pid, status = os.wait()
        if pid == program:
            return _code(status)


def _die_with(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(137)  # it died before we asked


def _make_way() -> None:
    """Take a tenth of the CPU time that another guest takes, while that wants it.

    Guests are sessions, and sessions compete as groups, each with a nice value of its own (sched(7), the autogroup
    feature).  User-Mode Linux starts a session of its own, with a nice value of 0, unless it leads one already
    (setsid(2)).  An ordinary user may be refused if somebody else has just set one (proc_sched_autogroup_set_nice,
    kernel/sched/autogroup.c): then it only takes longer.
    """
    os.setsid()
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as file:
        file.write(str(_LESS))
    os.nice(_LESS)


def _all_read_only_but(folders: list[str]) -> None:
    """Everything that is mounted becomes read-only, but these folders, and what is no disk."""
    for folder in folders:
        _mount(folder, folder, None, _MS_BIND)
    attributes = (ctypes.c_uint64 * 4)(
        _MOUNT_ATTR_RDONLY, 0, 0, 0
    )  # struct mount_attr: set, clear, propagation, userns
    result = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, attributes, ctypes.sizeof(attributes))
    _check(result, "a read-only view of the root")
    writable = (ctypes.c_uint64 * 4)(0, _MOUNT_ATTR_RDONLY, 0, 0)
    for place in (*folders, "/proc", "/dev", "/dev/shm", "/dev/pts"):
        # What of these is no mount of its own answers EINVAL, and stays as it is.
        _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(place), 0, writable, ctypes.sizeof(writable))


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    encoded = os.fsencode(kind) if kind else None
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), encoded, flags, None), f"mounting {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        os.write(2, f"no {what} for a guest: {os.strerror(ctypes.get_errno())}\n".encode())
        os._exit(126)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # sys.exit would run the interpreter's teardown twice over, in the fork too.
    sys.stdout.flush()
    os._exit(main(sys.argv[1:]))
