"""Reading the journal: what is in force, what was, and entries that are not what they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.conftest import Books

from trimtab.kernel.errors import Corrupt
from trimtab.kernel.pointer import Pointer

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)


def move(books: Books, name: str, value: str, at: datetime) -> Pointer:
    with books.journal.begin(at=at, actor="loop") as unit:
        unit.append("pointer.moved", name, {"to": value})
        return unit.point(name, value)


def test_a_name_that_never_pointed_anywhere(books: Books) -> None:
    move(books, "route/a", "1", NOON)
    assert books.reader.pointer("route/b") is None
    assert books.reader.pointer_at("route/b", NOON) is None
    assert books.reader.pointer_at("route/a", NOON - timedelta(microseconds=1)) is None


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    gaps_us=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    asked_us=st.lists(st.integers(-1, 20), min_size=1, max_size=8),
)
def test_pointer_at_is_the_last_move_not_later(books: Books, gaps_us: list[int], asked_us: list[int]) -> None:
    with books.database.writing() as connection:
        for table in ("pointer", "pointer_history"):
            connection.execute(text(f"DELETE FROM {table}"))
    moves, at = [], NOON
    for number, gap_us in enumerate(gaps_us):
        at += timedelta(microseconds=gap_us)
        moves.append(move(books, "p", str(number), at))
    for us in asked_us:
        asked = NOON + timedelta(microseconds=us)
        expected = next((one for one in reversed(moves) if one.moved_at <= asked), None)
        assert books.reader.pointer_at("p", asked) == expected
    assert books.reader.pointer("p") == moves[-1]


def test_records_of_a_kind_by_prefix_in_the_order_of_writing(books: Books) -> None:
    with books.journal.begin(at=NOON, actor="loop") as unit:
        unit.append("a.done", "x", {})
        for id in ["b/2", "b/1", "B/3", "a%", "a_b", "aXb"]:
            unit.put("k", id, {"id": id})
        unit.put("other", "b/9", {})
    assert [id for id, _ in books.reader.records("k")] == ["b/2", "b/1", "B/3", "a%", "a_b", "aXb"]
    assert books.reader.records("k", prefix="b/") == [("b/2", {"id": "b/2"}), ("b/1", {"id": "b/1"})]
    assert [id for id, _ in books.reader.records("k", prefix="a_")] == ["a_b"]
    assert [id for id, _ in books.reader.records("k", prefix="a%")] == ["a%"]
    assert books.reader.records("none") == []
    assert books.reader.record("k", "none") is None


def test_entries_are_read_across_pages_and_filtered(books: Books) -> None:
    count = 2345
    with books.journal.begin(at=NOON, actor="loop") as unit:
        for number in range(1, count + 1):
            unit.append("even.done" if number % 2 == 0 else "odd.done", str(number % 3), {})
    assert [entry.seq for entry in books.reader.entries()] == list(range(1, count + 1))
    assert [entry.seq for entry in books.reader.entries(after=2300)] == list(range(2301, count + 1))
    some = [entry.seq for entry in books.reader.entries(after=2, kind="even.done", subject="1")]
    assert some == [number for number in range(3, count + 1) if number % 2 == 0 and number % 3 == 1]


def test_a_reader_sees_nothing_of_an_open_unit_and_does_not_wait_for_it(books: Books) -> None:
    move(books, "p", "1", NOON)
    with books.journal.begin(at=NOON, actor="loop") as unit:
        unit.append("pointer.moved", "p", {})
        unit.point("p", "2")
        seen = books.reader.pointer("p")
    assert seen is not None and seen.value == "1"


@pytest.mark.parametrize(
    "body", ["", "[1]", "null", '{"a": 1}', '{"a":1,"a":1}', '{"b":1,"a":1}', '{"a":NaN}', "{" * 50_000]
)
def test_a_body_that_was_never_stored_so_is_corrupt(books: Books, body: str) -> None:
    with books.journal.begin(at=NOON, actor="loop") as unit:
        for _ in range(3):
            unit.append("a.done", "x", {"a": 1})
        unit.put("k", "id", {"a": 1})
    with books.database.writing() as connection:
        connection.execute(text("UPDATE ledger SET body = :body WHERE seq = 2"), {"body": body})
        connection.execute(text("UPDATE record SET body = :body"), {"body": body})
    entries = books.reader.entries()
    assert next(entries).seq == 1
    with pytest.raises(Corrupt, match="ledger entry 2 is corrupt"):
        next(entries)
    with pytest.raises(Corrupt, match="k 'id' is corrupt"):
        books.reader.record("k", "id")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("change", ["at_us = 1.5", "at_us = 'soon'", "actor = x'ff'", "kind = CAST(x'ff' AS TEXT)"])
def test_a_column_of_another_type_is_corrupt(books: Books, change: str) -> None:
    move(books, "p", "1", NOON)
    with books.database.writing() as connection:
        connection.execute(text(f"UPDATE ledger SET {change}"))
    with pytest.raises(Corrupt, match="corrupt"):
        list(books.reader.entries())
