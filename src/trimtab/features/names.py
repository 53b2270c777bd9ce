"""The names of a system's features, without computing any."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.feature_set import FeatureSet, feature_name
from trimtab.features.offline import view_facts
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView


def feature_names(features: FeatureSet, request: pl.Schema, schemas: Mapping[str, pl.Schema]) -> list[str]:
    """'view.column' in the order of the model's columns.

    Args:
        features: what is declared; it has been checked.
        request: the fields of a request.
        schemas: columns of the sources.
    """
    names = []
    for view in features.declared:
        match view:
            case RequestFeatures():
                columns = list(view.function(pl.LazyFrame(schema=request)).collect_schema())
            case FeatureView():
                source = features.source_of(view)
                facts = view_facts(view, source, pl.LazyFrame(schema=schemas[source.name])).collect_schema()
                columns = [name for name in facts if name not in (*view.entity, source.event_time, source.known)]
            case Aggregation():
                columns = list(view.columns)
        names += [feature_name(view.name, column) for column in columns]
    return names
