"""DBOS as we run it: its engine, its logger and what it writes; nothing of pipelines.

SQLite in WAL mode with `synchronous=NORMAL`: a commit survives the death of the process; after a power cut
the last ones may be missing, which only means that those steps are looked up in the step results again.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, Serializer
from dbos._logger import dbos_logger

from trimtab.kernel import errors
from trimtab.kernel.errors import InvalidValue, TrimtabError


class Superseded(Exception):
    """An attempt that cannot go on because code or arguments have changed since; a new attempt takes over."""


class PlainJson(Serializer):
    """What DBOS stores: JSON. Its default is pickle, which runs code when it is read."""

    def name(self) -> str:
        """The format's name beside each stored value."""
        return "trimtab_json"

    def serialize(self, data: Any) -> str:
        """Plain data, or an exception by class and parts."""
        if isinstance(data, BaseException):
            data = {"error": error_parts(data)}
        return json.dumps(data, separators=(",", ":"), allow_nan=False)

    def deserialize(self, serialized_data: str) -> Any:
        """The data, or the exception."""
        data = json.loads(serialized_data)
        return error_from(data["error"]) if isinstance(data, dict) and data.keys() == {"error"} else data


def address(url: str) -> sa.URL:
    """The parsed URL of a database that durable steps can live in.

    Raises:
        InvalidValue: anything but a SQLite file or Postgres.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        parsed = sa.make_url("none://")
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    if backend == "postgresql" and parsed.database:
        return parsed.set(drivername="postgresql+psycopg")
    raise InvalidValue("the URL of durable steps", url, allowed="sqlite:///FILE, or postgresql://…/DATABASE")


def sqlite_engine(url: sa.URL) -> sa.Engine:
    """An engine with what DBOS sets for SQLite (immediate transactions, foreign keys), and WAL."""
    engine = sa.create_engine(url, pool_size=8, max_overflow=24)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def launch(url: sa.URL, engine: sa.Engine | None, *, executor_id: str, application_version: int) -> None:
    """Start DBOS in this process; runs that this executor left unfinished are queued again."""
    config = DBOSConfig(
        name="trimtab",
        system_database_url=url.render_as_string(hide_password=False),
        executor_id=executor_id,
        application_version=str(application_version),
        serializer=PlainJson(),
        log_level="WARNING",
        sys_db_pool_size=8,
        # Nothing listens, so a round costs no query; but closing waits for the end of a round.
        notification_listener_polling_interval_sec=0.05,
        enable_otlp=False,
    )
    if engine is not None:
        config["system_database_engine"] = engine
    DBOS(config=config)
    DBOS.launch()


def log_to(path: Path) -> logging.Handler:
    """Send the library's warnings to a file; with a handler in place it adds none for the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    dbos_logger.addHandler(handler)
    dbos_logger.propagate = False
    return handler


def stop_logging(handler: logging.Handler) -> None:
    """Undo `log_to`."""
    dbos_logger.removeHandler(handler)
    handler.close()


def error_parts(error: BaseException) -> list[str]:
    """An exception as plain data."""
    if isinstance(error, TrimtabError):
        return [type(error).__name__, error.what, error.where, error.allowed, error.got, error.do]
    return [type(error).__name__, str(error)]


def error_from(parts: list[str]) -> Exception:
    """The exception; of a class that is not Trimtab's, its name and message only."""
    name, what, *rest = parts
    if name == Superseded.__name__:
        return Superseded(what)
    kind = vars(errors).get(name)
    if not rest or not isinstance(kind, type) or not issubclass(kind, TrimtabError):
        return RuntimeError(f"{name}: {what}")
    # A class that shows more than the five parts cannot be made from them.
    kind = kind if kind.__str__ is TrimtabError.__str__ else TrimtabError
    error = kind.__new__(kind)
    TrimtabError.__init__(error, what, **dict(zip(("where", "allowed", "got", "do"), rest, strict=True)))
    return error
