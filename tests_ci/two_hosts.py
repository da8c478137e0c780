"""Two machines to reach by ssh, made from network namespaces, for as long as one command runs.

    python -m tests_ci.two_hosts FOLDER COMMAND ARGUMENT...

    this program (a network and a process namespace of its own)
      eth-one 10.77.1.1 --- 10.77.1.2 sshd      each sshd with a network namespace,
      eth-two 10.77.2.1 --- 10.77.2.2 sshd      a configuration, keys and a port of its own

Writes FOLDER/inventory.ini, runs COMMAND, and exits as it does.  Everything lives in the namespaces: no
interface of the machine is touched, and when the first process in them dies, by whatever, the kernel
kills the others (pid_namespaces(7)) and takes the interfaces down.  Root is needed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
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
    me = [sys.executable, "-m", "tests_ci.two_hosts", str(folder), *arguments]
    # unshare dies with the test, its child with unshare, and everything else with that child.
    return [find("setpriv"), "--pdeathsig", "KILL", find("unshare"), *_ALONE, *me]


def main(folder: Path, arguments: Sequence[str]) -> int:
    ip = find("ip")
    _run(ip, "link", "set", "lo", "up")
    _run(find("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
    lines = []
    for name, network in HOSTS.items():
        _host(folder, name, network, ip)
        lines.append(f"{name} ansible_host={network}.2 ansible_port={PORT}")
    (folder / "known_hosts").write_text(
        "".join(
            f"[{network}.2]:{PORT} {(folder / f'{name}-key.pub').read_text()}" for name, network in HOSTS.items()
        )
    )
    ssh = f"-o UserKnownHostsFile={folder}/known_hosts -o StrictHostKeyChecking=yes -F none"
    lines += [
        "[all:vars]",
        "ansible_user=root",
        f"ansible_ssh_private_key_file={folder}/key",
        f'ansible_ssh_common_args="{ssh}"',
        f"ansible_python_interpreter={sys.executable}",
    ]
    (folder / "inventory.ini").write_text("".join(f"{line}\n" for line in lines))
    return subprocess.run(arguments, check=False).returncode


def _host(folder: Path, name: str, network: str, ip: str) -> None:
    """One machine: its namespace, the cable to it, and its sshd, which answers when this returns."""
    _run(find("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / f"{name}-key"))
    config = folder / f"{name}.conf"
    settings = {
        "Port": PORT,
        "ListenAddress": f"{network}.2",
        "HostKey": folder / f"{name}-key",
        "AuthorizedKeysFile": folder / "key.pub",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "PidFile": "none",
        # The folder of a test belongs to whoever runs it; sshd would have every folder above it checked.
        "StrictModes": "no",
        "UsePAM": "no",
        "Subsystem": "sftp internal-sftp",
        # What is left behind is found by what it carries in its environment.
        "SetEnv": " ".join(f"{key}={value}" for key, value in os.environ.items() if key.endswith("_TOKEN")) or "HOST=1",
    }
    config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    # Privilege separation wants this folder, which Debian's service makes; /run is covered, not changed.
    _run("mkdir", "-p", "/run/sshd")
    sshd = subprocess.Popen(
        # Until its end of the cable is there, and has its address, it waits for a line.
        [find("unshare"), "--net", "sh", "-c", f'read _; exec {find("sshd")} -D -e -f "$0"', str(config)],
        stdin=subprocess.PIPE,
    )
    assert sshd.stdin is not None
    _until(lambda: _namespace(sshd.pid) != _namespace(os.getpid()), f"a network namespace for {name}")
    _run(ip, "link", "add", f"eth-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(sshd.pid))
    inside = (find("nsenter"), f"--net=/proc/{sshd.pid}/ns/net", ip)
    _run(ip, "address", "add", f"{network}.1/24", "dev", f"eth-{name}")
    _run(ip, "link", "set", f"eth-{name}", "up")
    _run(*inside, "address", "add", f"{network}.2/24", "dev", "eth0")
    _run(*inside, "link", "set", "eth0", "up")
    _run(*inside, "link", "set", "lo", "up")
    sshd.stdin.write(b"\n")
    sshd.stdin.close()
    _until(lambda: _greets(f"{network}.2"), f"the sshd of {name}")


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")
