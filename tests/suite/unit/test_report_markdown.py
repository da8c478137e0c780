"""The summary beside a CI job: what it counts and names, and that nothing in a run is taken for markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from probes import __main__
from probes.exits import BAD_INPUT, WELL
from probes.report import markdown
from probes.report.markdown import MOST_CLAIMS, render

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"
COUNTS = "| sample (partial) | **1** | **1** | 4 | 1 | 1 |"


@pytest.fixture
def run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return run


def _well(run: dict[str, Any]) -> dict[str, Any]:
    """The same run with nothing to look at."""
    claims = [claim for claim in run["claims"] if claim["verdict"] == "held"]
    observers = dict.fromkeys(run["observers"], True)
    controls = dict.fromkeys(run["controls"], "held")
    return {**run, "partial": False, "claims": claims, "observers": observers, "controls": controls}


def test_verdicts_are_counted_by_the_claims(run: dict[str, Any]) -> None:
    run["summary"] = {}
    assert COUNTS in render([run]).splitlines()


def test_what_needs_attention_is_named_with_its_reason(run: dict[str, Any]) -> None:
    lines = render([run]).splitlines()
    broken = "- **broken** `epoll.exclusive.wakes-one`: 3 of 8 waiters were woken; the claim allows exactly 1"
    unclear = "- **inconclusive** `select.wakes-all`: observers disagree in step 1: switches saw 4, sched\\_waking 3"
    assert lines.index(broken) < lines.index(unclear)
    assert "- **partial**: not every claim was judged" in lines
    assert "- **inconclusive** control sees-all: 7 of 8 waiters were seen" in lines
    assert "Nothing broken, nothing inconclusive." not in lines


def test_a_run_without_trouble_says_so(run: dict[str, Any]) -> None:
    assert "Nothing broken, nothing inconclusive." in render([_well(run)]).splitlines()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partial": True}, "**partial**"),
        ({"claims": []}, "**partial**"),
        ({"controls": {"null": "broken"}}, "**broken** control null: no reason was recorded"),
        ({"observers": {"switches": "denied"}}, "without switches: denied"),
    ],
)
def test_trouble_with_the_run_itself(change: dict[str, Any], words: str, run: dict[str, Any]) -> None:
    text = render([{**_well(run), **change}])
    assert f"- {words}" in text
    assert "Nothing broken, nothing inconclusive." not in text


def test_a_kernel_that_complained(run: dict[str, Any]) -> None:
    run = _well(run)
    run["kernel"]["splats"] = ["WARNING: CPU: 0"]
    assert "**the kernel complained** during the run: WARNING: CPU: 0" in render([run])
    run["kernel"]["splats"] = ["psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=0 clear=1 set=4"]
    assert "complained" not in render([run])
    assert "- the kernel logged psi: inconsistent task state!" in render([run])


def test_an_expected_deviation_is_still_broken(run: dict[str, Any]) -> None:
    broken = next(claim for claim in run["claims"] if claim["verdict"] == "broken")
    broken["expected"] = [{"verdict": "broken", "reason": "it is ignored", "pattern": "epoll.*", "met": True}]
    assert f"**broken** (as expected) `{broken['id']}`" in render([run])


def test_the_strategies_stand_in_a_table(run: dict[str, Any]) -> None:
    lines = render([run]).splitlines()
    assert "| accept | accept | 1 | 1 | 1 | 0 | 1 | 1 | 1 | 0 |" in lines
    epoll = "| epoll\\_pwait2, an instance each, level-triggered | epoll\\_pwait2.level.listener |"
    assert f"{epoll} n/a | n/a | n/a | n/a |  |  |  |  |" in lines


def test_every_table_is_rectangular(run: dict[str, Any]) -> None:
    run["label"] = "6.1|rt"
    for block in re.split(r"\n\n", render([run, run])):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1, block


def test_two_runs_are_counted_side_by_side(run: dict[str, Any]) -> None:
    other = {**_well(run), "label": "other"}
    lines = render([run, other]).splitlines()
    assert lines.index("| other | 0 | 0 | 4 | 0 | 0 |") == lines.index(COUNTS) + 1
    assert [line for line in lines if line.startswith("### ")] == ["### sample", "### other"]


def test_nothing_in_a_run_is_markup(run: dict[str, Any]) -> None:
    run["claims"][3]["reason"] = "no\n\n# heading <img src=x> **bold** [link](javascript:x) `code` a|b"
    line = next(line for line in render([run]).splitlines() if "heading" in line)
    assert line.endswith(r"no # heading &lt;img src=x&gt; \*\*bold\*\* \[link\](javascript:x) \`code\` a\|b")


def test_a_summary_stays_short_enough_to_be_shown(run: dict[str, Any]) -> None:
    broken = {**run["claims"][3], "reason": "x" * 5000}
    run["claims"] = [broken] * (MOST_CLAIMS + 7)
    text = render([run])
    assert text.count(f"`{broken['id']}`") == MOST_CLAIMS
    assert "- and 7 more claims broken: see the report" in text
    # GitHub drops a step's summary above 1 MiB; this leaves room for thirty kernels.
    assert len(text) < 1024**2 / 30


def test_a_label_that_is_no_utf8_can_be_written(run: dict[str, Any]) -> None:
    run["label"] = "\udcff"
    assert render([run]).encode("utf-8")


# --- the command -------------------------------------------------------------------------------


def test_summary_prints_it_and_ends_well_whatever_the_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["summary", str(SAMPLE)]) == WELL
    assert capsys.readouterr().out == markdown.render([json.loads(SAMPLE.read_text(encoding="utf-8"))])


def test_summary_shows_what_can_be_read_and_names_what_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.json"
    assert __main__.main(["summary", str(missing), str(SAMPLE)]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert COUNTS in out
    assert err == f"wakecheck: {missing} does not exist\n"
