"""Leaks that a declaration would bring in: the same facts, said to be known earlier than they were.

A column that is known too early makes a model look better on history than it can ever be in production, where the
column is still empty when the question is asked. Two rules find it from the tables themselves, whatever the sources
are called: one table has one known time, and nothing that holds the label's values is known before the label is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import polars as pl

from trimtab.data.reading import open_source, same_table
from trimtab.kernel.errors import Misdeclared, TrimtabError
from trimtab.kernel.label import Label
from trimtab.kernel.moment import duration_text
from trimtab.kernel.source import Source

Schemas = Mapping[str, pl.Schema]
_UNREADABLE = (pl.exceptions.PolarsError, OSError, TrimtabError)  # reported by the check of the source itself
_TRIED_ROWS = 1_000  # of a table, to see which of its columns hold nothing but 0 and 1
_LABEL_ROWS = 500_000  # of the label's table, compared with another one that may hold the label
_CLASS_ROWS = 20  # of each class: with fewer, equal values prove nothing
_OTHER_SHARE = 0.01  # of the rarer class may differ, as when one table was corrected and its copy was not
_BOTH = "what it would promise, and what it would keep: trimtab features leak FILE"
_EARLIER_SHARE = 0.01  # of the rows; less is two clocks that differ


def check_leaks(sources: Sequence[Source], label: Label, project: Path, schemas: Schemas) -> Iterator[TrimtabError]:
    """Sources that say of facts that they were known earlier than another source says.

    Args:
        sources: what is declared.
        label: its source is one of them.
        project: the folder that paths are relative to.
        schemas: columns of the sources; sources that cannot be read are absent and reported elsewhere.
    """
    usable = [one for one in sources if _has_times(one, schemas.get(one.name))]
    found = set()
    for one, other in combinations(usable, 2):
        if same_table(one, other, project) and one.known != other.known:
            for early, problem in _one_table(one, other, project):
                found.add(early)
                yield problem
    truth = label.source
    if truth not in usable or not {label.column, *truth.keys} <= set(schemas[truth.name]):
        return
    for source in usable:
        if source is label.feedback:
            continue  # it may bring the truth, and earlier
        if source.name not in found and not _alike(source, truth, project):
            yield from _label_in(source, label, project, schemas)


def _has_times(source: Source, schema: pl.Schema | None) -> bool:
    times = (source.event_time, source.known)
    return schema is not None and all(getattr(schema.get(one), "time_zone", None) for one in times)


def _alike(one: Source, other: Source, project: Path) -> bool:
    return same_table(one, other, project) and one.known == other.known


def _one_table(one: Source, other: Source, project: Path) -> Iterator[tuple[str, TrimtabError]]:
    """The source that makes more rows of their table known earlier, if any."""
    try:
        times = open_source(one, project).select(one=one.known, other=other.known).drop_nulls().collect()
    except _UNREADABLE:
        return
    if (times["one"] < times["other"]).sum() < (times["one"] > times["other"]).sum():
        one, other, times = other, one, times.rename({"one": "other", "other": "one"})
    earlier = times.filter(pl.col("one") < pl.col("other"))
    if earlier.is_empty():
        return
    yield (
        one.name,
        Misdeclared(
            "source",
            one.name,
            f"says that rows are known earlier than source '{other.name}' says, which reads the same table",
            where=one.place,
            allowed=f"one known time for one table: '{other.known}', as at {other.place}",
            got=f"{_known(one)}, which is earlier in {_share(earlier.height, times.height)} rows,"
            f" by {_gap(earlier)} in the median",
            do=f"give it known_time='{other.known}', or read by a function only the columns that are known earlier"
            f"; {_BOTH}",
        ),
    )


def _label_in(source: Source, label: Label, project: Path, schemas: Schemas) -> Iterator[TrimtabError]:
    """A column that holds the label's values, key by key, and is said to be known before the label is."""
    truth = label.source
    keys = _label_key(source, truth, schemas)
    try:
        columns = _yes_or_no(open_source(source, project), schemas[source.name], keys) if keys else []
        if not columns:
            return
        held = _held(source, keys, columns, label, project)
    except _UNREADABLE:
        return
    for column in columns:
        rows = held.filter(pl.col(f"_{column}").is_not_null())
        earlier = rows.filter(pl.col("one") < pl.col("other"))
        if earlier.height > _EARLIER_SHARE * rows.height and _same(rows["_label"], rows[f"_{column}"]):
            yield Misdeclared(
                "source",
                source.name,
                f"'{column}' is the label '{label.column}', and known earlier than source '{truth.name}' says",
                where=source.place,
                allowed=f"known no earlier than '{truth.known}' of source '{truth.name}', at {truth.place}",
                got=f"{_known(source)}, which is earlier in {_share(earlier.height, rows.height)} rows,"
                f" by {_gap(earlier)} in the median",
                do=f"give known_time=, when it really was known, or leave it out where the source is read; {_BOTH}",
            )


def _label_key(source: Source, truth: Source, schemas: Schemas) -> tuple[str, ...]:
    """The columns of a source that may hold the label's key: those of the same names, otherwise its own key."""
    kinds = [schemas[truth.name][one] for one in truth.keys]
    schema = schemas[source.name]
    for keys in (truth.keys, source.keys):
        if [schema.get(one) for one in keys] == kinds:
            return keys
    return ()


def _yes_or_no(rows: pl.LazyFrame, schema: pl.Schema, keys: Iterable[str]) -> list[str]:
    """Columns of which the first rows hold nothing but 0 and 1."""
    numbers = {name for name, kind in schema.items() if kind == pl.Boolean or kind.is_numeric()}.difference(keys)
    if not numbers:
        return []
    tried = rows.select(pl.col(*numbers).cast(pl.Float64)).head(_TRIED_ROWS)
    held = tried.select(pl.all().is_in([0.0, 1.0]).all() & pl.all().count().cast(pl.Boolean)).collect()
    return sorted(name for name in held.columns if held[name].item())


def _held(source: Source, keys: Sequence[str], columns: Sequence[str], label: Label, project: Path) -> pl.DataFrame:
    """The label's rows that the source has too: known times `one` and `other`, `_label`, `_` before each column."""
    truth = label.source
    places = [f"k{number}" for number in range(len(keys))]
    labels = (
        open_source(truth, project)
        .select(
            *(pl.col(one).alias(place) for one, place in zip(truth.keys, places, strict=True)),
            pl.col(truth.known).alias("other"),
            pl.col(label.column).cast(pl.Float64).alias("_label"),
        )
        .drop_nulls()
        .head(_LABEL_ROWS)
    )
    held = open_source(source, project).select(
        *(pl.col(one).alias(place) for one, place in zip(keys, places, strict=True)),
        pl.col(source.known).alias("one"),
        *(pl.col(one).cast(pl.Float64).alias(f"_{one}") for one in columns),
    )
    utc = pl.col("one", "other").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return labels.join(held.drop_nulls("one"), on=places).with_columns(utc).collect()


def _same(label: pl.Series, column: pl.Series) -> bool:
    ones = int(label.sum())
    rarer = min(ones, label.len() - ones)
    return rarer >= _CLASS_ROWS and (label != column).sum() <= _OTHER_SHARE * rarer


def _known(source: Source) -> str:
    return f"known_time '{source.known}'" if source.known_time else f"no known_time, so '{source.event_time}'"


def _share(part: int, whole: int) -> str:
    share = "all" if part == whole else f"{min(max(100 * part / whole, 0.1), 99.9):.1f} % of"
    return f"{share} {whole:,}"


def _gap(earlier: pl.DataFrame) -> str:
    gap = (earlier["other"] - earlier["one"]).median()
    assert isinstance(gap, timedelta)
    unit = timedelta(minutes=1) if gap > timedelta(minutes=1) else timedelta(microseconds=1)
    return duration_text(gap // unit * unit)
