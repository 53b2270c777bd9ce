"""One process for each executor: two with one executor id would take up each other's live runs."""

from __future__ import annotations

import fcntl
import os
from typing import Protocol

from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError

from trimtab.kernel.canonical import digest
from trimtab.kernel.errors import Busy


class ExecutorLock(Protocol):
    """Held from construction; the operating system or the database frees it when the process dies."""

    def release(self) -> None:
        """Let another process be this executor."""
        ...


class FileLock:
    """For SQLite: a lock on a file beside the database."""

    def __init__(self, database: URL, executor_id: str) -> None:
        """Take the lock.

        Raises:
            Busy: another process, or this one, has it.
        """
        path = f"{database.database}.{digest(executor_id)[:12]}.lock"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode()
            os.close(self._file)
            raise _busy(executor_id, f"{path}, held by process {holder}") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let another process be this executor."""
        os.close(self._file)


class AdvisoryLock:
    """For Postgres: an advisory lock, held by a connection of its own."""

    def __init__(self, database: URL, executor_id: str) -> None:
        """Take the lock.

        Raises:
            Busy: another connection has it.
        """
        self._engine = create_engine(database)
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        key = int(digest(["trimtab executor", executor_id])[:15], 16)
        if not self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
            self.release()
            raise _busy(executor_id, database.render_as_string(hide_password=True))

    def release(self) -> None:
        """Let another process be this executor."""
        try:
            self._connection.invalidate()
        except DBAPIError:
            pass  # the server is gone, and the lock with it
        finally:
            self._connection.close()
            self._engine.dispose()


def _busy(executor_id: str, where: str) -> Busy:
    return Busy(
        f"executor '{executor_id}'",
        where=where,
        do="wait for the other command to end, or give this process an executor id of its own",
    )
