"""Keys and values of the online store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.features import online_codec as codec
from trimtab.features.online_codec import Fact, Projected
from trimtab.kernel.canonical import Json, canonical

VERSION = "0123456789abcdef" * 4
micros = st.integers(-(2**62), 2**62)
cells = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=9)
)
keys = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=600)
entities = st.lists(keys, min_size=1, max_size=3)


@given(one=entities, other=entities)
def test_keys_fit_and_tell_entities_apart(one: list[Json], other: list[Json]) -> None:
    assert 0 < len(codec.key(VERSION, one)) <= 511
    same = [(type(cell), cell) for cell in one] == [(type(cell), cell) for cell in other]
    assert (codec.key(VERSION, one) == codec.key(VERSION, other)) is same
    assert codec.key("f" * 64, one) != codec.key(VERSION, one)


@pytest.mark.parametrize("letters", range(480, 520))
def test_keys_near_the_limit_fit(letters: int) -> None:
    assert len(codec.key(VERSION, ["x" * letters])) <= 511


def test_progress_has_a_key_of_its_own() -> None:
    assert codec.projected_key(VERSION) not in {codec.key(VERSION, [name]) for name in ("", "#", None)}


@given(facts=st.lists(st.builds(Fact, micros, micros, micros, st.lists(cells, max_size=4)), max_size=5))
def test_facts_come_back(facts: list[Fact]) -> None:
    assert codec.decode_facts(codec.encode_facts(facts)) == facts


@given(
    facts=st.lists(st.tuples(st.integers(0, 9), micros, micros, st.lists(cells, max_size=3)), max_size=9),
    at_us=st.integers(-1, 10),
)
def test_the_newest_fact_is_found_without_reading_the_others(
    facts: list[tuple[int, int, int, list[Json]]], at_us: int
) -> None:
    ordered = [Fact(*one) for one in sorted(facts, key=lambda one: one[0])]
    data = codec.encode_facts(ordered)
    seen = [fact for fact in ordered if fact.visible_us <= at_us]
    assert codec.newest_fact(data, at_us) == ((seen[-1].event_us, seen[-1].values) if seen else None)
    assert codec.decode_facts(data) == ordered


@given(entity=st.lists(keys | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3))
def test_keys_are_canonical(entity: list[Json]) -> None:
    try:
        text = canonical(entity)
    except UnicodeEncodeError:
        return
    if len(text) < 400:
        assert codec.key(VERSION, entity) == b"0123456789abcdef2|" + text


@given(done=st.builds(Projected, st.integers(1, 10**9), micros, micros, st.lists(st.text(), max_size=4)))
def test_progress_comes_back(done: Projected) -> None:
    assert codec.decode_projected(codec.encode_projected(done)) == done


def test_nothing_stored_is_nothing() -> None:
    assert codec.decode_facts(None) == []
    assert codec.decode_projected(None) is None
