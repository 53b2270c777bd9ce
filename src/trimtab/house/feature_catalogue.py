"""The catalogue of a system's features: what each is, and which releases use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import polars as pl

from trimtab.data.reading import open_source
from trimtab.data.versions import VERSION
from trimtab.features.check import check_features
from trimtab.features.described import Described, described
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.on_request import RequestFeatures
from trimtab.features.request_frame import TYPES, request_type
from trimtab.house.house import House
from trimtab.kernel.errors import DeclarationInvalid, NotFound, UnknownName
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class Use:
    """A release, and which features in which definitions it uses."""

    release: str
    roles: tuple[str, ...]  # champion, canary, shadow, kept warm; none for one that is at rest
    made_at: str  # ISO 8601
    run: str
    views: Mapping[str, str]  # digest of each definition
    features: frozenset[str]


@dataclass(frozen=True)
class Catalogue:
    """The features of the working tree, and the releases that there are."""

    system: str
    features: FeatureSet
    asked: Source  # of the questions
    rows: tuple[Described, ...]
    gone: tuple[Described, ...]  # that releases answer from, or score with, and the working tree declares no more
    uses: tuple[Use, ...]  # oldest first
    versions: Mapping[str, str]  # digest of each definition

    def source_of(self, view: Declared) -> Source:
        """The source of a view; of features of the request that of the question."""
        return self.asked if isinstance(view, RequestFeatures) else self.features.source_of(view)

    def uses_of(self, view: str, column: str = "") -> list[Use]:
        """Releases that use a view, or one feature of it, in any definition: oldest first."""
        name = f"{view}.{column}"
        return [one for one in self.uses if (name in one.features if column else view in one.views)]


def catalogue(house: House) -> Catalogue:
    """Read what is declared, and the releases. A source that has been ingested is not opened.

    Raises:
        DeclarationInvalid: the features of the working tree cannot be told as they are declared.
    """
    system = house.system
    if not all(isinstance(one, get_args(Declared)) for one in system.features):
        system.check(house.project.folder)
    features, asked = system.feature_set, system.question.source
    schemas = {one.name: _schema(house, one) for one in (*system.sources, asked)}
    types = {
        name: request_type(name, schemas[asked.name][name], system.question.place) for name in system.request_fields
    }
    request = pl.Schema({name: TYPES[kind] for name, kind in types.items()})
    problems = list(check_features(features, request, schemas))
    if problems:
        raise DeclarationInvalid(system.name, problems)
    rows = tuple(described(features, request, schemas, asked))
    used = tuple(uses(house))
    gone = tuple(_gone(house, used, {one.name for one in rows}))
    return Catalogue(system.name, features, asked, rows, gone, used, dict(features.versions))


def _gone(house: House, used: Sequence[Use], declared: set[str]) -> Iterator[Described]:
    """As the releases themselves declare them; whatever is in the route counts, kept warm or not."""
    told = set(declared)
    for use in used:
        if use.roles and use.features - told:
            release = house.releases.get(use.release)
            system = house.code.system(release)
            asked = system.question.source
            schemas = {one.name: _schema(house, one) for one in (*system.sources, asked)}
            request = pl.Schema({name: TYPES[kind] for name, kind in release.request})
            for one in described(system.feature_set, request, schemas, asked):
                if one.name not in told:
                    told.add(one.name)
                    yield one


def _schema(house: House, source: Source) -> pl.Schema:
    number = house.versions.current(source.name)
    if not number:
        return open_source(source, house.project.folder).collect_schema()
    return house.versions.frame(source.name, number).drop(VERSION).collect_schema()


def uses(house: House) -> list[Use]:
    """All releases, oldest first."""
    roles = roles_of(house)
    found = []
    for digest, facts in house.releases.all(house.name):
        release = house.releases.get(digest)
        names = frozenset(one.name for one in release.features)
        found.append(
            Use(
                digest,
                roles.get(digest, ()),
                str(facts["created_at"]),
                str(facts["run"]),
                dict(release.views),
                names,
            )
        )
    return found


def roles_of(house: House) -> dict[str, tuple[str, ...]]:
    """What the route in force does with releases."""
    route = house.act.route(house.name)
    if route is None:
        return {}
    told: dict[str, tuple[str, ...]] = {route.champion: ("champion",)}
    if route.canary is not None:
        told[route.canary.release] = (*told.get(route.canary.release, ()), "canary")
    for one in route.shadows:
        told[one] = (*told.get(one, ()), "shadow")
    for one in route.warm:
        told[one] = (*told.get(one, ()), "kept warm")
    return told


def champion(house: House) -> str:
    """The digest of the release that answers users.

    Raises:
        NotFound: none does.
    """
    route = house.act.route(house.name)
    if route is None:
        raise NotFound("champion", house.name, do="deploy a release: trimtab train, release, deploy; or name one")
    return route.champion


def find(found: Catalogue, text: str) -> tuple[Declared, str]:
    """What 'view' or 'view.column' names: the view, and the column or "".

    Raises:
        UnknownName: there is no such view, or it has no such feature.
    """
    views = {one.name: one for one in found.features.declared}
    view, _, column = text.partition(".")
    if view not in views:
        raise UnknownName("feature view", view, views, do="see them all with: trimtab features ls")
    columns = [one.column for one in found.rows if one.view == view]
    if column and column not in columns:
        raise UnknownName(
            f"feature of '{view}'", column, columns, do=f"see them with: trimtab features show {view}"
        )
    return views[view], column
