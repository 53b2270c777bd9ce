"""What Alembic runs for each migration, on the connection (and inside the transaction) that it is given."""

from __future__ import annotations

from alembic import context

from trimtab.adapters.journal_schema import metadata


def run() -> None:
    """Migrate on the caller's connection; the caller commits."""
    # Alembic finds the caller's transaction and opens none: all migrations take effect together, or none.
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic loads this file; any other import must do nothing
    run()
