"""The rows of a request as columns, or as a frame, of the declared types; what does not fit is named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from types import NoneType
from typing import Any, NoReturn, TypeAlias

import polars as pl

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import Misdeclared, RequestInvalid, TrimtabError, listed, shown
from trimtab.kernel.moment import aware, from_us, parse_instant

Cells: TypeAlias = "list[Json | datetime]"

_TIME = "Datetime(time_unit='us', time_zone='UTC')"
TYPES: dict[str, pl.DataType] = {
    "String": pl.String(),
    "Int64": pl.Int64(),
    "Float64": pl.Float64(),
    "Boolean": pl.Boolean(),
    _TIME: pl.Datetime("us", "UTC"),
}
_PYTHON: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Int64": (int,),
    "Float64": (float, int),
    "Boolean": (bool,),
    _TIME: (str, int, datetime),
}
_PLAIN: dict[str, type] = {"String": str, "Int64": int, "Float64": float, "Boolean": bool}
_RANGES = {
    "String": "text that UTF-8 can carry",
    "Int64": "whole numbers of 64 bits",
    "Float64": "finite numbers",
    _TIME: "an ISO 8601 time with a zone, or microseconds since 1970 UTC",
}


def request_type(field: str, kind: pl.DataType, place: str) -> str:
    """The type of a request field, by the type of the source's column.

    Raises:
        Misdeclared: a type that JSON cannot carry.
    """
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return _TIME
    if kind.is_integer():
        return "Int64"
    if kind.is_float():
        return "Float64"
    if str(kind) in TYPES:
        return str(kind)
    raise Misdeclared(
        "request field",
        field,
        "has a type that a request cannot carry",
        where=place,
        allowed=listed(TYPES),
        got=str(kind),
        do="leave the field out of the request, or convert the source's column",
    )


def request_frame(rows: Sequence[JsonMap], fields: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """One column a field, one row a row.

    Raises:
        RequestInvalid: a field is missing, unknown or of the wrong type.
    """
    return frame_of(request_columns(rows, fields), fields)


def frame_of(columns: Mapping[str, Cells], fields: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """Columns of `request_columns` as a frame."""
    return pl.DataFrame([pl.Series(name, columns[name], TYPES[kind]) for name, kind in fields])


def request_columns(rows: Sequence[JsonMap], fields: Sequence[tuple[str, str]]) -> dict[str, Cells]:
    """The cells of each field, as a frame of the declared types has them.

    Raises:
        RequestInvalid: a field is missing, unknown or of the wrong type.
    """
    order = tuple(name for name, _ in fields)
    names = set(order)
    in_order = True
    for number, row in enumerate(rows):
        if tuple(row) != order:
            in_order = False
            if row.keys() != names:
                _refuse_fields(number, row, order)
    if rows and in_order:  # as one client's rows mostly are: turned into columns at once
        columns: list[Any] = list(map(list, zip(*(row.values() for row in rows), strict=True)))
        named = list(zip(columns, fields, strict=True))
        plain = _plain_floats([column for column, (_, kind) in named if kind == "Float64"])
        return {
            name: column if plain and kind == "Float64" else _column(column, name, kind)
            for column, (name, kind) in named
        }
    return {name: _column([row[name] for row in rows], name, kind) for name, kind in fields}


def _plain_floats(columns: Sequence[Sequence[Any]]) -> bool:
    """Whether all cells are finite floats, as those of most requests are: one look, and not one a column."""
    return set(map(type, chain.from_iterable(columns))) == {float} and math.isfinite(sum(map(sum, columns)))


def request_row(row: JsonMap, fields: Sequence[tuple[str, str]]) -> dict[str, Json | datetime]:
    """The cell of each field, as `request_columns` makes them of one row.

    Raises:
        RequestInvalid: a field is missing, unknown or of the wrong type.
    """
    if len(row) != len(fields):
        _refuse_fields(0, row, [name for name, _ in fields])
    cells: dict[str, Json | datetime] = {}
    for name, kind in fields:
        try:
            value = row[name]
        except KeyError:
            _refuse_fields(0, row, [name for name, _ in fields])
        plain = type(value)
        if (plain is float and kind == "Float64" and math.isfinite(value)) or (  # type: ignore[arg-type]
            plain is str and kind == "String" and value.isascii()  # type: ignore[union-attr]
        ):
            cells[name] = value
        else:
            cells[name] = _cell(value, name, kind, 0)
    return cells


def _column(values: list[Json], name: str, kind: str) -> Cells:
    """At once if all cells are plainly of the type; else, or if one is out of range, cell by cell."""
    types = set(map(type, values))
    if types <= {_PLAIN.get(kind), NoneType}:
        some: Any = values if NoneType not in types else [value for value in values if value is not None]
        if not some or _all_in_range(some, kind):
            return values  # type: ignore[return-value]
    return [_cell(value, name, kind, number) for number, value in enumerate(values)]


def _all_in_range(values: list[Any], kind: str) -> bool:
    """Of values of the kind's plain type."""
    match kind:
        case "String":
            with suppress(UnicodeEncodeError):
                "".join(values).encode()
                return True
            return False
        case "Int64":
            return bool(min(values) >= -(2**63) and max(values) < 2**63)
        case "Float64":
            # A sum is finite only if all are; that of finite ones may overflow.
            return math.isfinite(sum(values)) or all(map(math.isfinite, values))
    return True


def _cell(value: Json, name: str, kind: str, number: int) -> Json | datetime:
    if value is None:
        return None
    if not isinstance(value, _PYTHON[kind]) or (isinstance(value, bool) and kind != "Boolean"):
        raise RequestInvalid(
            f"field '{name}' has the wrong type",
            where=f"instances[{number}].{name}",
            allowed="an ISO 8601 time with a zone, or microseconds since 1970 UTC" if kind == _TIME else kind,
            got=f"{type(value).__name__}: {shown(value)}",
            do="send the field with the type that the system declares",
        )
    try:
        return _in_range(value, name, kind)
    except (OverflowError, ValueError, TrimtabError):
        raise RequestInvalid(
            f"field '{name}' is out of range",
            where=f"instances[{number}].{name}",
            allowed=_RANGES.get(kind, ""),
            got=shown(value),
            do="send a value of the range allowed, or null",
        ) from None


def _in_range(value: Any, name: str, kind: str) -> Json | datetime:
    """The value as its column takes it; raises ValueError, OverflowError or TrimtabError."""
    if kind == _TIME:
        return _instant(value, name)
    if kind == "Int64" and not -(2**63) <= value < 2**63:
        raise OverflowError
    if kind == "Float64" and not math.isfinite(value := float(value)):
        raise ValueError
    if kind == "String":
        value.encode()  # JSON can carry half a surrogate pair, UTF-8 cannot
    return value  # type: ignore[no-any-return]


def _instant(value: object, name: str) -> datetime:
    if isinstance(value, datetime):
        return aware(value, name)
    return from_us(value) if isinstance(value, int) else parse_instant(str(value), name)


def _refuse_fields(number: int, row: JsonMap, names: Sequence[str]) -> NoReturn:
    missing = [name for name in names if name not in row]
    unknown = [name for name in row if name not in names]
    raise RequestInvalid(
        "fields are missing" if missing else "fields are unknown",
        where=f"instances[{number}]",
        allowed=listed(names),
        got=f"missing {listed(missing)}; unknown {listed(unknown)}",
        do="send exactly the fields of the request; null for what is not known",
    )
