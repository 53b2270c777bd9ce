"""What is wrong with declared features, found before anything runs: all of it, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.check_measured import check_measured
from trimtab.features.check_tags import check_source_tags, check_tags
from trimtab.features.check_trail import check_trail
from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import view_facts
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.errors import Misdeclared, TrimtabError, UnknownName, listed

Schemas = Mapping[str, pl.Schema]  # of each source that can be read


def check_features(features: FeatureSet, request: pl.Schema, schemas: Schemas) -> Iterator[TrimtabError]:
    """Problems of the declared features.

    Args:
        features: what is declared.
        request: the fields of a request.
        schemas: columns of the sources; sources that cannot be read are absent and reported elsewhere.
    """
    yield from check_source_tags(features.sources, schemas)
    names = [view.name for view in features.declared]
    for number, view in enumerate(features.declared):
        if "." in view.name:
            yield Misdeclared(
                "feature view",
                view.name,
                "has a dot in its name",
                where=view.place,
                allowed="names without dots: features are called view.column",
                got=view.name,
                do="give it another name=",
            )
        if names.count(view.name) > 1 and names.index(view.name) == number:
            yield Misdeclared(
                "feature view",
                view.name,
                "is declared more than once",
                where=view.place,
                do="give each its own name",
            )
        match view:
            case RequestFeatures():
                yield from view.problems
                yield from _run(view, request)
            case FeatureView():
                yield from view.problems
                yield from _view(view, features, request, schemas)
            case Aggregation():
                yield from view.problems
                yield from _aggregation(view, features, request, schemas)


def _view(view: FeatureView, features: FeatureSet, request: pl.Schema, schemas: Schemas) -> Iterator[TrimtabError]:
    yield from _columns(
        "feature view", view.name, "entity", view.entity, request, "the request's fields", view.place
    )
    yield from check_trail(view, features)
    root = features.trail(view)[-1]
    if root not in schemas or not _sound(view.on, features, schemas[root]):
        return  # reported elsewhere: of the source, or of the view that this one stands on
    source = features.sources[root]
    empty = pl.LazyFrame(schema=schemas[root])
    given = pl.Schema()
    try:
        given = (empty if view.on is None else view.on.facts(empty)).collect_schema()
        out = _lazy(view.facts(empty)).collect_schema()
        needed = dict.fromkeys((*view.entity, source.event_time, source.known))
        missing = [name for name in needed if name not in out]
        if missing:
            lost = [name for name in missing if name not in given and view.on is not None]
            yield Misdeclared(
                "feature view",
                view.name,
                "lost columns that every view keeps",
                where=view.place,
                allowed=f"entity and times: {listed(needed)}",
                got=listed(out),
                do=f"let the function return {listed(missing)} as well"
                + (f"; '{view.source}', on which it stands, has no {listed(lost)} either" if lost else ""),
            )
            return
        facts = view_facts(view, source, empty).collect_schema()
        yield from _keys("feature view", view.name, "entity", view.entity, request, facts, view.place)
        columns = {name: facts[name] for name in facts if name not in needed}
        yield from _types(view.name, columns, view.place)
        yield from check_tags(view.name, view.tags, columns, view.place)
    except Exception as error:
        yield _raised("feature view", view.name, error, view.place, given)


def _sound(view: FeatureView | None, features: FeatureSet, schema: pl.Schema) -> bool:
    """Whether a view makes facts for those that stand on it; None is the source itself."""
    if view is None:
        return True
    source = features.source_of(view)
    try:
        out = _lazy(view.facts(pl.LazyFrame(schema=schema))).collect_schema()
    except Exception:
        return False
    return {*view.entity, source.event_time, source.known} <= set(out)


def _run(view: RequestFeatures, request: pl.Schema) -> Iterator[TrimtabError]:
    try:
        out = _lazy(view.function(pl.LazyFrame(schema=request))).collect_schema()
    except Exception as error:
        yield _raised("request features", view.name, error, view.place, request)
        return
    yield from _types(view.name, dict(out), view.place)
    yield from check_tags(view.name, view.tags, out, view.place)


def _aggregation(
    view: Aggregation, features: FeatureSet, request: pl.Schema, schemas: Schemas
) -> Iterator[TrimtabError]:
    yield from _columns("aggregation", view.name, "by", view.by, request, "the request's fields", view.place)
    if not view.how or not (view.windows or view.problems):
        yield Misdeclared(
            "aggregation", view.name, "has no window or no measure", where=view.place, do="give windows= and how="
        )
    twice = {column for column in view.columns if view.columns.count(column) > 1}
    if twice:
        yield Misdeclared(
            "aggregation",
            view.name,
            "has the same feature more than once",
            where=view.place,
            allowed="each window and each measure once",
            got=listed(twice),
            do="name each window and each measure once; '60m' and '1h' are the same window",
        )
    if features.sources.get(view.source.name) is not view.source:
        yield UnknownName(
            "source", view.source.name, features.sources, where=view.place, do="list it in System(sources=…)"
        )
        return
    schema = schemas.get(view.source.name)
    if schema is None:
        return
    where = f"columns of source '{view.source.name}'"
    yield from _columns("aggregation", view.name, "by", view.by, schema, where, view.place)
    yield from _keys("aggregation", view.name, "by", view.by, request, schema, view.place)
    yield from _columns("aggregation", view.name, "of", (view.of,), schema, where, view.place)
    yield from check_measured(view, schema)


def _columns(
    kind: str, name: str, argument: str, got: tuple[str, ...], allowed: pl.Schema, of: str, place: str
) -> Iterator[TrimtabError]:
    for column in got:
        if column not in allowed:
            yield Misdeclared(
                kind,
                name,
                f"{argument} names a column that does not exist",
                where=place,
                allowed=f"{of}: {listed(allowed)}",
                got=column,
                do=f"name one of them, or add '{column}' there",
            )


def _keys(
    kind: str, name: str, argument: str, got: tuple[str, ...], request: pl.Schema, facts: pl.Schema, place: str
) -> Iterator[TrimtabError]:
    """Keys are compared as JSON online and as columns offline: they must be the same in both."""
    if not got:
        yield Misdeclared(
            kind,
            name,
            f"{argument} names no column",
            where=place,
            allowed="one column or more",
            do=f"give {argument}=",
        )
    for column in got:
        asked, stored = request.get(column), facts.get(column)
        if asked is None or stored is None:
            continue
        if not (stored.is_integer() or stored in (pl.String, pl.Boolean)):
            yield Misdeclared(
                kind,
                name,
                f"{argument} names a column that cannot be a key",
                where=place,
                allowed="strings, whole numbers, booleans",
                got=f"{column}: {stored}",
                do="convert the column where the source is read, or name another one",
            )
        elif asked != stored and not (asked.is_integer() and stored.is_integer()):
            yield Misdeclared(
                kind,
                name,
                f"{argument} names a column of another type than the request's field",
                where=place,
                allowed=f"{column}: {asked}, as in the request",
                got=f"{column}: {stored}",
                do="convert one of the two where its source is read",
            )


def _lazy(out: pl.LazyFrame) -> pl.LazyFrame:
    if not isinstance(out, pl.LazyFrame):
        raise TypeError(f"it returned {type(out).__name__}, not a LazyFrame")
    return out


def _types(name: str, columns: Mapping[str, pl.DataType], place: str) -> Iterator[TrimtabError]:
    for column, kind in columns.items():
        if not (kind.is_integer() or kind.is_float() or kind in (pl.Boolean, pl.String)):
            yield Misdeclared(
                "feature",
                f"{name}.{column}",
                "has a type that no model can take",
                where=place,
                allowed="numbers, booleans, strings (as categories)",
                got=str(kind),
                do="turn it into a number (an age in hours, a part of the date) or leave it out",
            )


def _raised(kind: str, name: str, error: Exception, place: str, schema: pl.Schema) -> Misdeclared:
    return Misdeclared(
        kind,
        name,
        "its function fails on an empty frame of the declared columns",
        where=place,
        allowed=f"columns {listed(schema)}",
        got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        do="mend the function; it is called with a Polars LazyFrame",
    )
