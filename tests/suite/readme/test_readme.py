"""Every command of the README, word for word, one after the other, in a fresh clone: each ends as is said here."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from probes.kernels import qemu
from probes.kernels.cache import Cache, default_folder

from ..installs import clone
from .commands import Shell, commands, without_comment

W = ".venv/bin/wakecheck"
JUDGE = "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/python -m pytest"
TOX = "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox"
OWN = f"{W} kernels run --image arch/x86/boot/bzImage -- --herd-claim=accept.wakes-one"
LISTENS_WITHIN_S = 60.0


@dataclass(frozen=True)
class End:
    """How a command ends."""

    files: tuple[str, ...] = ()
    """What it leaves in the clone."""
    code: int = 0
    says: str = ""
    slow: bool = False
    """Takes many minutes, or needs what such a command fetched."""
    port: int | None = None
    """It starts a server in the background, which listens here."""


ENDS = {
    JUDGE: End(("report/index.html", "report/run.json")),
    TOX: End(slow=True),
    f"{W} host": End(says="control    positive"),
    f"{W} list": End(says="accept.wakes-one"),
    f"{W} show accept.wakes-one": End(says="basis"),
    f"{W} judge --herd-claim=accept.wakes-one": End(("report/partial/run.json",), says="claims:"),
    f"{W} judge -n auto --herd-preset=fast": End(("report/fast/run.json",), says="claims:"),
    f"{W} run poll/tcp4/n8/accept/one-connection --timeline": End(says="woken"),
    f"{W} report report/run.json": End(says="report/index.html"),
    f"{W} report report/run.json --plots plots": End(("plots",)),
    f"{W} report report/run.json --ktap run.ktap": End(("run.ktap",)),
    f"{W} compare report/run.json report/run.json": End(says="same verdict"),
    f"{W} serve epoll --workers 4 --port 8000": End(port=8000),
    f"{W} audit --port 8000": End(says="herds"),
    f"{W} audit --port 8000 --max-woken 1": End(code=1),
    f"{W} audit --port 8000 --watch 5": End(code=3, says="nobody connected within 5 s"),
    f"{W} audit -- .venv/bin/wakecheck serve reuseport": End(says="wakes one: "),
    "kill %1": End(),
    f"{W} cost --quick accept poll epoll_wait.exclusive.listener": End(says="accept"),
    f"{W} kernels list": End(says="uml-7.2"),
    f"{W} kernels get 6.12 uml-7.2": End(slow=True),
    f"{W} kernels run 6.12 uml-7.2": End(("runs/6.12/run.json", "runs/uml-7.2/run.json"), slow=True),
    f"{W} report runs/*/run.json": End(("matrix/index.html",), slow=True),
    OWN: End(("runs/bzImage/run.json",), slow=True),
    f"{W} kernels matrix arm64-6.12": End(("runs/arm64-6.12/run.json",), slow=True),
    f"{W} kernels matrix --subset fast": End(("runs/matrix/index.html",), slow=True),
    f"{W} kernels matrix": End(("runs/matrix/index.html",), slow=True),
}


def test_every_command_has_an_expected_end() -> None:
    """And is in the README: what is not there is not promised."""
    assert [without_comment(command) for command in commands()] == list(ENDS)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("readme") / "wakecheck")


@pytest.fixture(scope="module")
def shell(checkout: Path) -> Iterator[Shell]:
    with Shell(checkout, {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}) as shell:
        yield shell


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=pytest.mark.slow) if ENDS.get(without_comment(command), End()).slow else command
        for command in commands()
    ],
    ids=without_comment,
)
def test_command(command: str, shell: Shell, checkout: Path) -> None:
    end = ENDS[without_comment(command)]
    if without_comment(command) == OWN:
        _build_a_kernel(checkout)
    code, said = shell.run(command)
    assert code == end.code, said
    assert end.says in said
    assert [name for name in end.files if not (checkout / name).exists()] == [], said
    if end.port is not None:
        _wait_until_it_listens(end.port)


def _build_a_kernel(checkout: Path) -> None:
    """As `make` in a kernel tree leaves it: one that was fetched."""
    image = checkout / "arch/x86/boot/bzImage"
    image.parent.mkdir(parents=True)
    shutil.copy(qemu.fetched(Cache(default_folder()), "6.12").image, image)


def _wait_until_it_listens(port: int) -> None:
    """A reader types slower than a server starts."""
    end = time.monotonic() + LISTENS_WITHIN_S
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < end, f"nothing listens on port {port}"
        os.sched_yield()
