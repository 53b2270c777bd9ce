"""Features at request time: the request's own, and those of the online store, as of each row's instant."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation
from trimtab.features.feature_set import FeatureSet, by_view
from trimtab.features.offline import window_values
from trimtab.features.request_frame import request_frame
from trimtab.features.view import FeatureView
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.moment import duration_us, from_us
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.online_store import OnlineReader

Cells = list[list[Json]]  # per row, the values of one view
Ages = list[int | None]


class OnlineFeatures:
    """Implements FeatureReader for the features of one release."""

    def __init__(
        self, features: FeatureSet, names: Sequence[str], request: Sequence[tuple[str, str]], store: OnlineReader
    ) -> None:
        self.names = tuple(names)
        self.views = tuple(view.name for view in features.stored)
        self._features = features
        self._columns = by_view(names)
        self._request = tuple(request)
        self._store = store

    def read(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """All views of all rows from one snapshot of the store."""
        frame = request_frame(rows, self._request)
        cells: dict[str, Cells] = {}
        for declared in self._features.on_request:
            values = declared.function(frame.lazy()).select(self._columns[declared.name]).collect()
            cells[declared.name] = [list(row) for row in values.iter_rows()]
        ages: dict[str, Ages] = {}
        wanted = [_places(view, rows) for view in self._features.stored]
        flat = [name for places in wanted for name in places]
        progress_keys = [codec.projected_key(view.version) for view in self._features.stored]
        found = iter(self._store.get([*progress_keys, *flat]))
        progress = [codec.decode_projected(next(found)) for _ in progress_keys]
        for view, places, done in zip(self._features.stored, wanted, progress, strict=True):
            stored = [(numbers, next(found)) for numbers in places.values()]
            _refuse_too_old(view.name, done, at_us)
            cells[view.name], ages[view.name] = _of_view(view, len(self._columns[view.name]), stored, at_us)
        order = [cells[declared.name] for declared in self._features.declared]
        return FeatureBlock(
            values=[[cell for block in order for cell in block[number]] for number in range(len(rows))],
            ages_us=[[ages[name][number] for name in self.views] for number in range(len(rows))],
        )


def _places(view: FeatureView | Aggregation, rows: Sequence[JsonMap]) -> dict[bytes, list[int]]:
    """The rows that ask for each key; a row with a null in its key asks for none."""
    by = view.entity if isinstance(view, FeatureView) else view.by
    places: dict[bytes, list[int]] = {}
    for number, row in enumerate(rows):
        entity = [row[name] for name in by]
        if None not in entity:
            places.setdefault(codec.key(view.version, entity), []).append(number)
    return places


def _of_view(
    view: FeatureView | Aggregation, width: int, stored: list[tuple[list[int], bytes | None]], at_us: Sequence[int]
) -> tuple[Cells, Ages]:
    cells: Cells = [[None] * width for _ in at_us]
    ages: Ages = [None] * len(at_us)
    for numbers, data in stored:
        match view:
            case FeatureView():
                _put_facts(view, data, numbers, at_us, cells, ages)
            case Aggregation():
                _put_windows(view, data, numbers, at_us, cells, ages)
    return cells, ages


def _put_facts(
    view: FeatureView, data: bytes | None, numbers: list[int], at_us: Sequence[int], cells: Cells, ages: Ages
) -> None:
    facts = codec.decode_facts(data)
    visible = [fact.visible_us for fact in facts]
    for number in numbers:
        place = bisect_right(visible, at_us[number])
        if not place:
            continue
        fact = facts[place - 1]
        age = at_us[number] - fact.event_us
        if view.max_age is None or age <= duration_us(view.max_age):
            cells[number] = fact.values
            ages[number] = age


def _put_windows(
    view: Aggregation, data: bytes | None, numbers: list[int], at_us: Sequence[int], cells: Cells, ages: Ages
) -> None:
    events = codec.decode_events(data)
    at = np.array([at_us[number] for number in numbers], np.int64)
    values = window_values(view, events, np.zeros(len(at), np.int64), at)
    columns = [[None if math.isnan(cell) else cell for cell in column.tolist()] for column in values.values()]
    known = np.sort(np.maximum(events.event_us, events.known_us))
    newest = np.searchsorted(known, at, side="right")
    for place, number in enumerate(numbers):
        cells[number] = [column[place] for column in columns]
        if newest[place]:
            ages[number] = int(at[place] - known[newest[place] - 1])


def _refuse_too_old(view: str, progress: codec.Projected | None, at_us: Sequence[int]) -> None:
    if progress is not None and at_us and min(at_us) < progress.floor_us:
        raise RequestInvalid(
            "the request's time is before what the online store still holds",
            where=f"view {view}",
            allowed=f"from {from_us(progress.floor_us).isoformat()} on",
            got=from_us(min(at_us)).isoformat(),
            do="ask for the past offline: trimtab explain, or a training set",
        )
