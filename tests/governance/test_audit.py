"""The audit in words: one example of each thing that it can find."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from tests.conftest import Books

from trimtab.governance.audit import verify
from trimtab.governance.finding import Kind
from trimtab.kernel.errors import InvalidValue
from trimtab.kernel.ledger_entry import LedgerEntry

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def entries(books: Books) -> list[LedgerEntry]:
    """Five units of one entry."""
    written = []
    for number in range(1, 6):
        with books.journal.begin(at=NOON, actor="user:ada") as unit:
            written.append(unit.append("route.moved", "flight-delay", {"n": number}))
    return written


@pytest.fixture
def sql(books: Books) -> Callable[[str], None]:
    def run(statement: str) -> None:
        with books.database.writing() as connection:
            connection.execute(text(statement))

    return run


Sql = Callable[[str], None]


def found(books: Books, head: str | None = None) -> list[tuple[int, Kind]]:
    return [(one.seq, one.kind) for one in verify(books.reader, books.heads.lines(), head).findings]


def test_an_empty_ledger_is_whole(books: Books) -> None:
    report = verify(books.reader, books.heads.lines())
    assert report.ok and report.head is None and report.entries == 0
    assert report.lines()[0] == "ledger: 0 entries, whole"


def test_a_whole_ledger(books: Books, entries: list[LedgerEntry]) -> None:
    report = verify(books.reader, books.heads.lines())
    assert report.lines() == [
        "ledger: 5 entries, whole",
        f"head: 5:{entries[-1].hash}",
        "saved heads: the newest that holds is of entry 5; 0 entries are newer",
    ]


def test_entries_that_no_head_vouches_for_are_counted(books: Books, entries: list[LedgerEntry]) -> None:
    lines = list(books.heads.lines())
    assert verify(books.reader, lines[:3]).newer == 2
    alone = verify(books.reader, [])
    assert alone.ok and alone.newer == 5
    assert "would not be noticed" in alone.lines()[-1]


def test_an_edited_entry_is_named(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    sql("UPDATE ledger SET actor = 'user:eve' WHERE seq = 3")
    (finding,) = verify(books.reader, books.heads.lines()).findings
    assert (finding.seq, finding.kind, finding.got) == (3, Kind.EDITED, entries[2].hash)
    assert finding.text.startswith(
        "entry 3 (route.moved flight-delay, by user:eve) was changed after it was written"
    )


def test_a_removed_entry_is_named(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    sql("DELETE FROM ledger WHERE seq IN (2, 3)")
    (finding,) = verify(books.reader, books.heads.lines()).findings
    assert (finding.seq, finding.kind) == (2, Kind.MISSING)
    assert finding.text == "entries 2 to 3 are missing: entry 4 comes next"


def test_a_removed_end_is_named(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    sql("DELETE FROM ledger WHERE seq > 3")
    (finding,) = verify(books.reader, books.heads.lines()).findings
    assert (finding.seq, finding.kind, finding.expected) == (4, Kind.TRUNCATED, f"5:{entries[4].hash}")
    assert verify(books.reader, []).ok  # only a saved head can tell
    assert found(books, entries[4].hash) == [(4, Kind.TRUNCATED), (1, Kind.UNKNOWN_HEAD)]


def test_a_removed_end_behind_entries_that_no_head_vouches_for(
    books: Books, entries: list[LedgerEntry], sql: Sql
) -> None:
    sql("DELETE FROM ledger WHERE seq > 3")
    (finding,) = verify(books.reader, list(books.heads.lines())[:1], f"5:{entries[4].hash}").findings
    assert (finding.seq, finding.kind) == (2, Kind.TRUNCATED)
    assert finding.text.endswith("the last one is 3, and no head vouches for what stands from entry 2 on")


def test_an_emptied_ledger_is_found(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    sql("DELETE FROM ledger")
    assert found(books) == [(1, Kind.TRUNCATED)]


def test_swapped_entries_are_named(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    for change in ("seq = 99 WHERE seq = 2", "seq = 2 WHERE seq = 4", "seq = 4 WHERE seq = 99"):
        sql(f"UPDATE ledger SET {change}")
    kinds = found(books)
    assert {(2, Kind.UNLINKED), (2, Kind.EDITED), (4, Kind.EDITED), (2, Kind.REWRITTEN)} <= set(kinds)
    assert min(seq for seq, _ in kinds) == 2


def test_an_entry_before_the_first_is_named(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    sql(
        "INSERT INTO ledger (seq, at_us, actor, kind, subject, body, previous, hash)"
        " SELECT 0, at_us, actor, kind, subject, body, previous, hash FROM ledger WHERE seq = 1"
    )
    (finding,) = verify(books.reader, books.heads.lines()).findings
    assert (finding.seq, finding.kind) == (0, Kind.MISPLACED)


def test_an_unreadable_entry_ends_the_audit(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    sql("UPDATE ledger SET body = 'scratched' WHERE seq = 3")
    (finding,) = verify(books.reader, books.heads.lines()).findings
    assert (finding.seq, finding.kind) == (3, Kind.UNREADABLE)
    assert "ledger entry 3 is corrupt" in finding.text


def test_an_older_copy_that_went_on_is_found(books: Books, entries: list[LedgerEntry], sql: Sql) -> None:
    sql("DELETE FROM ledger WHERE seq > 3")
    for number in range(3):
        with books.journal.begin(at=NOON, actor="user:ada") as unit:
            unit.append("route.moved", "flight-delay", {"n": -number})
    (finding,) = verify(books.reader, books.heads.lines()).findings
    assert (finding.seq, finding.kind) == (4, Kind.REWRITTEN)
    assert "restored from an older copy" in finding.text


@pytest.mark.parametrize("numbered", [True, False])
def test_a_head_that_a_person_kept(books: Books, entries: list[LedgerEntry], numbered: bool) -> None:
    kept = f"3:{entries[2].hash}" if numbered else entries[2].hash.upper()
    report = verify(books.reader, [], kept)
    assert report.ok and (report.vouched, report.newer) == (3, 2)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ("ab" * 32, (1, Kind.UNKNOWN_HEAD)),
        ("3:" + "ab" * 32, (3, Kind.REWRITTEN)),
        ("9:" + "ab" * 32, (6, Kind.TRUNCATED)),
    ],
)
def test_a_head_that_belongs_to_no_entry(
    books: Books, entries: list[LedgerEntry], kept: str, expected: tuple[int, Kind]
) -> None:
    assert found(books, kept) == [expected]


def test_what_is_no_head_is_refused(books: Books) -> None:
    with pytest.raises(InvalidValue, match="head of the ledger"):
        verify(books.reader, [], "abc")


def test_a_damaged_line_among_the_saved_heads_is_told(books: Books, entries: list[LedgerEntry]) -> None:
    report = verify(books.reader, [*books.heads.lines(), "5 torn"])
    assert report.ok and report.unreadable_heads == 1
    assert "1 lines could not be read" in report.lines()[-1]


def test_a_wholly_different_ledger_does_not_flood_the_report(books: Books, sql: Sql) -> None:
    with books.journal.begin(at=NOON, actor="loop") as unit:
        for _ in range(150):
            unit.append("a.done", "x", {})
    sql("UPDATE ledger SET actor = 'eve'")
    report = verify(books.reader, [])
    assert (len(report.findings), report.left_out) == (100, 50)
    assert report.lines()[-1] == "… and 50 more"
    assert report.lines()[0] == "ledger: 150 entries, NOT whole, 150 found"
