"""Lineage: source → view → run → release → route, from whichever of them one stands at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.house.feature_catalogue import Catalogue, find, roles_of
from trimtab.house.house import House
from trimtab.house.training_run import KIND as RUN
from trimtab.kernel.canonical import JsonMap, short
from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import NotFound, TrimtabError, UnknownName
from trimtab.kernel.route import route_from
from trimtab.registry.releases import ROUTE_MOVED
from trimtab.training.spec import TrainingSpec, spec_from


@dataclass(frozen=True)
class Node:
    """One thing, and what was made of it; of a release what it was made of."""

    kind: str  # source, view, run, release, route, older
    id: str
    said: str = ""
    children: tuple[Node, ...] = field(default=())


@dataclass(frozen=True)
class _Run:
    """A finished run, and the releases that were made of it."""

    id: str
    trained_at: str
    rows: int
    spec: TrainingSpec
    features: frozenset[str]
    releases: tuple[str, ...]


def lineage(house: House, found: Catalogue, text: str, last: int) -> Node:
    """The tree from what `text` names.

    Args:
        house: with its records.
        found: the catalogue.
        text: a view, a feature (view.column), a source, or the beginning of a release's digest.
        last: how many runs of a definition are told one by one, the newest ones.

    Raises:
        UnknownName: it names none of them.
    """
    runs = _runs(house)
    sources = {one.name for one in house.system.sources}
    views = {one.name for one in found.features.declared}
    if text.partition(".")[0] in views:
        view, column = find(found, text)
        return _of_source(house, found, runs, found.source_of(view).name, {view.name: column}, last)
    if text in sources:
        own = {one.name: "" for one in found.features.declared if found.source_of(one).name == text}
        return _of_source(house, found, runs, text, own, last)
    try:
        digest = house.releases.find(house.name, text)
    except NotFound:
        known = [*views, *sources, *(short(one.release) for one in found.uses)]
        do = "name a view, a feature (VIEW.COLUMN), a source or a release"
        raise UnknownName("view, source or release", text, known, do=do) from None
    return _of_release(house, digest, next(one for one in runs if digest in one.releases))


def _of_source(
    house: House, found: Catalogue, runs: Sequence[_Run], source: str, views: Mapping[str, str], last: int
) -> Node:
    """Downstream: definitions of views, runs, releases, route."""
    number = house.versions.current(source)
    said = f"{counted(number, 'version')}" if number else "nothing ingested yet"
    children = [
        one for view, column in views.items() for one in _of_view(house, found, runs, source, view, column, last)
    ]
    return Node("source", version_id(source, number) if number else source, said, tuple(children))


def _of_view(
    house: House, found: Catalogue, runs: Sequence[_Run], source: str, view: str, column: str, last: int
) -> Iterator[Node]:
    """Each definition of a view: that of the working tree first, then those that runs have used, newest first."""
    used = [dict(one.spec.views)[view] for one in reversed(runs) if view in dict(one.spec.views)]
    for version in dict.fromkeys((found.versions[view], *used)):
        own = [
            one
            for one in runs
            if dict(one.spec.views).get(view) == version and (not column or f"{view}.{column}" in one.features)
        ]
        told = [_of_run(house, one, source) for one in own[::-1][:last]]
        if len(own) > last:
            told.append(Node("older", counted(len(own) - last, "older run"), f"--last {len(own)}"))
        name = f"{view}.{column}" if column else view
        said = "as in the working tree" if version == found.versions[view] else "another definition"
        if not own:
            said += ", in no run yet"
        yield Node("view", f"{name}@{version}", said + _through(found, view, version), tuple(told))


def _through(found: Catalogue, view: str, version: str) -> str:
    declared = next(one for one in found.features.declared if one.name == view)
    if not isinstance(declared, FeatureView) or declared.on is None or version != found.versions[view]:
        return ""
    return f", stands on {' → '.join(one.name for one in declared.chain[:-1])}"


def _of_run(house: House, run: _Run, source: str) -> Node:
    pinned = cast("Sequence[Any] | None", run.spec.sources.get(source))
    said = f"{run.trained_at[:10]}, {source}@{pinned[0]}" if pinned else run.trained_at[:10]
    released = tuple(_released(house, one) for one in run.releases)
    return Node("run", run.id, said, released or (Node("release", "", "nothing was released of it"),))


def _released(house: House, digest: str) -> Node:
    return Node("release", digest, "", (_route(house, digest),))


def _route(house: House, digest: str) -> Node:
    """What the route in force does with a release, and when it was champion."""
    roles = roles_of(house).get(digest, ())
    terms = _terms(house, digest)
    ends = [_day(until) for _, until in terms if until is not None]
    now = f"since {_day(terms[-1][0])}" if "champion" in roles and terms else ""
    said = "; ".join(one for one in (now, f"champion until {', '.join(ends)}" if ends else "") if one)
    return Node("route", ", ".join(roles), said or ("" if roles else "never in production"))


def _terms(house: House, digest: str) -> list[tuple[datetime, datetime | None]]:
    """From when to when a release was champion; None: it still is."""
    terms: list[tuple[datetime, datetime | None]] = []
    for entry in house.reader.entries(kind=ROUTE_MOVED, subject=house.name):
        champion = route_from({**entry.body, "generation": 0}).champion == digest
        under_way = bool(terms) and terms[-1][1] is None
        if champion and not under_way:
            terms.append((entry.at, None))
        elif not champion and under_way:
            terms[-1] = (terms[-1][0], entry.at)
    return terms


def _of_release(house: House, digest: str, run: _Run) -> Node:
    """Upstream: the run, the dataset versions that it was trained on, and the views that read them."""
    release = house.releases.get(digest)
    views: dict[str, list[Node]] = {}
    versions = dict(release.views)
    try:
        system = house.code.system(release)
    except TrimtabError as error:
        views[""] = [Node("view", f"{name}@{one}", error.what) for name, one in versions.items()]
    else:
        for one in system.feature_set.declared:
            asked = isinstance(one, RequestFeatures)
            source = system.question.source if asked else system.feature_set.source_of(one)  # type: ignore[arg-type]
            columns = [
                name.name.partition(".")[2] for name in release.features if name.name.startswith(f"{one.name}.")
            ]
            said = ", ".join(columns)
            views.setdefault(source.name, []).append(Node("view", f"{one.name}@{versions[one.name]}", said))
    pins = cast("Mapping[str, Sequence[Any]]", run.spec.sources)
    sources = [
        Node("source", version_id(name, int(pin[0])), f"digest {short(str(pin[1]))}", tuple(views.get(name, ())))
        for name, pin in pins.items()
    ]
    said = f"trained {run.trained_at[:10]} on {run.rows:,} rows"
    made = Node("run", run.id, said, (*sources, *views.get("", ())))
    return Node("release", digest, "", (_route(house, digest), made))


def _runs(house: House) -> list[_Run]:
    """All finished runs of the system, oldest first."""
    made: dict[str, list[str]] = {}
    for digest, facts in house.releases.all(house.name):
        made.setdefault(str(facts["run"]), []).append(digest)
    found = []
    for id, body in house.reader.records(RUN):
        spec = spec_from(cast("JsonMap", body["spec"]))
        if spec.system != house.name:
            continue
        result = cast("Mapping[str, Any]", body["result"])
        names = frozenset(str(one["name"]) for one in result["features"])
        found.append(_Run(id, str(body["trained_at"]), int(result["rows"]), spec, names, tuple(made.get(id, ()))))
    return found


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"
