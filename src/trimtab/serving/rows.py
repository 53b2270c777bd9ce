"""The rows of a request: how many they may be, their keys, and their instants."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import InvalidValue, NaiveTime, RequestInvalid, shown
from trimtab.kernel.moment import parse_instant, to_us
from trimtab.ports.typed_rows import TypedRows

ClockMode: TypeAlias = Literal["now", "request"]
AS_OF = "as_of"
_PLACE = re.compile(r"instances\[(\d+)\](?:\.(.*))?", re.DOTALL)
_LATEST_US = to_us(datetime.fromisoformat("9999-12-31T23:59:59+00:00"))


def check_number(rows: int, where: str, max_rows: int) -> None:
    """That a request has rows, and not too many.

    Raises:
        RequestInvalid: it has none, or more than `max_rows`.
    """
    if not 0 < rows <= max_rows:
        raise RequestInvalid(
            "the number of rows is not allowed",
            where=where,
            allowed=f"1 to {max_rows} rows",
            got=f"{rows} rows",
            do="send the rows in several requests" if rows else "send at least one row",
        )


def instants(
    rows: Sequence[dict[str, Json]], *, mode: ClockMode, now_us: int
) -> tuple[Sequence[dict[str, Json]], list[int]]:
    """The rows without `as_of`, and the instant of each in microseconds since 1970 UTC.

    Raises:
        RequestInvalid: `as_of` where it is not taken, or it is no instant.
    """
    if mode == "now":
        # A field of this name cannot be declared.
        for index, row in () if isinstance(rows, TypedRows) else enumerate(rows):
            if AS_OF in row:
                raise RequestInvalid(
                    f"'{AS_OF}' is not taken by this server",
                    where=f"instances[{index}].{AS_OF}",
                    allowed="rows without it: each row is answered as of its arrival",
                    got=shown(row[AS_OF]),
                    do=f"leave '{AS_OF}' out; a server for replay is started with the clock of the request",
                )
        return rows, [now_us] * len(rows)
    stripped = [{name: value for name, value in row.items() if name != AS_OF} for row in rows]
    return stripped, [_instant(row.get(AS_OF), index, now_us) for index, row in enumerate(rows)]


def keys_of(rows: Sequence[dict[str, Json]], field: str) -> Sequence[str]:
    """The key of each row: see `key_of`."""
    if isinstance(rows, TypedRows) and (field, "String") in rows.fields:
        keys: list[str] = rows.column(field)
        if all(keys):
            return keys
    return [key_of(row, field, index) for index, row in enumerate(rows)]


def key_of(row: dict[str, Json], field: str, index: int) -> str:
    """The row's key, as text; a new one if the release names no field for it.

    Raises:
        RequestInvalid: missing, or neither text nor an integer.
    """
    if not field:
        return os.urandom(8).hex()
    value = row.get(field)
    if (isinstance(value, str) and value) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise RequestInvalid(
        f"the row has no key '{field}'",
        where=f"instances[{index}].{field}",
        allowed="text that is not empty, or an integer",
        got="nothing" if field not in row else shown(value),
        do=f"send '{field}' with each row: labels are joined by it",
    )


def place(where: str) -> tuple[int, str] | None:
    """The row, and the field or nothing, that an error about rows names; None for an error about something else.

    >>> place("instances[3].x"), place("instances[3]"), place("body")
    ((3, 'x'), (3, ''), None)
    """
    found = _PLACE.fullmatch(where)
    return None if found is None else (int(found[1]), found[2] or "")


def _instant(value: Json, index: int, now_us: int) -> int:
    if value is None:
        return now_us
    got = shown(value)
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
