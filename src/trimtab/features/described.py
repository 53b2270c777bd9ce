"""Each feature described: its type, unit, owner, source, and whether it holds personal data.

Personal data is said by people, and followed where it can be followed.
"yes": declared; or a column of that name is personal in the source, in the request or in the view below; of an
aggregation also what is measured. "no": declared so, or the source says so of this column. Without a word about a
feature itself, what is told about an entity that a personal column names (a customer) is personal too.
Of a column that a function derives nobody can know: "not declared", which is no "no".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.feature_set import Declared, FeatureSet, feature_name
from trimtab.features.measures.find import measure
from trimtab.features.offline import view_facts
from trimtab.features.on_request import RequestFeatures
from trimtab.features.unit_of_name import unit_of_name
from trimtab.features.view import FeatureView
from trimtab.features.window_values import kind_of
from trimtab.kernel.source import Source

Personal = Literal["yes", "no", "not declared"]
_OWN_TYPES = {"number": pl.Float64(), "boolean": pl.Boolean(), "text": pl.String()}


@dataclass(frozen=True)
class Described:
    """One feature."""

    view: str
    column: str
    type: str
    unit: str  # "" where none is known
    owner: str  # "" where there is none
    personal: Personal
    because: str  # why it is, or is not, personal; "" if not declared
    source: str  # for features of the request the source of the question

    @property
    def name(self) -> str:
        """view.column."""
        return feature_name(self.view, self.column)


def described(
    features: FeatureSet, request: pl.Schema, schemas: Mapping[str, pl.Schema], asked: Source
) -> Iterator[Described]:
    """Every feature in the order of the model's columns.

    Args:
        features: what is declared; it has been checked.
        request: the fields of a request.
        schemas: columns of the sources.
        asked: the source of the questions, where requests come from.
    """
    for view in features.declared:
        source = asked if isinstance(view, RequestFeatures) else features.source_of(view)
        schema = request if isinstance(view, RequestFeatures) else schemas[source.name]
        for column, kind in columns_of(view, source, schema).items():
            personal, because = _personal(view, column, source, schema)
            yield Described(
                view.name,
                column,
                str(kind),
                view.tags.units.get(column, unit_of_name(column)),
                view.tags.owner or source.owner,
                personal,
                because,
                source.name,
            )


def columns_of(view: Declared, source: Source, schema: pl.Schema) -> dict[str, pl.DataType]:
    """The features of a view and their types.

    Args:
        view: what is declared.
        source: that it reads.
        schema: of the source; of the request for features of the request.
    """
    rows = pl.LazyFrame(schema=schema)
    match view:
        case RequestFeatures():
            return dict(view.function(rows).collect_schema())
        case FeatureView():
            kept = (*view.entity, source.event_time, source.known)
            return {
                name: kind
                for name, kind in view_facts(view, source, rows).collect_schema().items()
                if name not in kept
            }
        case Aggregation():
            own = _OWN_TYPES[kind_of(schema[view.of])]
            types = {how: own if measure(how).own else pl.Float64() for how in view.how}
            return {column: types[column.rpartition("_")[0]] for column in view.columns}


def _personal(view: Declared, column: str, source: Source, schema: pl.Schema) -> tuple[Personal, str]:
    told = view.tags.personal
    known = source.personal_columns
    if column in (told or ()):
        return "yes", f"declared by {view.name}"
    if isinstance(view, Aggregation):
        if told is not None:
            return "no", f"declared by {view.name}"
        of = next((one for one in (view.of, *view.by) if one in (known or ())), "")
        if of:
            return "yes", f"{of} is personal in {source.name}"
        return ("not declared", "") if known is None else ("no", f"{view.of} is not personal in {source.name}")
    below = view.chain[:-1] if isinstance(view, FeatureView) else ()
    named = [one.name for one in below if column in (one.tags.personal or ())]
    if named or column in (known or ()):
        return "yes", f"{column} is personal in {[source.name, *named][-1]}"
    if told is not None:
        return "no", f"declared by {view.name}"
    entity = view.entity if isinstance(view, FeatureView) else ()
    who = next((one for one in entity if one in (known or ())), "")
    if who:
        return "yes", f"told of {who}, which is personal in {source.name}"
    if known is not None and column in schema:
        return "no", f"{column} is not personal in {source.name}"
    return "not declared", ""
