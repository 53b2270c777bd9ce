"""Aggregations at request time: windows over the events that the online store holds of each key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.features.aggregation import Aggregation
from trimtab.features.online_events import StoredEvents, decode_events
from trimtab.features.window_values import window_values
from trimtab.features.windows import Events
from trimtab.features.windows.covering import Covering
from trimtab.features.windows.events import NEVER, Ints, Kind
from trimtab.kernel.canonical import Json
from trimtab.kernel.moment import duration_us

_UNSEEN = int(np.iinfo(np.int64).min)


def put_windows(
    view: Aggregation,
    stored: list[tuple[list[int], bytes | memoryview | None]],
    at_us: Sequence[int],
    cells: list[list[Json]],
    ages: list[int | None],
) -> None:
    """All keys of the view at once, each a group: the searches are paid once for a request, not once for a key."""
    events = _together([decode_events(data) for _, data in stored])
    order = [number for numbers, _ in stored for number in numbers]
    asked = np.repeat(np.arange(len(stored)), [len(numbers) for numbers, _ in stored])
    at = np.array([at_us[number] for number in order], np.int64)
    columns = [column.to_list() for column in window_values(view, events, asked, at).values()]
    told = window_ages(view, events, asked, at)
    for place, number in enumerate(order):
        cells[number] = [column[place] for column in columns]
        if told[place] is not None:
            ages[number] = told[place]


def window_ages(view: Aggregation, events: Events, group: Ints, at_us: Ints) -> list[int | None]:
    """Of each question how long ago the newest event of its windows came into sight; None if they are empty."""
    newest = _newest_us(events, group, at_us)
    # Events behind every window count for nothing, whether or not they have been trimmed already.
    seen = newest > at_us - duration_us(view.span)
    ages_us = (at_us - np.where(seen, newest, 0)).tolist()
    return [age if one else None for age, one in zip(ages_us, seen.tolist(), strict=True)]


def _together(found: list[StoredEvents]) -> Events:
    """The events of several keys, each a group."""
    until_us = np.concatenate([one.until_us for one in found])
    # A key without events does not know what the column is.
    kind: Kind = next((one.kind for one in found if len(one.value)), "number")
    value = np.concatenate([one.value for one in found])
    words: list[str] = []
    if kind == "text":
        shifts = np.cumsum([0, *(len(one.words) for one in found[:-1])])
        value = np.concatenate([one.value + shift for one, shift in zip(found, shifts, strict=True)])
        words = [word for one in found for word in one.words]
    return Events(
        group=np.repeat(np.arange(len(found)), [len(one.value) for one in found]),
        event_us=np.concatenate([one.event_us for one in found]),
        known_us=np.concatenate([one.known_us for one in found]),
        value=value,
        until_us=until_us if (until_us != NEVER).any() else None,
        kind=kind,
        words=words,
    )


def _newest_us(events: Events, group: Ints, at_us: Ints) -> Ints:
    """When the newest event that each question sees, and that is not corrected, became visible; or `_UNSEEN`."""
    visible_us = np.maximum(events.event_us, events.known_us)
    until_us = np.full(len(visible_us), NEVER) if events.until_us is None else events.until_us
    covering = Covering(events.group, visible_us, until_us, group, at_us)
    return covering.largest(visible_us[covering.event], np.int64(_UNSEEN))
