"""Fixtures that several rooms share: the journal on a SQLite file and on a real Postgres server; a Redis server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from tests.postgres import PostgresServer, find_binaries
from tests.redis_server import RedisServer, find_program

from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.migrate import migrate

T = TypeVar("T")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer(installed(find_binaries(), "postgresql"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer(installed(find_program(), "redis-server"))
    yield server
    server.stop()


def installed(found: T | None, package: str) -> T:
    """A server's programs; without them its tests are skipped, loudly, and fail where CI runs."""
    if found is not None:
        return found
    reason = f"NO {package.upper()} HERE (Debian: apt install {package}): nothing was tested against it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


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
