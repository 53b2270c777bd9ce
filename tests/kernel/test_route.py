"""Who answers a key: a pure function, whose share is the one that was set, drawn anew by each rollout."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.kernel.canonical import Json, canonical, digest
from trimtab.kernel.route import BUCKETS, Canary, Route, route_from

A, B, C, D = (digest(name) for name in "ABCD")
KEYS = [f"flight-{number}" for number in range(100_000)]
releases = st.sampled_from([A, B, C, D])
canaries = st.builds(Canary, releases, st.integers(0, BUCKETS), st.text(max_size=8))
routes = st.builds(
    Route,
    st.text(max_size=8),
    releases,
    st.lists(releases, unique=True, max_size=3).map(tuple),
    st.integers(0, 10**6),
    st.none() | canaries,
    st.lists(releases, unique=True, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=100)
@given(routes)
def test_what_is_stored_is_read_back(route: Route) -> None:
    again = route_from(json.loads(canonical(route.body())))
    assert again == route
    assert again.id == route.id == replace(route, generation=route.generation + 1).id


def test_a_record_of_the_first_schema_had_neither_canary_nor_shadows() -> None:
    old: dict[str, Json] = {"schema": 1, "system": "s", "champion": A, "warm": [B], "generation": 3}
    assert route_from(old) == Route("s", A, (B,), 3)


@pytest.mark.parametrize(
    "other",
    [
        Route("t", A, (B,), 1, Canary(C, 330, "s/00001"), (D,)),
        Route("s", B, (B,), 1, Canary(C, 330, "s/00001"), (D,)),
        Route("s", A, (), 1, Canary(C, 330, "s/00001"), (D,)),
        Route("s", A, (B,), 1, None, (D,)),
        Route("s", A, (B,), 1, Canary(C, 331, "s/00001"), (D,)),
        Route("s", A, (B,), 1, Canary(C, 330, "s/00002"), (D,)),
        Route("s", A, (B,), 1, Canary(C, 330, "s/00001"), ()),
    ],
    ids=["system", "champion", "warm", "no canary", "share", "salt", "shadows"],
)
def test_another_route_has_another_name(other: Route) -> None:
    assert other.id != Route("s", A, (B,), 1, Canary(C, 330, "s/00001"), (D,)).id


@settings(deadline=None, max_examples=100)
@given(routes, st.text())
def test_who_answers_is_pure_and_loaded(route: Route, key: str) -> None:
    answering = route.answering(key)
    assert answering == route_from(route.body()).answering(key) == replace(route, generation=99).answering(key)
    assert answering in {route.champion, *([] if route.canary is None else [route.canary.release])}
    assert answering in route.scoring(), "what answers a row has scored it"
    assert route.scoring()[0] == route.releases()[0] == route.champion
    assert set(route.releases()) == {*route.scoring(), *route.warm}
    for listed in (route.scoring(), route.releases()):
        assert len(set(listed)) == len(listed)


@settings(deadline=None, max_examples=50)
@given(st.text(), st.integers(0, BUCKETS), st.integers(0, BUCKETS), st.text(max_size=8))
def test_a_key_that_a_small_share_has_a_larger_one_keeps(key: str, one: int, other: int, salt: str) -> None:
    small, large = sorted((one, other))
    assert Canary(B, large, salt).answers(key) or not Canary(B, small, salt).answers(key)
    assert not Canary(B, 0, salt).answers(key)
    assert Canary(B, BUCKETS, salt).answers(key)


@pytest.mark.parametrize("buckets", [1, 330, 2500, 9000])
def test_the_share_of_many_keys_is_the_one_that_was_set(buckets: int) -> None:
    canary = Canary(B, buckets, "flight-delay/00001")
    share = sum(map(canary.answers, KEYS)) / len(KEYS)
    deviation = math.sqrt(canary.share * (1 - canary.share) / len(KEYS))
    assert abs(share - buckets / BUCKETS) <= 4 * deviation


def test_each_rollout_draws_its_keys_anew() -> None:
    """Otherwise the same few customers would meet every challenger first."""
    drawn = [
        np.array([Canary(B, 2500, f"flight-delay/{number:05d}").answers(key) for key in KEYS]) for number in (1, 2)
    ]
    both = float((drawn[0] & drawn[1]).mean())
    assert abs(both - 0.25**2) <= 4 * math.sqrt(0.25**2 * (1 - 0.25**2) / len(KEYS))


def test_which_keys_are_drawn_is_the_same_on_every_machine() -> None:
    """A replay, in a year, must send each row to the release that answered it."""
    drawn = [key for key in KEYS[:200] if Canary(B, 500, "flight-delay/00001").answers(key)]
    assert drawn == ["flight-10", "flight-25", "flight-85", "flight-91", "flight-113", "flight-161"]
