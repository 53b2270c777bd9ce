"""The features of a system, in the order in which they were declared, and which view stands on which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trimtab.features.aggregation import Aggregation
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.errors import UnknownName
from trimtab.kernel.source import Source

Declared: TypeAlias = RequestFeatures | FeatureView | Aggregation


@dataclass(frozen=True)
class FeatureSet:
    """What is declared; sorted by kind for those that compute it."""

    declared: tuple[Declared, ...]  # views on views with `on` set, whatever they were given with
    sources: Mapping[str, Source]

    def __post_init__(self) -> None:
        """Find the views that views stand on; without a trail to a source one is left as it is."""
        object.__setattr__(self, "declared", tuple(map(self._found, self.declared)))

    def _found(self, one: Declared) -> Declared:
        if not isinstance(one, FeatureView) or one.on is not None:
            return one
        *views, source = self.trail(one)[1:]
        if source not in self.sources:
            return one
        on = None
        for name in reversed(views):
            on = self.views[name].standing_on(on)
        return one.standing_on(on)

    def trail(self, view: FeatureView) -> tuple[str, ...]:
        """The names from a view to its source, its own first, as each function's parameter names the next.

        The last is a source; or one that nobody declared; or a view that is in the trail already: then they stand
        on each other.
        """
        names, views = [view.name, view.source], self.views
        while names[-1] not in self.sources and names[-1] in views and names.count(names[-1]) == 1:
            names.append(views[names[-1]].source)
        return tuple(names)

    @property
    def views(self) -> dict[str, FeatureView]:
        """Feature views by name; of two of one name, which `check` refuses, the first."""
        found: dict[str, FeatureView] = {}
        for one in self.declared:
            if isinstance(one, FeatureView):
                found.setdefault(one.name, one)
        return found

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
        """The source that a view reads, itself or through the views that it stands on.

        Raises:
            UnknownName: there is none.
        """
        if isinstance(view, Aggregation):
            return view.source
        root = view.chain[0]
        if root.source not in self.sources:
            raise UnknownName("source", root.source, self.sources, where=root.place)
        return self.sources[root.source]


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
