"""Keys and values of the online store."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.features import online_codec as codec
from trimtab.features.online_codec import Fact, Projected
from trimtab.kernel.canonical import Json

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


@given(done=st.builds(Projected, st.integers(1, 10**9), micros, micros, st.lists(st.text(), max_size=4)))
def test_progress_comes_back(done: Projected) -> None:
    assert codec.decode_projected(codec.encode_projected(done)) == done


@given(rows=st.lists(st.tuples(micros, micros, st.floats(allow_nan=False)), max_size=9))
def test_events_come_back(rows: list[tuple[int, int, float]]) -> None:
    event, known = (np.array([row[place] for row in rows], np.int64) for place in (0, 1))
    value = np.array([row[2] for row in rows], np.float64)
    events = codec.decode_events(codec.encode_events(event, known, value))
    assert (events.event_us.tolist(), events.known_us.tolist()) == (event.tolist(), known.tolist())
    assert events.value.tobytes() == value.tobytes()
    assert events.group.tolist() == [0] * len(rows)


def test_nothing_stored_is_nothing() -> None:
    assert codec.decode_facts(None) == []
    assert codec.decode_projected(None) is None
    assert len(codec.decode_events(None).value) == 0
