"""Migrations: from empty, twice, at once, and never backwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import trimtab.adapters
from trimtab.adapters.database import Database
from trimtab.adapters.journal_schema import REVISION, metadata
from trimtab.adapters.migrate import migrate
from trimtab.kernel.errors import ProjectInvalid

OPEN = """
import sys
from trimtab.adapters.database import Database
from trimtab.adapters.migrate import migrate
sys.stdin.readline()
database = Database(sys.argv[1])
migrate(database)
database.close()
"""


def test_migrated_tables_are_the_declared_ones(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_migrating_again_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    assert database.needs_migration()
    migrate(database)
    assert not database.needs_migration()
    with database.writing() as connection:
        connection.execute(text("INSERT INTO step_result (key, result) VALUES ('k', '{}')"))
    migrate(database)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM step_result")).scalar() == 1
    database.close()


def test_a_failed_migration_leaves_nothing_behind(database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE outbox (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(database)
    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["outbox"]
    database.close()


def test_processes_that_open_an_empty_database_at_once_take_turns(database_url: str, tmp_path: Path) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPEN, database_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,  # no alembic.ini here
        )
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [(opener.communicate(timeout=60)[1], opener.returncode) for opener in openers] == [("", 0)] * 3
    database = Database(database_url)
    assert not database.needs_migration()
    database.close()


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ProjectInvalid, match=r"(?s)newer Trimtab.*9999"):
        migrate(database)


def test_the_declared_revision_is_the_newest_file() -> None:
    folder = Path(trimtab.adapters.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == REVISION
    assert [path.name[:4] for path in sorted((folder / "versions").glob("*.py"))][-1] == REVISION
