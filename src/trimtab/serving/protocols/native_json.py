"""The native protocol: `POST /v1/systems/{system}/predict`.

    request   {"instances": [{field: value, …, "as_of": instant}, …]}
    answer    {"system", "generation", "predictions": [{"id", "key", "release", "score", "missing": [view, …]}, …]}

What a row was answered without is told with it: in "missing" the views that had no fact for it, seen by the model
as nulls; in "stale" those of them whose newest fact was too old, with its age in microseconds; in "null" features
without a value whose view did have a fact. "stale" and "null" are left out where there is nothing to tell.

`as_of` (ISO 8601 with a zone, or microseconds since 1970 UTC) is taken only by a server that was started for
replay or simulation; elsewhere a client could choose what the features knew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import InvalidValue, NaiveTime, RequestInvalid
from trimtab.kernel.moment import parse_instant, to_us

ClockMode: TypeAlias = Literal["now", "request"]
AS_OF = "as_of"
_SHAPE = '{"instances": [{field: value, …}, …]}'
_LATEST_US = to_us(datetime.fromisoformat("9999-12-31T23:59:59+00:00"))


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    instances: list[dict[str, Any]]


class Answered(msgspec.Struct, omit_defaults=True):
    """One row's answer."""

    id: str
    key: str
    release: str  # that answered this row
    score: float
    missing: list[str]  # feature views that had no fact for this row, or too old a one
    stale: Mapping[str, int] = msgspec.field(default_factory=dict)  # those that had too old a one: its age_us
    null: list[str] = msgspec.field(default_factory=list)  # features without a value, of views that are not missing


class Answer(msgspec.Struct):
    """The answer to one request."""

    system: str
    generation: int
    predictions: list[Answered]


_decode = msgspec.json.Decoder(_Request).decode
encode = msgspec.json.Encoder().encode


def decode(body: bytes, *, max_rows: int) -> list[dict[str, Json]]:
    """The rows of a request.

    Raises:
        RequestInvalid: not JSON, not of this shape, no rows, or too many.
    """
    try:
        rows = _decode(body).instances
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid(
            "the body is not a prediction request",
            where="body",
            allowed=_SHAPE,
            got=str(error) or type(error).__name__,
            do="send JSON of that shape",
        ) from error
    if not 0 < len(rows) <= max_rows:
        raise RequestInvalid(
            "the number of rows is not allowed",
            where="instances",
            allowed=f"1 to {max_rows} rows",
            got=f"{len(rows)} rows",
            do="send the rows in several requests" if rows else "send at least one row",
        )
    return rows


def instants(
    rows: Sequence[dict[str, Json]], *, mode: ClockMode, now_us: int
) -> tuple[Sequence[dict[str, Json]], list[int]]:
    """The rows without `as_of`, and the instant of each in microseconds since 1970 UTC.

    Raises:
        RequestInvalid: `as_of` where it is not taken, or it is no instant.
    """
    if mode == "now":
        for index, row in enumerate(rows):
            if AS_OF in row:
                raise RequestInvalid(
                    f"'{AS_OF}' is not taken by this server",
                    where=f"instances[{index}].{AS_OF}",
                    allowed="rows without it: each row is answered as of its arrival",
                    got=repr(row[AS_OF]),
                    do=f"leave '{AS_OF}' out; a server for replay is started with the clock of the request",
                )
        return rows, [now_us] * len(rows)
    stripped = [{name: value for name, value in row.items() if name != AS_OF} for row in rows]
    return stripped, [_instant(row.get(AS_OF), index, now_us) for index, row in enumerate(rows)]


def key_of(row: dict[str, Json], field: str, index: int) -> str:
    """The row's key, as text.

    Raises:
        RequestInvalid: missing, or neither text nor an integer.
    """
    value = row.get(field)
    if (isinstance(value, str) and value) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise RequestInvalid(
        f"the row has no key '{field}'",
        where=f"instances[{index}].{field}",
        allowed="text that is not empty, or an integer",
        got="nothing" if field not in row else repr(value)[:100],
        do=f"send '{field}' with each row: labels are joined by it",
    )


def _instant(value: Json, index: int, now_us: int) -> int:
    if value is None:
        return now_us
    got = repr(value)[:100]
    if isinstance(value, int) and not isinstance(value, bool):
        at_us = value
    elif isinstance(value, str):
        try:
            at_us = to_us(parse_instant(value))
        except (InvalidValue, NaiveTime, OverflowError):
            at_us = -1
    else:
        at_us = -1
    if 0 <= at_us <= _LATEST_US:
        return at_us
    raise RequestInvalid(
        f"'{AS_OF}' is no instant",
        where=f"instances[{index}].{AS_OF}",
        allowed="ISO 8601 with a zone, or integer microseconds, from 1970 to 9999",
        got=got,
        do="send e.g. 2013-04-01T00:00:00+00:00, or 1364774400000000",
    )
