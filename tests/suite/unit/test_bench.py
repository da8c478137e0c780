"""`wakecheck bench`: what it times, and what it says of a command that it cannot time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rich.console import Console

from probes import bench

from .busy import busy_machine


def _bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "probes", "bench", "--rounds=1", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_a_command_is_timed_beside_a_trial() -> None:
    done = _bench("--quick", "--beside=/bin/echo 5", "--beside=true")
    assert done.returncode == 0, done.stderr
    assert "ratio to each command" in done.stdout
    for word in ("bare loop", "untraced trial", "echo 5", "true", "arrange", "stimulate", "settle", "release"):
        assert word in done.stdout
    assert "/bin/echo" not in done.stdout


def test_ratios_of_a_busy_machine_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    with busy_machine():
        done = _bench("--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Take care: the machine was busy: others used up to ")
    bench._show([], [], Console())
    assert capsys.readouterr().out == ""


def test_many_waiters_cost_time_and_memory() -> None:
    done = _bench("--many=101")
    assert done.returncode == 0, done.stderr
    for word in ("cost per waiter", "us at 100", "us at 101", "seconds at 101", "KiB at 101"):
        assert word in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--quick", "--beside=false"], "wakecheck: --beside 'false': it ended with exit code 1"),
        (["--quick", "--beside=/gone"], "wakecheck: --beside '/gone': No such file or directory"),
        (["--quick", "--beside="], "wakecheck: --beside '': no command"),
        (["--quick", "--beside=a 'b"], 'wakecheck: --beside "a \'b": No closing quotation'),
        (["--many=100"], "wakecheck: --many 100: there can be more than 100, and 10,000 at most"),
        (["--many=10001"], "wakecheck: --many 10001: there can be more than 100, and 10,000 at most"),
    ],
)
def test_bad_input_is_one_sentence(options: list[str], sentence: str) -> None:
    done = _bench(*options)
    assert (done.returncode, done.stderr.strip()) == (2, sentence)
