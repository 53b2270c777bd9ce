"""Projecting new rows of a source into the lists of events that an aggregation reads online.

A correction ends the older version of its fact, in whichever list that is: it may have had another key, and the
newer one may not count at all. So the projection remembers, for each fact that may still be in a window, the list
that holds its current version; not where the key of the lists is part of the fact's: there the list cannot change.
State is bounded: events, and memories of them, that no question from the floor on can see are dropped when what
holds them is next touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation
from trimtab.features.arrived import PLACE, Arrived
from trimtab.features.online_events import (
    NO_FACT,
    StoredEvents,
    decode_events,
    encode_events,
)
from trimtab.features.online_memory import Ended, Items, Memory, Remembered
from trimtab.features.window_values import VALUE, as_numbers, kind_of, measured
from trimtab.features.windows.events import NEVER, Ints, Kind
from trimtab.kernel.moment import duration_us
from trimtab.ports.online_store import OnlineReader


@dataclass(frozen=True)
class ProjectEvents:
    """What new rows of its source change for one aggregation."""

    store: OnlineReader
    view: Aggregation
    version: str
    floor_us: int  # questions before it are not answered
    first: bool  # nothing is stored yet: the rows are all that there are

    def __call__(self, new: Arrived) -> Items:
        """The items to write.

        Args:
            new: rows in the order of arrival. All became known after all that is stored: ingest sees to it.
        """
        kind = kind_of(new.rows.schema[self.view.of])
        counted = self._counted(new, kind)
        ended: Ended = {}
        items: Items = {}
        if not set(self.view.by) <= set(self.view.source.keys):
            ended, items = self._ended_anywhere(new, counted)
        elif not self.first:
            ended = self._ended_at_home(new)
        return {**items, **self._lists(new, counted, kind, ended)}

    @property
    def oldest_us(self) -> int:
        """What came into sight by then is in no window of a question from the floor on."""
        return self.floor_us - duration_us(self.view.span)

    def _counted(self, new: Arrived, kind: Kind) -> _Counted:
        """The rows that count, and that a question from the floor on can see."""
        by = list(self.view.by)
        found = measured(self.view, new.rows.lazy(), kind).drop_nulls(by).select(PLACE, VALUE, *by).collect()
        place = found[PLACE].cast(pl.Int64).to_numpy()
        lasts = new.until_us[place] > np.maximum(new.known_us[place], self.floor_us)
        held = (new.seen_us[place] > self.oldest_us) & lasts
        if not held.all():
            found, place = found.filter(pl.Series(held)), place[held]
        names: dict[bytes, int] = {}
        entities: dict[tuple[Any, ...], int] = {}
        groups = [entities.setdefault(one, len(entities)) for one in found.select(by).iter_rows()]
        for entity in entities:
            names[codec.key(self.version, entity)] = len(names)
        return _Counted(place, found[VALUE], np.array(groups, np.int64), list(names))

    def _ended_at_home(self, new: Arrived) -> Ended:
        """Where the key of the lists is part of the fact's: the list is that of the newer version."""
        ended: Ended = {}
        entities = new.rows.select(self.view.by)[new.first].rows()
        facts, known_us = new.fact[new.first].tolist(), new.known_us[new.first].tolist()
        for entity, fact, when_us in zip(entities, facts, known_us, strict=True):
            ended.setdefault(codec.key(self.version, entity), {})[fact] = when_us
        return ended

    def _ended_anywhere(self, new: Arrived, counted: _Counted) -> tuple[Ended, Items]:
        """Where the lists of the older versions are remembered; and what is to be remembered from now on."""
        memory = Memory(self.store, self.version)
        ended = memory.lists_of(new.fact[new.first], new.known_us[new.first])
        current = (new.until_us[counted.place] == NEVER) & (new.fact[counted.place] != NO_FACT)
        place = counted.place[current]
        told = Remembered(new.fact[place], new.seen_us[place], counted.group[current], counted.names)
        return ended, memory.with_new(told, self.oldest_us)

    def _lists(self, new: Arrived, counted: _Counted, kind: Kind, ended: Ended) -> Items:
        """The lists that gain events or lose them; all at once, for there may be thousands."""
        gains = set(counted.names)
        losing = [name for name in ended if name not in gains]
        touched = [*counted.names, *losing]
        found = dict(zip(touched, self.store.get(touched), strict=True))
        # Without new events and without older ones there is nothing to write.
        names = counted.names + [name for name in losing if found[name] is not None]
        old = [_with_ends(decode_events(found[name]), ended.get(name)) for name in names]
        new_value, words = as_numbers(counted.value, kind)
        shift = np.array([len(one.words) for one in old], np.int64)
        group = np.concatenate([np.repeat(np.arange(len(old)), [len(one.fact) for one in old]), counted.group])
        group = group.astype(np.int64)
        event_us, known_us, fact, until_us = (
            np.concatenate([*(getattr(one, name) for one in old), getattr(new, name)[counted.place]])
            for name in ("event_us", "known_us", "fact", "until_us")
        )
        value = np.concatenate([*(one.value for one in old), new_value + shift[counted.group]])
        seen_us = np.maximum(event_us, known_us)
        kept = (seen_us > self.oldest_us) & (until_us > np.maximum(known_us, self.floor_us))
        [chosen] = np.nonzero(kept)
        chosen = chosen[np.argsort(group[chosen], kind="stable")]  # older ones first: they arrived before
        edges = np.searchsorted(group[chosen], np.arange(len(names) + 1))
        columns = [one[chosen] for one in (event_us, known_us, value, fact, until_us)]
        items: Items = {}
        for number, name in enumerate(names):
            if edges[number] == edges[number + 1]:
                items[name] = None
                continue
            event_us, known_us, value, fact, until_us = (one[edges[number] : edges[number + 1]] for one in columns)
            told = [*old[number].words, *words] if kind == "text" else ()
            items[name] = encode_events(StoredEvents(event_us, known_us, value, fact, until_us, kind, told))
        return items


@dataclass(frozen=True)
class _Counted:
    """New rows that count for an aggregation: each with its value and its list."""

    place: Ints  # among all that arrived
    value: pl.Series
    group: Ints  # the place of its list in `names`
    names: list[bytes]  # keys in the online store


def _with_ends(events: StoredEvents, facts: dict[int, int] | None) -> StoredEvents:
    """With the instant at which newer versions of facts became known."""
    if not facts or not len(events.fact):
        return events
    fact, known_us = (np.fromiter(column, np.int64, len(facts)) for column in (facts, facts.values()))
    order = np.argsort(fact)
    place = order[np.minimum(np.searchsorted(fact, events.fact, sorter=order), len(fact) - 1)]
    met = (fact[place] == events.fact) & (events.until_us == NEVER)
    return replace(events, until_us=np.where(met, known_us[place], events.until_us))
