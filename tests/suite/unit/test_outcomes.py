"""pytest with the plugin, in this process, on a model kernel: the outcome of a run, and where it is written."""

from __future__ import annotations

import gc

import pytest

from probes.observers import WOKEN, names

from .broken import AcceptHerdsSilently, AcceptHerdsVisibly
from .fake_lab import DeadLab, FakeLab
from .inner import ALL_LEVELS, WAKES_ONE, Pytest, _own_registry, lab_fixture, run_fixture, run_json  # noqa: F401  # fixtures

pytest_plugins = ["pytester"]

PLAYS = '''
from probes.claims import claim, man

@claim("made.plays", "So it is.", level="observed", basis=[man("poll", 2)])
def test_plays(play):
    """
    w0 --- L
    """
    seen = play("accept_queue.order", {"n": 3})
    seen.expect("served", True)
    seen.expect("in-vain", 0)
'''


def test_held_passes(run: Pytest, pytester: pytest.Pytester) -> None:
    done = run(WAKES_ONE)
    done.assert_outcomes(passed=11)
    judged = run_json(pytester)
    assert judged["partial"] is False
    assert judged["summary"]["held"] == 2
    assert set(judged["controls"].values()) == {"held"}


def test_broken_fails_with_the_whole_text(run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    lab.kernel = AcceptHerdsSilently(0)
    done = run(WAKES_ONE, "-k", "made.wakes-one")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        [
            "8 of 8 waiters were woken; the claim allows exactly 1 * made.wakes-one (observed)",
            "  returned   w? *woken, slept again  w*",
            "  observers  counters=1 * sched_waking=8     agree",
            "  again      wakecheck run accept/tcp4/n8/hold/one-connection --trials 25*",
        ]
    )
    assert "Traceback" not in "\n".join(done.outlines)
    (claim,) = run_json(pytester)["claims"]
    assert (claim["verdict"], claim["reason"]) == ("broken", "8 of 8 waiters were woken; the claim allows exactly 1")


def test_broken_question_fails_with_the_whole_text(run: Pytest) -> None:
    done = run(ALL_LEVELS, "-k", "made.observed")
    done.stdout.fnmatch_lines(
        [
            "the answer: ok; the claim allows EINVAL * made.observed (observed)",
            "  differs    the answer: ok; the claim allows EINVAL",
            "  claim      So it is.",
            "  kernel     *",
            "  basis      poll(2)",
            "  test       test_inner.py::test_observed",
            "  again      wakecheck judge test_inner.py::test_observed",
        ]
    )
    assert "Traceback" not in done.stdout.str()


def test_broken_experiment_fails_with_the_whole_text(run: Pytest) -> None:
    done = run(PLAYS)
    done.stdout.fnmatch_lines(
        [
            "woken in vain: 2; the claim allows 0 * made.plays (observed)",
            "  experiment accept_queue.order {'n': 3}",
            "  as allowed served: yes",
            "  differs    woken in vain: 2; the claim allows 0",
            "  noted      how many waited: 3",
            "  claim      So it is.",
            "  again      wakecheck judge test_inner.py::test_plays",
            "*w0 --- L",
        ]
    )


def test_blind_run_breaks_what_returns_and_says_no_yes(run: Pytest, lab: type[FakeLab]) -> None:
    """Without an observer of woken a visible herd is broken still, and a silent one is not called held."""
    blind = [word for name in names(WOKEN) for word in ("--herd-without", name)]
    text = WAKES_ONE.replace("assert seen.returned >= 1", "assert seen.returned == 1 or scenario.call == 'poll'")
    for kernel, words in (
        (AcceptHerdsSilently, "inconclusive: woken was not observed"),
        (AcceptHerdsVisibly, "8 of 8"),
    ):
        lab.kernel = kernel(0)
        done = run(text, "-k", "made.wakes-one", *blind)
        done.assert_outcomes(passed=1, failed=1)
        assert words in done.stdout.str()


def test_call_that_the_kernel_has_not_is_skipped(run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    lab.lacks = "accept"
    done = run(WAKES_ONE, "-rs")
    done.assert_outcomes(passed=1, skipped=10)
    assert "not applicable: accept: ENOSYS" in done.stdout.str()
    assert [claim["verdict"] for claim in run_json(pytester)["claims"]] == ["held", "not applicable"]


def test_broken_that_does_not_fail_the_run_has_its_text(run: Pytest) -> None:
    done = run(ALL_LEVELS, "-k", "made.observed", "--herd-level=documented", "--xfail-tb")
    done.assert_outcomes(xfailed=1)
    done.stdout.fnmatch_lines(["the answer: ok; the claim allows EINVAL * made.observed (observed)"])


def test_no_text_is_made_that_nobody_reads(run: Pytest, lab: type[FakeLab], monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a case is ours; pytest's, with the source of each frame, would take longer than the case."""
    lab.kernel, lab.lacks = AcceptHerdsSilently(0), "poll"
    with monkeypatch.context() as without:
        without.setattr(pytest.Function, "repr_failure", None)
        done = run(WAKES_ONE)
    assert "INTERNALERROR" not in done.stdout.str()
    assert {"failed", "skipped"} <= done.parseoutcomes().keys()


def test_what_was_collected_is_kept_from_the_garbage_collector() -> None:
    """This very session's tests."""
    assert gc.get_freeze_count() > 10_000


def test_a_session_inside_another_one_freezes_nothing(run: Pytest) -> None:
    before = gc.get_freeze_count()
    run(WAKES_ONE)
    assert gc.get_freeze_count() <= before  # one that is frozen may still end with its last reference


@pytest.mark.parametrize("attribute", ["stuck", "run"])
def test_what_cannot_be_judged_fails(
    run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester, attribute: str
) -> None:
    setattr(lab, attribute, {"stuck": "accept", "run": _dies_at_accept}[attribute])
    done = run(WAKES_ONE, "-k", "made.wakes-one")
    done.assert_outcomes(passed=1, failed=1)
    assert "inconclusive: " in done.stdout.str()
    assert run_json(pytester)["claims"][0]["verdict"] == "inconclusive"


def _dies_at_accept(self: FakeLab, scenario: object, *, traced: bool, **_: bool) -> object:
    lab = DeadLab if scenario.call == "accept" else FakeLab
    return lab.run(self, scenario, traced=traced)


def test_failing_control_leaves_nothing_held(run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    lab.failing_control = "silent"
    run(WAKES_ONE).assert_outcomes(failed=11)
    judged = run_json(pytester)
    assert judged["controls"]["silent"] == "broken"
    assert {claim["verdict"] for claim in judged["claims"]} == {"inconclusive"}
    assert "the instrument failed its control: silent" in judged["claims"][0]["reason"]


@pytest.mark.parametrize("quiet", [["-q"], ["--no-header"]], ids=lambda quiet: quiet[0])
def test_quiet_run_writes_the_same_report(run: Pytest, pytester: pytest.Pytester, quiet: list[str]) -> None:
    """What the header shows must not depend on its being shown."""
    run(WAKES_ONE, *quiet)
    assert run_json(pytester)["isolation"] == "a model"


def test_header_says_why_trials_are_slow(run: Pytest, lab: type[FakeLab]) -> None:
    lab.why_slow = "waiters have memory of their own: clone with CLONE_VM: EPERM"
    run(WAKES_ONE).stdout.fnmatch_lines([f"  {lab.why_slow}"])


def test_junit_carries_verdict_and_figures(run: Pytest, pytester: pytest.Pytester) -> None:
    run(WAKES_ONE, "--junit-xml=out.xml")
    written = (pytester.path / "out.xml").read_text()
    for name in ("claim", "level", "verdict", "woken", "returned"):
        assert f'name="wakecheck.{name}"' in written


def test_conductor_that_replaces_another_runs_the_controls_again(
    run: Pytest, pytester: pytest.Pytester, lab: type[FakeLab]
) -> None:
    """The second conductor of this lab fails a control, so nothing of the run may be believed."""
    lab.dies_after = 1
    result = run(WAKES_ONE)
    judged = run_json(pytester)
    assert judged["controls"]["negative"] == "broken"
    assert {claim["verdict"] for claim in judged["claims"]} == {"inconclusive"}
    assert result.ret == 1
