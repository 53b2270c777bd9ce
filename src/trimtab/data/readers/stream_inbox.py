"""A stream's inbox: rows that were accepted, in one SQLite file beside the stores.

One transaction accepts a group of requests: it is on the disk before anybody is told, and killed in between it
leaves nothing. Rows that bring no known time get the clock as it was read within the transaction, so that they
become visible in the order of their known times, whichever process wrote them. A look waits for the transaction
that is under way, and so misses none that was stamped before it. It writes down until when it looked: a row that
brings an older known time gets the clock too, as nobody could know it then. So no look has to search for late rows.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import polars as pl

from trimtab.data.readers.stream_batches import FAN_OUT, merge, packed, unpacked
from trimtab.kernel.errors import Conflict, InboxUnwritable
from trimtab.kernel.moment import from_us, to_us
from trimtab.ports.clock import Clock
from trimtab.ports.streams import Accepted

_FOLDER = Path(".trimtab", "inbox")
_FORMAT = 1
_PART_ROWS = 100_000  # of a frame: what is read as one
_WITHIN_S = 10.0  # how long a writer waits for the others
_LOOK_WITHIN_S = 2.0  # how long a look does; rows that it misses are told later that they became known later
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS batches (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  level INTEGER NOT NULL,
  count INTEGER NOT NULL,
  oldest_us INTEGER NOT NULL,  -- the range of its known times
  newest_us INTEGER NOT NULL,
  stamped TEXT,  -- the column whose nulls stand for known_at_us
  known_at_us INTEGER NOT NULL,
  rows BLOB NOT NULL  -- an Arrow IPC stream
);
CREATE INDEX IF NOT EXISTS batches_by_known ON batches (newest_us, oldest_us, count);
CREATE INDEX IF NOT EXISTS batches_by_level ON batches (level, id);
CREATE TABLE IF NOT EXISTS keys (
  key TEXT PRIMARY KEY, digest TEXT NOT NULL, count INTEGER NOT NULL, known_at_us INTEGER NOT NULL,
  late INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looked (until_us INTEGER NOT NULL);  -- no rows before the first look
PRAGMA user_version = 1;
COMMIT;
"""


@dataclass(frozen=True)
class Batch:
    """One request's rows."""

    rows: pl.DataFrame  # of the stream's own types, with null where a row brings no known time
    key: str = ""
    digest: str = ""  # of its rows, if there is a key


class Inbox:
    """Of one source, for any number of threads and processes."""

    def __init__(self, project: Path, source: str) -> None:
        self.path = project / _FOLDER / f"{source}.db"
        self._connection: sqlite3.Connection | None = None
        self._one_thread = threading.Lock()

    def append(self, batches: Sequence[Batch], known: str, clock: Clock) -> list[Accepted | Conflict]:
        """Accept all batches whose key did not come with other rows before; on the disk when this returns.

        Args:
            batches: of one schema.
            known: the column with the known time.
            clock: read within the transaction.

        Raises:
            InboxUnwritable: none has been accepted.
        """
        with self._writing() as connection:
            now_us = to_us(clock.now())
            looked = connection.execute("SELECT max(until_us) FROM looked").fetchone()[0]
            told: list[Accepted | Conflict] = []
            fresh = []
            for batch in batches:
                before = _before(connection, batch)
                if before is not None:
                    told.append(before)
                    continue
                rows, late = (batch.rows, 0) if looked is None else _timely(batch.rows, known, looked)
                fresh.append(rows)
                told.append(Accepted(rows.height, now_us, late))
                if batch.key:
                    row = [batch.key, batch.digest, rows.height, now_us, late]
                    connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", row)
            if fresh:
                _insert(connection, pl.concat(fresh), known, now_us)
            return told

    def tidy(self) -> None:
        """Merge what has become many; what cannot be merged now is merged later."""
        with suppress(InboxUnwritable):
            merged = self.path.exists()
            while merged:
                with self._writing() as connection:
                    merged = merge(connection)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._one_thread:
            self._drop()

    def appended(self) -> int:
        """A number that grows with every batch that is accepted; 0 while there is none that can be read."""
        with suppress(sqlite3.Error), self._reading() as connection:
            found = connection and connection.execute("SELECT seq FROM sqlite_sequence").fetchone()
            return int(found[0]) if found else 0
        return 0  # a look will say why

    def all(self) -> Iterator[pl.DataFrame]:
        """Every batch, in the order in which they were accepted."""
        with self._reading() as connection:
            if connection is not None:
                found = connection.execute("SELECT rows, stamped, known_at_us FROM batches ORDER BY id")
                while some := found.fetchmany(FAN_OUT):
                    yield from unpacked(some)

    def look(self, after_us: int, until_us: int) -> tuple[list[pl.DataFrame], int]:
        """Batches that may hold rows known in (after, until], and how many rows of others were known by `after`."""
        with self._reading() as connection:
            if connection is None:
                return [], 0
            _mark(connection, until_us)
            connection.execute("BEGIN")
            counted = connection.execute("SELECT total(count) FROM batches WHERE newest_us <= ?", [after_us])
            earlier = int(counted.fetchone()[0])
            found = connection.execute(
                "SELECT rows, stamped, known_at_us FROM batches WHERE newest_us > ? AND oldest_us <= ? ORDER BY id",
                [after_us, until_us],
            )
            return unpacked(found), earlier

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which waits for those of other threads and processes."""
        with self._one_thread:
            try:
                if self._connection is None:
                    self._connection = _opened(self.path)
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._drop()  # and with it the transaction
                full = _code(error) == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) == errno.ENOSPC
                raise InboxUnwritable(str(self.path), got=str(error), full=full) from error
            except BaseException:
                self._drop()
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection for one look; None if nothing was ever appended. Looking makes no file."""
        if not self.path.exists():
            yield None
            return
        with closing(_connected(self.path, "rw", _LOOK_WITHIN_S)) as connection:
            yield connection if _format(connection, self.path) else None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _opened(path: Path) -> sqlite3.Connection:
    fresh = not path.exists()
    if fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = _connected(path, "rwc", _WITHIN_S)
    try:
        _prepare(connection, path)
        if fresh:
            for folder in (path.parent, path.parent.parent):
                _to_disk(folder)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    until_s = time.monotonic() + _WITHIN_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            # Switching a new file does not wait for another process that does so too.
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = FULL")
    if not _format(connection, path):
        connection.executescript(_SCHEMA)


def _format(connection: sqlite3.Connection, path: Path) -> int:
    """That of the file; 0 if whoever made it was killed before it had tables."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found not in (0, _FORMAT):
        raise sqlite3.DatabaseError(f"{path} has format {found}; this version of Trimtab knows format {_FORMAT}")
    return found


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mark(connection: sqlite3.Connection, until_us: int) -> None:
    """Wait for the writer that is at it, and write down until when is looked now.

    Where that cannot be done in time, ingest finds what was missed, by comparing all rows.
    """
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA synchronous = NORMAL")  # a mark that a power cut takes costs only time
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("UPDATE looked SET until_us = max(until_us, ?)", [until_us]).rowcount == 0:
                connection.execute("INSERT INTO looked VALUES (?)", [until_us])
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _timely(rows: pl.DataFrame, known: str, looked_us: int) -> tuple[pl.DataFrame, int]:
    """Rows whose known time has been looked past already are known since they are accepted; how many they are."""
    late = rows[known] <= from_us(looked_us)
    count = int(late.sum())
    return (rows.with_columns(pl.when(~late).then(known).alias(known)) if count else rows), count


def _before(connection: sqlite3.Connection, batch: Batch) -> Accepted | Conflict | None:
    """What was told when the batch's key came for the first time; None if this is it."""
    if not batch.key:
        return None
    found = connection.execute(
        "SELECT digest, count, known_at_us, late FROM keys WHERE key = ?", [batch.key]
    ).fetchone()
    if found is None:
        return None
    same = found[0] == batch.digest
    return Accepted(*found[1:]) if same else Conflict("append with key", batch.key)


def _insert(connection: sqlite3.Connection, rows: pl.DataFrame, known: str, now_us: int) -> None:
    for part in rows.iter_slices(_PART_ROWS):
        times = part[known].cast(pl.Int64)
        stamped = times.null_count() > 0
        brought = [one for one in (times.min(), times.max(), now_us if stamped else None) if isinstance(one, int)]
        connection.execute(
            "INSERT INTO batches (level, count, oldest_us, newest_us, stamped, known_at_us, rows)"
            " VALUES (0, ?, ?, ?, ?, ?, ?)",
            [part.height, min(brought), max(brought), known if stamped else None, now_us, packed(part)],
        )
