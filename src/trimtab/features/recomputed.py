"""One view of some answers, computed anew by any definition of it, from any version of its source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import polars as pl

from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.offline import Facts
from trimtab.features.parity import Parity
from trimtab.features.reach import reaching
from trimtab.features.view import FeatureView
from trimtab.kernel.canonical import Json

_VERSION = "_version"  # which dataset version brought a row


class Recomputed:
    """Each computation is made once, for all answers together."""

    def __init__(
        self, answers: pl.DataFrame, names: Sequence[str], request: Sequence[tuple[str, str]], facts: Facts
    ) -> None:
        """Prepare.

        Args:
            answers: `id`, `at`, `request` of those that the view gave other values.
            names: the view's features, as the release names them.
            request: fields and types of the release that answered.
            facts: the rows of a source by its name, with the column `_version`.
        """
        self._answers = answers
        self._names = names
        self._request = request
        self._facts = facts
        since = answers["at"].min()
        assert isinstance(since, datetime)
        self._since = since
        self._held: dict[tuple[str, str], pl.DataFrame] = {}  # by definition and source
        self._made: dict[tuple[str, int], dict[str, list[Json]]] = {}

    def by(self, name: str, definition: FeatureSet, source: str, number: int) -> dict[str, list[Json]]:
        """By answer the values of the view's features.

        Args:
            name: of the definition, which is not computed again under the same one.
            definition: the view alone.
            source: of which `number` is a version; a definition that reads another one gets all of that.
            number: rows that later versions brought do not count.
        """
        if (name, number) not in self._made:
            held = reaching(definition, self._facts, self._since)

            def facts(read: str) -> pl.LazyFrame:
                if (name, read) not in self._held:
                    self._held[name, read] = held(read).collect()
                rows = self._held[name, read]
                return (rows.filter(pl.col(_VERSION) <= number) if read == source else rows).lazy()

            texts = Parity(definition, self._names, self._request, facts).texts(self._answers)
            values = [json.loads(text) for text in texts]
            self._made[name, number] = dict(zip(self._answers["id"], values, strict=True))
        return self._made[name, number]

    def tried(self, name: str, definition: FeatureSet, source: str, number: int) -> dict[str, list[Json]]:
        """`by` a definition that was never meant for these requests: nothing where it cannot be computed."""
        with suppress(Exception):  # code of another release, on fields and columns that it does not know
            return self.by(name, definition, source, number)
        self._made[name, number] = {}
        return {}


def alone(features: FeatureSet, view: Declared) -> FeatureSet:
    """One of the features declared, without the others."""
    return FeatureSet((view,), features.sources)


def as_pushed(view: Declared) -> FeatureView | None:
    """The view with the functions that make its online facts; None if they are those of the offline ones."""
    if not isinstance(view, FeatureView) or all(one.push is None for one in view.chain):
        return None
    on: FeatureView | None = None
    for one in view.chain:
        on = replace(one, function=one.push or one.function, push=None, on=on)
    return on
