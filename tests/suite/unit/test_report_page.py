"""The page: one file that needs nothing else, says everything, and lets nothing through as markup."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from probes.report import page
from probes.report.page import breakable, breakable_name, link, render

PSI = "psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=0 clear=1 set=4"
SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"
VOID = {"meta", "br", "wbr", "use", "path", "circle"}


@pytest.fixture
def run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return run


class Outline(HTMLParser):
    """The tags of a page; fails where one is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags[tag] += 1
        self.ids += [attributes["id"] or ""] if "id" in attributes else []
        self.links += [attributes["href"] or ""] if tag in ("a", "use") else []
        self.loads += [name for name in attributes if name in ("src", "srcset", "data") or name.startswith("on")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(run: dict[str, Any]) -> Outline:
    return Outline(render(run))


def test_it_needs_no_script_and_loads_nothing(run: dict[str, Any]) -> None:
    page = render(run)
    outlined = Outline(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(outlined.tags)
    assert outlined.loads == []
    assert "@import" not in page
    assert "url(" not in page


def test_cases_without_trials_are_named(run: dict[str, Any]) -> None:
    """There may be fewer trials than cases, as an experiment has none."""
    cases = [case for claim in run["claims"] for case in claim["cases"]]
    tried = [case for case in cases if case["scenario"]]
    trials = sum(len(case["trials"]) for case in tried)
    assert f"{len(cases)} cases: {len(tried)} scenarios in {trials} trials and " in outline(run).text
    assert "which have no trials" in outline(run).text or "which has no trials" in outline(run).text


def test_name_and_id_of_a_strategy_do_not_run_together(run: dict[str, Any]) -> None:
    """A text browser and a screen reader know no styles."""
    text = outline(run).text
    assert "accept, one listener, id accept" in text
    assert "listener accept" not in text


def test_every_claim_is_an_anchor(run: dict[str, Any]) -> None:
    ids = Counter(outline(run).ids)
    for claim in run["claims"]:
        assert ids[claim["id"]] == 1


def test_ids_are_unique_and_every_link_inside_arrives(run: dict[str, Any]) -> None:
    outlined = outline(run)
    assert max(Counter(outlined.ids).values()) == 1
    inside = {href.removeprefix("#") for href in outlined.links if href.startswith("#")}
    assert inside <= set(outlined.ids)


def test_what_needs_attention_comes_first(run: dict[str, Any]) -> None:
    text = outline(run).text
    places = [text.index(word) for word in ("3 of 8 waiters", "switches saw 4, sched_waking 3", "Host and instrument")]
    assert places == sorted(places)


def test_markup_in_texts_is_shown_and_not_obeyed(run: dict[str, Any]) -> None:
    attack = "<script>alert(1)</script><b onclick='x'>&\""
    run["label"] = run["isolation"] = attack
    claim = run["claims"][3]
    claim.update(sentence=attack, reason=attack, drawing=attack, basis=[attack], rows=[attack])
    case = claim["cases"][0]
    case.update(id=attack, reason=attack, again=attack, facts=[{"what": attack, "expected": attack, "seen": attack}])
    case["trials"][0].update(inconclusive=attack, missing={attack: attack}, proof={attack: attack})
    outlined = outline(run)
    assert "script" not in outlined.tags
    assert outlined.loads == []
    assert outlined.text.count(attack) >= 10


def test_a_sentence_with_angle_brackets_reads_as_written(run: dict[str, Any]) -> None:
    assert run["claims"][2]["sentence"] in outline(run).text
    assert "poll(&lt;fds&gt;) &amp; co." in render(run)


def test_unknown_is_a_question_mark(run: dict[str, Any]) -> None:
    page = render(run)
    poll = re.search(r'<tr><th scope="row">poll</th>(.*?)</tr>', page, re.S)
    assert poll is not None
    cells = re.findall(r"<td[^>]*>(.*?)</td>", poll[1])
    assert cells[:5] == ["8", "8", "0", "?", "1"]


def test_a_verdict_is_word_shape_and_colour(run: dict[str, Any]) -> None:
    page = render(run)
    for word in ("broken", "inconclusive", "held", "measured", "not-applicable"):
        name = word.replace("-", " ")
        assert f'<span class="verdict {word}"><svg aria-hidden="true"><use href="#{word}"/></svg>{name}</span>' in page
        assert f'<symbol id="{word}"' in page


def test_every_table_has_a_caption_and_every_heading_cell_a_scope(run: dict[str, Any]) -> None:
    page = render(run)
    outlined = Outline(page)
    assert outlined.tags["table"] == outlined.tags["caption"]
    assert outlined.tags["th"] == len(re.findall(r"<th [^>]*scope=", page))


def test_the_banner_tells_of_a_partial_run_and_a_failed_control(run: dict[str, Any]) -> None:
    assert render(run).count('class="banner"') == 2
    run.update(partial=False, controls={"sees-all": "held", "sees-waking": "not applicable"})
    assert 'class="banner"' not in render(run)
    run["kernel"]["splats"] = ["WARNING"]
    assert "complained 1 time during the run" in render(run)


def test_a_complaint_that_is_understood_is_no_banner_and_is_explained(run: dict[str, Any]) -> None:
    run["kernel"]["splats"] = [PSI]
    assert "complained" not in render(run).replace(PSI, "")
    assert f"<div>{PSI} (known: " in render(run)


def test_a_missing_observer_is_named_with_its_reason(run: dict[str, Any]) -> None:
    assert "missing: perf_event_open: EACCES (perf_event_paranoid is 2)" in outline(run).text


def test_evidence_of_a_trial(run: dict[str, Any]) -> None:
    text = outline(run).text
    assert "returned w0\N{NO-BREAK SPACE}+0.21ms  w3\N{NO-BREAK SPACE}+0.24ms" in text
    assert "woken, slept again w5" in text
    assert "blocked w1 w2 w4 w6 w7" in text
    assert "python -m probes run epoll_wait.exclusive.listener/tcp4/n8/hold/one-connection --trials 25" in text


def test_an_empty_run_is_still_a_page(run: dict[str, Any]) -> None:
    run.update(claims=[], summary={}, observers={}, controls={})
    assert "Nothing is broken" in outline(run).text


def test_a_label_that_is_no_utf8_can_be_written(run: dict[str, Any]) -> None:
    run["label"] = "uml-\udcff"
    assert render(run).encode("utf-8")


@pytest.mark.parametrize(
    ("basis", "target"),
    [
        ("epoll_ctl(2) EPOLLEXCLUSIVE", "https://man7.org/linux/man-pages/man2/epoll_ctl.2.html"),
        ("Linux 4.5 df0108c5da56 epoll", "https://git.kernel.org/linus/df0108c5da56"),
        ("fs/eventpoll.c ep_poll_callback", None),
        ("javascript:alert(1)", None),
    ],
)
def test_where_a_basis_can_be_opened(basis: str, target: str | None) -> None:
    assert link(basis) == target


def test_an_id_breaks_after_slashes_and_dots() -> None:
    assert breakable("epoll_wait.edge/<n8>") == "epoll_wait.<wbr>edge/<wbr>&lt;n8&gt;"


def test_a_kernels_name_breaks_after_hyphens_alone() -> None:
    assert breakable_name("i386-on-<6.12>") == "i386-<wbr>on-<wbr>&lt;6.12&gt;"


def test_a_caption_is_as_wide_as_the_box_that_scrolls() -> None:
    """Not as the window, which a scroll bar makes narrower: it would be clipped."""
    css = (Path(page.__file__).parent / "page.css").read_text(encoding="utf-8")
    box = re.search(r"\.scroll \{(.*?)\}", css, re.S)
    caption = re.search(r"\ncaption \{(.*?)\n\}", css, re.S)
    assert box is not None
    assert caption is not None
    assert "container-type: inline-size" in box[1]
    assert caption[1].rindex("100cqi") > caption[1].rindex("max-width")


def test_the_sections_stand_in_the_order_of_what_people_ask(run: dict[str, Any]) -> None:
    sections = ["herds", "advice", "answers", "verdicts", "plots", "strategies", "host", "claims"]
    ids = [name for name in outline(run).ids if name in sections]
    assert ids == sections


def test_dots_have_a_text_alternative(run: dict[str, Any]) -> None:
    page = render(run)
    assert 'role="img" aria-label="8 of 8 woken, ' in page or "nobody could see who was woken" in page
    for picture in re.findall(r'<svg class="dots"[^>]*>', page):
        assert re.search(r'aria-label="\S', picture)


def test_questions_are_a_line_each_with_the_rest_folded(run: dict[str, Any]) -> None:
    answers = re.findall(r'<details class="answer" id="(Q\d+)">', render(run))
    assert answers == [f"Q{number}" for number in range(1, 11)]


def test_the_head_says_what_is_broken(run: dict[str, Any]) -> None:
    assert '<a href="#verdicts" class="state alarming">1 claim is broken, and 1 is inconclusive.</a>' in render(run)
    for claim in run["claims"]:
        claim["verdict"] = "held"
    assert '<a href="#verdicts" class="state">Nothing is broken or inconclusive.</a>' in render(run)


def test_an_understood_complaint_is_explained_beside_the_verdicts(run: dict[str, Any]) -> None:
    run["kernel"]["splats"] = [PSI]
    page = render(run)
    verdicts = page[page.index('<h2 id="verdicts"') : page.index('<h2 id="plots"')]
    assert f"The kernel logged <code>{PSI}</code>" in verdicts
    assert "which concerns pressure accounting" in verdicts
    assert 'class="banner"' not in verdicts
