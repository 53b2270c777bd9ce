"""Champion and canary that see the same features: each scores what it answers, and nothing else."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.releases import SUMMANDS, SYSTEM, Adder
from tests.serving.test_answering import answer_all
from tests.serving.ticket import Asked

from trimtab.kernel.audience import Audience
from trimtab.kernel.route import Canary, Route
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.serving.answer import Answer
from trimtab.serving.fallbacks import constant
from trimtab.serving.released import Serving

ROWS = st.lists(
    st.fixed_dictionaries({"row": st.text("abcdefgh", min_size=1, max_size=3), "x": st.integers(0, 9).map(float)}),
    min_size=1,
    max_size=6,
)


class Told(Adder):
    """Says which values it has scored; says NaN to, or breaks on, what a test gives it."""

    def __init__(self, digest: str, *, nan: set[float] = frozenset(), breaks: bool = False) -> None:  # type: ignore[assignment]
        super().__init__(digest)
        self.definition = "both"
        self.scored: list[float] = []
        self._nan, self._breaks = nan, breaks

    def look_up(self, rows: Any, at_us: Any) -> FeatureBlock:  # noqa: ARG002 - ServedRelease's
        return FeatureBlock([[float(row["x"]), None] for row in rows], [[5, None] for _ in rows])

    def score(self, block: FeatureBlock) -> list[float]:
        if self._breaks:
            raise ValueError("a model that breaks")
        values = [float(str(one[0])) for one in block.values]
        self.scored += values
        return [math.nan if one in self._nan else one + SUMMANDS[self.digest] for one in values]


def serving(champion: Told, canary: Told, **about: Any) -> Serving:
    route = Route(SYSTEM, champion.digest, (), 1, Canary(canary.digest, 4_000, "salt", **about))
    return Serving(route, (champion, canary))


@settings(max_examples=100, deadline=None)
@given(requests=st.lists(ROWS, min_size=1, max_size=5), narrow=st.booleans())
def test_each_row_is_scored_by_the_release_that_answers_it(
    tmp_path_factory: pytest.TempPathFactory, requests: list[list[dict[str, Any]]], narrow: bool
) -> None:
    champion, canary = Told("left"), Told("right")
    route = serving(champion, canary, audience=Audience("x", (1.0, 2.0, 3.0)) if narrow else None)
    asked = [Asked(one, route) for one in requests]
    records = answer_all(tmp_path_factory.mktemp("log"), [asked], mode="now")
    rows = [row for one in requests for row in one]
    drawn = [route.route.answering(row["row"], row) for row in rows]
    assert [one.release for one in records] == drawn
    assert [one.score for one in records] == [
        row["x"] + SUMMANDS[name] for row, name in zip(rows, drawn, strict=True)
    ]
    assert all(
        one.others == () and one.features == (row["x"], None) for one, row in zip(records, rows, strict=True)
    )
    for release in (champion, canary):
        own = [row["x"] for row, name in zip(rows, drawn, strict=True) if name == release.digest]
        assert Counter(release.scored) == Counter(own), "each of its rows once, and no other one"


def drawn(route: Serving, number: int) -> list[dict[str, Any]]:
    """So many rows that the canary is to answer, and as many that it is not."""
    keys = [f"k{one}" for one in range(200)]
    its = [key for key in keys if route.route.answering(key, {}) == "right"][:number]
    rest = [key for key in keys if route.route.answering(key, {}) == "left"][:number]
    return [{"row": key, "x": float(place)} for place, key in enumerate((*its, *rest))]


def test_what_a_canary_breaks_on_the_champion_answers(tmp_path: Path) -> None:
    champion = Told("left")
    route = serving(champion, Told("right", breaks=True))
    rows = drawn(route, 3)
    records = answer_all(tmp_path, [[Asked(rows, route)]], mode="now")
    assert [(one.release, one.score, one.others) for one in records] == [
        ("left", row["x"] + SUMMANDS["left"], ()) for row in rows
    ]
    assert sorted(champion.scored) == [row["x"] for row in rows]


@pytest.mark.parametrize("falls_back", [False, True])
def test_a_canary_that_says_nan_is_stood_in_for_where_the_champion_declares_a_fallback(
    tmp_path: Path, falls_back: bool
) -> None:
    """Without one, NaN is an answer like any other; with one, the champion is the canary's first fallback."""
    champion = Told("left")
    champion.fallback = (constant(0.25),) if falls_back else ()
    route = serving(champion, Told("right", nan={0.0, 2.0}))
    records = answer_all(tmp_path, [[Asked(drawn(route, 3), route)]], mode="now")
    by = ["left", "right", "left", "left", "left", "left"] if falls_back else ["right"] * 3 + ["left"] * 3
    assert [one.release for one in records] == by
    finite = [math.isfinite(one.score) for one in records]
    assert finite == ([True] * 6 if falls_back else [False, True, False, True, True, True])
    assert not any(one.fallback for one in records)


def test_a_champion_that_breaks_breaks_the_request_only_where_it_is_asked(tmp_path: Path) -> None:
    route = serving(Told("left", breaks=True), Told("right"))
    its, rest = drawn(route, 1)
    good, bad = Asked([its], route), Asked([rest], route)
    records = answer_all(tmp_path, [[good, bad]], mode="now")
    assert isinstance(good.outcome, Answer) and isinstance(bad.outcome, ValueError)
    assert [one.release for one in records] == ["right"]


@pytest.mark.parametrize("why", ["a replay", "another definition", "a shadow as well"])
def test_all_score_every_row_where_the_pair_cannot_be_made_later(tmp_path: Path, why: str) -> None:
    champion, canary = Told("left"), Told("right")
    if why == "another definition":
        canary.definition = "its own"
    route = serving(champion, canary)
    if why == "a shadow as well":
        shadowed = Route(SYSTEM, "left", (), 1, route.route.canary, shadows=("right",))
        route = Serving(shadowed, (champion, canary))
    rows = drawn(route, 4)
    records = answer_all(tmp_path, [[Asked(rows, route)]], mode="request" if why == "a replay" else "now")
    for one, row in zip(records, rows, strict=True):
        [(other, score)] = one.others
        assert {one.release, other} == {"left", "right"} and score == row["x"] + SUMMANDS[other]
