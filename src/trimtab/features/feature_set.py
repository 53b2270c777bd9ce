"""The features of a system, in the order in which they were declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trimtab.features.aggregation import Aggregation
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.source import Source

Declared: TypeAlias = RequestFeatures | FeatureView | Aggregation


@dataclass(frozen=True)
class FeatureSet:
    """What is declared; sorted by kind for those that compute it."""

    declared: tuple[Declared, ...]
    sources: Mapping[str, Source]

    @property
    def on_request(self) -> tuple[RequestFeatures, ...]:
        """Features of the request itself."""
        return tuple(one for one in self.declared if isinstance(one, RequestFeatures))

    @property
    def stored(self) -> tuple[FeatureView | Aggregation, ...]:
        """Features that the online store holds."""
        return tuple(one for one in self.declared if not isinstance(one, RequestFeatures))

    @property
    def versions(self) -> tuple[tuple[str, str], ...]:
        """(name, digest of the definition) in order."""
        return tuple((one.name, self.version_of(one)) for one in self.declared)

    def version_of(self, view: Declared) -> str:
        """Digest of everything that decides the values of a view."""
        return view.version(self.source_of(view)) if isinstance(view, FeatureView) else view.version

    def source_of(self, view: FeatureView | Aggregation) -> Source:
        """The source that a view reads."""
        return view.source if isinstance(view, Aggregation) else self.sources[view.source]


def feature_name(view: str, column: str) -> str:
    """As the model and the records name it.

    >>> feature_name("origin_weather", "temp_f")
    'origin_weather.temp_f'
    """
    return f"{view}.{column}"


def by_view(names: Sequence[str]) -> dict[str, list[str]]:
    """Columns by view, in order: the inverse of `feature_name`."""
    views: dict[str, list[str]] = {}
    for name in names:
        view, _, column = name.partition(".")
        views.setdefault(view, []).append(column)
    return views
