"""What is made for a guest (initramfs, scripts, command lines), and how one is followed: no guest is booted."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from probes.kernels import gvisor, initramfs, qemu, root, runner, runtime, scripts, uml, vng
from probes.kernels.cache import Cache, Missing
from probes.kernels.guest import Keep, Patience, Pipes, Story, follow
from probes.kernels.initramfs import ArchiveEntry
from probes.kernels.processes import Processes
from probes.kernels.runner import Settings
from probes.kernels.scripts import BEGAN, ENDED, FAILED, Job
from probes.kernels.toolbox import Toolbox, toolbox

JOB = Job(
    ["/venv/bin/python", "-m", "pytest", "-k", "it's $HOME"],
    "/tmp/check out",
    "/tmp/runs/6.1",
    ["/tmp/check out", "/tmp/venv", "/tmp/venv/lib", "/usr", "/run/tools"],
    {"PATH": "/venv/bin:/usr/bin", "NAME": "two words"},
)
TOOLS = Toolbox(Path("/cache/tools"))


# --- the initramfs -----------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not here")
def test_cpio_unpacks_the_archive(tmp_path: Path) -> None:
    entries = [
        ArchiveEntry("bin", mode=0o040755),
        ArchiveEntry("bin/odd", b"abc", 0o100755),
        ArchiveEntry("empty"),
        ArchiveEntry("four", b"1234"),
    ]
    subprocess.run(["cpio", "-i", "--quiet"], input=initramfs.archive(entries), cwd=tmp_path, check=True)
    assert (tmp_path / "bin/odd").read_bytes() == b"abc"
    assert os.access(tmp_path / "bin/odd", os.X_OK)
    assert (tmp_path / "empty").read_bytes() == b""
    assert (tmp_path / "four").read_bytes() == b"1234"


def test_every_part_of_the_archive_is_padded_to_four() -> None:
    archive = initramfs.archive([ArchiveEntry("a", b"12345")])
    assert len(archive) % 4 == 0
    assert archive[:6] == b"070701"
    name_at = 110
    assert archive[name_at : name_at + 2] == b"a\0"
    # 110 + 2 is a multiple of four.
    assert archive[name_at + 2 : name_at + 7] == b"12345"
    assert b"TRAILER!!!" in archive


def _module(folder: Path, name: str, depends: str, pack: str = "") -> None:
    content = b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=" + name.encode() + b"\0"
    packed = {"": bytes, ".xz": lzma.compress, ".gz": gzip.compress}[pack](content)
    (folder / f"{name}.ko{pack}").write_bytes(packed)


def test_modules_come_after_what_they_depend_on(tmp_path: Path) -> None:
    _module(tmp_path, "virtiofs", "fuse,virtio,virtio_ring", ".xz")
    _module(tmp_path, "fuse", "", ".gz")
    _module(tmp_path, "virtio", "")
    _module(tmp_path, "virtio_ring", "virtio")
    _module(tmp_path, "virtio-pci", "virtio_ring,virtio_pci_modern_dev")
    _module(tmp_path, "vsock_loopback", "vsock")
    _module(tmp_path, "vsock", "")
    _module(tmp_path, "unrelated", "")
    modules = initramfs.modules_below(tmp_path)
    assert list(modules) == ["virtio", "virtio_ring", "virtio_pci", "fuse", "virtiofs", "vsock", "vsock_loopback"]
    assert all(content.startswith(b"\x7fELF") for content in modules.values())


@pytest.mark.parametrize("suffix", [".xz", ".gz", ""])
def test_a_damaged_module_is_told(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"virtiofs.ko{suffix}").write_bytes(b"\0depends=\xff\0" if not suffix else b"no archive")
    with pytest.raises(Missing, match=r"virtiofs\.ko.* is damaged"):
        initramfs.modules_below(tmp_path)


def test_modules_that_need_each_other_are_taken_once(tmp_path: Path) -> None:
    _module(tmp_path, "virtiofs", "fuse")
    _module(tmp_path, "fuse", "virtiofs")
    assert sorted(initramfs.modules_below(tmp_path)) == ["fuse", "virtiofs"]


def test_no_modules_where_everything_is_built_in(tmp_path: Path) -> None:
    assert initramfs.modules_below(tmp_path) == {}


# --- scripts and command lines -----------------------------------------------------------------


ODD = "/home/o'brien's $HOME `id` \"check\" out"
ODD_JOB = replace(JOB, folder=ODD, results=f"{ODD}/runs", visible=[ODD, f"/tmp{ODD}"])


def _scripts(job: Job) -> dict[str, str]:
    return {**scripts.for_qemu(job), "uml": scripts.for_uml(job, "/cache/busybox"), "gvisor": scripts.for_gvisor(job)}


@pytest.mark.parametrize("job", [JOB, ODD_JOB], ids=["plain", "odd"])
@pytest.mark.parametrize("name", ["init", "command", "uml", "gvisor"])
def test_the_scripts_are_shell(name: str, job: Job) -> None:
    done = subprocess.run(["sh", "-n"], input=_scripts(job)[name], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["command", "uml", "gvisor"])
def test_a_folder_with_quotes_in_its_name_is_named_whole(name: str) -> None:
    """An apostrophe in the path of the checkout once ended the shell, and with it, as process 1, the guest."""
    lines = _scripts(ODD_JOB)[name].splitlines()
    enter = next(line for line in lines if "is not seen in the guest" in line)
    script = "\n".join(
        [
            'fail() { echo "$*"; }',
            *(line for line in lines if line.startswith(("folder=", "results="))),
            "b=true",
            enter.replace(">/dev/ttyS2", ""),
        ]
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert f"the folder {ODD} is not seen in the guest" in done.stdout


def test_the_command_arrives_whole_in_every_guest() -> None:
    """With its quotes, and with nothing of this machine's environment."""
    for text in (scripts.for_qemu(JOB)["command"], scripts.for_uml(JOB, "/b"), scripts.for_gvisor(JOB)):
        line = next(line for line in text.splitlines() if "env -i" in line)
        words = line[line.index("env -i") :].replace("env -i", "env -i printf '%s|'", 1).split(" </dev/null")[0]
        words = words.removesuffix(" 2>&1").replace("NAME=", "X=", 0)
        said = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True).stdout
        assert said.endswith("/venv/bin/python|-m|pytest|-k|it's $HOME|"), said
        assert "NAME=two words|" in said


def test_what_must_be_seen_is_shown_below_fresh_folders_only() -> None:
    assert JOB.shown("/tmp") == ["/tmp/venv", "/tmp/check out"]
    assert JOB.shown("/run") == ["/run/tools"]
    assert JOB.shown("/var/tmp") == []


def test_the_root_is_shared_read_only_and_the_results_are_not() -> None:
    assert "--readonly" in qemu.virtiofsd_options("/", Path("/r"), read_only=True)
    assert "--readonly" not in qemu.virtiofsd_options("/runs", Path("/r"), read_only=False)


def test_qemu_has_three_serial_ports_in_order_and_doubles_commas() -> None:
    options = qemu.qemu_options(Path("/k"), Path("/i"), {"root": Path("/a,b/s")}, Pipes(7, 8, 9), 1)
    ports = [options[at + 1] for at, option in enumerate(options) if option == "-serial"]
    assert ports == ["chardev:console", "chardev:output", "chardev:marks"]
    assert options[options.index("-smp") + 1] == "1"
    assert "file,id=marks,path=/dev/fd/9" in options
    assert "socket,id=root,path=/a,,b/s" in options
    assert "TCG" in options[options.index("-cpu") + 1], "what /proc/cpuinfo shows tells a run that it is emulated"


def test_uml_takes_its_pipes_by_number() -> None:
    options = uml.uml_options(Path("/f/init"), Path("/f"), Pipes(7, 8, 9))
    assert {"con0=null,fd:7", "ssl0=null,fd:8", "ssl1=null,fd:9", "init=/f/init", "ro"} <= set(options)


def test_another_loader_is_named_in_a_program_of_the_same_length() -> None:
    program = b"\x7fELF....\0/lib64/ld-linux-x86-64.so.2\0rest"
    changed = uml.with_interpreter(program, "ld.so")
    assert len(changed) == len(program)
    assert b"\0ld.so\0" in changed
    assert changed.endswith(b"\0rest")


def test_runsc_gets_its_platform() -> None:
    assert "--platform=ptrace" in gvisor.runsc_options("ptrace", Path("/f"))


def test_without_vng_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(Missing, match="pip install virtme-ng"):
        vng.Vng(TOOLS, qemu.Image(Path("/k"), None), JOB, tmp_path)


def test_the_script_around_vng_is_shell() -> None:
    text = vng.outside("/venv/bin/vng", qemu.Image(Path("/k"), None), JOB, Path("/f"))
    assert subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False).stderr == ""


def test_what_is_not_fetched_names_the_command_that_gets_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for ask, command in (
        (lambda: toolbox(cache), "kernels get tools"),
        (lambda: qemu.fetched(cache, "6.1"), "kernels get 6.1"),
        (lambda: uml.fetched(cache, "uml-6.1"), "kernels get uml-6.1"),
        (lambda: gvisor.fetched(cache, "gvisor-2024-ptrace"), "kernels get gvisor-2024-ptrace"),
    ):
        with pytest.raises(Missing, match=command):
            ask()


def test_an_image_that_is_none_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "vmlinux"
    text.write_bytes(b"\x7fELF" + bytes(1000))
    with pytest.raises(runner.CannotBegin, match="is no bzImage"):
        runner.own_image(str(text), None)
    with pytest.raises(runner.CannotBegin, match="cannot be read"):
        runner.own_image(str(tmp_path / "nothing"), None)
    image = tmp_path / "bzImage"
    image.write_bytes(bytes(0x202) + b"HdrS")
    assert runner.own_image(str(image), None).name == "bzImage"
    with pytest.raises(runner.CannotBegin, match="not a folder of modules"):
        runner.own_image(str(image), str(tmp_path / "nothing"))


def test_an_expectations_file_is_passed_where_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tests" / "kernel").mkdir(parents=True)
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "odd.toml").touch()
    monkeypatch.setattr(runner, "HOME", tmp_path)
    settings = Settings(Cache(tmp_path), tmp_path, Patience(1, 1), ["-x"], cpus=3)
    assert f"--herd-expect={tmp_path}/expectations/odd.toml" in runner.job("odd", tmp_path, settings).command
    plain = runner.job("6.1", tmp_path, settings)
    assert not any(word.startswith("--herd-expect") for word in plain.command)
    assert plain.command[-1] == "-x", "the user's own arguments come last, and win"
    assert plain.cpus == 3


def test_costs_are_measured_after_the_claims_and_decide_no_exit_code(tmp_path: Path) -> None:
    command = scripts.with_costs(["sh", "-c", "echo judged; exit 1"], "/bin/echo", "/x y")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = "judged\n-m probes cost --quick --rounds 1 --into /x y/run.json\n"
    assert (done.returncode, done.stdout) == (1, said)
    settings = Settings(Cache(tmp_path), tmp_path, Patience(1, 1), cost=True)
    assert runner.job("6.1", tmp_path, settings).command[:2] == ["sh", "-c"]
    assert root.job("arm64-6.12", [], cost=True).command[:2] == ["sh", "-c"]
    run = tmp_path / "run.json"
    for text, has in (("", False), ("{}", False), ('{"cost": {}}', True)):
        run.write_text(text)
        assert runner._has_costs(run) is has


def test_the_folder_of_a_dead_runner_is_swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = tmp_path / f"wakecheck-guest-{dead.pid}-abc"
    left.mkdir()
    with runtime.folder() as own:
        assert runtime.sweep() == [str(left)]
        assert own.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_runner_in_another_pid_namespace_keeps_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its process cannot be seen from here, and its results are in there."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(runtime, "is_alive", lambda pid: False)
    with runtime.folder() as own:
        assert runtime.sweep() == []
        assert own.is_dir()


# --- following a guest -------------------------------------------------------------------------


class Shell:
    """A guest that is a shell script: fd 1 is its console, 8 its output, 9 its marks."""

    def __init__(self, script: str, *, ends_with_command: bool = False) -> None:
        self.script = script
        self.ends_with_command = ends_with_command
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, processes: Processes, pipes: Pipes) -> subprocess.Popen[bytes]:
        # A shell need not know numbers above 9, so each end is opened anew.
        text = f"exec 1>/dev/fd/{pipes.console} 8>/dev/fd/{pipes.output} 9>/dev/fd/{pipes.marks}\n{self.script}"
        ends = (pipes.console, pipes.output, pipes.marks)
        process = subprocess.Popen(["sh", "-c", text], pass_fds=ends, start_new_session=True)
        processes._all.append(process)
        self.started.append(process)
        return process


def _follow(tmp_path: Path, script: str, *, ends_with_command: bool = False, **patience: float) -> Story:
    guest = Shell(script, ends_with_command=ends_with_command)
    story = follow(guest, tmp_path, Patience(**{"boot_s": 60, "command_s": 60} | patience), lambda phase, seconds: None)
    assert all(process.poll() is not None for process in guest.started)
    return story


def test_a_command_that_ends_gives_its_code_and_output(tmp_path: Path) -> None:
    story = _follow(tmp_path, f"echo up; echo {BEGAN} >&9; echo words >&8; echo {ENDED} 3 >&9")
    assert (story.began, story.code, story.reason, story.boots) == (True, 3, None, 1)
    assert (tmp_path / "log.txt").read_text() == "words\n"
    assert story.console == "up\n"


def test_a_guest_whose_own_code_is_the_commands(tmp_path: Path) -> None:
    assert _follow(tmp_path, f"echo {BEGAN} >&9; exit 4", ends_with_command=True).code == 4


def test_a_panic_under_the_command_is_told_by_the_console(tmp_path: Path) -> None:
    panic = "[    9.1] Kernel panic - not syncing: sysrq triggered crash"
    story = _follow(tmp_path, f"echo {BEGAN} >&9; echo '{panic}'; exit 0")
    assert story.code is None
    assert story.reason == "the kernel died while the command ran: Kernel panic - not syncing: sysrq triggered crash"
    assert story.boots == 1, "what broke under the suite is a finding, and is not tried again"


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    story = _follow(tmp_path, f"echo {BEGAN} >&9; exec tail -f /dev/null", command_s=0.3)
    assert (story.reason, story.boots) == ("the command did not end within 0 s", 1)
    silent = _follow(tmp_path, f"echo {BEGAN} >&9; echo half >&8; exec tail -f /dev/null", silence_s=0.2)
    assert (silent.reason, silent.boots) == ("the command printed nothing for 0 s: the guest hangs", 1)


def test_a_guest_that_dies_booting_is_booted_once_more(tmp_path: Path) -> None:
    again = tmp_path / "again"
    story = _follow(tmp_path, f"[ -e {again} ] || {{ touch {again}; exit 1; }}; echo {BEGAN} >&9; echo {ENDED} 0 >&9")
    assert (story.code, story.boots) == (0, 2)
    assert story.notes == ["booted twice, because the first time the guest ended with code 1 before the command began"]


def test_a_guest_that_never_boots_is_given_up_after_the_second_time(tmp_path: Path) -> None:
    story = _follow(
        tmp_path, f"echo {FAILED} this kernel cannot mount the root >&9; exec tail -f /dev/null", boot_s=0.3
    )
    assert (story.began, story.boots) == (False, 2)
    assert story.reason is not None


def test_a_killed_guest_is_told_by_its_signal(tmp_path: Path) -> None:
    story = _follow(tmp_path, f"echo {BEGAN} >&9; kill -9 $$")
    assert story.reason == "the guest was killed (signal 9) while the command ran"


def test_a_full_disk_keeps_the_end_in_memory() -> None:
    keep = Keep(Path("/dev/full"), most=4)
    keep.add(b"abc")
    keep.add(b"def")
    keep.close()
    assert keep.text == b"cdef"
    assert keep.problem == "/dev/full could not be written whole: No space left on device"
