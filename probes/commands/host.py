"""`wakecheck host`: what this kernel and this user can observe, and what to do about what is missing."""

from __future__ import annotations

import argparse

from .. import host, observers
from ..controls import run_controls, why_failed
from ..exits import CANNOT_JUDGE, WELL
from ..lab.session import Lab
from ..observers import WOKEN
from ..report import words


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(options: argparse.Namespace) -> int:
    """Print it; CANNOT_JUDGE if a control fails.  Raises Inconclusive if there is no lab at all."""
    print(f"kernel     {host.in_one_line()}, {host.user_in_words()}")
    if served := words.stand_ins({"stand_ins": host.stand_ins()}):
        print(f"calls      {served}")
    with Lab() as lab:
        greeting = lab.greeting
        print(f"isolation  {greeting['isolation']}")
        print(f"fence      {greeting['fence']}")
        for sentence in greeting["inherited"]:
            print(f"inherited  {sentence}")
        print(f"blocked    {greeting['why_no_syscall_file'] or 'proven by /proc/PID/syscall'}")
        if greeting["why_slow"]:
            print(f"trials     slower than they could be: {greeting['why_slow']}")
        for observer in observers.OBSERVERS:
            why = greeting["why_not"][observer.name]
            print(f"{'observer':10} {observer.name:13} {'yes' if why is None else 'no: ' + why}")
            if why is not None and observer.remedy:
                print(f"{'':24} -> {observer.remedy}")
        if all(greeting["why_not"][name] for name in observers.names(WOKEN)):
            print("So woken cannot be judged here: claims that need it will be inconclusive.")
        outcomes = run_controls(lab)
    for name, outcome in outcomes.items():
        print(f"{'control':10} {name:13} {outcome.verdict}{': ' + outcome.reason if outcome.reason else ''}")
    return CANNOT_JUDGE if why_failed(outcomes) else WELL
