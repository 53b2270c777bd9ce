"""A segment of the traffic: its rows are told apart as JSON tells values apart, and by nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.kernel.audience import Audience, Value, audience_from
from trimtab.kernel.canonical import Json, JsonMap, canonical

FIELDS = ("carrier", "tier")
# Few, and alike: what is drawn for rows is often what is drawn for an audience.
alike: list[Value] = ["UA", "AA", "1", "true", "", 0, 1, 2**60, 0.0, 1.0, 1.5, True, False]
values = st.sampled_from(alike) | st.text(max_size=3)
audiences = st.builds(Audience, st.sampled_from(FIELDS), st.lists(values, min_size=1, max_size=3).map(tuple))
nested: list[Json] = [None, [1], {"carrier": "UA"}]
cells: st.SearchStrategy[Json] = st.one_of(values, st.sampled_from(nested))
rows: st.SearchStrategy[JsonMap] = st.dictionaries(st.sampled_from((*FIELDS, "other")), cells, max_size=3)


def by_json(audience: Audience, row: JsonMap) -> bool:
    """The definition again: same kind, same value."""
    if audience.field not in row:
        return False
    value = row[audience.field]

    def kind(one: Json) -> str:
        return "number" if isinstance(one, int | float) and not isinstance(one, bool) else type(one).__name__

    return any(kind(value) == kind(one) and value == one for one in audience.values)


@settings(deadline=None, max_examples=500)
@given(audiences, st.lists(rows, max_size=6))
def test_rows_are_in_it_by_kind_and_value(audience: Audience, some: list[JsonMap]) -> None:
    assert [audience.holds(row) for row in some] == [by_json(audience, row) for row in some]
    assert audience.among(some) == [number for number, row in enumerate(some) if audience.holds(row)]
    again = audience_from(json.loads(canonical(audience.body())))
    assert again.body() == audience.body()
    stored = [json.loads(canonical(row)) for row in some]
    assert [again.holds(row) for row in stored] == [audience.holds(row) for row in some], "as the log has them"


@pytest.mark.parametrize(
    ("wanted", "value", "is_in"),
    [
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (1, 1.0, True),
        (1.0, 1, True),
        ("1", 1, False),
        ("UA", "ua", False),
        ("UA", ["UA"], False),
        ("UA", None, False),
    ],
    ids=str,
)
def test_what_is_alike_is_not_the_same(wanted: str | float, value: Json, is_in: bool) -> None:
    assert Audience("f", (wanted,)).holds({"f": value}) is is_in


def test_a_row_without_the_field_is_not_in_it() -> None:
    assert not Audience("carrier", ("UA",)).holds({"Carrier": "UA"})


def test_its_words() -> None:
    assert Audience("carrier", ("UA",)).words == "carrier UA"
    assert Audience("carrier", ("UA", "AA")).words == "carrier UA or AA"
    assert Audience("tier", (1, 2.5, 3)).words == "tier 1, 2.5 or 3"
    assert Audience("premium", (True,)).words == "premium true"
    many = Audience("customer", tuple(f"c{number}" for number in range(20))).words
    assert many == "customer c0, c1, c2, c3, c4, c5 … (20 values)"
