"""The database: which URLs, who waits for whom, and what is said when it takes too long."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from trimtab.adapters.database import Database
from trimtab.kernel.errors import Busy, InvalidValue, ProjectInvalid


@pytest.mark.parametrize(
    "url",
    ["trimtab.db", "", "sqlite://", "sqlite:///:memory:", "mysql://root:secret@h/db", "postgresql+asyncpg:///db"],
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"(?s)database URL .*allowed: .*sqlite:///FILE") as refused:
        Database(url)
    assert "secret" not in str(refused.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectInvalid, match=r"(?s)folder does not exist.*none"):
        Database(f"sqlite:///{tmp_path / 'none' / 'trimtab.db'}")


def test_a_password_is_never_shown() -> None:
    assert "secret" not in Database("postgresql+psycopg://ada:secret@host/db").name


def test_whoever_waits_too_long_is_told_so(database: Database, database_url: str) -> None:
    impatient = Database(database_url, busy_timeout_s=0.1)
    with (
        database.writing(),
        pytest.raises(Busy, match=r"(?s)in use by another process.*0\.1 s"),
        impatient.writing(),
    ):
        pass
    with impatient.writing() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    impatient.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_commit_in_sqlite_reaches_the_disk(database: Database) -> None:
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
