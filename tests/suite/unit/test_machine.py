"""The machine that waiters run who run no Python: what its steps do."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from probes import syscalls
from probes.lab import machine
from probes.lab.machine import END, ITSELF, LOAD, Place, Program

pytestmark = pytest.mark.skipif(syscalls.ARCHITECTURE != "x86_64", reason="the machine is x86-64 code")


def _run(program: Program, parts: tuple[int, ...] = ()) -> tuple[int, list[int]]:
    """What the machine returns, and the words of the program afterwards."""
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    address = machine.address_of(memory)
    words = program.placed([address, *parts])
    memory.write(words.tobytes())
    result = machine.start().run(address)
    return result, memoryview(memory).cast("q")[: len(words)].tolist()


@pytest.mark.skipif(not (shutil.which("as") and shutil.which("objcopy")), reason="there is no assembler")
def test_the_code_is_what_the_assembly_says(tmp_path: Path) -> None:
    source = "\n".join(line.partition("#")[0] for line in machine.ASSEMBLY.splitlines())
    (tmp_path / "run.s").write_text(source)
    subprocess.run(["as", "--64", "-o", "run.o", "run.s"], cwd=tmp_path, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", "run.o", "run.bin"], cwd=tmp_path, check=True)
    assert (tmp_path / "run.bin").read_bytes() == machine.CODE


def test_a_step_calls_and_keeps() -> None:
    program = Program()
    program.add(syscalls.NUMBERS["getpid"], keep=program.at(0, 6), below=END, equal=END, above=END)
    result, words = _run(program)
    assert (result, words[6]) == (os.getpid(), os.getpid())


@pytest.mark.parametrize(
    ("value", "against", "way"),
    [(-5, -4, 11), (-4, -4, 12), (-3, -4, 13), (-(2**63), 1, 11), (2**63 - 1, -1, 13), (-2, 2**63 - 1, 11)],
)
def test_a_step_leads_three_ways(value: int, against: int, way: int) -> None:
    """It depends on which is greater, even if the difference of the two does not fit into a word."""
    program = Program()
    program.add(LOAD, program.at(0, 2), value, against=against, below=1, equal=2, above=3)
    for number in (11, 12, 13):
        program.store(number, program.at(0, 5), below=END, equal=END, above=END)
    _, words = _run(program)
    assert words[5] == way


def test_a_step_loads_an_int_with_its_sign() -> None:
    program = Program()
    program.load_int(program.at(0, 2), keep=program.at(0, 3), below=END, equal=END, above=END)
    program.words[2] = (7 << 32) | 0xFFFFFFF5
    result, words = _run(program)
    assert (result, words[3]) == (-11, -11)


def test_a_step_counts_before_it_calls() -> None:
    program = Program()
    program.load(program.at(0, 5), count=program.at(0, 5), against=3, below=0, above=END, equal=END)
    result, words = _run(program)
    assert (result, words[5]) == (0, 3)


def test_a_step_counts_by_more() -> None:
    program = Program()
    program.load(program.at(0, 5), count=program.at(0, 5), by=-16, below=END, equal=END, above=END)
    assert _run(program)[0] == -16


def test_a_place_is_in_its_thing() -> None:
    program = Program()
    program.add(LOAD, Place(ITSELF, 16), Place(1, 4), below=END, equal=END, above=END)
    assert _run(program, (1000,))[0] == 1004


def test_elsewhere_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "ARCHITECTURE", "arm64")
    with pytest.raises(OSError, match="no code"):
        machine.start()


def test_memory_that_may_not_be_run_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SELinux (execmem) and systemd (MemoryDenyWriteExecute) have it."""
    monkeypatch.setitem(syscalls.NUMBERS, "mprotect", 100_000)
    with pytest.raises(OSError, match="not implemented"):
        machine.start()
