"""Parity: recompute logged features offline and compare them value by value."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import offline_features
from trimtab.features.request_frame import request_frame
from trimtab.kernel.canonical import Json

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True)
class Mismatch:
    """One feature of one prediction that was served with another value than the offline definition gives."""

    id: str
    feature: str
    served: Json
    offline: Json


def mismatches(
    features: FeatureSet,
    names: Sequence[str],
    request: Sequence[tuple[str, str]],
    predictions: pl.DataFrame,
    facts: Callable[[str], pl.LazyFrame],
) -> list[Mismatch]:
    """Every value that differs; values are equal only if they are the same JSON.

    Args:
        features: of the release that answered.
        names: its feature names, in the order of the logged values.
        request: its request fields and types.
        predictions: logged ones: `id`, `at`, `request` (JSON object), `features` (JSON list).
        facts: the rows of a source by its name.
    """
    rows = [_row(text, request) for text in predictions["request"]]
    questions = request_frame(rows, request).with_columns(predictions["at"].alias("_at"))
    offline = offline_features(features, questions, "_at", facts).select(names)
    found = []
    for id, served, computed in zip(predictions["id"], predictions["features"], offline.iter_rows(), strict=True):
        if served == _ENCODER.encode(computed).decode():  # written as the log writes: nearly always
            continue
        for name, one, other in zip(names, json.loads(served), computed, strict=True):
            if one != other or type(one) is not type(other):
                found.append(Mismatch(id, name, one, other))
    return found


def _row(text: str, request: Sequence[tuple[str, str]]) -> dict[str, Json]:
    sent = msgspec.json.decode(text)
    return {name: sent[name] for name, _ in request}
