"""Materialise: project new dataset versions into the online store.

The store is a projection: it can be deleted and is rebuilt from dataset versions. A view's progress is written in
the same transaction as its values, so that a version is never applied twice, whoever is killed when.
State is bounded: of an entity's facts only those are kept that a question not older than `keep` can still see.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import polars as pl

from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation
from trimtab.features.arrived import Arrived, arrived
from trimtab.features.corrections import seen_after
from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import finite, view_facts
from trimtab.features.online_codec import Fact, Projected
from trimtab.features.online_memory import Items
from trimtab.features.project_events import ProjectEvents
from trimtab.features.view import FeatureView
from trimtab.kernel.moment import duration_us
from trimtab.kernel.source import Source
from trimtab.ports.online_store import OwnedStore


class SourceVersions(Protocol):
    """What materialisation needs to know of dataset versions."""

    def current(self, source: str) -> int:
        """The newest version's number."""
        ...

    def known_until_us(self, source: str, number: int) -> int:
        """Until when a version knows."""
        ...

    def frame(self, source: str, upto: int | None = None, after: int = 0) -> pl.LazyFrame:
        """Rows of versions after + 1 to upto."""
        ...


KEEP = timedelta(days=2)


class Materialise:
    """Brings the online store up to the current dataset versions."""

    def __init__(self, store: OwnedStore, versions: SourceVersions, keep: timedelta = KEEP) -> None:
        self._store = store
        self._versions = versions
        self._keep_us = duration_us(keep)

    def __call__(self, features: FeatureSet) -> list[str]:
        """Project whatever is new; returns the names of the views that moved."""
        moved = []
        sources = {features.source_of(view).name for view in features.stored}
        current = {name: self._versions.current(name) for name in sources}
        read: Read = {}
        for view in features.stored:
            source, version = features.source_of(view), features.version_of(view)
            number = current[source.name]
            [stored] = self._store.get([codec.projected_key(version)])
            before = codec.decode_projected(stored)
            if number == 0 and before is None:
                # Readers tell a view without facts from one that nobody has projected.
                self._store.put({codec.projected_key(version): codec.encode_projected(codec.NOTHING)})
            after = before.number if before else 0
            if number == after:
                continue
            until_us = self._versions.known_until_us(source.name, number)
            rows = self._versions.frame(source.name, number, after=after)
            floor_us = until_us - self._keep_us
            if before is not None:
                # Trimming is for good: the floor never falls, even if `keep` is raised.
                floor_us = max(floor_us, before.floor_us)
            match view:
                case FeatureView():
                    items, columns = self._facts(view, version, source, rows, floor_us)
                case Aggregation():
                    project = ProjectEvents(self._store, view, version, floor_us, first=not after)
                    items, columns = project(_arrived(features, project, rows, after, read)), list(view.columns)
            progress = Projected(number, until_us, floor_us, columns)
            items[codec.projected_key(version)] = codec.encode_projected(progress)
            self._store.put(items)
            moved.append(view.name)
        return moved

    def _facts(
        self, view: FeatureView, version: str, source: Source, rows: pl.LazyFrame, floor_us: int
    ) -> tuple[Items, list[str]]:
        facts = view_facts(view, source, rows, online=True).with_columns(finite()).collect()
        times = (source.event_time, source.known)
        columns = [name for name in facts.columns if name not in (*view.entity, *times)]
        keyed = facts.drop_nulls(list(view.entity))
        parts = keyed.partition_by(view.entity, as_dict=True, maintain_order=True)
        keys = {codec.key(version, entity): part for entity, part in parts.items()}
        items: Items = {}
        for (name, part), stored in zip(keys.items(), self._store.get(list(keys)), strict=True):
            event = part[source.event_time].dt.epoch("us").to_list()
            known = part[source.known].dt.epoch("us").to_list()
            values = part.select(columns).rows()
            new = [Fact(max(e, k), e, k, list(v)) for e, k, v in zip(event, known, values, strict=True)]
            items[name] = codec.encode_facts(_needed([*codec.decode_facts(stored), *new], floor_us))
        return items, columns


Read = dict[tuple[str, int], Arrived]  # by source, and the version behind which the rows came


def _arrived(features: FeatureSet, project: ProjectEvents, rows: pl.LazyFrame, after: int, read: Read) -> Arrived:
    """New rows, read once for all aggregations of a source; of a whole history each reads its own windows alone."""
    source = project.view.source
    if project.first:
        return arrived(source, seen_after(source, rows, project.oldest_us), [project.view])
    if (source.name, after) not in read:
        beside = [one for one in features.stored if isinstance(one, Aggregation) and one.source is source]
        read[source.name, after] = arrived(source, rows, beside)
    return read[source.name, after]


def _needed(facts: list[Fact], floor_us: int) -> list[Fact]:
    """Facts that some question from the floor on can see as the newest; the sort is stable: arrival breaks ties."""
    facts.sort(key=lambda fact: (fact.visible_us, fact.event_us, fact.known_us))
    rising: list[Fact] = []
    for fact in facts:
        if not rising or fact.event_us >= rising[-1].event_us:
            rising.append(fact)
    first = 0
    while first + 1 < len(rising) and rising[first + 1].visible_us <= floor_us:
        first += 1
    return rising[first:]
