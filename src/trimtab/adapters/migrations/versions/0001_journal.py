"""The journal: ledger, pointers, records, outbox, step results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, NUMBER, primary_key=key, autoincrement=False, nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _counted(name: str) -> sa.Column[int]:
    return sa.Column(name, NUMBER, primary_key=True, autoincrement=True, nullable=False)


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "ledger",
        _number("seq", key=True),
        _number("at_us"),
        *(_text(name) for name in ("actor", "kind", "subject", "body", "previous", "hash")),
    )
    op.create_index("ledger_by_kind", "ledger", ["kind", "seq"])
    op.create_index("ledger_by_subject", "ledger", ["subject", "seq"])
    moved = ("moved_at_us", "ledger_seq")
    op.create_table("pointer", _text("name", key=True), _number("generation"), _text("value"), *map(_number, moved))
    op.create_table(
        "pointer_history",
        _text("name", key=True),
        _number("generation", key=True),
        _text("value"),
        *map(_number, moved),
    )
    op.create_table(
        "record",
        _counted("number"),
        *(_text(name) for name in ("kind", "id", "body")),
        _number("ledger_seq"),
        sa.UniqueConstraint("kind", "id", name="record_once"),
    )
    op.create_table(
        "outbox",
        _counted("id"),
        _text("topic"),
        _text("body"),
        _number("sent_at_us"),
        _number("ledger_seq"),
        sa.Column("done", sa.Boolean(), nullable=False),
    )
    op.create_index("outbox_by_topic", "outbox", ["topic", "done", "id"])
    op.create_table("step_result", _text("key", key=True), _text("result"))


def downgrade() -> None:
    """Drop all tables, and with them all evidence."""
    for table in ("step_result", "outbox", "record", "pointer_history", "pointer", "ledger"):
        op.drop_table(table)
