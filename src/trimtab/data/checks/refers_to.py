"""A reference: each value of a column must be there in another source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from trimtab.data.actions import ACTIONS
from trimtab.data.checks.check import Delivery, Finding, wrong_action
from trimtab.data.contract_schema import schema_of
from trimtab.kernel.errors import ContractBreach, Misdeclared, TrimtabError, listed
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
        kinds: list[pl.DataType] = []
        for of, column in ((source, self.column), (self.to, self.key)):
            schema = schemas.get(of.name)
            if schema is None:
                continue
            if column in schema:
                kinds += [] if _coerced(of, column) else [_stored(schema[column])]
            else:
                yield Misdeclared(
                    "source",
                    source.name,
                    f"{self.name} names a column that does not exist",
                    where=self.place,
                    allowed=f"columns of source '{of.name}': {listed(schema)}",
                    got=column,
                    do="name one of the columns",
                )
        if len(kinds) == 2 and not _comparable(*kinds):
            yield Misdeclared(
                "source",
                source.name,
                f"{self.name} compares columns of unlike types",
                where=self.place,
                allowed="the same type on both sides, or numbers",
                got=f"{self.column}: {kinds[0]}, {self.key} of '{self.to.name}': {kinds[1]}",
                do="give both one type where the sources are read, or name another column",
            )

    def find(self, delivery: Delivery) -> Finding | None:
        """Look the values up in all rows of the other source that are known by now.

        Raises:
            ContractBreach: they cannot be looked up there, whatever the check's action is.
        """
        if not delivery.rows.height:
            return None
        others = delivery.held_by(self.to.name)
        if others is None:
            return Finding(f"{self.name}: cannot be checked before {self.to.name} has its first version")
        try:
            asked = delivery.rows[self.column]
            missing = _missing(asked, others.select(self.key))
        except pl.exceptions.PolarsError as error:
            raise ContractBreach(
                delivery.source.name,
                allowed=f"what {self.name} at {self.place} can look up",
                got=f"{self.name}: it cannot be checked: {str(error).splitlines()[0]}",
                do="mend the feed, or change the check; until then older data serve",
            ) from error
        if not missing.any():
            return None
        examples = asked.filter(missing).unique().sort().head(3).to_list()
        return Finding(f"{self.name}: not there, e.g. {listed(map(str, examples))}", missing)


def _missing(asked: pl.Series, others: pl.LazyFrame) -> pl.Series:
    """Whether a value is not in the one column of the others; False for nothing."""
    kind = others.collect_schema().dtypes()[0]
    if not _comparable(asked.dtype, kind):
        raise pl.exceptions.SchemaError(f"{asked.dtype} is compared with {kind}")
    both = kind if kind == asked.dtype else pl.Float64()
    wanted = asked.cast(both)
    kept = others.select(pl.all().cast(both)).filter(pl.all().is_in(wanted.drop_nulls().unique().implode()))
    there = kept.unique().collect().to_series()
    return ~wanted.is_in(there.implode()) & asked.is_not_null()


def _comparable(one: pl.DataType, other: pl.DataType) -> bool:
    return one == other or (one.is_numeric() and other.is_numeric())


def _stored(kind: pl.DataType) -> pl.DataType:
    """Ignores what storing makes equal: categories are strings, and instants have one zone and unit."""
    if isinstance(kind, pl.Categorical | pl.Enum):
        return pl.String()
    return pl.Datetime("us", "UTC" if kind.time_zone else None) if isinstance(kind, pl.Datetime) else kind


def _coerced(source: Source, column: str) -> bool:
    """Whether the source's contract may give the column another type than its feed has."""
    schema = schema_of(source.contract)
    if schema is None:
        return False
    declared = schema.columns.get(column)
    return bool(schema.coerce or (declared is not None and (declared.coerce or declared.parsers)) or schema.parsers)


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
