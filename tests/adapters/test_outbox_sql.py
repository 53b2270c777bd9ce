"""The outbox: at least once, in order, until it is done."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.conftest import Books

from trimtab.adapters.outbox_sql import SqlOutbox

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)


def test_messages_stay_until_they_are_done(books: Books) -> None:
    outbox = SqlOutbox(books.database)
    with books.journal.begin(at=NOON, actor="loop") as unit:
        unit.append("a.done", "x", {})
        for number in range(4):
            unit.send("t", {"n": number})
        unit.send("other", {})
    messages = outbox.pending("t")
    assert [message.body["n"] for message in messages] == [0, 1, 2, 3]
    assert outbox.pending("t") == messages
    outbox.done([messages[0].id, messages[2].id])
    outbox.done([messages[0].id])
    outbox.done([])
    assert outbox.pending("t") == [messages[1], messages[3]]
    assert len(outbox.pending("other")) == 1
    assert outbox.pending("none") == []
