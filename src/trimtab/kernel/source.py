"""A source: an input table, when its facts were true, and when they became knowable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trimtab.kernel.place import caller


@dataclass(frozen=True, eq=False)
class Source:
    """What is declared about an input table.

    Args:
        name: how views and other declarations refer to it.
        read: where the rows come from: a path, pattern or folder of Parquet or CSV files, or a Delta table's
            folder, relative to the project folder; on an object store (s3://…), the address or pattern of files
            that end in .parquet or .csv, or of a Delta table: any other address there is taken for one, a folder
            of files too; a table or query of a database (`trimtab.sql`); a stream, whose rows are appended here
            (`trimtab.stream`); a Polars, pandas or Arrow frame; or a function that returns one, which is called
            from several threads, perhaps at once.
        event_time: column with the instant at which a row's fact was true; a datetime with a zone.
        known_time: column with the instant at which the fact became knowable; event time if not given.
        key: column, or columns, that name a fact.
        contract: a pandera schema or model for Polars; rows that break it are quarantined.
        description: for people.
        checks: of each delivery, beside the contract: `trimtab.checks`.
        owner: who answers for it, a team or a person; that of its features too, unless they name one.
        personal: columns that hold personal data; () says that none does; None: nobody has said.

    >>> Source("weather", "weather.parquet", event_time="observed_at", key=("origin", "observed_at")).known
    'observed_at'
    """

    name: str
    read: object
    event_time: str
    key: str | tuple[str, ...]
    known_time: str = ""
    contract: Any = None
    description: str = ""
    place: str = field(default_factory=lambda: caller(3))
    checks: Sequence[Any] = ()
    owner: str = ""
    personal: str | Sequence[str] | None = None

    @property
    def known(self) -> str:
        """The column with the known time."""
        return self.known_time or self.event_time

    @property
    def keys(self) -> tuple[str, ...]:
        """The key's columns."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def personal_columns(self) -> tuple[str, ...] | None:
        """Columns that hold personal data; None if nobody has said."""
        if self.personal is None:
            return None
        return (self.personal,) if isinstance(self.personal, str) else tuple(self.personal)

    @property
    def table(self) -> str:
        """The table of accepted rows."""
        return f"sources/{self.name}"
