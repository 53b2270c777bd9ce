"""The types in which a source's rows are stored: those that every table format keeps as they are."""

from __future__ import annotations

import polars as pl
from polars._typing import PolarsDataType

from trimtab.kernel.errors import ContractBreach
from trimtab.kernel.source import Source

_INSTANT = pl.Datetime("us", "UTC")
_WIDER: dict[type[pl.DataType], pl.DataType] = {
    **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32), pl.Int64()),
    **dict.fromkeys((pl.Categorical, pl.Enum), pl.String()),
}
_KEPT = (pl.Int64, pl.Float32, pl.Float64, pl.Decimal, pl.Boolean, pl.String, pl.Binary, pl.Date)


def stored_schema(source: Source, schema: pl.Schema) -> pl.Schema:
    """The columns' types once stored: whole numbers with 64 bits, categories as strings, instants in UTC.

    Raises:
        ContractBreach: a column of a type that cannot be stored.
    """
    return pl.Schema({name: _stored(source, name, kind) for name, kind in schema.items()})


def _stored(source: Source, column: str, kind: pl.DataType) -> pl.DataType:
    if isinstance(kind, pl.Datetime):
        return _INSTANT if kind.time_zone else pl.Datetime("us")
    if type(kind) in _WIDER:
        return _WIDER[type(kind)]
    if isinstance(kind, pl.List):
        return pl.List(_stored(source, column, _type(kind.inner)))
    if isinstance(kind, pl.Struct):
        return pl.Struct({one.name: _stored(source, column, _type(one.dtype)) for one in kind.fields})
    if not isinstance(kind, _KEPT):
        raise ContractBreach(
            source.name,
            allowed="numbers up to 64 bits, booleans, strings, bytes, dates, datetimes; lists and structs of them",
            got=f"column '{column}' of type {kind}",
            do="convert the column where the source is read",
        )
    return kind


def _type(kind: PolarsDataType) -> pl.DataType:
    return kind if isinstance(kind, pl.DataType) else kind()
