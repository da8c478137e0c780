"""No verdict is wrong, whatever is done to a run: on a healthy kernel claims are held or inconclusive, never broken.

WAKECHECK_SOAK_S is its duration in seconds (600).  WAKECHECK_SEED repeats a failure, whose run.json is kept.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.suite.system.runs import SEED, Run, cases

from .beside import BESIDE, load
from .disturbances import DISTURBANCES, freezer

SECONDS = float(os.environ.get("WAKECHECK_SOAK_S", "600"))
_FAST = ("tests/kernel", "--herd-preset=fast", "-n", "2", "-p", "no:cacheprovider", "-q")
_LAST_ROUND_S = 900
"""Seconds that it may go on after its time: the last run is ended, which may take five minutes, as may another."""
_CHAPTERS = 6
"""Chapters of claims in one round.  With a whole preset in each round, a short soak would try only one disturbance."""


def _chapters(dice: random.Random) -> list[str]:
    files = sorted(str(path) for path in Path("tests/kernel").glob("test_*.py"))
    return dice.sample(files, _CHAPTERS)


def _round(number: int, folder: Path, end: float) -> tuple[str, Counter[str], list[str]]:
    """Run once; returns what was done to the run, its verdicts, and the broken cases."""
    dice = random.Random(f"{SEED} {number}")
    loops, beside = dice.choice((0, 0, 2, 4)), dice.choice(sorted(BESIDE))
    with freezer() as frozen, load(loops), BESIDE[beside](folder) as before:
        acts = dict(DISTURBANCES)
        if frozen is not None:
            acts["freezer"] = frozen.act
        # The seed decides which disturbance comes first, because a slow machine does not get to all of them.
        name = sorted(acts)[(SEED + number) % len(acts)]
        prefix = [*before, *(frozen.prefix if frozen is not None and name == "freezer" else ())]
        with Run(folder, *_chapters(dice), *_FAST[1:], prefix=prefix) as run:
            while run.process.poll() is None and time.monotonic() < end:
                run.go_on_for(dice.uniform(0.01, 0.5))
                acts[name](run, dice)
            run.process.terminate()
            run.finish(patience_s=300)
            run.assert_no_traceback()
            judged = list(cases(run.run_json())) if (run.report / "run.json").exists() else []
    broken = [f"{case['id']}: {case['reason']}" for case in judged if case["verdict"] == "broken"]
    return f"{name}; beside it {beside}, {loops} busy loops", Counter(case["verdict"] for case in judged), broken


@pytest.mark.timeout(SECONDS + _LAST_ROUND_S)  # the limit of all tests is twenty minutes, whatever is asked for
def test_soak() -> None:
    end = time.monotonic() + SECONDS
    number, whole = 0, Counter[str]()
    while time.monotonic() < end:
        folder = Path(tempfile.mkdtemp(prefix="wakecheck-soak-"))
        folder.chmod(0o1777)
        what, verdicts, broken = _round(number, folder, end)
        print(f"round {number} ({what}): {json.dumps(verdicts)}", flush=True)
        assert not broken, f"round {number} of WAKECHECK_SEED={SEED} ({what}), see {folder}: {broken}"
        shutil.rmtree(folder, ignore_errors=True)
        whole += verdicts
        number += 1
    print(f"{number} rounds: {json.dumps(whole)}")
    assert whole["held"]
