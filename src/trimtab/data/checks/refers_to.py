"""A reference: each value of a column must be there in another source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from trimtab.data.actions import ACTIONS
from trimtab.data.checks.check import Delivery, Finding, wrong_action
from trimtab.kernel.errors import Misdeclared, TrimtabError, listed
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class RefersTo:
    """A row without a value refers to nothing, and passes."""

    to: Source
    column: str
    key: str
    action: str
    place: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        other = "" if self.key == self.column else f", key={self.key}"
        return f"refers_to({self.to.name}, {self.column}{other})"

    def problems(self, source: Source, schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:
        """What is wrong with its settings."""
        yield from wrong_action(self, self.place, ACTIONS)
        for of, column in ((source, self.column), (self.to, self.key)):
            schema = schemas.get(of.name)
            if schema is not None and column not in schema:
                yield Misdeclared(
                    "source",
                    source.name,
                    f"{self.name} names a column that does not exist",
                    where=self.place,
                    allowed=f"columns of source '{of.name}': {listed(schema)}",
                    got=column,
                    do="name one of the columns",
                )

    def find(self, delivery: Delivery) -> Finding | None:
        """Look the values up in all rows of the other source that are known by now."""
        if not delivery.rows.height:
            return None
        others = delivery.held_by(self.to.name)
        if others is None:
            return Finding(f"{self.name}: cannot be checked before {self.to.name} has its first version")
        asked = delivery.rows[self.column]
        wanted = asked.drop_nulls().unique()
        kept = others.select(pl.col(self.key).cast(asked.dtype)).filter(pl.col(self.key).is_in(wanted.implode()))
        there = kept.unique().collect().to_series()
        missing = ~asked.is_in(there.implode()) & asked.is_not_null()
        if not missing.any():
            return None
        examples = asked.filter(missing).unique().sort().head(3).to_list()
        return Finding(f"{self.name}: not there, e.g. {listed(map(str, examples))}", missing)


def refers_to(to: Source, column: str, *, key: str = "", action: str = "quarantine") -> RefersTo:
    """Each value of a column is there in another source.

    A source that is declared before the one it refers to sees that one as of the turn before.

    Args:
        to: the other source.
        column: of this source.
        key: the other source's column; of the same name if not given.
        action: "quarantine" (the rows), "warn" or "block".
    """
    return RefersTo(to, column, key or column, action, caller())
