"""How lists of events and the memory of facts are stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from trimtab.features.online_events import (
    NO_FACT,
    StoredEvents,
    decode_events,
    encode_events,
    fact_of,
)
from trimtab.features.windows.events import NEVER, Kind

micros = st.integers(-(2**62), 2**62)
rows = st.lists(st.tuples(micros, micros, st.floats(allow_nan=False), micros, micros | st.just(NEVER)), max_size=9)


def whole(column: list[Any]) -> np.ndarray:
    return np.array(column, np.int64)


@given(told=rows, kind=st.sampled_from(["number", "boolean"]))
def test_events_come_back(told: list[tuple[int, int, float, int, int]], kind: Kind) -> None:
    event, known, fact, until = (whole([row[place] for row in told]) for place in (0, 1, 3, 4))
    value = np.array([row[2] for row in told], np.float64)
    data = encode_events(StoredEvents(event, known, value, fact, until, kind))
    events = decode_events(data)
    for found, given_ in (
        (events.event_us, event),
        (events.known_us, known),
        (events.value, value),
        (events.fact, fact),
        (events.until_us, until),
    ):
        assert found.tobytes() == given_.tobytes()
    assert events.kind == kind
    corrected = any(row[4] != NEVER for row in told)
    assert len(data) == 8 * (2 + (5 if corrected else 4) * len(told)) + 1


@given(
    places=st.lists(st.integers(0, 3), max_size=9), words=st.lists(st.text(), min_size=4, max_size=4, unique=True)
)
def test_words_come_back_and_unused_ones_are_dropped(places: list[int], words: list[str]) -> None:
    none = np.zeros(len(places), np.int64)
    stored = StoredEvents(none, none, np.array(places, np.float64), none, none + NEVER, "text", words)
    events = decode_events(encode_events(stored))
    assert [events.words[int(place)] for place in events.value] == [words[place] for place in places]
    assert len(events.words) == len(set(places))


def test_nothing_stored_is_nothing() -> None:
    assert len(decode_events(None).value) == 0


texts = st.lists(
    st.tuples(st.none() | st.text(max_size=5), st.none() | st.integers(-3, 3)), min_size=1, max_size=30
)


@given(keys=texts)
def test_facts_are_equal_if_their_keys_are(keys: list[tuple[str | None, int | None]]) -> None:
    frame = pl.DataFrame(keys, schema={"a": pl.String, "b": pl.Int64}, orient="row")
    facts = fact_of(frame, ("a", "b")).tolist()
    for key, fact in zip(keys, facts, strict=True):
        assert (fact == NO_FACT) is (None in key)
    named = {(fact, key) for key, fact in zip(keys, facts, strict=True) if None not in key}
    assert len({fact for fact, _ in named}) == len({key for _, key in named}) == len(named)


PINNED = [7032966485863563527, 1104068892880650768, 7565071287528639814]


def test_a_fact_has_one_number_on_every_machine_and_whatever_comes_with_it() -> None:
    frame = pl.DataFrame(
        {
            "id": ["AA1", "", "é"],
            "at": [datetime(2013, 11, 3, tzinfo=UTC)] * 3,
            "n": pl.Series([1, 2, 3], dtype=pl.Int16),
        }
    )
    facts = fact_of(frame, ("id", "at", "n"))
    assert facts.tolist() == PINNED
    assert [fact_of(frame[place : place + 1], ("id", "at", "n"))[0] for place in range(3)] == PINNED
    local = frame.with_columns(pl.col("at").dt.convert_time_zone("America/New_York"))
    assert fact_of(local, ("id", "at", "n")).tolist() == PINNED


def test_many_facts_have_as_many_numbers() -> None:
    frame = pl.DataFrame({"id": pl.int_range(200_000, eager=True)})
    assert len(np.unique(fact_of(frame, ("id",)))) == 200_000
    near = frame.select(pl.format("{}-{}", pl.col("id") // 450, pl.col("id") % 450).alias("id"))
    assert len(np.unique(fact_of(near, ("id",)))) == 200_000
