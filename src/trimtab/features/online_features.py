"""Features at request time: the request's own, and those of the online store, as of each row's instant.

Frames are made only where features of the request ask for them: a frame costs more than the whole look-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import TypeAlias

import polars as pl

from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation
from trimtab.features.feature_set import FeatureSet, by_view
from trimtab.features.offline import finite
from trimtab.features.online_codec import Bytes, Projected
from trimtab.features.online_windows import put_windows
from trimtab.features.packed_numbers import packed_numbers
from trimtab.features.passed_on import passed_on
from trimtab.features.request_frame import frame_of, request_columns, request_row
from trimtab.features.view import FeatureView
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import NotFound, OnlineStoreUnavailable, RequestInvalid
from trimtab.kernel.lazily import Lazily
from trimtab.kernel.moment import duration_us, from_us
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.online_store import OnlineReader
from trimtab.ports.typed_rows import SentNumbers, TypedRows

Cells = list[list[Json]]  # per row, the values of one view
Ages = list[int | None]
Columns: TypeAlias = "Mapping[str, list[Json | datetime]]"  # of a request
Places = dict[bytes, list[int]]  # by entity: the rows that ask for it
Stale = dict[int, dict[str, int]]


@dataclass(frozen=True)
class _Stored:
    """One view as it is read."""

    view: FeatureView | Aggregation
    by: tuple[str, ...]
    prefix: bytes  # of its keys
    width: int  # how many features it has
    max_age_us: int | None


class OnlineFeatures:
    """Implements FeatureReader for the features of one release."""

    def __init__(
        self, features: FeatureSet, names: Sequence[str], request: Sequence[tuple[str, str]], store: OnlineReader
    ) -> None:
        """Prepare.

        Raises:
            NotFound: a view has never been projected into the store, which would answer nulls for it.
        """
        self.names = tuple(names)
        self.views = tuple(view.name for view in features.stored)
        self._features = features
        self._columns = by_view(names)
        self._request = tuple(request)
        self._store = store
        versions = [features.version_of(view) for view in features.stored]
        self._stored = [
            _stored(view, version, len(self._columns[view.name]))
            for view, version in zip(features.stored, versions, strict=True)
        ]
        self._passed_on = {
            one.name: passed_on(one.function, request, self._columns[one.name]) for one in features.on_request
        }
        kinds = {one.view.name: place for place, one in enumerate(self._stored)}
        # Where the cells of each come from: its place among the stored, or the fields that it passes on.
        self._of_row = [(one.name, kinds.get(one.name)) for one in features.declared]
        self._sent = _sent(features, self._request, self._passed_on)
        self._progress_keys = [codec.projected_key(version) for version in versions]
        self._progress: dict[Bytes, Projected] = {}
        for view, version, progress in zip(self.views, versions, store.get(self._progress_keys), strict=True):
            if progress is None:
                raise NotFound(
                    "projection of view",
                    view,
                    allowed=f"definition {version[:12]} of it in the online store, even if its source is empty",
                    do="project it before its release answers: trimtab tick",
                )

    def read(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """All views of all rows from one snapshot of the store."""
        typed = rows if isinstance(rows, TypedRows) and rows.fields == self._request else None
        if typed is not None and self._sent is not None:
            return _as_sent(typed, self._sent)
        if len(rows) == 1:
            return self._read_row(rows[0] if typed is None else typed, at_us)
        columns: Columns = request_columns(rows, self._request) if typed is None else typed.columns()
        cells = self._of_request(columns)
        ages: list[Ages] = []
        stale: Stale = {}
        entities = {by: _places(columns, by) for by in {one.by for one in self._stored}}
        keys = [one.prefix + entity for one in self._stored for entity in entities[one.by]]
        with self._store.held([*self._progress_keys, *keys]) as held:
            found = iter(held)
            self._check_progress(found, at_us)
            for one in self._stored:
                block, age = self._stored_cells(one, entities[one.by], found, at_us, stale)
                cells[one.view.name] = block
                ages.append(age)
        blocks = [cells[declared.name] for declared in self._features.declared]
        values = blocks[0] if blocks else [[] for _ in rows]
        for block in blocks[1:]:
            values = [row + cell for row, cell in zip(values, block, strict=True)]
        ages_us = [list(row) for row in zip(*ages, strict=True)] if ages else [[] for _ in rows]
        return FeatureBlock(values, ages_us, stale)

    def _read_row(self, row: JsonMap | TypedRows, at_us: Sequence[int]) -> FeatureBlock:
        """What `read` does with several rows, in half the time: most requests have one."""
        columns = row[0] if isinstance(row, TypedRows) else request_row(row, self._request)
        keys = self._progress_keys.copy()
        entities: dict[tuple[str, ...], bytes | None] = {}
        for one in self._stored:
            if one.by not in entities:
                entity = [columns[name] for name in one.by]
                entities[one.by] = None if None in entity else codec.entity_part(entity)  # type: ignore[arg-type]
            part = entities[one.by]
            if part is not None:
                keys.append(one.prefix + part)
        stale: Stale = {}
        cells: list[list[Json]] = []
        ages: Ages = []
        with self._store.held(keys) as held:
            found = iter(held)
            self._check_progress(found, at_us)
            for one in self._stored:
                asked = {b"": [0]} if entities[one.by] is not None else {}
                block, age = self._stored_cells(one, asked, found, at_us, stale)
                cells += block
                ages += age
        values: list[Json] = []
        rest: dict[str, Cells] = {}
        for name, place in self._of_row:
            if place is not None:
                values += cells[place]
            elif (fields := self._passed_on[name]) is not None:
                values += [columns[field] for field in fields]  # type: ignore[misc]
            else:
                rest = rest or self._of_request({field: [cell] for field, cell in columns.items()})
                values += rest[name][0]
        return FeatureBlock([values], [ages], stale)

    def _stored_cells(
        self, one: _Stored, places: Places, found: Iterator[Bytes | None], at_us: Sequence[int], stale: Stale
    ) -> tuple[Cells, Ages]:
        match one.view:
            case FeatureView():
                return _facts(one, places, found, at_us, stale)
            case Aggregation() as view:
                return _windows(view, one.width, places, found, at_us)

    def _of_request(self, columns: Columns) -> dict[str, Cells]:
        """The values of each of the request's own groups of features."""
        cells: dict[str, Cells] = {}
        frame: pl.LazyFrame | None = None
        for one in self._features.on_request:
            fields = self._passed_on[one.name]
            if fields is not None:
                cells[one.name] = [list(row) for row in zip(*(columns[name] for name in fields), strict=True)]
                continue
            frame = frame_of(columns, self._request).lazy() if frame is None else frame
            values = one.function(frame).select(self._columns[one.name]).with_columns(finite())
            cells[one.name] = [list(row) for row in values.collect().iter_rows()]
        return cells

    def _check_progress(self, found: Iterator[Bytes | None], at_us: Sequence[int]) -> None:
        """That the store still holds each view, and holds it from the earliest instant on."""
        oldest_us = min(at_us, default=None)
        for name in self.views:
            data = next(found)
            if data is None:
                raise OnlineStoreUnavailable(
                    "the online store has lost a view that it held",
                    where=f"view {name}",
                    allowed="what was projected stays until its release is gone",
                    got="no projection of it",
                    do="project it anew: trimtab tick",
                )
            progress = self._progress.get(data)
            if progress is None:
                if len(self._progress) > len(self.views):
                    self._progress = {}  # of former versions
                progress = self._progress[bytes(data)] = codec.decode_projected(data) or codec.NOTHING
            if oldest_us is not None and oldest_us < progress.floor_us:
                raise RequestInvalid(
                    "the request's time is before what the online store still holds",
                    where=f"view {name}",
                    allowed=f"from {from_us(progress.floor_us).isoformat()} on",
                    got=from_us(oldest_us).isoformat(),
                    do="ask for the past offline: trimtab explain, or a training set",
                )


def _sent(
    features: FeatureSet, request: Sequence[tuple[str, str]], passed_on: Mapping[str, Sequence[str] | None]
) -> SentNumbers | None:
    """The fields of a request that are all features there are, as numbers and in their order; None if none are."""
    if len(features.declared) != 1 or len(features.on_request) != 1:
        return None
    fields = passed_on[features.on_request[0].name]
    names = [name for name, _ in request]
    if not fields or fields[0] not in names:
        return None
    found = slice(names.index(fields[0]), names.index(fields[0]) + len(fields))
    if tuple(request[found]) != tuple((name, "Float64") for name in fields):
        return None
    return SentNumbers(request, found)


def _as_sent(rows: TypedRows, sent: SentNumbers) -> FeatureBlock:
    """Features that are numbers of the request as they are."""
    values = Lazily(rows.cells, itemgetter(sent.places))
    numbers = packed_numbers(values, sent.places.stop - sent.places.start)
    return FeatureBlock(values, [()] * len(values), numbers=numbers, sent=None if numbers is None else sent)


def _stored(view: FeatureView | Aggregation, version: str, width: int) -> _Stored:
    prefix = codec.key_prefix(version)
    if isinstance(view, Aggregation):
        return _Stored(view, view.by, prefix, width, None)
    max_age_us = None if view.max_age is None else duration_us(view.max_age)
    return _Stored(view, view.entity, prefix, width, max_age_us)


def _places(columns: Columns, by: Sequence[str]) -> Places:
    """The rows that ask for each entity; a row with a null in its key asks for none."""
    places: Places = {}
    for number, entity in enumerate(zip(*(columns[name] for name in by), strict=True)):
        if None not in entity:
            places.setdefault(codec.entity_part(entity), []).append(number)
    return places


def _facts(
    one: _Stored, places: Places, found: Iterator[Bytes | None], at_us: Sequence[int], stale: Stale
) -> tuple[Cells, Ages]:
    """The newest fact that each row sees, unless it is too old."""
    name, max_age_us, newest_fact = one.view.name, one.max_age_us, codec.newest_fact
    nothing: list[Json] = [None] * one.width
    cells: Cells = [nothing] * len(at_us)
    ages: Ages = [None] * len(at_us)
    for numbers, data in zip(places.values(), found, strict=False):  # places first: no more is taken than is theirs
        if data is None:
            continue
        asked_us = at_us[numbers[0]]
        fact = newest_fact(data, asked_us)
        for number in numbers:
            if at_us[number] != asked_us:  # rows of one request mostly ask for one instant
                asked_us = at_us[number]
                fact = newest_fact(data, asked_us)
            if fact is None:
                continue
            age_us = asked_us - fact[0]
            if max_age_us is None or age_us <= max_age_us:
                cells[number], ages[number] = fact[1], age_us
            else:
                stale.setdefault(number, {})[name] = age_us
    return cells, ages


def _windows(
    view: Aggregation, width: int, places: Places, found: Iterator[Bytes | None], at_us: Sequence[int]
) -> tuple[Cells, Ages]:
    nothing: list[Json] = [None] * width
    cells: Cells = [nothing] * len(at_us)
    ages: Ages = [None] * len(at_us)
    if stored := list(zip(places.values(), found, strict=False)):
        put_windows(view, stored, at_us, cells, ages)
    return cells, ages
