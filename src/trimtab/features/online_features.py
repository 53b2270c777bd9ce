"""Features at request time: the request's own, and those of the online store, as of each row's instant."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import polars as pl

from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation
from trimtab.features.feature_set import FeatureSet, by_view
from trimtab.features.offline import finite, window_values
from trimtab.features.request_frame import request_frame
from trimtab.features.view import FeatureView
from trimtab.features.windows import Events
from trimtab.features.windows.events import Ints
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import NotFound, RequestInvalid
from trimtab.kernel.moment import duration_us, from_us
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.online_store import OnlineReader

_NEVER = int(np.iinfo(np.int64).min)

Cells = list[list[Json]]  # per row, the values of one view
Ages = list[int | None]


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
        self._stored = [(view, features.version_of(view)) for view in features.stored]
        self._progress_keys = [codec.projected_key(version) for _, version in self._stored]
        for (view, version), progress in zip(self._stored, store.get(self._progress_keys), strict=True):
            if progress is None:
                raise NotFound(
                    "projection of view",
                    view.name,
                    allowed=f"definition {version[:12]} of it in the online store, even if its source is empty",
                    do="project it before its release answers: trimtab tick",
                )

    def read(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """All views of all rows from one snapshot of the store."""
        frame = request_frame(rows, self._request)
        cells: dict[str, Cells] = {}
        for declared in self._features.on_request:
            values = declared.function(frame.lazy()).select(self._columns[declared.name]).with_columns(finite())
            cells[declared.name] = [list(row) for row in values.collect().iter_rows()]
        ages: dict[str, Ages] = {}
        wanted = [_places(view, version, frame) for view, version in self._stored]
        flat = [name for places in wanted for name in places]
        found = iter(self._store.get([*self._progress_keys, *flat]))
        progress = [codec.decode_projected(next(found)) for _ in self._progress_keys]
        for (view, _), places, done in zip(self._stored, wanted, progress, strict=True):
            stored = [(numbers, next(found)) for numbers in places.values()]
            _refuse_too_old(view.name, done, at_us)
            cells[view.name], ages[view.name] = _of_view(view, len(self._columns[view.name]), stored, at_us)
        order = [cells[declared.name] for declared in self._features.declared]
        return FeatureBlock(
            values=[[cell for block in order for cell in block[number]] for number in range(len(rows))],
            ages_us=[[ages[name][number] for name in self.views] for number in range(len(rows))],
        )


def _places(view: FeatureView | Aggregation, version: str, frame: pl.DataFrame) -> dict[bytes, list[int]]:
    """The rows that ask for each key; a row with a null in its key asks for none."""
    by = view.entity if isinstance(view, FeatureView) else view.by
    places: dict[bytes, list[int]] = {}
    for number, entity in enumerate(frame.select(by).iter_rows()):
        if None not in entity:
            places.setdefault(codec.key(version, entity), []).append(number)
    return places


def _of_view(
    view: FeatureView | Aggregation, width: int, stored: list[tuple[list[int], bytes | None]], at_us: Sequence[int]
) -> tuple[Cells, Ages]:
    cells: Cells = [[None] * width for _ in at_us]
    ages: Ages = [None] * len(at_us)
    match view:
        case FeatureView():
            for numbers, data in stored:
                _put_facts(view, data, numbers, at_us, cells, ages)
        case Aggregation() if stored:
            _put_windows(view, stored, at_us, cells, ages)
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
    view: Aggregation,
    stored: list[tuple[list[int], bytes | None]],
    at_us: Sequence[int],
    cells: Cells,
    ages: Ages,
) -> None:
    """All keys of the view at once, each a group: the searches are paid once for a request, not once for a key."""
    found = [codec.decode_events(data) for _, data in stored]
    group = np.repeat(np.arange(len(found)), [len(events.value) for events in found])
    events = Events(
        group,
        np.concatenate([one.event_us for one in found]),
        np.concatenate([one.known_us for one in found]),
        np.concatenate([one.value for one in found]),
    )
    order = [number for numbers, _ in stored for number in numbers]
    asked = np.repeat(np.arange(len(found)), [len(numbers) for numbers, _ in stored])
    at = np.array([at_us[number] for number in order], np.int64)
    values = window_values(view, events, asked, at)
    columns = [[None if math.isnan(cell) else cell for cell in column.tolist()] for column in values.values()]
    newest = _newest_us(events, asked, at)
    # Events behind every window count for nothing, whether or not they have been trimmed already.
    newest_us = np.where(newest > at - duration_us(view.span), newest, _NEVER).tolist()
    for place, number in enumerate(order):
        cells[number] = [column[place] for column in columns]
        if newest_us[place] != _NEVER:
            ages[number] = at_us[number] - newest_us[place]


def _newest_us(events: Events, group: Ints, at_us: Ints) -> Ints:
    """When the newest event that each question sees became visible; `_NEVER` where it sees none."""
    visible_us = np.maximum(events.event_us, events.known_us)
    order = np.lexsort((visible_us, events.group))
    starts = np.searchsorted(events.group[order], group)
    # A rank in place of the time keeps (group, time) in one sortable number.
    times = np.unique(visible_us)
    ranked = events.group[order] * (len(times) + 1) + np.searchsorted(times, visible_us[order], side="right")
    asked = group * (len(times) + 1) + np.searchsorted(times, at_us, side="right")
    ends = np.searchsorted(ranked, asked, side="right")
    if not len(order):
        return np.full(len(group), _NEVER)
    return np.where(ends > starts, visible_us[order][ends - 1], _NEVER)


def _refuse_too_old(view: str, progress: codec.Projected | None, at_us: Sequence[int]) -> None:
    if progress is not None and at_us and min(at_us) < progress.floor_us:
        raise RequestInvalid(
            "the request's time is before what the online store still holds",
            where=f"view {view}",
            allowed=f"from {from_us(progress.floor_us).isoformat()} on",
            got=from_us(min(at_us)).isoformat(),
            do="ask for the past offline: trimtab explain, or a training set",
        )
