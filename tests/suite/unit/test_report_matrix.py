"""The matrix: kernels in the order of history, differences first, and nothing sold as held that was not judged."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from probes.commands.report import page_names
from probes.report import herds_apart, lineage, matrix
from probes.report.matrix import AGREES, DIFFERS, UNDECIDED

from . import broken
from .judging import run_on
from .model import Kernel
from .runs import run_of, say, without
from .test_report_page import Outline

Run = dict[str, Any]


def rows(*runs: Run) -> dict[str, matrix.ClaimRow]:
    return {row.id: row for row in matrix.rows_of(lineage.ordered(runs))}


def page(*runs: Run) -> str:
    return matrix.render(runs, [f"{place}.html" for place in range(len(runs))])


def verdicts(row: matrix.ClaimRow) -> list[str]:
    return [cell.verdict for cell in row.cells]


# --- the order of kernels, and history in words ------------------------------------------------


def bare(label: str, release: str, version: str = "#1", flavour: str = "linux", machine: str = "x86_64") -> Run:
    facts = {"release": release, "version": version, "flavour": flavour, "splats": [], "emulated": False}
    facts["machine"] = machine
    return {"label": label, "kernel": facts, "controls": {}, "partial": False, "claims": []}


def test_newest_is_left_and_who_stands_apart_is_right() -> None:
    runs = [
        bare("gvisor", "4.4.0", flavour="gvisor"),
        bare("5.10", "5.10.0-32-cloud-amd64", "#1 SMP Debian 5.10.223-1"),
        bare("uml", "6.1.137", flavour="uml"),
        bare("rt", "6.1.0-35-rt-amd64", "#1 SMP PREEMPT_RT Debian 6.1.137-1"),
        bare("6.1 old", "6.1.0-9-amd64", "#1 SMP Debian 6.1.20-1"),
        bare("6.1", "6.1.0-35-amd64", "#1 SMP Debian 6.1.137-1"),
        bare("7.3-rc", "7.3-rc2-amd64"),
        bare("7.3", "7.3-amd64"),
        bare("odd", "of-my-own"),
        bare("7.2", "7.2.10"),
    ]
    order = [kernel.label for kernel in lineage.ordered(runs)]
    assert order == ["7.3", "7.3-rc", "7.2", "6.1", "rt", "uml", "6.1 old", "5.10", "gvisor", "odd"]


def test_another_architecture_than_most_is_no_part_of_the_history() -> None:
    runs = [
        bare("6.1", "6.1.0"),
        bare("arm64", "6.12.0", machine="aarch64"),
        bare("6.18", "6.18.0"),
        bare("5.10", "5.10.0"),
        bare("s390x", "5.10.0", machine="s390x"),
    ]
    kernels = lineage.ordered(runs)
    assert [kernel.label for kernel in kernels] == ["6.18", "6.1", "5.10", "arm64", "s390x"]
    verdicts = ["held", "held", "held", "not applicable", "held"]
    assert lineage.in_words(kernels, verdicts) == "held, 5.10 to 6.18; not applicable on arm64; held on s390x"
    both = lineage.ordered([bare("arm64 6.1", "6.1.0", machine="aarch64"), bare("arm64", "6.12.0", machine="aarch64")])
    assert [kernel.apart for kernel in both] == [False, False]


def test_two_runs_of_one_label_stay_apart() -> None:
    labels = [kernel.label for kernel in lineage.ordered([bare("6.1", "6.1"), bare("6.1", "6.1"), bare("", "6.1")])]
    assert sorted(labels) == ["6.1", "6.1 (2)", "6.1 (3)"]


HISTORIES = [
    ("held held held", "held in every run, 5.10 to 7.3"),
    ("held held broken", "held up to 6.1, broken since 7.3"),
    ("n/a held held", "not applicable up to 5.10, held since 6.1"),
    ("held broken held", "held up to 5.10, broken in 6.1, held since 7.3"),
    ("none held held", "not judged up to 5.10, held since 6.1"),
]


@pytest.mark.parametrize(("words", "history"), HISTORIES)
def test_history_in_words(words: str, history: str) -> None:
    kernels = lineage.ordered([bare(version, version) for version in ("5.10", "6.1", "7.3")])
    names = {"n/a": "not applicable", "none": lineage.NOT_JUDGED}
    assert lineage.in_words(kernels, [names.get(word, word) for word in reversed(words.split())]) == history


def test_history_names_who_departs_from_it() -> None:
    runs = [
        bare("6.1", "6.1"),
        bare("6.1-rt", "6.1-rt", "#1 PREEMPT_RT"),
        bare("5.10", "5.10"),
        bare("g", "4.4", flavour="gvisor"),
    ]
    kernels = lineage.ordered(runs)
    assert [kernel.label for kernel in kernels] == ["6.1", "6.1-rt", "5.10", "g"]
    history = lineage.in_words(kernels, ["held", "inconclusive", "held", "broken"])
    assert history == "held, 5.10 to 6.1; inconclusive on 6.1-rt; broken on g"
    assert lineage.in_words(kernels, ["held"] * 4) == "held in every run, 5.10 to 6.1"
    only = lineage.ordered([runs[-1], bare("h", "4.4", flavour="gvisor")])
    assert lineage.in_words(only, ["held", "broken"]) == "held on g; broken on h"


def test_a_series_of_uml_alone_is_no_part_of_the_history() -> None:
    uml = bare("uml-7.2", "7.2.0", flavour="uml")
    kernels = lineage.ordered([uml, bare("6.12", "6.12.0"), bare("6.1", "6.1.0")])
    assert (
        lineage.in_words(kernels, ["not applicable", "held", "held"]) == "held, 6.1 to 6.12; not applicable on uml-7.2"
    )
    both = lineage.ordered([uml, bare("uml-6.1", "6.1.0", flavour="uml")])
    assert lineage.in_words(both, ["broken", "held"]) == "held up to 6.1, broken since 7.2"


def test_series_says_what_was_judged_rather_than_nothing() -> None:
    kernels = lineage.ordered([bare("a", "6.1"), bare("b", "6.1")])
    assert lineage.in_words(kernels, [lineage.NOT_JUDGED, "held"]) == "held, 6.1; not judged on a"


# --- rows --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def healthy() -> Run:
    return run_of("6.12", "6.12.22")


def test_kernels_that_agree(healthy: Run) -> None:
    table = rows(healthy, run_of("6.1", "6.1.137"))
    assert {row.agreement for row in table.values()} == {AGREES}
    assert table["accept.wakes-one"].range == "held in every run, 6.1 to 6.12"


def test_a_broken_claim_differs_and_shows_both_numbers(healthy: Run) -> None:
    row = rows(run_of("6.1", "6.1", broken.AcceptHerdsSilently(1)), healthy)["accept.wakes-one"]
    assert (row.agreement, row.only_apart) == (DIFFERS, False)
    assert [(cell.verdict, cell.number) for cell in row.cells] == [("held", "1/8"), ("broken", "8/8")]
    assert row.range == "broken up to 6.1, held since 6.12"


def test_a_number_alone_makes_a_difference(healthy: Run) -> None:
    herding = run_of("6.1", "6.1", broken.AcceptHerdsSilently(1))
    row = rows(healthy, say(herding, "accept.wakes-one", "held"))["accept.wakes-one"]
    assert verdicts(row) == ["held", "held"]
    assert row.agreement == DIFFERS


def test_a_missing_claim_is_not_judged_and_never_held(healthy: Run) -> None:
    row = rows(healthy, without(run_of("6.1", "6.1"), "accept.wakes-one"))["accept.wakes-one"]
    assert verdicts(row) == ["held", lineage.NOT_JUDGED]
    assert row.agreement == UNDECIDED
    assert "not judged up to 6.1" in row.range


def test_inconclusive_is_no_difference_between_kernels(healthy: Run) -> None:
    row = rows(healthy, say(run_of("6.1", "6.1"), "accept.wakes-one", "inconclusive", "why"))["accept.wakes-one"]
    assert row.agreement == UNDECIDED


def test_one_that_stands_apart_is_told_apart(healthy: Run) -> None:
    apart = run_of("g", "4.4.0", broken.ExclusiveIgnored(1), flavour="gvisor")
    row = rows(healthy, run_of("6.1", "6.1"), apart)["epoll-private.exclusive-wakes-one"]
    assert (row.agreement, row.only_apart) == (DIFFERS, True)


def test_numbers_of_cases_that_differ(healthy: Run) -> None:
    kernels = lineage.ordered([healthy, run_of("6.1", "6.1", broken.SharedEdgeFirstInFirstOut(1))])
    cells = {row.case: row.cells for row in matrix.differing_numbers(kernels)}
    newest, other = cells["epoll_wait.edge.epoll/tcp4/n8/hold/one-by-one"]
    assert newest == "order w7 w6 w5 w4 w3 w2 w1 w0"
    assert other == "order w0 w1 w2 w3 w4 w5 w6 w7"
    assert matrix.differing_numbers(lineage.ordered([healthy, run_of("6.1", "6.1")])) == []


# --- the page ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def four() -> list[Run]:
    return [
        run_of("6.12", "6.12.22"),
        run_of("6.1", "6.1.137", broken.AcceptHerdsSilently(1)),
        without(run_of("5.10", "5.10.223"), "epoll-private.wakes-all"),
        run_of("g", "4.4.0", broken.ExclusiveIgnored(1), flavour="gvisor"),
    ]


def test_the_page_needs_nothing_else_and_its_links_arrive(four: list[Run]) -> None:
    text = page(*four)
    outlined = Outline(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(outlined.tags)
    assert outlined.loads == []
    assert max(Counter(outlined.ids).values()) == 1
    assert {href[1:] for href in outlined.links if href.startswith("#")} <= set(outlined.ids)
    assert outlined.tags["table"] == outlined.tags["caption"]


def test_every_cell_leads_to_its_evidence(four: list[Run]) -> None:
    """To the claim in the page of that very run, and nowhere for a claim that it has not."""
    links = Counter(Outline(page(*four)).links)
    for place, run in enumerate(four):
        judged = {claim["id"] for claim in run["claims"]}
        linked = {href.split("#")[1] for href in links if href.startswith(f"{place}.html#") and ":" not in href}
        assert linked == judged


def test_differences_come_first_and_agreement_is_folded(four: list[Run]) -> None:
    text = page(*four)
    order = ["What differs between", 'href="#accept.wakes-one"', "Only on kernels that", 'id="kernels"', 'id="claims"']
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    folded = text[text.index('id="chapter-epoll-shared"') :]
    assert "<details" in folded[: folded.index('id="epoll-shared.last-blocked-first"')]


def test_a_cell_is_word_shape_colour_and_number(four: list[Run]) -> None:
    assert (
        '<a href="1.html#accept.wakes-one"><span class="verdict broken"><svg aria-hidden="true"><use href="#broken"/>'
        '</svg>broken</span> <span class="number">8/8</span></a>'
    ) in page(*four)
    assert '<symbol id="not-judged"' in page(*four)


def test_an_expected_deviation_says_so(four: list[Run]) -> None:
    run = run_of("g", "4.4.0", broken.ExclusiveIgnored(1), flavour="gvisor")
    claim = next(candidate for candidate in run["claims"] if candidate["id"] == "epoll-private.exclusive-wakes-one")
    claim["expected"] = [{"verdict": "broken", "reason": "it is ignored", "pattern": claim["id"], "met": True}]
    assert 'class="expected"' not in page(four[0], run)
    for case in claim["cases"]:
        case["expected"] = "it is ignored"
    assert 'class="expected" title="it is ignored">expected</span>' in page(four[0], run)


def test_markup_in_labels_is_shown_and_not_obeyed(four: list[Run]) -> None:
    attack = '<script>alert(1)</script>"'
    outlined = Outline(page(four[0], {**four[1], "label": attack}))
    assert "script" not in outlined.tags
    assert attack in outlined.text


def test_the_same_complaint_is_told_once() -> None:
    runs = [
        run_of("a", "6.1", splats=["rcu: rcu_sched self-detected stall on CPU 3200"]),
        run_of("b", "6.12", splats=["rcu: rcu_sched self-detected stall on CPU 41"]),
        run_of("c", "6.16", splats=["WARNING: at fs/eventpoll.c:1"]),
    ]
    warned = [line for line in matrix.warnings(lineage.ordered(runs)) if "complained" in line]
    assert [line.split(" complained during ")[0] for line in warned] == ["c", "b, a"]
    assert "their runs: rcu: rcu_sched" in warned[1]


def test_a_complaint_that_is_understood_is_explained_in_its_place() -> None:
    psi = "psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=0 clear=1 set=4"
    runs = [run_of("a", "6.1"), run_of("b", "6.12", splats=[psi])]
    assert matrix.warnings(lineage.ordered(runs)) == []
    assert f'<span class="mark mild">{psi} (known: ' in page(*runs)
    assert "kernel complained" not in page(*runs)


def test_what_cannot_be_trusted_is_marked() -> None:
    runs = [run_of("a", "6.1"), run_of("b", "6.12", emulated=True, splats=["WARNING: at fs/eventpoll.c:1"])]
    runs[0].update(partial=True, controls={"silent": "broken"})
    said = " ".join(matrix.warnings(lineage.ordered(runs)))
    for words in ("a is partial", "The control silent is broken on a", "b complained during its run: WARNING"):
        assert words in said
    text = page(*runs)
    for mark in ("partial", "control failed: silent", "kernel complained", "emulated"):
        assert f">{mark}</span>" in text
    assert said.split(":")[0] in text


def test_revisions_are_not_mixed_without_a_word() -> None:
    first, other = run_of("a", "6.1"), run_of("b", "6.12")
    assert matrix.warnings(lineage.ordered([first, other])) == []
    other["suite"]["revision"] = "ba9876543210"
    (warning,) = matrix.warnings(lineage.ordered([first, other]))
    assert "2 revisions of the suite" in warning
    assert 'class="banner" role="alert">These runs are of 2 revisions' in page(first, other)


def test_answers_stand_once_where_all_give_the_same(four: list[Run]) -> None:
    same = Outline(page(four[0], run_of("6.11", "6.11"))).text
    assert same.count("The same on every kernel.") == 10
    assert Outline(page(*four)).text.count("The same on every kernel.") < 10


def test_page_names_are_files_of_their_own() -> None:
    labels = ["6.1", "6.1!", "../../etc", "index", "", "a/b"]
    kernels = lineage.ordered([bare(label, "6.1.1") for label in labels])
    names = list(page_names(kernels, "index.html").values())
    assert len({name.lower() for name in names}) == len(labels)
    assert "index.html" not in names
    assert not any("/" in name or name.startswith(".") for name in names)


# --- the dots ----------------------------------------------------------------------------------


def herd_rows(*runs: Run) -> dict[str, herds_apart.HerdRow]:
    return {row.strategy: row for row in herds_apart.rows(lineage.ordered(runs))}


def seen_by(kernel: Kernel, label: str) -> Run:
    return {**bare(label, label), **run_on(kernel)}


def test_a_strategy_on_which_kernels_differ_comes_first_with_the_dots_of_each() -> None:
    herds_seen = herd_rows(seen_by(Kernel(1), "6.12"), seen_by(broken.ExclusiveIgnored(1), "6.1"))
    assert next(iter(herds_seen)) == "epoll_wait.exclusive.listener"
    labels = [labels for labels, _ in herds_seen["epoll_wait.exclusive.listener"].groups]
    assert labels == [("6.12",), ("6.1",)]
    assert [labels for labels, _ in herds_seen["accept"].groups] == [("6.12", "6.1")]
    said = herds_apart.sentence(list(herds_seen.values()))
    assert said == "The kernels do not wake alike under epoll with EPOLLEXCLUSIVE."


def test_a_race_is_no_difference_between_herds() -> None:
    herds_seen = herd_rows(*(seen_by(Kernel(seed), f"6.{seed}") for seed in range(1, 5)))
    assert not any(row.differs for row in herds_seen.values())


def test_what_nobody_saw_is_no_difference_and_is_named() -> None:
    herds_seen = herd_rows(seen_by(Kernel(1), "6.12"), bare("6.1", "6.1"))
    assert not any(row.differs for row in herds_seen.values())
    assert {row.unknown for row in herds_seen.values()} == {("6.1",)}
    shown = page(run_of("a", "6.12"), run_of("b", "6.1"))
    assert "b: unknown" in shown or "a, b: unknown" in shown
