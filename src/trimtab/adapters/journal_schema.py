"""The tables of `trimtab.db`. Instants are microseconds since 1970 UTC; bodies are canonical JSON text."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint

REVISION = "0001"  # of the newest migration; `migrations/versions` has one file per number

Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER

metadata = MetaData()

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("at_us", Number, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ledger_by_kind", "kind", "seq"),
    Index("ledger_by_subject", "subject", "seq"),
)

pointer = Table(
    "pointer",
    metadata,
    Column("name", Text, primary_key=True),
    Column("generation", Number, nullable=False),
    Column("value", Text, nullable=False),
    Column("moved_at_us", Number, nullable=False),
    Column("ledger_seq", Number, nullable=False),
)

pointer_history = Table(
    "pointer_history",
    metadata,
    Column("name", Text, primary_key=True),
    Column("generation", Number, primary_key=True, autoincrement=False),
    Column("value", Text, nullable=False),
    Column("moved_at_us", Number, nullable=False),
    Column("ledger_seq", Number, nullable=False),
)

record = Table(
    "record",
    metadata,
    Column("number", Number, primary_key=True),  # the order in which records were written
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("ledger_seq", Number, nullable=False),
    UniqueConstraint("kind", "id", name="record_once"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Number, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sent_at_us", Number, nullable=False),
    Column("ledger_seq", Number, nullable=False),
    Column("done", Boolean, nullable=False),
    Index("outbox_by_topic", "topic", "done", "id"),
)

step_result = Table(
    "step_result",
    metadata,
    Column("key", Text, primary_key=True),
    Column("result", Text, nullable=False),
)
