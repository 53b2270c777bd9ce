"""Projecting new rows of a source into the lists of events that an aggregation reads online.

A correction ends the older version of its fact, in whichever list that is: it may have had another key, and the
newer one may not count at all. So the projection remembers, for each fact that may still be in a window, the list
that holds its current version; not where the key of the lists is part of the fact's: there the list cannot change.
State is bounded: events, and memories of them, that no question from the floor on can see are dropped when what
holds them is next touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation
from trimtab.features.corrections import UNTIL, seen_after, with_corrections
from trimtab.features.online_events import (
    NO_FACT,
    StoredEvents,
    decode_events,
    encode_events,
    fact_of,
)
from trimtab.features.online_memory import Ended, Items, Memory, Remembered
from trimtab.features.window_values import VALUE, as_numbers, kind_of, measured
from trimtab.features.windows.events import NEVER, Kind
from trimtab.kernel.moment import duration_us
from trimtab.ports.online_store import OnlineReader

_FACT, _EVENT, _KNOWN, _SEEN = "_fact", "_event_us", "_known_us", "_seen_us"


@dataclass(frozen=True)
class ProjectEvents:
    """What new rows of its source change for one aggregation."""

    store: OnlineReader
    view: Aggregation
    version: str
    floor_us: int  # questions before it are not answered
    first: bool  # nothing is stored yet: the rows are all that there are

    def __call__(self, new: pl.LazyFrame) -> Items:
        """The items to write.

        Args:
            new: rows in the order of arrival. All became known after all that is stored: ingest sees to it.
        """
        source, by = self.view.source, self.view.by
        if self.first:
            new = seen_after(source, new, self._oldest_us)
        found = with_corrections(source, new.select(self.view.reads).collect())
        kind = kind_of(found.schema[self.view.of])
        until = pl.col(UNTIL) if UNTIL in found.columns else pl.lit(NEVER, pl.Int64)
        rows = found.lazy().with_columns(
            pl.Series(_FACT, fact_of(found, source.keys)),
            pl.col(source.event_time).dt.epoch("us").alias(_EVENT),
            pl.col(source.known).dt.epoch("us").alias(_KNOWN),
            until.alias(UNTIL),
        )
        # An event that came into sight by the oldest instant is in no window of a question from the floor on.
        rows = rows.with_columns(pl.max_horizontal(_EVENT, _KNOWN).alias(_SEEN))
        held = pl.col(_SEEN) > self._oldest_us, pl.col(UNTIL) > pl.max_horizontal(_KNOWN, self.floor_us)
        counted = measured(self.view, rows, kind).drop_nulls(by).filter(held).collect()
        told = rows.filter(pl.col(_FACT) != NO_FACT).group_by(_FACT, maintain_order=True)
        ended: Ended = {}
        items: Items = {}
        if not set(by) <= set(source.keys):
            ended, items = self._ended_anywhere(told.agg(pl.min(_KNOWN)).collect(), counted)
        elif not self.first:
            ended = self._ended_at_home(told.agg(*(pl.first(one) for one in by), pl.min(_KNOWN)).collect())
        return {**items, **self._lists(counted, kind, ended)}

    @property
    def _oldest_us(self) -> int:
        return self.floor_us - duration_us(self.view.span)

    def _ended_at_home(self, first: pl.DataFrame) -> Ended:
        """Where the key of the lists is part of the fact's: the list is that of the newer version."""
        ended: Ended = {}
        for fact, *entity, known_us in first.iter_rows():
            ended.setdefault(codec.key(self.version, entity), {})[fact] = known_us
        return ended

    def _ended_anywhere(self, first: pl.DataFrame, counted: pl.DataFrame) -> tuple[Ended, Items]:
        """Where the lists of the older versions are remembered; and what is to be remembered from now on."""
        memory = Memory(self.store, self.version)
        ended = memory.lists_of(first[_FACT].to_numpy(), first[_KNOWN].to_numpy())
        current = counted.filter(pl.col(UNTIL) == NEVER, pl.col(_FACT) != NO_FACT)
        entities = current.select(self.view.by).unique(maintain_order=True)
        places = current.join(entities.with_row_index("_place"), on=self.view.by, maintain_order="left")["_place"]
        new = Remembered(
            current[_FACT].to_numpy(),
            current[_SEEN].to_numpy(),
            places.cast(pl.Int64).to_numpy(),
            [codec.key(self.version, entity) for entity in entities.iter_rows()],
        )
        return ended, memory.with_new(new, self._oldest_us)

    def _lists(self, counted: pl.DataFrame, kind: Kind, ended: Ended) -> Items:
        """The lists that gain events or lose them; all at once, for there may be thousands."""
        entities = counted.select(self.view.by).unique(maintain_order=True)
        gaining = [codec.key(self.version, entity) for entity in entities.iter_rows()]
        gains = set(gaining)
        losing = [name for name in ended if name not in gains]
        touched = [*gaining, *losing]
        found = dict(zip(touched, self.store.get(touched), strict=True))
        # Without new events and without older ones there is nothing to write.
        names = gaining + [name for name in losing if found[name] is not None]
        old = [_with_ends(decode_events(found[name]), ended.get(name)) for name in names]
        new, place, words = self._new(counted, entities, kind)
        shift = np.array([len(one.words) for one in old], np.int64)
        group = np.concatenate([np.repeat(np.arange(len(old)), [len(one.fact) for one in old]), place]).astype(
            np.int64
        )
        event_us, known_us, fact, until_us = (
            np.concatenate([*(getattr(one, name) for one in old), getattr(new, name)])
            for name in ("event_us", "known_us", "fact", "until_us")
        )
        value = np.concatenate([*(one.value for one in old), new.value + shift[place]])
        seen_us = np.maximum(event_us, known_us)
        kept = (seen_us > self._oldest_us) & (until_us > np.maximum(known_us, self.floor_us))
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

    def _new(
        self, counted: pl.DataFrame, entities: pl.DataFrame, kind: Kind
    ) -> tuple[StoredEvents, NDArray[np.intp], list[str]]:
        """The new events, for each the place of its list, and their words."""
        value, words = as_numbers(counted[VALUE], kind)
        by = self.view.by
        place = counted.select(by).join(entities.with_row_index("_place"), on=by, maintain_order="left")["_place"]
        event_us, known_us, fact, until_us = (counted[name].to_numpy() for name in (_EVENT, _KNOWN, _FACT, UNTIL))
        return StoredEvents(event_us, known_us, value, fact, until_us), place.cast(pl.Int64).to_numpy(), words


def _with_ends(events: StoredEvents, facts: dict[int, int] | None) -> StoredEvents:
    """With the instant at which newer versions of facts became known."""
    if not facts or not len(events.fact):
        return events
    fact, known_us = (np.fromiter(column, np.int64, len(facts)) for column in (facts, facts.values()))
    order = np.argsort(fact)
    place = order[np.minimum(np.searchsorted(fact, events.fact, sorter=order), len(fact) - 1)]
    met = (fact[place] == events.fact) & (events.until_us == NEVER)
    return replace(events, until_us=np.where(met, known_us[place], events.until_us))
