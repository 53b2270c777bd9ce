"""The values of windows, offline and online: one definition."""

from __future__ import annotations

import numpy as np
import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.corrections import UNTIL
from trimtab.features.keys import whole_keys
from trimtab.features.measures.find import measure
from trimtab.features.windows import WINDOWS, Events
from trimtab.features.windows.events import Floats, Ints, Kind
from trimtab.kernel.moment import duration_text, duration_us

VALUE = "_value"


def aggregation_values(view: Aggregation, questions: pl.DataFrame, at: str, rows: pl.DataFrame) -> pl.DataFrame:
    """An aggregation's columns for each question. A question with a null key has no values.

    Args:
        view: the aggregation.
        questions: has the columns of its key and `at`.
        at: the instant of each question (aware).
        rows: those of its source in the order of arrival, as `with_corrections` gives them.
    """
    events, group = asked_of(view, questions, rows)
    keyed = questions.select(pl.all_horizontal(pl.col(*view.by).is_not_null())).to_series()
    values = window_values(view, events, group, us(questions[at]))
    return pl.DataFrame({name: column.set(~keyed, None) for name, column in values.items()})


def asked_of(view: Aggregation, questions: pl.DataFrame, rows: pl.DataFrame) -> tuple[Events, Ints]:
    """The events that an aggregation measures, and of each question the group that it asks about."""
    kind = kind_of(rows.schema[view.of])
    told = measured(view, rows.lazy(), kind).with_columns(whole_keys(view.by)).collect()
    keys = told.select(view.by).drop_nulls().unique(maintain_order=True).with_row_index("_group")
    told = told.join(keys, on=view.by, maintain_order="left")
    value, words = as_numbers(told[VALUE], kind)
    events = Events(
        group=told["_group"].cast(pl.Int64).to_numpy(),
        event_us=us(told[view.source.event_time]),
        known_us=us(told[view.source.known]),
        value=value,
        until_us=told[UNTIL].to_numpy() if UNTIL in told.columns else None,
        kind=kind,
        words=words,
    )
    asked = (
        questions.select(view.by)
        .with_columns(whole_keys(view.by))
        .join(keys, on=view.by, how="left", maintain_order="left")
    )
    unseen = keys.height  # a group without events, for keys that no row has
    return events, asked["_group"].cast(pl.Int64).fill_null(unseen).to_numpy()


def measured(view: Aggregation, rows: pl.LazyFrame, kind: Kind) -> pl.LazyFrame:
    """The rows that count, with the column `_value`: numbers (booleans are 0 and 1), or words."""
    if view.where is not None:
        rows = rows.filter(view.filter)
    if kind == "text":
        return rows.with_columns(pl.col(view.of).cast(pl.String).alias(VALUE)).drop_nulls(VALUE)
    number = pl.col(view.of).cast(pl.Float64)
    return rows.filter(number.is_finite()).with_columns(number.alias(VALUE))


def window_values(view: Aggregation, events: Events, group: Ints, at_us: Ints) -> dict[str, pl.Series]:
    """The measures of each question's windows."""
    window = WINDOWS[view.window_on](events)
    values = {}
    for span in view.windows:
        members = window.members(group, at_us, duration_us(span))
        for how in view.how:
            one = measure(how)
            value = one.value(members)
            values[f"{how}_{duration_text(span)}"] = _as_measured(value, events) if one.own else _nullable(value)
    return values


def kind_of(column: pl.DataType) -> Kind:
    """How a column is measured, if it can be."""
    if column == pl.Boolean:
        return "boolean"
    return "text" if column in (pl.String, pl.Categorical, pl.Enum) else "number"


def us(series: pl.Series) -> Ints:
    """Instants in microseconds."""
    return series.dt.epoch("us").to_numpy()


def as_numbers(value: pl.Series, kind: Kind) -> tuple[Floats, list[str]]:
    """Values as numbers; of text the places in the words that are given with them."""
    if kind != "text":
        # There is one zero, whichever sign it came with. Not in Polars: it takes the addition of 0.0 for nothing.
        return value.to_numpy() + 0.0, []
    return (value.rank("dense").cast(pl.Float64) - 1).to_numpy(), value.unique().sort().to_list()


def _nullable(value: Floats) -> pl.Series:
    return pl.Series(np.where(np.isfinite(value), value, np.nan), nan_to_null=True)


def _as_measured(value: Floats, events: Events) -> pl.Series:
    """One of the measured values as its column had it."""
    series = _nullable(value)
    if events.kind == "number":
        return series
    if events.kind == "boolean":
        return series.cast(pl.Boolean)
    words = pl.Series(events.words, dtype=pl.String)
    return words.gather(series.cast(pl.Int64))
