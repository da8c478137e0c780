"""Which scenarios a claim is tried on."""

from __future__ import annotations

import pytest

from probes import catalogue
from probes.axes import SOURCES
from probes.scenario import BadScenario
from probes.star import EACH_WAY, PRESETS, Star, centre, each_word_once, few, over, scenarios, star
from tests.kernel.every import EVERY, SIBLINGS, TAKEN_SOURCES

from .judging import claims_with_stars


def _ids(given: Star, preset: str = "default") -> list[str]:
    cut = PRESETS[preset]
    return [scenario.id for scenario in given.scenarios(cut.sizes, cut.sources)]


def test_star_varies_one_axis_at_a_time() -> None:
    assert _ids(star("poll")) == [
        "poll/tcp4/n8/hold/one-connection",
        "poll/tcp4/n1/hold/one-connection",
        "poll/tcp4/n2/hold/one-connection",
        "poll/tcp4/n64/hold/one-connection",
        "poll/tcp6/n8/hold/one-connection",
        "poll/unix/n8/hold/one-connection",
        "poll/unix-abstract/n8/hold/one-connection",
        "poll/unix-seqpacket/n8/hold/one-connection",
        "poll/tcp4/n8t/hold/one-connection",
    ]


def test_centre_has_no_spokes() -> None:
    assert _ids(centre("ppoll", "accept")) == ["ppoll/tcp4/n8/accept/one-connection"]


def test_no_unix_reuseport_group() -> None:
    listeners = {address.split("/")[1] for address in _ids(star("accept.nothing"))}
    assert listeners == {"tcp4", "tcp6"}


def test_no_reversed_threads() -> None:
    sizes = {address.split("/")[2] for address in _ids(star("poll", "hold", "one-by-one", "blocked-reversed"))}
    assert sizes == {"n1", "n2", "n8", "n64"}


def test_smallest_leaves_out_sizes_that_say_nothing() -> None:
    sizes = {address.split("/")[2] for address in _ids(Star("accept", "hold", "one-by-one", smallest=2))}
    assert sizes == {"n2", "n8", "n64", "n8t"}


def test_star_of_threads_on_another_source() -> None:
    assert _ids(Star("recvfrom", stimulus="one-write", source="udp4", waiter="thread", spokes=("threads",))) == [
        "recvfrom/udp4/n8t/hold/one-write"
    ]
    with pytest.raises(BadScenario, match="cannot be received from; recvfrom waits on udp4"):
        _ids(Star("recvfrom", stimulus="one-write", source="tcp4", spokes=()))


def test_star_for_its_sources_sake_is_left_out_where_the_preset_has_it_not() -> None:
    writes = Star("poll", stimulus="one-write", spokes=(), source="fifo", one_of_many=True)
    assert _ids(writes, "fast") == []
    assert _ids(writes, "default") == ["poll/fifo/n8/hold/one-write"]
    assert _ids(Star("poll", stimulus="one-write", spokes=(), source="fifo"), "fast") == _ids(writes, "default")


def test_spoke_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no such spoke"):
        Star("poll", spokes=("sizes", "listeners"))


@pytest.mark.parametrize(("call", "source"), [("recvfrom", "udp4"), ("read", "pipe"), ("ppoll", "tcp4")])
def test_centre_is_on_what_the_call_waits_on(call: str, source: str) -> None:
    assert Star(call).source == source


def test_sizes_without_the_centre_take_their_largest() -> None:
    ids = [scenario.id for scenario in star("poll").scenarios((2, 200), ("tcp4", "unix"))]
    assert ids == [
        "poll/tcp4/n200/hold/one-connection",
        "poll/tcp4/n2/hold/one-connection",
        "poll/unix/n200/hold/one-connection",
        "poll/tcp4/n200t/hold/one-connection",
    ]


def test_sizes_that_are_all_too_small_leave_nothing() -> None:
    """Nobody asked for another size, and the claim is not about these."""
    assert Star("accept", smallest=2).scenarios((1,), ("tcp4",)) == []


def test_size_of_a_star_is_the_only_one() -> None:
    ids = [scenario.id for scenario in Star("poll", size=1).scenarios((2, 8), ("tcp4", "unix"))]
    assert ids == [f"poll/{point}/hold/one-connection" for point in ("tcp4/n1", "unix/n1", "tcp4/n1t")]


def test_size_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(BadScenario, match="10001 waiters"):
        star("poll").scenarios((8, 10_001), ("tcp4",))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("claim", claims_with_stars())
def test_every_preset_judges_every_claim(claim: str, preset: str) -> None:
    test = claims_with_stars()[claim]
    ids = list(scenarios(test, PRESETS[preset]))
    assert ids
    assert set(ids) <= set(scenarios(test, PRESETS["default"]))
    sizes = {star.size or 8 for star in test.stars}
    centres = [(f"/n{size}/", f"/n{size}t/") for size in sizes]
    assert all(any(mine in address or other in address for address in ids) for mine, other in centres)


def test_fast_preset_judges_every_claim_that_has_no_star() -> None:
    whole = catalogue.cases("default")
    for claim, ids in catalogue.cases("fast").items():
        assert ids, claim
        assert set(ids) <= set(whole[claim]), claim


@pytest.mark.parametrize(
    ("claim", "calls"),
    [("limits.others-end-with-their-errno", 6), ("signals.readers-restart", 5), ("server.woken-per-connection", 6)],
)
def test_fast_preset_tries_all_that_a_sentence_names(claim: str, calls: int) -> None:
    assert len(catalogue.cases("fast")[claim]) >= calls


def test_fast_preset_tries_every_strategy_and_each_way_of_a_wake_up_in_the_families() -> None:
    families = [test for claim, test in claims_with_stars().items() if claim.startswith("every.")]
    tried = [s for test in families for s in scenarios(test, PRESETS["fast"]).values()]
    assert {s.strategy for s in tried} >= {*EVERY, *SIBLINGS}
    assert {s.source for s in tried} >= {source for source in EACH_WAY if source in TAKEN_SOURCES}


def _scenarios(*stars: Star, sizes: tuple[int, ...] = (), every_word: bool = False) -> list[str]:
    return list(scenarios(over(*stars, every_word=every_word)(lambda: None), PRESETS["fast"], sizes))


_MANY = (star("poll"), star("poll", "accept"), centre("ppoll"), centre("ppoll", "accept"), centre("select"))
_EVERY_WORD = ["poll/tcp4/n8/hold", "poll/unix/n8/hold", "poll/tcp4/n8t/hold", "poll/tcp4/n8/accept"]


def test_brief_preset_tries_two_strategies_and_each_other_word_once() -> None:
    cases = [case.removesuffix("/one-connection") for case in _scenarios(*_MANY)]
    assert cases == [*_EVERY_WORD, "select/tcp4/n8/hold"]


def test_brief_preset_tries_every_word_once_of_a_claim_that_wants_that() -> None:
    cases = [case.removesuffix("/one-connection") for case in _scenarios(*_MANY, every_word=True)]
    assert cases == [*_EVERY_WORD, "ppoll/tcp4/n8/hold", "select/tcp4/n8/hold"]


def test_brief_preset_tries_every_size_that_was_asked_for() -> None:
    sizes = [case.split("/")[2] for case in _scenarios(star("poll"), sizes=(1, 2, 8, 30, 200))]
    assert sizes == ["n8", "n1", "n2", "n30", "n200", "n8", "n8t"]


def test_brief_preset_leaves_out_one_more_of_a_sort() -> None:
    stars = (centre("poll"), centre("ppoll", one_more=True))
    assert _scenarios(*stars) == ["poll/tcp4/n8/hold/one-connection"]
    assert len(scenarios(over(*stars)(lambda: None), PRESETS["default"])) == 2


def test_few_ways_are_spread_from_the_first_to_the_last() -> None:
    words = {f"{lock}{why}": [("lock", lock), ("why", why)] for lock in "uvwxyz" for why in (1, 2)}
    assert each_word_once(words) == ["u1", "u2", "v1", "w1", "x1", "y1", "z1"]
    assert few(words, 2) == ["u1", "u2", "z1"]
    assert few(words, 3) == ["u1", "u2", "x1", "z1"]
    assert few({"alone": []}, 2) == ["alone"]


def test_presets_say_what_they_are() -> None:
    for name, preset in PRESETS.items():
        assert preset.untraced >= 1, name
        assert set(preset.sources) <= {source for source, kind in SOURCES.items() if not kind.rare}, name
        assert str(preset.untraced) in preset.sentence, name
        assert all(str(size) in preset.sentence for size in preset.sizes), name
