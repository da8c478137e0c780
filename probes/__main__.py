"""The command line: `python -m probes`, installed also as `wakecheck`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import __version__, catalogue, chapters, host
from .audit import arguments as audit_arguments
from .audit.find import BadTarget
from .interrupt import heeded_once
from .kernels import command as kernels
from .nearest import did_you_mean
from .report import arguments as report_arguments
from .scenario import BadScenario, Scenario
from .servers import command as servers
from .verdict import Inconclusive, NotApplicable

WELL, BROKEN, BAD_INPUT, CANNOT_JUDGE = 0, 1, 2, 3

_GUIDE = """\
What does this kernel do when many processes wait for one connection?

  python -m probes judge                judge every claim, and write report/index.html (`python -m pytest`)
  python -m probes host                 what can be observed here, and what to do about what cannot
  python -m probes list                 the claims
  python -m probes show accept.wakes-one
  python -m probes run poll/tcp4/n8/hold/one-connection --timeline
  python -m probes report report/run.json
  python -m probes summary report/run.json          Markdown, as a CI service shows it
  python -m probes serve epoll          one of the textbook servers; `serve --help` lists them
  python -m probes report a/run.json b/run.json c/run.json      # several kernels: a matrix
  python -m probes compare before/run.json after/run.json
  python -m probes kernels              the same suite in other kernels, 5.10 to 7.3
  python -m probes audit --port 8000    does the server on this port herd?

A scenario's id is CALL[.TRIGGER][.SHARING]/LISTENER/nN[t]/REACTION/STIMULUS:
  call      accept accept4 select pselect6 poll ppoll epoll_wait epoll_pwait epoll_pwait2
            io_uring_accept io_uring_multishot io_uring_poll (a ring each)
            rt_sigtimedwait (signal-driven: SIGIO)          read recvfrom (no connections, but writes)
  trigger   level edge oneshot exclusive edge-exclusive          (epoll only)
  sharing   listener (own instance each), epoll (one instance), ring (one io_uring, for threads),
            nothing (reuseport group)
  listener  tcp4 tcp6 unix unix-abstract unix-seqpacket mptcp4 vsock
            pipe eventfd (read)  udp4 (recvfrom)
  nN        N processes; nNt: N threads of one process
  reaction  hold (touch nothing), accept (take it at once), drain (until EAGAIN), loop (one, and wait again)
  stimulus  one-connection burst one-by-one (kK: K of them) elsewhere nothing
            one-write write-each writes-one-by-one (pipe, eventfd, udp4)

Exit codes: 0 all is well, 1 a claim is broken, 2 bad input, 3 it could not be judged.
"""


class BadInput(Exception):
    """One sentence for the user; ends the program with exit code 2."""


_BAD_INPUT = (
    BadInput,
    BadTarget,
    BadScenario,
    report_arguments.CannotReport,
    chapters.NoChapters,
    catalogue.NoSuchClaim,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["judge"]:
        # All that follows is pytest's, --help too.
        from . import judge

        return judge.main(given[1:])
    parser = _parser()
    ours, after = kernels.split(given)
    options = parser.parse_args(ours)
    if after:
        options.pytest = after
    if options.command is None:
        parser.print_help()
        return BAD_INPUT
    if sys.stdout is None:
        return CANNOT_JUDGE  # closed (>&-): there is nobody to tell
    with heeded_once():
        return _act(options)


def _act(options: argparse.Namespace) -> int:
    """Run the command; every way in which it can end, as an exit code and one sentence."""
    try:
        code: int = options.act(options)
        sys.stdout.flush()
        return code
    except Inconclusive as reason:
        print(f"inconclusive: {reason}")
        return CANNOT_JUDGE
    except NotApplicable as reason:
        print(f"not applicable: {reason}")
        return CANNOT_JUDGE
    except _BAD_INPUT as error:
        print(f"wakecheck: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("wakecheck: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WELL
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"wakecheck: {error.strerror or error}", file=sys.stderr)
        return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m probes", description=_GUIDE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"wakecheck {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, act: Any, summary: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary)
        made.set_defaults(act=act)
        return made

    command("judge", None, "judge this kernel: pytest on the claims, with pytest's arguments (judge --help)")
    command("host", _host, "what this kernel and user can observe, and what to do about what is missing")
    listing = command("list", _list, "the claims, one a line, the id first")
    listing.add_argument("--chapter", help="only this chapter, for example accept")
    show = command("show", _show, "one claim: sentence, level, basis, drawing, cases")
    show.add_argument("claim", metavar="CLAIM", help="a claim's id, as `list` prints it")
    run = command("run", _run, "one scenario: a histogram over its trials, and who woke whom")
    run.add_argument(
        "scenario", metavar="SCENARIO", help="for example epoll_wait.level.epoll/tcp4/n8/hold/one-connection"
    )
    run.add_argument(
        "--trials", type=int, default=10, metavar="N", help="untraced trials (default 10); one traced is added"
    )
    run.add_argument(
        "--timeline", action="store_true", help="show who woke whom, when, in an untraced and the traced trial"
    )
    run.add_argument("--without", action="append", default=[], metavar="OBSERVER", help="do without this observer")
    report_arguments.add(command)
    kernels.add(commands)
    audit_arguments.add_to(
        command("audit", _audit, "how many workers does a connection wake on a server that runs here")
    )
    bench = command("bench", _bench, "what a trial costs, against a bare loop of fork, accept, kill")
    bench.add_argument("--rounds", type=int, default=30, metavar="N", help="rounds of each kind (default 30)")
    bench.add_argument("--quick", action="store_true", help="leave out the runs with 100 and 1,000 waiters")
    serve = command("serve", _serve, "run one of the textbook servers, to look at or to copy")
    serve.description, serve.formatter_class = servers.GUIDE, argparse.RawDescriptionHelpFormatter
    servers.add_arguments(serve)
    return parser


# --- host --------------------------------------------------------------------------------------

_REMEDIES = {
    "syscall_exit": "run where ptrace is allowed (docker run --cap-add=SYS_PTRACE, kernel.yama.ptrace_scope < 3)",
    "sched_waking": "run as root, or with CAP_PERFMON and a readable tracefs "
    "(mount -t tracefs tracefs /sys/kernel/tracing)",
    "switches": "needs a kernel that counts voluntary switches in /proc/PID/status",
    "run_counts": "needs a kernel with CONFIG_SCHED_INFO (CONFIG_SCHEDSTATS or CONFIG_TASK_DELAY_ACCT)",
}


def _host(options: argparse.Namespace) -> int:
    from .controls import run_controls, why_failed
    from .lab.session import Lab
    from .observers import SEES_WOKEN

    print(f"kernel     {host.in_one_line()}, {host.user_in_words()}")
    with Lab() as lab:
        greeting = lab.greeting
        print(f"isolation  {greeting['isolation']}")
        print(f"fence      {greeting['fence']}")
        print(f"blocked    {greeting['why_no_syscall_file'] or 'proven by /proc/PID/syscall'}")
        for name, why in greeting["why_not"].items():
            print(f"{'observer':10} {name:13} {'yes' if why is None else 'no: ' + why}")
            if why is not None and name in _REMEDIES:
                print(f"{'':24} -> {_REMEDIES[name]}")
        if all(greeting["why_not"][name] for name in SEES_WOKEN):
            print("So woken cannot be judged here: claims that need it will be inconclusive.")
        outcomes = run_controls(lab)
    for name, outcome in outcomes.items():
        print(f"{'control':10} {name:13} {outcome.verdict}{': ' + outcome.reason if outcome.reason else ''}")
    return CANNOT_JUDGE if why_failed(outcomes) else WELL


# --- list, show --------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    claims = catalogue.load()
    known = list(dict.fromkeys(claim["chapter"] for claim in claims))
    if options.chapter is not None and options.chapter not in known:
        raise BadInput(f"no chapter {options.chapter!r}{did_you_mean(options.chapter, known)}")
    for claim in claims:
        if options.chapter in (None, claim["chapter"]):
            print(f"{claim['id']:42} {claim['level']:10} {claim['sentence']}")
    return WELL


def _show(options: argparse.Namespace) -> int:
    claim = catalogue.find(options.claim)
    print(f"{claim['id']}  ({claim['level']}{', ' + claim['truth'] if claim['truth'] else ''})")
    print(f"\n  {claim['sentence']}\n")
    if claim["drawing"]:
        print(claim["drawing"] + "\n")
    for basis in claim["basis"]:
        print(f"  basis  {basis}")
    if claim["rows"]:
        print(f"  rows   {' '.join(claim['rows'])}")
    print(f"  test   {claim['test']}")
    print(f"  judge  python -m pytest --herd-claim {claim['id']}")
    print(f"\n  {len(claim['cases'])} cases by default:")
    for case in claim["cases"]:
        print(f"    {case}")
    return WELL


# --- run ---------------------------------------------------------------------------------------

_MOST_TRIALS = 100_000


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import track

    from .lab.session import Lab
    from .observers import NAMES
    from .timeline import print_histogram, print_timeline

    scenario = Scenario.parse(options.scenario)
    if not 1 <= options.trials <= _MOST_TRIALS:
        raise BadInput(f"{options.trials} trials: there can be 1 to {_MOST_TRIALS:,}")
    for name in options.without:
        if name not in NAMES:
            raise BadInput(f"no observer {name!r}{did_you_mean(name, NAMES)}; there are {', '.join(NAMES)}")
    console = Console()
    with Lab(options.without) as lab:
        kinds = [False] * options.trials + [True] * (lab.greeting["why_not"]["syscall_exit"] is None)
        trials = [
            lab.run(scenario, traced=traced)
            for traced in track(kinds, scenario.id, console=Console(stderr=True), transient=True)
        ]
        missing = {name: why for name, why in lab.greeting["why_not"].items() if why is not None}
    console.print(f"{scenario.id}\n{host.in_one_line()}", highlight=False)
    for name, why in missing.items():
        console.print(f"no {name}: {why}", markup=False, highlight=False)
    print_histogram(trials, console)
    if options.timeline:
        print_timeline(trials[0], console)
        if trials[-1].traced:
            print_timeline(trials[-1], console)
    return CANNOT_JUDGE if any(trial.inconclusive for trial in trials) else WELL


# --- audit -------------------------------------------------------------------------------------


def _audit(options: argparse.Namespace) -> int:
    import json

    from rich.console import Console

    from .audit.command import audit
    from .audit.words import lines
    from .report import audit_page
    from .report.files import why_not_writable, write_whole

    request = audit_arguments.request_from(options)
    if options.html is not None and (problem := why_not_writable(Path(options.html))):
        raise BadInput(problem)
    # The audit forks, so the display, which has a thread, begins when it is first told something.
    status = Console(stderr=True).status("")

    def tell(what: str) -> None:
        status.start()
        status.update(what)

    try:
        answer = audit(request, tell)
    finally:
        status.stop()
    if options.html:
        write_whole(audit_page.render(answer), options.html)
    print(json.dumps(answer, indent=2) if options.json else "\n".join(lines(answer)))
    code: int = answer["exit_code"]
    return code


# --- bench -------------------------------------------------------------------------------------


def _bench(options: argparse.Namespace) -> int:
    from .bench import bench

    if not 1 <= options.rounds <= 10_000:
        raise BadInput(f"{options.rounds} rounds: there can be 1 to 10,000")
    bench(options.rounds, many=not options.quick)
    return WELL


# --- serve -------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    try:
        servers.serve(options)
    except OSError as error:
        raise BadInput(f"{error.filename or f'{options.host} port {options.port}'}: {error.strerror}") from error
    return WELL


if __name__ == "__main__":
    sys.exit(main())
