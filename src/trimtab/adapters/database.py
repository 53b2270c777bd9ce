"""One SQL database, SQLite or Postgres: connections, and units of work that take turns."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from trimtab.adapters.journal_schema import REVISION
from trimtab.kernel.errors import Busy, InvalidValue, ProjectInvalid

_ALLOWED = "sqlite:///FILE, or postgresql+psycopg://…"
_WRITES = "trimtab_writes"
_UNIT_LOCK = 0x7472696D74616221  # "trimtab!": the key of Postgres's advisory lock, one per database
_RETRY_S = 0.01


class Database:
    """The engine behind the journal's adapters. Safe to share among threads, not across a fork."""

    def __init__(self, url: str, *, busy_timeout_s: float = 60.0) -> None:
        """Prepare connections; nothing is opened yet.

        Raises:
            InvalidValue: not a URL of a SQLite file or of Postgres by psycopg.
            ProjectInvalid: the SQLite file's folder does not exist.
        """
        self._busy_timeout_s = busy_timeout_s
        address = _parsed(url)
        self._is_sqlite = address.get_backend_name() == "sqlite"
        self.name = str(address.database) if self._is_sqlite else address.render_as_string(hide_password=True)
        if self._is_sqlite:
            self._engine = create_engine(address, connect_args={"timeout": busy_timeout_s})
            event.listen(self._engine, "connect", self._prepare_sqlite)
        else:
            self._engine = create_engine(address, pool_pre_ping=True)
        event.listen(self._engine, "begin", self._begin)

    @property
    def engine(self) -> Engine:
        """For tests and measurements; adapters use `reading` and `writing`."""
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose transaction is given up at the end."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The one transaction of all processes that writes; committed at the end, rolled back by an exception.

        Raises:
            Busy: others kept the database locked for longer than the busy time-out.
        """
        with self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def needs_migration(self, connection: Connection | None = None) -> bool:
        """Whether the stored schema is older than this code's; one cheap query.

        Raises:
            ProjectInvalid: it is newer.
        """
        if connection is None:
            with self.reading() as own:
                return self.needs_migration(own)
        if not inspect(connection).has_table("alembic_version"):
            return True
        stored = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if stored is not None and str(stored) > REVISION:
            raise ProjectInvalid(
                "the database was written by a newer Trimtab",
                where=self.name,
                allowed=f"schema {REVISION} or older",
                got=f"schema {stored}",
                do="install the newer Trimtab",
            )
        return stored != REVISION

    def damaged(self, error: DBAPIError) -> bool:
        """Whether an error means that stored bytes cannot be read, rather than that the database is away."""
        if self._is_sqlite:
            code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
            return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or "Could not decode" in str(error.orig)
        return str(getattr(error.orig, "sqlstate", "")).startswith("XX")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _begin(self, connection: Connection) -> None:
        writes = bool(connection.get_execution_options().get(_WRITES))
        try:
            if self._is_sqlite:
                # Immediate: a transaction that reads first and writes later cannot wait for another writer.
                connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
            elif writes:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(self._busy_timeout_s * 1000)}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UNIT_LOCK})")
        except DBAPIError as error:
            if _is_busy(error.orig):
                raise self._busy() from error
            raise

    def _prepare_sqlite(self, connection: sqlite3.Connection, _record: Any) -> None:
        # Transactions are begun in `_begin`; left to itself, sqlite3 would begin them late.
        connection.isolation_level = None
        # A commit is on the disk when it returns: the ledger must not lose its newest entries with the power.
        connection.execute("PRAGMA synchronous=FULL")
        deadline_s = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                # SQLite does not wait by itself when two processes switch an empty file to WAL at once.
                if not _is_busy(error):
                    raise
                if time.monotonic() > deadline_s:
                    raise self._busy() from error
                time.sleep(_RETRY_S)
        if mode != "wal":
            raise ProjectInvalid(
                "the database's disk does not support a write-ahead log",
                where=self.name,
                got=f"journal mode {mode}",
                do="keep it on a local disk, or use Postgres",
            )

    def _busy(self) -> Busy:
        return Busy(
            "the database",
            where=self.name,
            do=f"it stayed locked for {self._busy_timeout_s:g} s: find the process that holds it, then try again",
        )


def _parsed(url: str) -> URL:
    try:
        address = make_url(url)
        backend, driver = address.get_backend_name(), address.get_driver_name()
    except ArgumentError:
        raise InvalidValue("database URL", url, allowed=_ALLOWED) from None
    if (backend, driver) not in {("sqlite", "pysqlite"), ("postgresql", "psycopg")}:
        raise InvalidValue("database URL", address.render_as_string(), allowed=_ALLOWED)
    if backend == "sqlite" and address.database in {None, "", ":memory:"}:
        raise InvalidValue("database URL", url, allowed=_ALLOWED, do="name a file: processes share the database")
    if backend == "sqlite" and not Path(str(address.database)).absolute().parent.is_dir():
        folder = Path(str(address.database)).absolute().parent
        raise ProjectInvalid(
            "the database's folder does not exist", where=str(folder), do="make it: trimtab init NAME"
        )
    return address


def _is_busy(error: BaseException | None) -> bool:
    sqlite_code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return sqlite_code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or getattr(error, "sqlstate", "") == "55P03"
