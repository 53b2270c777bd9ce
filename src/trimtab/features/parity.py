"""Parity: recompute logged features offline and compare them value by value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import Facts, OfflineFeatures
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


class Parity:
    """The offline features of logged answers; facts are read once, however many parts the answers come in."""

    def __init__(
        self, features: FeatureSet, names: Sequence[str], request: Sequence[tuple[str, str]], facts: Facts
    ) -> None:
        """Read the facts.

        Args:
            features: of the release that answered.
            names: its feature names, in the order of the logged values.
            request: its request fields and types.
            facts: the rows of a source by its name.
        """
        self._names = list(names)
        self._request = tuple(request)
        self._offline = OfflineFeatures(features, facts)

    def texts(self, predictions: pl.DataFrame) -> list[str]:
        """Per answer a JSON list of its values, as the log would have written it.

        Args:
            predictions: logged ones: `at` and `request` (JSON object).
        """
        rows = [_row(text, self._request) for text in predictions["request"]]
        questions = request_frame(rows, self._request).with_columns(predictions["at"].alias("_at"))
        offline = self._offline(questions, "_at").select(self._names)
        return [_ENCODER.encode(row).decode() for row in offline.iter_rows()]

    def mismatches(self, predictions: pl.DataFrame) -> list[Mismatch]:
        """Every value that differs; values are equal only if they are the same JSON.

        Args:
            predictions: logged ones: `id`, `at`, `request` (JSON object), `features` (JSON list).
        """
        found = []
        texts = self.texts(predictions)
        for id, served, offline in zip(predictions["id"], predictions["features"], texts, strict=True):
            if served == offline:  # nearly always
                continue
            for name, one, other in zip(self._names, json.loads(served), json.loads(offline), strict=True):
                if not same(one, other):
                    found.append(Mismatch(id, name, one, other))
        return found


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON.

    >>> same(1, 1.0), same(None, None)
    (False, True)
    """
    return one == other and type(one) is type(other)


def _row(text: str, request: Sequence[tuple[str, str]]) -> dict[str, Json]:
    sent = msgspec.json.decode(text)
    return {name: sent[name] for name, _ in request}
