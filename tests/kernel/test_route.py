"""Who answers a key: a pure function, whose share is the one that was set, drawn anew by each rollout."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.test_audience import audiences, rows

from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import Json, JsonMap, canonical, digest
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.route import BUCKETS, Canary, Route, route_from

A, B, C, D = (digest(name) for name in "ABCD")
KEYS = [f"flight-{number}" for number in range(100_000)]
releases = st.sampled_from([A, B, C, D])
canaries = st.builds(Canary, releases, st.integers(0, BUCKETS), st.text(max_size=8), st.none() | audiences)
routes = st.builds(
    Route,
    st.text(max_size=8),
    releases,
    st.lists(releases, unique=True, max_size=3).map(tuple),
    st.integers(0, 10**6),
    st.none() | canaries,
    st.lists(releases, unique=True, max_size=3).map(tuple),
    st.just("") | releases,
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


UNITED = Audience("carrier", ("UA", "AA"))


def test_a_route_without_an_audience_is_the_bytes_that_it_was() -> None:
    """Routes are stored by their content: these names are those of before there were audiences."""
    canary = Canary("c" * 64, 330, "s/00001")
    plain = Route("s", "a" * 64, (), 1)
    with_canary = Route("s", "a" * 64, ("b" * 64,), 1, canary, ("d" * 64,))
    assert plain.id == "e00e9109c94eba6163a76634a92b94a2f7037afd9007cfdf9dd4b5ca1ea3609e"
    assert with_canary.id == "bcfda697aeafd6bb6c5fbdd0cddea990e4a4558be97bd19f70e20718ed24123f"
    narrow = replace(with_canary, canary=replace(canary, audience=UNITED))
    assert [one.body()["schema"] for one in (plain, with_canary, narrow)] == [2, 2, 3]
    assert canary.body() == {"release": "c" * 64, "buckets": 330, "salt": "s/00001"}


def test_a_worker_of_before_audiences_refuses_a_route_that_has_one() -> None:
    """It read a canary by its three fields, and took a TypeError for a route that it cannot follow."""

    @dataclass(frozen=True)
    class Before:
        release: str
        buckets: int
        salt: str

    Before(**Canary(B, 330, "s/00001").body())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Before(**Canary(B, 330, "s/00001", UNITED).body())  # type: ignore[arg-type]


@pytest.mark.parametrize("schema", [0, 4, "3", None])
def test_a_schema_of_later_is_refused(schema: Json) -> None:
    with pytest.raises(Corrupt) as found:
        route_from({**Route("s", A, (B,), 3).body(), "schema": schema})
    assert "1 to 3" in found.value.allowed and found.value.got == str(schema)


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
        Route("s", A, (B,), 1, Canary(C, 330, "s/00001", UNITED), (D,)),
        Route("s", A, (B,), 1, Canary(C, 330, "s/00001", Audience("carrier", ("UA",))), (D,)),
        Route("s", A, (B,), 1, Canary(C, 330, "s/00001"), (D,), B),
    ],
    ids=["system", "champion", "warm", "no canary", "share", "salt", "shadows", "audience", "values", "previous"],
)
def test_another_route_has_another_name(other: Route) -> None:
    assert other.id != Route("s", A, (B,), 1, Canary(C, 330, "s/00001"), (D,)).id


@settings(deadline=None, max_examples=100)
@given(routes, st.text(), rows)
def test_who_answers_is_pure_and_loaded(route: Route, key: str, row: JsonMap) -> None:
    answering = route.answering(key, row)
    again = (route_from(json.loads(canonical(route.body()))), replace(route, generation=99))
    assert {one.answering(key, row) for one in again} == {answering}
    assert answering in {route.champion, *([] if route.canary is None else [route.canary.release])}
    assert answering in route.scoring(), "what answers a row has scored it"
    assert route.scoring()[0] == route.releases()[0] == route.champion
    assert set(route.releases()) == {*route.scoring(), *route.warm}
    for listed in (route.scoring(), route.releases()):
        assert len(set(listed)) == len(listed)


@settings(deadline=None, max_examples=300)
@given(routes, canaries, audiences, st.lists(st.tuples(st.text(), rows), max_size=8))
def test_a_row_is_answered_by_the_canary_if_it_is_in_its_audience_and_its_key_is_drawn(
    route: Route, canary: Canary, audience: Audience, asked: list[tuple[str, JsonMap]]
) -> None:
    """Out of it, never; in it, exactly those keys that are drawn without one; and who answers has scored."""
    narrow = replace(route, canary=replace(canary, audience=audience))
    wide = replace(route, canary=replace(canary, audience=None))
    only = narrow.only([row for _, row in asked])
    keys, sent = [key for key, _ in asked], [row for _, row in asked]
    for one_route in (narrow, wide, replace(wide, canary=None)):
        assert one_route.answering_each(keys, sent) == [one_route.answering(*one) for one in asked]
    for number, (key, row) in enumerate(asked):
        found = narrow.answering(key, row)
        inside = audience.holds(row)
        assert found == (wide.answering(key, row) if inside else route.champion)
        assert found in narrow.scoring()
        for release in narrow.scoring():
            scored = release not in only or number in only[release]
            beside = release in (route.champion, *route.shadows)
            assert scored == (beside or inside), "champion and shadows score every row, the canary its own"
    assert wide.only([row for _, row in asked]) == {}


@settings(deadline=None, max_examples=50)
@given(st.text(), st.integers(0, BUCKETS), st.integers(0, BUCKETS), st.text(max_size=8))
def test_a_key_that_a_small_share_has_a_larger_one_keeps(key: str, one: int, other: int, salt: str) -> None:
    small, large = sorted((one, other))
    assert Canary(B, large, salt).draws(key) or not Canary(B, small, salt).draws(key)
    assert not Canary(B, 0, salt).draws(key)
    assert Canary(B, BUCKETS, salt).draws(key)


@pytest.mark.parametrize("buckets", [1, 330, 2500, 9000])
def test_the_share_of_many_keys_is_the_one_that_was_set(buckets: int) -> None:
    canary = Canary(B, buckets, "flight-delay/00001")
    share = sum(map(canary.draws, KEYS)) / len(KEYS)
    deviation = math.sqrt(canary.share * (1 - canary.share) / len(KEYS))
    assert abs(share - buckets / BUCKETS) <= 4 * deviation


def test_each_rollout_draws_its_keys_anew() -> None:
    """Otherwise the same few customers would meet every challenger first."""
    drawn = [
        np.array([Canary(B, 2500, f"flight-delay/{number:05d}").draws(key) for key in KEYS]) for number in (1, 2)
    ]
    both = float((drawn[0] & drawn[1]).mean())
    assert abs(both - 0.25**2) <= 4 * math.sqrt(0.25**2 * (1 - 0.25**2) / len(KEYS))


def test_which_keys_are_drawn_is_the_same_on_every_machine() -> None:
    """A replay, in a year, must send each row to the release that answered it."""
    drawn = [key for key in KEYS[:200] if Canary(B, 500, "flight-delay/00001").draws(key)]
    assert drawn == ["flight-10", "flight-25", "flight-85", "flight-91", "flight-113", "flight-161"]
