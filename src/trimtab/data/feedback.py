"""Feedback: labels and opinions that are sent for an answer's id, or for its key: a source like any other.

What is sent names an answer by its id or by its key, and may leave out when it was true. Ingest completes that,
once: an id's key from the prediction log, the time from when it was accepted. What a version holds stays as it is,
so that a training set that learns from feedback can be made again when the answers themselves are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl
from polars._typing import PolarsDataType

from trimtab.data.checks.check import Delivery, Finding
from trimtab.data.readers.stream_declared import Stream
from trimtab.data.readers.stream_rows import INSTANT, json_type
from trimtab.data.versions import Versions
from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.label import FEEDBACK, GIVEN_KEY, GIVEN_LABEL
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

KeysOf: TypeAlias = Callable[[Sequence[str]], Mapping[str, str]]  # prediction ids → keys of those that there are
Complete: TypeAlias = Callable[[pl.DataFrame], pl.DataFrame]
_ID, _NAME, _AT, _KNOWN = "id", "name", "at", "known_at"
_OPINION = "feedback"  # the name of what has none, and is no label


def feedback(*, label: PolarsDataType = pl.Boolean, owner: str = "", description: str = "") -> Source:
    """A source of labels and feedback that are sent to `POST /v1/feedback`, or given by `trimtab.give_feedback`.

    One a system; it is listed among its sources like the others. A label of which the truth may come by it says so:
    `Label(returns, "returned", feedback=feedback)`. A label that comes by nothing else: `Label(feedback, "label")`.

    Columns: id, key, label, name, value, comment, at, known_at.

    Args:
        label: the type of labels, that of the label's own column.
        owner: who answers for it.
        description: for people.

    Raises:
        InvalidValue: a type that no label can have.

    >>> feedback().read
    stream(id, key, label, name, value, comment, at, known_at)
    """
    place = caller(2)
    kind = label if isinstance(label, pl.DataType) else label()
    if json_type(kind) is None or kind.is_nested() or kind.is_temporal():
        raise InvalidValue("label", kind, allowed="Boolean, a number, String or Enum", where=place)
    columns = (
        (_ID, pl.String()),
        (GIVEN_KEY, pl.String()),
        (GIVEN_LABEL, kind),
        (_NAME, pl.String()),
        ("value", pl.Float64()),
        ("comment", pl.String()),
        (_AT, INSTANT),
        (_KNOWN, INSTANT),
    )
    return Source(
        FEEDBACK,
        Stream(columns, place, completed=(GIVEN_KEY, _NAME, _AT)),
        event_time=_AT,
        known_time=_KNOWN,
        key=(GIVEN_KEY, _NAME),
        checks=(Matched(),),
        description=description or "labels and feedback that were sent for answers",
        owner=owner,
        personal=("comment",),
        place=place,
    )


@dataclass(frozen=True)
class Matched:
    """The check that such a source has: whether each id that was sent is one of an answer."""

    name: str = "ids of no answer"
    action: str = "warn"

    def problems(self, source: Source, schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:  # noqa: ARG002
        """It has no settings."""
        yield from ()

    def find(self, delivery: Delivery) -> Finding | None:
        """Rows whose id the log does not know; nothing is joined with them."""
        wrong = delivery.rows[GIVEN_KEY].is_null()
        return Finding(self.name, wrong) if wrong.any() else None


def completing(source: Source, versions: Versions, keys_of: KeysOf) -> Complete | None:
    """What completes rows of a source; None for all others, whose rows are complete."""
    if not (isinstance(source.read, Stream) and source.read.completed):
        return None
    return lambda rows: _completed(rows, source, versions, keys_of)


def _completed(rows: pl.DataFrame, source: Source, versions: Versions, keys_of: KeysOf) -> pl.DataFrame:
    ids = rows.filter(pl.col(GIVEN_KEY).is_null())[_ID].drop_nulls().unique(maintain_order=True)
    found = _looked_up(ids, source, versions, keys_of)
    opinion = pl.when(pl.col(GIVEN_LABEL).is_null()).then(pl.lit(_OPINION)).otherwise(pl.lit(GIVEN_LABEL))
    return (
        rows.join(found, on=_ID, how="left", maintain_order="left")
        .with_columns(
            pl.coalesce(GIVEN_KEY, "_found").alias(GIVEN_KEY),
            pl.coalesce(_NAME, opinion).alias(_NAME),
            pl.coalesce(_AT, _KNOWN).alias(_AT),
        )
        .select(rows.columns)
        .sort(_KNOWN, _AT, maintain_order=True)  # as of any feed: times that were left out had no place in it
    )


def _looked_up(ids: pl.Series, source: Source, versions: Versions, keys_of: KeysOf) -> pl.DataFrame:
    """`id` and `_found`, its key. What a version says of an id stands: rows are compared with it at later looks."""
    nothing = pl.DataFrame(schema={_ID: pl.String(), "_found": pl.String()})
    if ids.is_empty():
        return nothing
    told = nothing
    if versions.current(source.name):
        held = versions.frame(source.name).filter(pl.col(_ID).is_in(ids.implode()))
        told = held.select(_ID, _found=GIVEN_KEY).unique(_ID, keep="first", maintain_order=True).collect()
    fresh = ids.filter(~ids.is_in(told[_ID].implode())).to_list()
    keys = keys_of(fresh) if fresh else {}
    made = pl.DataFrame({_ID: list(keys), "_found": list(keys.values())}, schema=nothing.schema)
    return pl.concat([told, made])
