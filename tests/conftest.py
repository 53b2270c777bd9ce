"""Fixtures that several rooms share: the journal on a SQLite file and on a real Postgres server; a Redis server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.postgres import PostgresServer, find_binaries
from tests.redis_server import RedisServer, find_program

from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.migrate import migrate


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    binaries = find_binaries()
    if binaries is None:
        reason = "NO POSTGRES SERVER HERE (Debian: apt install postgresql): nothing was tested against Postgres"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = PostgresServer(binaries)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    program = find_program()
    if program is None:
        reason = "NO REDIS SERVER HERE (Debian: apt install redis-server): nothing was tested against Redis"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = RedisServer(program)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trimtab.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with all tables."""
    database = Database(database_url)
    migrate(database)
    yield database
    database.close()


@dataclass(frozen=True)
class Books:
    """A journal with both its halves and the heads that it saves."""

    database: Database
    journal: SqlJournal
    reader: SqlJournalReader
    heads: HeadsLog


@pytest.fixture
def books(database: Database, tmp_path: Path) -> Books:
    heads = HeadsLog(tmp_path / "heads" / "ledger")
    return Books(database, SqlJournal(database, heads), SqlJournalReader(database), heads)
