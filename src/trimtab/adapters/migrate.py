"""Bring a database to the newest schema. Apart from the rest, because Alembic takes about 0.2 s to import."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from trimtab.adapters.database import Database
from trimtab.adapters.journal_schema import REVISION


def migrate(database: Database) -> None:
    """Run the migrations that the database does not have; nothing if it has them all.

    Several processes may call this at once on an empty database: they take turns, and the first one does it.

    Raises:
        ProjectInvalid: the database was written by a newer Trimtab.
        Busy: another process kept the database locked for too long.
    """
    config = Config()
    # Percent signs are doubled because Alembic reads its options with interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with database.writing() as connection:
        if database.needs_migration(connection):
            config.attributes["connection"] = connection
            command.upgrade(config, REVISION)
