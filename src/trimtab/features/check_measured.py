"""What is wrong with the column that an aggregation measures, and with its filter."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.measures import MEASURES
from trimtab.features.measures.find import find_measure
from trimtab.features.window_values import kind_of
from trimtab.kernel.errors import Misdeclared, TrimtabError, UnknownName, listed

_ROW_WISE = "an expression that tells of each row by itself, or the name of a boolean column"


def check_measured(view: Aggregation, schema: pl.Schema) -> Iterator[TrimtabError]:
    """Problems of `of`, if that column exists, and of `where`; `schema` is that of the source."""
    if view.of in schema:
        yield from _of(view, schema[view.of])
    if view.where is not None:
        yield from _where(view, view.filter, schema)


def _of(view: Aggregation, column: pl.DataType) -> Iterator[TrimtabError]:
    if column.is_numeric() or column == pl.Boolean:
        return
    text = listed(name for name, one in MEASURES.items() if one.text)
    found = [(how, find_measure(how)) for how in view.how]
    refused = [how for how, one in found if kind_of(column) != "text" or one is None or not one.text]
    if refused:
        yield Misdeclared(
            "aggregation",
            view.name,
            f"measures '{view.of}', which is not a number",
            where=view.place,
            allowed=f"numbers and booleans; text and categories by {text}",
            got=f"{column}, by {listed(refused)}",
            do="measure another column, or convert it where the source is read",
        )


def _where(view: Aggregation, where: pl.Expr, schema: pl.Schema) -> Iterator[TrimtabError]:
    if where.meta.has_multiple_outputs():
        # Which columns it reads would depend on what else is declared.
        told = "where chooses columns by a pattern, a type or a list"
        yield _refused(view, told, "columns named one by one: pl.col('a') & pl.col('b')", str(where))
        return
    missing = [name for name in where.meta.root_names() if name not in schema]
    if missing:
        yield UnknownName(
            "column of where",
            missing[0],
            schema,
            where=view.place,
            do=f"name columns of source '{view.source.name}', or add '{missing[0]}' there",
        )
        return
    rows = pl.LazyFrame(schema=schema)
    try:
        kind = rows.select(_where=where).collect().schema["_where"]  # not all that fails is seen in a schema
        plan = rows.select(_where=where).slice(1, 1).explain()
        written = where.meta.serialize(format="json")
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else ""
        yield _refused(
            view, "where fails on the columns of the source", listed(schema), f"{type(error).__name__}: {said}"
        )
        return
    if kind != pl.Boolean:
        yield _refused(view, "where is not true or false", "Boolean", str(kind))
    elif any(line.lstrip().startswith("SLICE[") for line in plan.splitlines()):
        # Polars takes a slice of the rows before an expression wherever other rows do not matter to it.
        yield _refused(view, "where looks at other rows than the one that it tells of", _ROW_WISE, str(where))
    elif '{"AnonymousFunction"' in written:
        yield _refused(view, "where calls a Python function, of which no version is known", _ROW_WISE, str(where))


def _refused(view: Aggregation, what: str, allowed: str, got: str) -> Misdeclared:
    return Misdeclared(
        "aggregation",
        view.name,
        what,
        where=view.place,
        allowed=allowed,
        got=got,
        do="write it with Polars expressions over one row, or make a boolean column where the source is read",
    )
