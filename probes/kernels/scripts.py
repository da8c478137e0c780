"""The shell scripts that run inside a guest, as text.

busybox's ash runs them.  They use what every kernel of the catalogue has; a file system that one lacks is left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

FRESH = ("/tmp", "/var/tmp", "/run")
"""Folders that are empty in a guest, and kept in its memory."""

BEGAN, ENDED, FAILED = "began", "ended", "failed"
"""The marks of a guest, a line each: the command was started; it ended, with its exit code; why it never began."""


@dataclass(frozen=True)
class Job:
    """What is to be run in a guest."""

    command: Sequence[str]
    folder: str
    """Where it runs."""
    results: str
    """The one folder of this host that it may write to, by its own path."""
    visible: Sequence[str]
    """Folders of this host that must be seen even where they are below a fresh one."""
    environment: Mapping[str, str]
    cpus: int = 1
    """Of an emulated machine; other guests have the CPUs that they have."""

    def shown(self, fresh: str) -> list[str]:
        """What of `visible` lies below this fresh folder; outer ones first, and none inside another."""
        chosen: list[str] = []
        for place in sorted(dict.fromkeys(self.visible), key=len):
            path = PurePosixPath(place)
            if path.is_relative_to(fresh) and not any(path.is_relative_to(other) for other in chosen):
                chosen.append(place)
        return chosen


def judging(python: str, label: str, results: str, journal: str, expected: str | None) -> list[str]:
    """The command that judges the claims in a guest, up to the user's own arguments for pytest.

    It makes no page; kernels/aftermath.py does, which nothing emulates.
    """
    command = [python, "-m", "probes", "judge", "--herd-preset=fast", "--color=no", "--herd-no-page"]
    command += [f"--herd-report={results}", f"--herd-label={label}", f"--herd-journal={journal}"]
    return [*command, f"--herd-expect={expected}"] if expected else command


def with_costs(command: Sequence[str], python: str, results: str) -> list[str]:
    """The command, after which what the strategies cost is measured, and put into the run.json that it has written.

    Its exit code is still that of the command: costs judge nothing.  One round: where times mean little, a spread means
    less, and an emulated machine takes its time.
    """
    cost = [python, "-m", "probes", "cost", "--quick", "--rounds", "1", "--into", f"{results}/run.json"]
    return ["sh", "-c", f"{shlex.join(command)}; code=$?; {shlex.join(cost)}; exit $code"]


_QEMU_INIT = """\
#!/bin/busybox sh
# Process 1 of the guest, from the initramfs.
results={results}
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for port in /dev/ttyS1 /dev/ttyS2; do stty raw -echo <$port; done
fail() {{ echo "{failed} $*" >/dev/ttyS2; poweroff -f; }}
refused=
while read -r module; do insmod /modules/$module.ko || refused="$refused $module"; done </modules/order
mount -t virtiofs -o ro root /root ||
  fail "this kernel cannot mount the root: it lacks virtio_pci or virtiofs${{refused:+; it refused$refused}}"
[ -z "$refused" ] || echo "modules that this kernel refused:$refused"
mount --bind /root /seen
mount --move /dev /root/dev
mount --move /proc /root/proc
mount --move /sys /root/sys
cd /root
{fresh}
mkdir -p ".$results" 2>/dev/null
mount -t virtiofs out ".$results" || fail "the result folder cannot be mounted"
umount /seen
mkdir -p run/wakecheck && cp /bin/busybox /command run/wakecheck/ || fail "no memory for /run"
exec switch_root /root /run/wakecheck/busybox sh /run/wakecheck/command
"""

_QEMU_COMMAND = """\
# Process 1 of the guest, on this host's root.
folder={folder}
export PATH=/run/wakecheck:$PATH
b=/run/wakecheck/busybox
{mounts}
$b ip link set lo up 2>/dev/null || $b ifconfig lo up
cd "$folder" || {{ echo "{failed} the folder $folder is not seen in the guest" >/dev/ttyS2; $b poweroff -f; }}
echo {began} >/dev/ttyS2
$b env -i {environment} {command} </dev/null >/dev/ttyS1 2>&1
code=$?
$b sync
echo "{ended} $code" >/dev/ttyS2
$b poweroff -f
"""

_UML_INIT = """\
#!{busybox} sh
# Process 1 of the guest, on this host's root (hostfs, read-only).
folder={folder}
results={results}
b={busybox}
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for port in /dev/ttyS0 /dev/ttyS1; do $b stty raw -echo <$port; done
fail() {{ echo "{failed} $*" >/dev/ttyS1; $b poweroff -f; }}
$b mount -t tmpfs -o size=1M seen /mnt && $b mkdir /mnt/seen || fail "no memory for /mnt"
$b mount -t hostfs -o / none /mnt/seen || fail "this kernel cannot mount hostfs"
b=/mnt/seen{busybox}
cd /
{fresh}
$b mkdir -p ".$results" 2>/dev/null
$b mount -t hostfs none "$results" -o "$results" || fail "the result folder cannot be mounted"
{mounts}
$b ip link set lo up 2>/dev/null || $b ifconfig lo up
cd "$folder" || fail "the folder $folder is not seen in the guest"
echo {began} >/dev/ttyS1
$b env -i {environment} {command} </dev/null >/dev/ttyS0 2>&1
code=$?
$b sync
echo "{ended} $code" >/dev/ttyS1
$b poweroff -f
"""

_GVISOR = """\
# Process 1 of the sandbox, on this host's root (read-only); this host's own shell runs it.
folder={folder}
fail() {{ echo "{failed} $*" >&2; exit 125; }}
cd /
{fresh}
cd "$folder" || fail "the folder $folder is not seen in the guest"
echo {began} >&2
exec env -i {environment} {command} 2>&1
"""

_MOUNTS = (
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("tracefs", "/sys/kernel/tracing"),
    ("debugfs", "/sys/kernel/debug"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
)


def for_qemu(job: Job) -> dict[str, str]:
    """The scripts of a guest's initramfs, by file name."""
    init = _QEMU_INIT.format(failed=FAILED, fresh=_fresh(job, "", "/seen"), results=shlex.quote(job.results))
    return {"init": init, "command": _QEMU_COMMAND.format(mounts=_mounts("$b "), **_words(job))}


def for_uml(job: Job, busybox: str) -> str:
    """The first program of a User-Mode Linux guest."""
    fresh = _fresh(job, "$b ", "/mnt/seen")
    return _UML_INIT.format(busybox=busybox, fresh=fresh, mounts=_mounts("$b "), **_words(job))


def for_gvisor(job: Job) -> str:
    """The program that runsc runs: its error stream takes the marks until the command has begun."""
    # Nothing of the host is visible twice there, so what must be seen is bound to a place beside it first.
    lines = ["mount -t tmpfs fresh /mnt"]
    shown = {folder: [*job.shown(folder), *_if_below(job.results, folder)] for folder in FRESH}
    for number, place in enumerate(place for places in shown.values() for place in places):
        quoted = shlex.quote(place)
        lines.append(f"mkdir /mnt/{number} && mount --bind {quoted} /mnt/{number} || fail 'no bind mounts'")
    number = 0
    for folder, places in shown.items():
        lines.append(f"mount -t tmpfs fresh {folder} && chmod 1777 {folder}")
        for place in places:
            quoted = shlex.quote(place)
            lines.append(f"mkdir -p {quoted} && mount --bind /mnt/{number} {quoted} || fail 'no bind mounts'")
            number += 1
    return _GVISOR.format(fresh="\n".join(lines), **_words(job))


def _if_below(path: str, folder: str) -> list[str]:
    return [path] if PurePosixPath(path).is_relative_to(folder) else []


def _words(job: Job) -> dict[str, str]:
    return {
        "began": BEGAN,
        "ended": ENDED,
        "failed": FAILED,
        "folder": shlex.quote(job.folder),
        "results": shlex.quote(job.results),
        "environment": " ".join(shlex.quote(f"{name}={value}") for name, value in job.environment.items()),
        "command": shlex.join(job.command),
    }


def _mounts(prefix: str) -> str:
    lines = []
    for kind, place in _MOUNTS:
        lines.append(f"{prefix}mkdir -p {place} 2>/dev/null; {prefix}mount -t {kind} {kind} {place} 2>/dev/null")
    return "\n".join(lines)


def _fresh(job: Job, prefix: str, seen: str) -> str:
    """Lines that put a tmpfs on every fresh folder, below the folder in which the shell is, and let what must be
    visible be seen in it.  `seen` is where the host's root is mounted once more."""
    lines = []
    for folder in FRESH:
        lines.append(f"{prefix}mount -t tmpfs -o mode=1777 fresh .{folder}")
        for place in job.shown(folder):
            quoted = shlex.quote(place)
            lines.append(f"{prefix}mkdir -p .{quoted}; {prefix}mount --bind {seen}{quoted} .{quoted}")
    return "\n".join(lines)
