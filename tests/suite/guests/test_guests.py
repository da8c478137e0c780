"""Real guests: what comes back from them, and what is left of them, however they and the runner end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from probes.kernels import qemu
from probes.kernels.cache import Cache, default_folder

from ..installs import clone, environment, wheel
from .runs import ARM64, COMPATIBLE, FEW, GVISOR, INSIDE, QEMU, ROOT, UML, Runner, kill, verdicts

CANNOT_JUDGE = 3


@pytest.fixture(scope="module", autouse=True)
def _fetched() -> None:
    """The kernels and the tools, once.  Here, because a conftest.py is read in guests too."""
    command = [sys.executable, "-m", "probes", "kernels", "get", QEMU, UML, GVISOR, ARM64, COMPATIBLE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_two_kernels_each_leave_a_whole_run(tmp_path: Path) -> None:
    with Runner(tmp_path, QEMU, GVISOR, pytest=FEW) as runner:
        code = runner.finish()
        linux, sentry = runner.run_json(QEMU), runner.run_json(GVISOR)
        assert set(verdicts(linux)) == {"held"}, runner.said
        assert (linux["label"], linux["kernel"]["flavour"], linux["kernel"]["emulated"]) == (QEMU, "linux", True)
        assert linux["kernel"]["splats"] == []
        assert linux["observers"] == dict.fromkeys(linux["observers"], True), "tracefs and ptrace work in there"
        # gVisor counts no context switches, so whether somebody was woken cannot be told.
        assert set(verdicts(sentry)) == {"inconclusive"}
        assert (sentry["label"], sentry["kernel"]["flavour"]) == (GVISOR, "gvisor")
        assert code == 0, "expectations/ says that gVisor cannot be judged there"
        assert "passed" in (runner.out / QEMU / "log.txt").read_text()
        assert not (runner.out / QEMU / "journal.jsonl").exists()
        runner.assert_nothing_left()


def test_costs_in_a_guest_are_marked_and_judge_nothing(tmp_path: Path) -> None:
    with Runner(tmp_path, QEMU, "--cost", pytest=FEW) as runner:
        assert runner.finish() == 0, runner.said
        run = runner.run_json(QEMU)
        assert set(verdicts(run)) == {"held"}
        assert any("this kernel is emulated" in mark for mark in run["cost"]["marks"])
        assert {cell["way"] for cell in run["cost"]["cells"]} >= {"accept", "poll", "epoll_wait.exclusive.listener"}
        page = (runner.out / QEMU / "index.html").read_text(encoding="utf-8")
        assert '<p class="care">Take care: this kernel is emulated' in page
        runner.assert_nothing_left()


@pytest.mark.parametrize("name", [QEMU, UML, GVISOR])
def test_a_checkout_whose_path_has_an_apostrophe(tmp_path: Path, name: str) -> None:
    """In the scripts that start a guest it ended the shell, and with it, as process 1, the guest."""
    checkout = clone(tmp_path / "o'brien's check out")
    with Runner(tmp_path / "o'brien's check out", name, pytest=FEW, cwd=checkout) as runner:
        assert runner.finish() == 0, runner.said
        assert verdicts(runner.run_json(name))
        runner.assert_nothing_left()


@pytest.mark.skipif(
    not os.environ.get("WAKECHECK_ALL_TOOLS") and not all(map(shutil.which, ("vng", "depmod", "script"))),
    reason="virtme-ng, kmod or script is not here",
)
def test_a_kernel_of_ones_own_booted_by_virtme_ng(tmp_path: Path) -> None:
    image = qemu.fetched(Cache(default_folder()), QEMU)
    own = (f"--image={image.image}", f"--modules={image.modules}", "--boot=vng")
    with Runner(tmp_path, *own, pytest=FEW) as runner:
        assert runner.finish() == 0, runner.said
        assert set(verdicts(runner.run_json(image.image.name))) == {"held"}
        runner.assert_nothing_left()


def test_the_wheel_alone(tmp_path: Path) -> None:
    programs = environment(tmp_path / "venv", wheel(tmp_path / "wheel"))
    (tmp_path / "empty").mkdir()
    with Runner(tmp_path, UML, pytest=FEW, program=[str(programs / "wakecheck")], cwd=tmp_path / "empty") as runner:
        assert runner.finish() == 0, runner.said
        assert set(verdicts(runner.run_json(UML))) == {"held"}
        runner.assert_nothing_left()


def test_a_guest_cannot_write_anywhere_else(tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    with Runner(tmp_path, QEMU, GVISOR, pytest=(f"--junit-xml={beside}/x.xml", *FEW)) as runner:
        runner.finish()
        assert list(beside.iterdir()) == []
        runner.assert_nothing_left()


def test_a_panic_leaves_what_was_judged_and_the_next_kernel_whole(tmp_path: Path) -> None:
    arguments = (
        "tests/kernel/test_accept.py",
        f"{INSIDE}/panic.py",
        "-k=(wakes_one and tcp4 and n8 and not n8t) or panic",
    )
    with Runner(tmp_path, QEMU, GVISOR, pytest=arguments) as runner:
        assert runner.finish() in (CANNOT_JUDGE, 1)
        run = runner.run_json(QEMU)
        assert run["partial"] is True
        assert "Kernel panic - not syncing: sysrq triggered crash" in run["partial_reason"]
        assert set(verdicts(run)) == {"held"}
        assert any("Kernel panic" in splat for splat in run["kernel"]["splats"])
        assert "the kernel died while the command ran" in runner.said
        assert verdicts(runner.run_json(GVISOR))
        runner.assert_nothing_left()


@pytest.mark.parametrize(
    ("name", "machine", "stand_ins"),
    [
        (ARM64, "aarch64", {"select": "pselect6", "poll": "ppoll", "epoll_wait": "epoll_pwait"}),
        # The kernel's own architecture; the numbers are those of the program.
        (COMPATIBLE, "x86_64", {"accept": "accept4"}),
    ],
)
def test_another_architecture_judges_the_same_ids(
    tmp_path: Path, name: str, machine: str, stand_ins: dict[str, str]
) -> None:
    few = ("tests/kernel/test_accept.py", "tests/kernel/test_select_poll.py", "tests/kernel/test_epoll_private.py")
    with Runner(
        tmp_path, name, pytest=(*few, "--herd-preset=fast", "-k=wakes and tcp4/n8/hold/one-connection")
    ) as runner:
        assert runner.finish() == 0, runner.said
        run = runner.run_json(name)
        assert (run["kernel"]["machine"], run["kernel"]["cpus"], run["kernel"]["emulated"]) == (machine, 2, True)
        assert run["kernel"]["stand_ins"] == stand_ins
        assert run["observers"] == dict.fromkeys(run["observers"], True)
        ids = {case["id"]: case["verdict"] for claim in run["claims"] for case in claim["cases"]}
        assert set(ids.values()) == {"held"}
        assert {f"{call}/tcp4/n8/hold/one-connection" for call in ("accept", "poll", "select")} <= set(ids)
        runner.assert_nothing_left()


def test_a_panic_of_another_architecture_leaves_what_was_judged(tmp_path: Path) -> None:
    arguments = (
        "tests/kernel/test_accept.py",
        f"{INSIDE}/panic.py",
        "-k=(wakes_one and tcp4 and n8 and not n8t) or panic",
    )
    with Runner(tmp_path, ARM64, pytest=arguments) as runner:
        assert runner.finish() in (CANNOT_JUDGE, 1)
        run = runner.run_json(ARM64)
        assert run["partial"] is True
        assert "Kernel panic - not syncing: sysrq triggered crash" in run["partial_reason"]
        assert len(verdicts(run)) == 4, "all that were judged before"
        assert set(verdicts(run)) == {"held"}
        runner.assert_nothing_left()


def test_an_image_of_ones_own_for_another_architecture(tmp_path: Path) -> None:
    image = qemu.fetched(Cache(default_folder()), ARM64).image
    with Runner(tmp_path, f"--image={image}", "--arch=arm64", pytest=FEW) as runner:
        assert runner.finish() == 0, runner.said
        assert set(verdicts(runner.run_json(image.name))) == {"held"}
        runner.assert_nothing_left()


def test_a_hang_is_ended_at_its_deadline(tmp_path: Path) -> None:
    arguments = (
        "tests/kernel/test_accept.py",
        f"{INSIDE}/hang.py",
        "-k=(wakes_one and tcp4 and n8 and not n8t) or hang",
    )
    with Runner(tmp_path, GVISOR, "--timeout=60", pytest=arguments) as runner:
        assert runner.finish() == CANNOT_JUDGE
        assert "the command did not end within 60 s" in runner.said
        assert runner.run_json(GVISOR)["partial_reason"] == "the command did not end within 60 s"
        runner.assert_nothing_left()


def test_a_killed_qemu_is_told_and_the_next_kernel_runs(tmp_path: Path) -> None:
    with Runner(tmp_path, QEMU, GVISOR, pytest=("tests/kernel/test_accept.py",)) as runner:
        runner.wait_for_cases(QEMU, 1)
        for pid in runner.members("-accel"):
            kill(pid)
        runner.wait_until(
            lambda: "was killed (signal 9) while the command ran" in runner.said, "word of the killed guest"
        )
        assert runner.finish() in (CANNOT_JUDGE, 1)
        run = runner.run_json(QEMU)
        assert run["partial"] is True
        assert verdicts(run)
        assert verdicts(runner.run_json(GVISOR))
        runner.assert_nothing_left()


@pytest.mark.parametrize("name", [QEMU, GVISOR])
def test_a_killed_runner_takes_its_guest_with_it(tmp_path: Path, name: str) -> None:
    with Runner(tmp_path, name, pytest=("tests/kernel/test_accept.py",)) as runner:
        runner.wait_for_cases(name, 1)
        kill(runner.process.pid)
        runner.process.wait()
        runner.assert_nothing_left(folders=False)
        left = runner.folders()
        assert left
    with Runner(tmp_path, GVISOR, pytest=("--version",)) as second:
        second.finish()
        assert f"swept up after a runner that was killed: {left[0]}" in second.said
    assert runner.folders() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_stopped_runner_keeps_what_was_judged(tmp_path: Path, number: signal.Signals) -> None:
    with Runner(tmp_path, QEMU, pytest=("tests/kernel/test_accept.py",)) as runner:
        runner.wait_for_cases(QEMU, 1)
        runner.process.send_signal(number)
        assert runner.finish() == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
        assert "Traceback" not in runner.said
        assert runner.run_json(QEMU)["partial_reason"] == "it was stopped by the user"
        runner.assert_nothing_left()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    full = tmp_path / "out"
    full.mkdir()
    mounted = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64k full "$0" && exec "$@"', str(full)]
    with Runner(tmp_path, GVISOR, pytest=("tests/kernel/test_accept.py", "-k=tcp4"), prefix=mounted) as runner:
        assert runner.finish() == CANNOT_JUDGE
        assert "No space left on device" in runner.said
        assert "Traceback" not in runner.said
        runner.assert_nothing_left()


def test_an_image_that_does_not_boot_is_told_and_the_others_run(tmp_path: Path) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(bytes(0x1F1) + b"\4" + bytes(0x10) + b"HdrS" + bytes(8000))
    arguments = (GVISOR, f"--image={image}", "--boot-timeout=20")
    with Runner(tmp_path, *arguments, pytest=FEW) as runner:
        assert runner.finish() == CANNOT_JUDGE
        assert "bzImage: no run.json" in runner.said
        assert "booted twice" in runner.said
        assert verdicts(runner.run_json(GVISOR))
        runner.assert_nothing_left()
