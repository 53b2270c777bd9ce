"""Features that a request brings itself: held to the names and kinds of a release, in place of a look-up.

A row that brings all features of a release under "features" needs no other field but its key; what it brings
beside is recorded with it. Its record says that nothing was looked up: the request holds "features", and no view
has an age.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import polars as pl

from trimtab.features.request_frame import request_columns
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import RequestInvalid, listed
from trimtab.kernel.feature_schema import Feature
from trimtab.ports.feature_reader import FeatureBlock

GIVEN = "features"
_ROW = re.compile(r"instances\[(\d+)\]")
Read: TypeAlias = Callable[[Sequence[JsonMap], Sequence[int]], FeatureBlock]


class GivenFeatures:
    """Of one release."""

    def __init__(self, features: Sequence[Feature], request: Sequence[tuple[str, str]], key: str) -> None:
        self._numeric = {one.name: one.categories is None for one in features}
        self._request = dict(request)
        self._key = key

    def among(self, rows: Sequence[JsonMap]) -> bool:
        """Whether some rows bring their features. A request field of that name leaves no room for them."""
        return GIVEN not in self._request and any(GIVEN in row for row in rows)

    def read(self, rows: Sequence[JsonMap], at_us: Sequence[int], look_up: Read) -> FeatureBlock:
        """The features of each row: those that it brings, or else what is looked up.

        Raises:
            RequestInvalid: features or fields are missing, unknown or of the wrong type.
        """
        given = {number: self._values(row, number) for number, row in enumerate(rows) if GIVEN in row}
        left = [number for number in range(len(rows)) if number not in given]
        block = FeatureBlock([], [])
        if left:
            with _places(left):
                block = look_up([rows[number] for number in left], [at_us[number] for number in left])
        values: list[Sequence[Json]] = [given.get(number, []) for number in range(len(rows))]
        ages_us: list[Sequence[int | None]] = [[] for _ in rows]
        for place, number in enumerate(left):
            values[number], ages_us[number] = block.values[place], block.ages_us[place]
        return FeatureBlock(values, ages_us, {left[place]: ages for place, ages in block.stale_us.items()})

    def _values(self, row: JsonMap, number: int) -> list[Json]:
        """In the release's order."""
        self._check_fields(row, number)
        sent = row[GIVEN]
        place = f"instances[{number}].{GIVEN}"
        if not isinstance(sent, Mapping):
            raise _wrong("it brings no features", place, '{"view.column": value, …}', type(sent).__name__)
        if sent.keys() != self._numeric.keys():
            missing = [name for name in self._numeric if name not in sent]
            unknown = [name for name in sent if name not in self._numeric]
            what = "features are missing" if missing else "features are unknown"
            got = f"missing {listed(missing)}; unknown {listed(unknown)}"
            raise _wrong(what, place, listed(self._numeric), got)
        for name, numeric in self._numeric.items():
            if not (_is_number(sent[name]) if numeric else _is_text(sent[name])):
                allowed = "a finite number of 64 bits, true, false or null" if numeric else "text or null"
                what = f"feature '{name}' has the wrong type"
                raise _wrong(
                    what, f"{place}.{name}", allowed, f"{type(sent[name]).__name__}: {str(sent[name])[:80]}"
                )
        return [sent[name] for name in self._numeric]

    def _check_fields(self, row: JsonMap, number: int) -> None:
        """The key must be there, the other fields may; what is there is held to its type."""
        sent = {name: value for name, value in row.items() if name != GIVEN}
        unknown = [name for name in sent if name not in self._request]
        if unknown or (self._key and self._key not in sent):
            got = f"unknown {listed(unknown)}" if unknown else f"no {self._key}"
            what = "fields are unknown" if unknown else "fields are missing"
            raise _wrong(what, f"instances[{number}]", f"{listed(self._request)}, {GIVEN}", got)
        with _places([number]):
            request_columns([sent], [(name, self._request[name]) for name in sent])


def looked_up() -> pl.Expr:
    """Whether the features of a recorded answer were looked up, from its `request`: JSON, written compactly.

    Within texts, quotes are escaped; and no other field holds an object.
    """
    return ~pl.col("request").str.contains(f'"{GIVEN}":{{', literal=True)


@contextmanager
def _places(rows: Sequence[int]) -> Iterator[None]:
    """Errors about some rows of a request name them by their places in it."""
    try:
        yield
    except RequestInvalid as error:
        found = _ROW.match(error.where)
        if found is None:
            raise
        raise error.at(f"instances[{rows[int(found[1])]}]{error.where[found.end() :]}") from None


def _is_number(value: Json) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return isinstance(value, float) and math.isfinite(value)


def _is_text(value: Json) -> bool:
    if not isinstance(value, str):
        return value is None
    try:
        value.encode()  # JSON can carry half a surrogate pair, UTF-8 cannot
    except UnicodeEncodeError:
        return False
    return True


def _wrong(what: str, where: str, allowed: str, got: str) -> RequestInvalid:
    do = f"send all features of the release under '{GIVEN}', or none and the fields of the request"
    return RequestInvalid(what, where=where, allowed=allowed, got=got, do=do)
