"""Units of work: all or nothing, and nothing without evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from tests.conftest import Books

from trimtab.adapters.journal_schema import metadata
from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import Conflict, NaiveTime, NoEvidence
from trimtab.kernel.ledger_entry import GENESIS
from trimtab.ports.journal import Unit

NOON = datetime(2013, 4, 1, 12, 0, 0, 123456, tzinfo=UTC)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


Change = Callable[[Unit], object]


def do(books: Books, *changes: Change) -> None:
    """One unit of work."""
    with books.journal.begin(at=NOON, actor="loop") as unit:
        for change in changes:
            change(unit)


def rows(books: Books) -> int:
    """Rows in all tables."""
    with books.database.reading() as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        )


def test_a_unit_commits_entry_pointer_record_and_message_together(books: Books) -> None:
    with books.journal.begin(at=NOON, actor="user:ada") as unit:
        entry = unit.append("route.moved", "flight-delay", {"to": "r1", "share": 0.1})
        assert unit.put("route", "r1", {"champion": "abc"})
        pointer = unit.point("route/flight-delay", "r1")
        unit.send("route", {"generation": 1})
    assert (entry.seq, entry.previous, entry.at, entry.actor) == (1, GENESIS, NOON, "user:ada")
    assert entry.hash == entry.expected_hash()
    assert list(books.reader.entries()) == [entry]
    assert (pointer.generation, pointer.moved_at, pointer.ledger_seq) == (1, NOON, 1)
    assert books.reader.pointer("route/flight-delay") == pointer
    assert books.reader.record("route", "r1") == {"champion": "abc"}
    (message,) = SqlOutbox(books.database).pending("route")
    assert (message.body, message.sent_at) == ({"generation": 1}, NOON)


def test_changes_refer_to_the_newest_entry_of_their_unit(books: Books) -> None:
    with books.journal.begin(at=NOON, actor="loop") as unit:
        unit.append("a.done", "x", {})
        first = unit.point("p", "1")
        unit.append("b.done", "x", {})
        second = unit.point("p", "2")
    assert (first.ledger_seq, second.ledger_seq) == (1, 2)
    assert (first.generation, second.generation) == (1, 2)


def test_entries_are_chained_across_units(books: Books) -> None:
    for number in range(3):
        with books.journal.begin(at=NOON, actor="loop") as unit:
            unit.append("a.done", "x", {"n": number})
            unit.append("b.done", "x", {"n": number})
    entries = list(books.reader.entries())
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry.previous for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]


@pytest.mark.parametrize(
    "change",
    [
        lambda unit: unit.point("p", "1"),
        lambda unit: unit.put("k", "id", {}),
        lambda unit: unit.send("t", {}),
    ],
)
def test_a_change_without_evidence_is_refused_and_nothing_is_committed(books: Books, change: Change) -> None:
    with pytest.raises(NoEvidence, match="no ledger entry"):
        do(books, change)
    assert rows(books) == 0
    assert list(books.heads.lines()) == []


def test_an_entry_explains_only_what_comes_after_it(books: Books) -> None:
    with pytest.raises(NoEvidence, match="pointer 'p' was moved before any entry"):
        do(books, lambda unit: unit.point("p", "1"), lambda unit: unit.append("a.done", "x", {}))
    assert rows(books) == 0


def test_putting_the_identical_record_again_needs_no_evidence(books: Books) -> None:
    with books.journal.begin(at=NOON, actor="loop") as unit:
        unit.append("a.done", "x", {})
        assert unit.put("k", "id", {"a": 1, "b": [0.5]})
    before = rows(books)
    with books.journal.begin(at=NOON, actor="loop") as unit:
        assert not unit.put("k", "id", {"b": [0.5], "a": 1})
    assert rows(books) == before
    assert len(list(books.heads.lines())) == 1


def test_other_content_under_the_same_id_is_a_conflict(books: Books) -> None:
    with books.journal.begin(at=NOON, actor="loop") as unit:
        unit.append("a.done", "x", {})
        unit.put("k", "id", {"a": 1})
    with pytest.raises(Conflict, match="k 'id' exists already with other content"):
        # 1.0 is another text than 1, so another record.
        do(books, lambda unit: unit.append("b.done", "x", {}), lambda unit: unit.put("k", "id", {"a": 1.0}))
    assert books.reader.record("k", "id") == {"a": 1}
    assert len(list(books.reader.entries())) == 1


def test_an_exception_rolls_everything_back(books: Books) -> None:
    with pytest.raises(TypeError):
        do(
            books,
            lambda unit: unit.append("a.done", "x", {}),
            lambda unit: unit.put("k", "id", {}),
            lambda unit: unit.point("p", "1"),
            lambda unit: unit.send("t", {}),
            lambda unit: unit.put("k", "bad", {"not json": object()}),  # type: ignore[dict-item]
        )
    assert rows(books) == 0
    assert list(books.heads.lines()) == []
    with books.journal.begin(at=NOON, actor="loop") as unit:
        assert unit.append("a.done", "x", {}).seq == 1


def test_a_head_is_saved_after_each_commit(books: Books) -> None:
    for _ in range(2):
        with books.journal.begin(at=NOON, actor="loop") as unit:
            unit.append("a.done", "x", {})
            newest = unit.append("b.done", "x", {})
    lines = list(books.heads.lines())
    assert len(lines) == 2
    assert lines[-1] == f"4 {newest.hash} 2013-04-01T12:00:00.123456+00:00"


def test_a_time_without_a_zone_is_refused(books: Books) -> None:
    with (
        pytest.raises(NaiveTime, match="without a zone"),
        books.journal.begin(at=NOON.replace(tzinfo=None), actor="a"),
    ):
        pass


def test_a_time_of_another_zone_is_the_same_instant(books: Books) -> None:
    new_york = timezone(timedelta(hours=-4))
    with books.journal.begin(at=NOON.astimezone(new_york), actor="a") as unit:
        entry = unit.append("a.done", "x", {})
    assert list(books.reader.entries()) == [entry]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=st.dictionaries(st.text(), json_values, max_size=4))
def test_any_body_comes_back_as_it_was_hashed(books: Books, body: dict[str, Json]) -> None:
    with books.journal.begin(at=NOON, actor="a") as unit:
        entry = unit.append("a.done", "x", body)
    (stored,) = books.reader.entries(after=entry.seq - 1)
    assert stored.body == body
    assert stored.hash == stored.expected_hash() == entry.hash


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": object()}])
def test_what_is_not_json_is_refused_and_nothing_is_committed(books: Books, body: dict[str, Json]) -> None:
    with pytest.raises((TypeError, ValueError)):
        do(books, lambda unit: unit.append("a.done", "x", body))
    assert rows(books) == 0
