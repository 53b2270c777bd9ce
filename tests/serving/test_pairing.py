"""Which rows the release that did not answer them scores when they are compacted, and what it says to them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import NotFound
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import BATCH_WORKER, prediction_id
from trimtab.kernel.route import BUCKETS, Canary, Route
from trimtab.serving.logged_form import logged_form
from trimtab.serving.pairing import Pair, Pairing, Unscored, pairs
from trimtab.serving.segment import Header, prediction

NAMES = ("a", "b", "c", "d")
UNITED = Audience("carrier", ("UA", "AA"))
CARRIERS = ("UA", "AA", "B6", None, True)
ROUTE = Route("s", "a", (), 1, Canary("b", BUCKETS // 2, "s/00001"))


def row(
    number: int,
    release: str,
    *,
    generation: int = 1,
    worker: int = 0,
    carrier: Json = "UA",
    fallback: str = "",
    others: Sequence[tuple[str, float]] = (),
) -> Prediction:
    return Prediction(
        id=prediction_id(1, worker, 1, number),
        system="s",
        release=release,
        generation=generation,
        key=f"k{number}",
        at_us=1000,
        request={"carrier": carrier},
        features=(float(number), "x"),
        ages_us=(),
        score=0.5,
        others=tuple(others),
        latency_us=1,
        fallback=fallback,
        cause="the model: ValueError" if fallback else "",
    )


def drawn(route: Route, count: int) -> list[Prediction]:
    """As a worker records rows that only the release that answers them has scored."""
    return [row(number, route.answering(f"k{number}", {"carrier": "UA"})) for number in range(count)]


class Sums:
    """Implements RecordedScorer: the first feature and a summand. "c" has other features, "d" cannot be read."""

    def __init__(self, *breaks: float, none: Sequence[float] = ()) -> None:
        self.calls: Counter[str] = Counter()
        self._breaks = breaks
        self._none = none

    def definition(self, release: str) -> str:
        if release == "d":
            raise NotFound("release", release)
        return "own" if release == "c" else "shared"

    def score(self, release: str, rows: Sequence[Sequence[Json]]) -> list[float]:
        self.calls[release] += 1
        values = [float(str(one)) for one, _ in rows]
        if set(values) & set(self._breaks):
            raise ValueError("a secret of the model's code")
        return [math.nan if one in self._none else one + NAMES.index(release) / 7 for one in values]


MOSTLY_A, MOSTLY_B = st.sampled_from("aaac"), st.sampled_from("bbbbad")  # so that most rows are of a pair
canaries = st.builds(
    Canary,
    MOSTLY_B,
    st.sampled_from([0, BUCKETS // 2, BUCKETS]),
    st.sampled_from(["s/1", "s/2"]),
    st.none() | st.just(UNITED),
)
shadows = st.just(()) | st.lists(st.sampled_from(NAMES), unique=True, max_size=2).map(tuple)
routes = st.builds(Route, st.just("s"), MOSTLY_A, st.just(()), st.just(0), canaries | st.none(), shadows)
records = st.lists(
    st.builds(
        row,
        st.integers(0, 99),
        st.sampled_from("abababcd"),
        generation=st.sampled_from([1, 1, 1, 2, 2, 3, 0, -1]),
        worker=st.sampled_from([0, 7, 7, BATCH_WORKER]),
        carrier=st.sampled_from(CARRIERS),
        fallback=st.sampled_from(["", "", "", "constant"]),
        others=st.just(()) | st.lists(st.tuples(st.sampled_from(NAMES), st.just(0.1)), max_size=2),
    ),
    max_size=30,
)


def by_hand(one: Prediction, moves: Sequence[Route]) -> str:
    """Who is still to score a row, told row by row; "" if nobody is."""
    if not 0 < one.generation <= len(moves) or one.fallback or one.id[10:].startswith("ZZ"):
        return ""
    route = moves[one.generation - 1]
    canary = route.canary
    if canary is None or canary.release == route.champion:
        return ""
    inside = canary.audience is None or canary.audience.holds(one.request)
    if one.release != (canary.release if inside and canary.draws(one.key) else route.champion):
        return ""
    if not inside and canary.release not in route.shadows:  # a shadow scores every row
        return ""
    other = canary.release if one.release == route.champion else route.champion
    return "" if other in dict(one.others) else other


@settings(deadline=None, max_examples=300)
@given(records, st.lists(routes, min_size=1, max_size=3))
def test_pairs_are_what_the_rules_say_row_by_row(some: list[Prediction], moves: list[Route]) -> None:
    known: Mapping[int, Route] = dict(enumerate(moves, start=1))
    found = {place: pair for pair, places in pairs(some, known.get).items() for place in places}
    expected = {place: other for place, one in enumerate(some) if (other := by_hand(one, moves))}
    assert {place: pair.other for place, pair in found.items()} == expected
    assert all(pair.answered == some[place].release for place, pair in found.items())
    done = Pairing(Sums(), known.get)(some)
    for place, (before, after) in enumerate(zip(some, done.records, strict=True)):
        other = expected.get(place, "")
        computed = other and not {"c", "d"} & {other, before.release}
        number = float(str(before.features[0]))
        later = ((other, number + NAMES.index(other) / 7),) if computed else ()
        assert after == replace(before, later=later)


def test_each_release_scores_all_that_it_lacks_at_once_and_the_score_is_its_own() -> None:
    scorer = Sums()
    some = drawn(ROUTE, 500)
    done = Pairing(scorer, {1: ROUTE}.get)(some)
    assert scorer.calls == {"a": 1, "b": 1}
    assert done.unscored == ()
    for before, after in zip(some, done.records, strict=True):
        other = "b" if before.release == "a" else "a"
        assert after.later == ((other, float(str(before.features[0])) + NAMES.index(other) / 7),)


def test_what_the_canary_was_to_answer_and_did_not_stays_without_its_score() -> None:
    some = [replace(one, release="a") for one in drawn(ROUTE, 200)]
    done = Pairing(Sums(), {1: ROUTE}.get)(some)
    assert ROUTE.canary is not None
    kept = [one.key for one in done.records if not one.later]
    assert kept == [one.key for one in some if ROUTE.canary.draws(one.key)]
    assert 60 < len(kept) < 140


@pytest.mark.parametrize(
    "canary", [None, Canary("a", 5000, "s"), Canary("c", 5000, "s")], ids=["none", "the champion", "of others"]
)
def test_no_release_is_opened_for_nothing(canary: Canary | None) -> None:
    scorer = Sums()
    route = replace(ROUTE, canary=canary)
    some = drawn(route, 50)
    assert Pairing(scorer, {1: route}.get)(some).records == some
    assert not scorer.calls


def test_rows_that_break_a_model_are_told_once_and_do_not_take_others_with_them() -> None:
    route = replace(ROUTE, canary=Canary("b", 0, "s"))
    some = drawn(route, 300)
    done = Pairing(Sums(13.0, 14.0, 250.0), {1: route}.get)(some)
    assert [place for place, one in enumerate(done.records) if not one.later] == [13, 14, 250]
    assert done.unscored == (Unscored("b", 3, "ValueError"),), "and none of its own words"
    assert Pairing(Sums(13.0, 14.0, 250.0), {1: route}.get)(some) == done


def test_what_is_no_finite_number_is_no_score() -> None:
    route = replace(ROUTE, canary=Canary("b", 0, "s"))
    done = Pairing(Sums(none=(7.0,)), {1: route}.get)(drawn(route, 20))
    assert [place for place, one in enumerate(done.records) if not one.later] == [7]
    assert done.unscored == (Unscored("b", 1, "it said no finite number"),)


def test_a_model_that_always_breaks_is_not_asked_for_every_row() -> None:
    route = replace(ROUTE, canary=Canary("b", 0, "s"))
    some = drawn(route, 3000)
    scorer = Sums(*map(float, range(3000)))
    done = Pairing(scorer, {1: route}.get)(some)
    assert done.records == some
    assert done.unscored == (Unscored("b", 3000, "ValueError"),)
    assert scorer.calls["b"] < 300


def test_a_model_that_forgets_a_row_has_scored_none() -> None:
    class Brief(Sums):
        def score(self, release: str, rows: Sequence[Sequence[Json]]) -> list[float]:
            return super().score(release, rows)[1:]

    route = replace(ROUTE, canary=Canary("b", 0, "s"))
    some = drawn(route, 9)
    done = Pairing(Brief(), {1: route}.get)(some)
    assert (done.records, done.unscored) == (some, (Unscored("b", 9, "ValueError"),))


def test_a_release_that_cannot_be_read_keeps_no_record_from_the_table() -> None:
    route = replace(ROUTE, canary=Canary("d", 0, "s"))
    some = drawn(route, 9)
    done = Pairing(Sums(), {1: route}.get)(some)
    assert (done.records, [(one.release, one.rows) for one in done.unscored]) == (some, [("d", 9)])
    assert pairs(some, {1: route}.get) == {Pair("a", "d"): list(range(9))}


def test_what_was_scored_later_is_no_part_of_what_was_logged() -> None:
    for one in (row(1, "a"), row(2, "a", fallback="constant")):
        later = replace(one, later=(("b", 0.25),))
        assert logged_form(later) == logged_form(one)
        place = prediction(Header(0, 1, "s"), 0, logged_form(later))
        assert replace(place, id=one.id) == one


def test_a_row_out_of_the_audience_has_nobody_to_be_compared_with() -> None:
    route = Route("s", "a", (), 1, Canary("b", BUCKETS // 2, "s/00001", UNITED))
    carriers = [row(number, "a", carrier=CARRIERS[number % 5]) for number in range(100)]
    some = [replace(one, release=route.answering(one.key, one.request)) for one in carriers]
    done = Pairing(Sums(), {1: route}.get)(some)
    assert [bool(one.later) for one in done.records] == [number % 5 < 2 for number in range(100)]


def test_rows_of_batches_and_answers_of_fallbacks_are_left_as_they_are() -> None:
    some = [
        *(
            replace(one, id=prediction_id(1, BATCH_WORKER, 1, number))
            for number, one in enumerate(drawn(ROUTE, 30))
        ),
        *(replace(one, fallback="previous_release", cause="the model: ValueError") for one in drawn(ROUTE, 30)),
        *(replace(one, generation=generation) for one in drawn(ROUTE, 30) for generation in (0, -1, 2)),
    ]
    assert Pairing(Sums(), {1: ROUTE}.get)(some).records == some
