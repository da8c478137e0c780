"""Two machines to reach by ssh, made from network namespaces, for as long as one command runs.

    python -m tests.suite.ci.two_hosts FOLDER COMMAND ARGUMENT...

    this program (network, process and mount namespaces of its own)
      eth-one 10.77.1.1 --- 10.77.1.2 sshd      each sshd with a network namespace,
      eth-two 10.77.2.1 --- 10.77.2.2 sshd      a configuration and a key of its own

Writes FOLDER/inventory.ini, runs COMMAND, and exits as it does.  Everything lives in the namespaces: no
interface of the machine is touched, and when the first process in them dies, by whatever, the kernel
kills the others (pid_namespaces(7)), and takes cables and mounts away.  Root is needed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .tools import find

HOSTS = {"one": "10.77.1", "two": "10.77.2"}
"""The machines' names, and the networks that lead to them."""
PORT = 2222
PATIENCE_S = 60.0
"""How long an sshd may take to answer: far longer than it does."""

_ALONE = ("--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child")


def command(folder: Path, *arguments: str) -> list[str]:
    """The command that makes the two machines, and runs `arguments` beside them."""
    me = [sys.executable, "-m", "tests.suite.ci.two_hosts", str(folder), *arguments]
    # unshare dies with whoever started it, its child with unshare, and everything else with that child.
    return [find("setpriv"), "--pdeathsig", "KILL", find("unshare"), *_ALONE, *me]


def own_folder(folder: Path, name: str) -> Path:
    """Where one machine keeps its temporary files: the only thing that it does not share with the other."""
    return folder / f"{name}-tmp"


def main(folder: Path, arguments: Sequence[str]) -> int:
    """Make them, run the command, and give its exit code."""
    # sshd wants /run/sshd, which a service would make; this /run is seen in here alone.
    _run(find("mount"), "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/sshd").mkdir(mode=0o755)
    _run(find("ip"), "link", "set", "lo", "up")
    _key(folder / "key")
    for name, network in HOSTS.items():
        _start(folder, name, network)
    (folder / "inventory.ini").write_text("".join(f"{line}\n" for line in _inventory(folder)))
    return subprocess.run(arguments, check=False).returncode


def _inventory(folder: Path) -> list[str]:
    lines, known = [], ""
    for name, network in HOSTS.items():
        temporary = own_folder(folder, name)
        where = f"ansible_remote_tmp={temporary}/ansible ansible_async_dir={temporary}/async"
        lines.append(f"{name} ansible_host={network}.2 {where}")
        known += f"[{network}.2]:{PORT} {(folder / f'{name}-key.pub').read_text()}"
    (folder / "known_hosts").write_text(known)
    return [
        *lines,
        "[all:vars]",
        "ansible_user=root",
        f"ansible_port={PORT}",
        f"ansible_ssh_private_key_file={folder}/key",
        # Nothing of the user's own ssh is read or written.
        f'ansible_ssh_common_args="-F none -o UserKnownHostsFile={folder}/known_hosts -o StrictHostKeyChecking=yes"',
        f"ansible_python_interpreter={sys.executable}",
    ]


def _start(folder: Path, name: str, network: str) -> None:
    """One machine: its namespace, the cable to it, and its sshd, which answers when this returns."""
    own_folder(folder, name).mkdir()
    _key(folder / f"{name}-key")
    settings = {
        "Port": PORT,
        "ListenAddress": f"{network}.2",
        "HostKey": folder / f"{name}-key",
        "AuthorizedKeysFile": folder / "key.pub",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "PidFile": "none",
        # The folders above the key belong to whoever runs the test, and sshd would mind.
        "StrictModes": "no",
        "UsePAM": "no",
        "Subsystem": "sftp internal-sftp",
        "SetEnv": f"TMPDIR={own_folder(folder, name)}",
    }
    config = folder / f"{name}.conf"
    config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    # It waits for a line until its end of the cable has an address.
    waiting = f'read _ && exec {find("sshd")} -D -e -f "$0"'
    sshd = subprocess.Popen(
        [find("unshare"), "--net", "sh", "-c", waiting, str(config)],
        stdin=subprocess.PIPE,
        stderr=(folder / f"{name}.log").open("w"),
    )
    _until(lambda: _network(sshd.pid) != _network(os.getpid()), f"no network namespace for {name}")
    ip, inside = (find("ip"),), (find("nsenter"), f"--net=/proc/{sshd.pid}/ns/net", find("ip"))
    _run(*ip, "link", "add", f"eth-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(sshd.pid))
    for here, end, address in ((ip, f"eth-{name}", f"{network}.1/24"), (inside, "eth0", f"{network}.2/24")):
        _run(*here, "address", "add", address, "dev", end)
        _run(*here, "link", "set", end, "up")
    _run(*inside, "link", "set", "lo", "up")
    assert sshd.stdin is not None
    sshd.stdin.write(b"\n")
    sshd.stdin.close()
    _until(lambda: _greets(f"{network}.2"), f"the sshd of {name} does not answer, see {folder / name}.log")


def _key(path: Path) -> None:
    _run(find("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(path))


def _network(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _until(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(complaint)
        os.sched_yield()


def _run(*arguments: str) -> None:
    subprocess.run(arguments, check=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
