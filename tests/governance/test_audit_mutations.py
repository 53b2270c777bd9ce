"""Whatever is done to the ledger in SQL, the audit finds it and says where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from tests.conftest import Books

from trimtab.adapters.canonical_text import from_text
from trimtab.adapters.journal_schema import ledger
from trimtab.governance.audit import verify
from trimtab.kernel.head import parse_head
from trimtab.kernel.ledger_entry import GENESIS, entry_hash
from trimtab.kernel.moment import from_us

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
Row = dict[str, Any]

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
hashes = st.sampled_from([GENESIS, "ab" * 32]) | words
new_values: dict[str, st.SearchStrategy[Any]] = {
    "seq": st.integers(-3, 30),
    "at_us": st.integers(0, 2**50),
    "actor": words,
    "kind": words,
    "subject": words,
    "body": st.sampled_from(["{}", '{"n":1.0}', '{"n": 1}', "[]", "{", '{"n":1,"n":1}']) | words,
    "previous": hashes,
    "hash": hashes,
}


def write_ledger(books: Books, units: Sequence[int]) -> list[Row]:
    """A fresh ledger whose units have so many entries; its rows."""
    books.heads.path.unlink(missing_ok=True)
    with books.database.writing() as connection:
        connection.execute(delete(ledger))
    for number, size in enumerate(units):
        with books.journal.begin(at=NOON + timedelta(seconds=number), actor="loop") as unit:
            for _ in range(size):
                unit.append("a.done", "x", {"n": number})
    with books.database.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(select(ledger).order_by(ledger.c.seq))]


def replace_ledger(books: Books, rows: list[Row]) -> None:
    with books.database.writing() as connection:
        connection.execute(delete(ledger))
        if rows:
            connection.execute(insert(ledger), rows)


def mutate(draw: st.DrawFn, rows: list[Row]) -> list[Row]:
    """One mutation of any kind."""
    rows = [dict(row) for row in rows]
    place = draw(st.integers(0, len(rows) - 1))
    what = draw(st.sampled_from(["edit", "delete", "cut", "insert", "swap"]))
    if what == "edit":
        column = draw(st.sampled_from(sorted(new_values)))
        rows[place][column] = draw(new_values[column])
    elif what == "delete":
        gone = draw(st.sets(st.integers(0, len(rows) - 1), min_size=1))
        rows = [row for number, row in enumerate(rows) if number not in gone]
    elif what == "cut":
        rows = rows[:place]
    elif what == "insert":
        forged = {**rows[place], "subject": "forged", "seq": draw(st.integers(-3, len(rows) + 3))}
        rows = [row if row["seq"] < forged["seq"] else {**row, "seq": row["seq"] + 1} for row in rows]
        rows.append(forged)
    else:
        other = draw(st.integers(0, len(rows) - 1))
        rows[place]["seq"], rows[other]["seq"] = rows[other]["seq"], rows[place]["seq"]
    rows.sort(key=lambda row: int(row["seq"]))
    return rows


def rehash(rows: list[Row], *, renumber: bool) -> list[Row]:
    """What a clever forger does: make the chain whole again."""
    previous, chained = GENESIS, []
    for number, row in enumerate(rows, 1):
        one = {**row, "seq": number if renumber else row["seq"], "previous": previous}
        try:
            body = from_text(one["body"])
        except ValueError:
            assume(False)
        parts = (one["actor"], one["kind"], one["subject"], body, previous)
        previous = one["hash"] = entry_hash(one["seq"], from_us(one["at_us"]), *parts)
        chained.append(one)
    return chained


def first_difference(before: list[Row], after: list[Row]) -> int:
    old, new = ({row["seq"]: row for row in rows} for rows in (before, after))
    return min((seq for seq in old.keys() | new.keys() if old.get(seq) != new.get(seq)), default=0)


several = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@several
@given(data=st.data(), units=st.lists(st.integers(1, 3), min_size=1, max_size=5))
def test_any_mutation_is_found_where_it_is(books: Books, data: st.DataObject, units: list[int]) -> None:
    before = write_ledger(books, units)
    after = data.draw(st.composite(mutate)(before))
    forged = data.draw(st.sampled_from(["plain", "renumbered", "rehashed"]))
    if forged == "renumbered":
        after = [{**row, "seq": number} for number, row in enumerate(after, 1)]
    elif forged == "rehashed":
        after = rehash(after, renumber=data.draw(st.booleans()))
    seqs = [row["seq"] for row in after]
    assume(len(set(seqs)) == len(seqs))
    assume(after[: len(before)] != before)  # nothing changed, or only appended to
    lines = list(books.heads.lines())
    kept = [line for line in lines[:-1] if data.draw(st.booleans())] + lines[-1:]
    replace_ledger(books, after)

    report = verify(books.reader, kept)
    first = first_difference(before, after)
    assert not report.ok
    found = min(finding.seq for finding in report.findings)
    vouched = max((parse_head(line).seq for line in kept if parse_head(line).seq < first), default=0)
    assert min(vouched + 1, first) <= found <= first, report.lines()
    assert len(report.lines()) >= 4


@several
@given(units=st.lists(st.integers(1, 3), max_size=5), kept=st.integers(0, 5))
def test_an_untouched_ledger_is_whole(books: Books, units: list[int], kept: int) -> None:
    rows = write_ledger(books, units)
    replace_ledger(books, rows)
    lines = list(books.heads.lines())[:kept]
    report = verify(books.reader, reversed(lines))
    assert report.ok, report.lines()
    assert report.entries == sum(units)
    assert report.newer == sum(units[kept:])
    for row in rows:
        for given_head in (row["hash"], f"{row['seq']}:{row['hash']}"):
            assert verify(books.reader, [], given_head).ok
