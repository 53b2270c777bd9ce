"""What is wrong with a declared source, found before anything runs: all of it, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from trimtab.data.actions import problems as unknown_actions
from trimtab.data.contract_schema import schema_of
from trimtab.data.readers.shown import shown
from trimtab.data.reading import open_source
from trimtab.kernel.errors import Misdeclared, NaiveTime, SourceUnreadable, TrimtabError, listed
from trimtab.kernel.source import Source

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")  # names a folder of tables


def check_source(source: Source, project: Path, schemas: dict[str, pl.Schema]) -> Iterator[TrimtabError]:
    """Problems of one source; its columns go into `schemas` if it can be read.

    Args:
        source: what is declared.
        project: the folder that its path is relative to.
        schemas: columns of the sources checked before; a name that is in it is taken.
    """
    if not _NAME.fullmatch(source.name):
        yield Misdeclared(
            "source",
            source.name,
            "has a name that cannot be used",
            where=source.place,
            allowed=_NAME.pattern,
            got=source.name,
            do="rename it",
        )
    if source.name in schemas:
        yield Misdeclared(
            "source",
            source.name,
            "is declared more than once",
            where=source.place,
            allowed="one source a name",
            got=source.name,
            do="give each its own name",
        )
        return
    try:
        schema = open_source(source, project).collect_schema()
    except TrimtabError as error:
        yield error
        return
    except (pl.exceptions.PolarsError, OSError) as error:
        got = shown((str(error) or type(error).__name__).splitlines()[0], of=source.read)
        yield SourceUnreadable(source.name, where=source.place, got=got, do="mend the file")
        return
    schemas[source.name] = schema
    yield from _columns(source, schema)
    contract = source.contract
    if contract is None:
        return
    declared = schema_of(contract)
    if declared is not None:
        yield from (one.at(source.place) for one in unknown_actions(declared))
        return
    yield Misdeclared(
        "source",
        source.name,
        "has a contract of an unknown kind",
        where=source.place,
        allowed="a pandera DataFrameSchema or DataFrameModel for Polars",
        got=type(contract).__name__,
        do="import pandera.polars as pa",
    )


def _columns(source: Source, schema: pl.Schema) -> Iterator[TrimtabError]:
    times = {"event_time": source.event_time, "known_time": source.known}
    for argument, column in [*times.items(), *(("key", one) for one in source.keys)]:
        if argument == "known_time" and not source.known_time:
            continue  # it is the event time, which has been looked at
        if column not in schema:
            yield Misdeclared(
                "source",
                source.name,
                f"{argument} names a column that does not exist",
                where=source.place,
                allowed=listed(schema),
                got=column,
                do="name one of the columns",
            )
        elif argument in times and getattr(schema[column], "time_zone", None) is None:
            yield NaiveTime(
                f"{argument} of source '{source.name}'", f"{column}: {schema[column]}", where=source.place
            )
