"""Materialise: project new dataset versions into the online store.

The store is a projection: it can be deleted and is rebuilt from dataset versions. A view's progress is written in
the same transaction as its values, so that a version is never applied twice, whoever is killed when.
State is bounded: of an entity's facts only those are kept that a question not older than `keep` can still see.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import polars as pl
import polars.selectors as cs

from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation
from trimtab.features.arrived import Arrived, arrived
from trimtab.features.corrections import seen_after
from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import finite, view_facts
from trimtab.features.online_codec import Fact, Projected
from trimtab.features.online_memory import Items
from trimtab.features.prepared import PreparedFacts
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

    def __init__(
        self,
        store: OwnedStore,
        versions: SourceVersions,
        keep: timedelta = KEEP,
        prepared: PreparedFacts | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: to project into.
            versions: of the sources.
            keep: how old a question may be.
            prepared: gets the facts of feature views too, for offline joins.
        """
        self._store = store
        self._prepared = prepared
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
                    if self._prepared is not None:
                        self._prepared.extend(view, version, source, number)
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
        facts = view_facts(view, source, rows, online=True).drop_nulls(list(view.entity))
        told = _lasting(facts, view.entity, source, floor_us).with_columns(finite()).collect()
        columns = [name for name in told.columns if name not in (*view.entity, _EVENT, _KNOWN)]
        event_us, known_us = told[_EVENT].to_list(), told[_KNOWN].to_list()
        values = told.select(columns).rows()
        new: dict[bytes, list[Fact]] = {}
        names: dict[tuple[Any, ...], bytes] = {}
        for entity, e, k, v in zip(told.select(view.entity).iter_rows(), event_us, known_us, values, strict=True):
            name = names.get(entity) or names.setdefault(entity, codec.key(version, entity))
            new.setdefault(name, []).append(Fact(max(e, k), e, k, list(v)))
        items: Items = {
            name: codec.encode_facts(_needed([*codec.decode_facts(stored), *facts], floor_us))
            for (name, facts), stored in zip(new.items(), self._store.get(list(new)), strict=True)
        }
        return items, columns


_EVENT, _KNOWN, _SEEN = "trimtab:event", "trimtab:known", "trimtab:seen"


def _lasting(facts: pl.LazyFrame, entity: Sequence[str], source: Source, floor_us: int) -> pl.LazyFrame:
    """Facts that some question from the floor on can see, with their times in microseconds: of a history few."""
    event, known = (pl.col(name).dt.epoch("us") for name in (source.event_time, source.known))
    told = facts.select(
        *entity,
        cs.exclude(*entity, source.event_time, source.known),
        event.alias(_EVENT),
        known.alias(_KNOWN),
        pl.max_horizontal(event, known).alias(_SEEN),
    )
    rising = told.sort(_SEEN, _EVENT, _KNOWN, maintain_order=True).filter(
        pl.col(_EVENT) >= pl.col(_EVENT).cum_max().over(entity)
    )
    hidden_us = pl.col(_SEEN).shift(-1).over(entity)
    return rising.filter((hidden_us > floor_us).fill_null(True)).drop(_SEEN)


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
