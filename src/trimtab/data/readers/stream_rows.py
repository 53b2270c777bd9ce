"""Rows for a stream, held to its declaration: JSON, Python dictionaries or frames in, a frame of its types out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import polars as pl

from trimtab.kernel.errors import RequestInvalid, RowsRefused, listed, shown

INSTANT = pl.Datetime("us", "UTC")
OLDEST, NEWEST = (
    datetime(1, 1, 3, tzinfo=UTC),
    datetime(9999, 12, 30, tzinfo=UTC),
)  # each has a datetime in every zone
Row: TypeAlias = tuple[Any, ...]  # values in the order of the columns
_SHAPE = '{"rows": [{column: value, …}, …]}'
_PLACE = re.compile(r"(.*) - at `\$\.rows\[(\d+)\](?:\.(.*?))?((?:\[\d+\])*)`", re.DOTALL)
_WHOLE: dict[type[pl.DataType], int] = {
    pl.Int8: 8,
    pl.Int16: 16,
    pl.Int32: 32,
    pl.Int64: 64,
    pl.UInt8: -8,
    pl.UInt16: -16,
    pl.UInt32: -32,
}
_PLAIN: dict[type[pl.DataType], Any] = {
    pl.String: str,
    pl.Boolean: bool,
    pl.Float64: float,
    pl.Float32: Annotated[float, msgspec.Meta(ge=-3.4028234663852886e38, le=3.4028234663852886e38)],
    pl.Date: date,
    pl.Binary: bytes,
}
ALLOWED = listed([*(one.__name__ for one in (*_PLAIN, *_WHOLE)), "Enum", "List of these"], most=99) + (
    ", and for instants Datetime('us', 'UTC')"
)
_MEND = "mend the row and send all rows again: none was accepted"


def json_type(kind: pl.DataType) -> Any:
    """What JSON and Python values of a column are held to; None for a type that a stream cannot have."""
    if kind == INSTANT:
        return Annotated[datetime, msgspec.Meta(tz=True)]
    if isinstance(kind, pl.Enum):
        return Literal[tuple(kind.categories)] if len(kind.categories) else None
    if isinstance(kind, pl.List):
        inner = json_type(kind.inner if isinstance(kind.inner, pl.DataType) else kind.inner())
        return inner and list[inner | None]  # type: ignore[valid-type]
    bits = _WHOLE.get(type(kind), 0)
    if bits:
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if bits > 0 else (0, (1 << -bits) - 1)
        return Annotated[int, msgspec.Meta(ge=low, le=high)]
    return _PLAIN.get(type(kind))


class StreamRows:
    """The types of one stream.

    >>> rows = StreamRows("clicks", pl.Schema({"id": pl.String(), "at": INSTANT}), required=["id"], known="at")
    >>> rows.frame(rows.from_json(b'{"rows": [{"id": "a"}]}', most=10), now=NEWEST).rows()
    [('a', None)]
    """

    def __init__(self, source: str, schema: pl.Schema, *, required: Collection[str], known: str) -> None:
        """
        Args:
            source: the stream's name.
            schema: columns of types that `json_type` knows.
            required: columns that must have a value; the others are null where a row leaves them out.
            known: the column with the known time.
        """
        self.known = known
        self._source = source
        self._schema = schema
        self._required = frozenset(required)
        fields = [
            (f"f{n}", json_type(kind)) if name in required else (f"f{n}", json_type(kind) | None, None)
            for n, (name, kind) in enumerate(schema.items())
        ]
        row = msgspec.defstruct(
            "Row",
            fields,
            kw_only=True,
            forbid_unknown_fields=True,
            rename={f"f{n}": name for n, name in enumerate(schema)},
        )
        self._kind: Any = msgspec.defstruct("Rows", [("rows", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type]
        self._decode = msgspec.json.Decoder(self._kind).decode

    def from_json(self, body: bytes, *, most: int) -> list[Row]:
        """The rows of a request.

        Raises:
            RequestInvalid: not JSON, not of this shape, no rows, or more than `most`.
            RowsRefused: a row that the stream does not take.
        """
        rows = self._rows(lambda: self._decode(body), lambda: msgspec.json.decode(body))
        if not 0 < len(rows) <= most:
            raise _wrong_count(len(rows), f"1 to {most} rows")
        return rows

    def from_python(self, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Dictionaries, with times as datetimes or as ISO 8601 text; raises as `from_json`."""
        every: list[Any] = list(rows)
        sent = {"rows": [dict(one) if isinstance(one, Mapping) else one for one in every]}
        if not every:
            raise _wrong_count(0, "at least 1 row")
        return self._rows(lambda: msgspec.convert(sent, self._kind), lambda: sent)

    def frame(self, rows: Iterable[Row], *, now: datetime) -> pl.DataFrame:
        """Rows of one or more requests as one frame.

        Raises:
            RowsRefused: an instant out of range, or a known time later than now.
        """
        columns = zip(*rows, strict=True)
        kinds = self._schema.items()
        made = [pl.Series(name, values, dtype=kind) for (name, kind), values in zip(kinds, columns, strict=True)]
        return self._in_time(pl.DataFrame(made), now)

    def from_frame(self, frame: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
        """A frame with columns of the stream's types, or of others that hold the same values.

        Raises:
            RequestInvalid: no rows.
            RowsRefused: it does not fit.
        """
        if frame.is_empty():
            raise _wrong_count(0, "at least 1 row")
        for name in frame.columns:
            if name not in self._schema:
                raise self._stranger(f"column {name}", name)
        for name in self._required:
            if name not in frame.columns:
                raise self._refused("a column is missing", f"column {name}", f"'{name}'", listed(frame.columns))
        whole = pl.DataFrame([self._cast(frame, name, kind) for name, kind in self._schema.items()])
        for name in self._required:
            if whole[name].null_count():
                row = whole[name].is_null().arg_max()
                raise self._refused("a value is missing", f"rows[{row}].{name}", _told(self._schema[name]), "null")
        return self._in_time(whole, now)

    def _in_time(self, rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
        for name, kind in self._schema.items():
            if kind == INSTANT:
                newest = now if name == self.known else NEWEST
                if not rows[name].is_between(OLDEST, newest).all():  # nulls are left out
                    raise self._out_of_time(rows, name, newest)
        return rows

    def _out_of_time(self, rows: pl.DataFrame, name: str, newest: datetime) -> RowsRefused:
        row = (~rows[name].is_between(OLDEST, newest)).fill_null(value=False).arg_max() or 0
        future = name == self.known and (rows[name][row : row + 1] > newest).all()
        what = "a row cannot have become known in the future" if future else "an instant out of range"
        clock = ", the server's clock, or null" if future else ""
        got = rows[name][row : row + 1].dt.to_string("iso")[0]
        where = f"rows[{row}].{name}"
        return self._refused(what, where, f"{OLDEST.isoformat()} to {newest.isoformat()}{clock}", got)

    def _rows(self, read: Callable[[], Any], plainly: Callable[[], Any]) -> list[Row]:
        try:
            return list(map(msgspec.structs.astuple, read().rows))
        except msgspec.ValidationError as error:
            found = _PLACE.fullmatch(str(error))
            if found is None:
                raise _misshapen(error) from error
            try:
                rows = plainly()["rows"]
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as worse:
                raise _misshapen(worse) from worse
            raise self._told(found, rows) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _misshapen(error) from error

    def _told(self, found: re.Match[str], rows: Any) -> RowsRefused:
        """The error of one row, from what the decoder says of it."""
        said, row, column, inner = found[1], int(found[2]), found[3], found[4]
        place = f"rows[{row}]" + (f".{column}{inner}" if column else "")
        sent = rows[row]
        if column is not None and column not in self._schema:  # brackets may belong to a name
            column, inner = column + inner, ""
        if column is None:
            if not isinstance(sent, Mapping):
                return self._refused("a row is no object", place, "{column: value, …}", _shown(sent))
            strangers = [name for name in sent if name not in self._schema]
            if strangers:
                return self._stranger(f"{place}.{strangers[0]}", strangers[0])
            missing = next(name for name in self._schema if name in self._required and name not in sent)
            kind = _told(self._schema[missing])
            return self._refused("a value is missing", f"{place}.{missing}", kind, "nothing")
        what = "a time without a zone" if "timezone component" in said else "a value that the column cannot have"
        kind = _told(self._schema[column]) + ("" if column in self._required else ", or null")
        what = "a value is missing" if sent[column] is None else what
        return self._refused(what, place, kind, _shown(sent[column]))

    def _stranger(self, place: str, name: str) -> RowsRefused:
        return self._refused("an unknown column", place, f"columns {listed(self._schema)}", name)

    def _refused(self, what: str, where: str, allowed: str, got: str) -> RowsRefused:
        return RowsRefused(self._source, what, where=where, allowed=allowed, got=got, do=_MEND)

    def _cast(self, frame: pl.DataFrame, name: str, kind: pl.DataType) -> pl.Series:
        if name not in frame.columns:
            return pl.Series(name, [None], dtype=kind).new_from_index(0, frame.height)
        held = frame[name]
        if held.dtype == kind:
            return held
        if isinstance(held.dtype, pl.Datetime) and held.dtype.time_zone is None:
            raise self._refused("a time without a zone", f"column {name}", _told(kind), str(held.dtype))
        try:
            if not _holds(held.dtype, kind):
                raise pl.exceptions.InvalidOperationError(str(held.dtype))
            if isinstance(held.dtype, pl.Datetime):
                held = held.dt.convert_time_zone("UTC")
            return held.cast(kind)
        except pl.exceptions.PolarsError as error:
            got = f"{held.dtype}: {str(error).splitlines()[0]}"[:200]
            raise self._refused("a column of another type", f"column {name}", _told(kind), got) from error


def _holds(held: pl.DataType, kind: pl.DataType) -> bool:
    """Whether a column's values may be those of another type, each to be looked at as it is cast."""
    if held == pl.Null:
        return True
    if kind.is_integer():
        return held.is_integer()
    if kind.is_float():
        return held.is_numeric()
    if kind == INSTANT:
        return isinstance(held, pl.Datetime)
    if isinstance(kind, pl.String | pl.Enum):
        return isinstance(held, pl.String | pl.Enum | pl.Categorical)
    if isinstance(kind, pl.List) and isinstance(held, pl.List):
        return _holds(held.inner, kind.inner)  # type: ignore[arg-type]
    return held == kind


def _shown(value: object) -> str:
    return "null" if value is None else shown(value)


def _told(kind: pl.DataType) -> str:
    if kind == INSTANT:
        return "an instant with a zone, e.g. 2013-04-01T00:00:00+00:00"
    if isinstance(kind, pl.Enum):
        return f"one of {listed(kind.categories)}"
    return str(kind)


def _misshapen(error: Exception) -> RequestInvalid:
    return RequestInvalid(
        "the body holds no rows to append",
        where="body",
        allowed=_SHAPE,
        got=str(error) or type(error).__name__,
        do="send JSON of that shape",
    )


def _wrong_count(count: int, allowed: str) -> RequestInvalid:
    return RequestInvalid(
        "the number of rows is not allowed",
        where="rows",
        allowed=allowed,
        got=f"{count} rows",
        do="send the rows in several requests" if count else "send at least one row",
    )
