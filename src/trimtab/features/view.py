"""Feature views: the newest fact about an entity, if it is not too old."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import polars as pl

from trimtab.features.code import code_digest
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.moment import duration, duration_us
from trimtab.kernel.place import caller

FrameFunction = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True, eq=False)
class FeatureView:
    """A function over a source whose rows are facts about an entity.

    The function keeps the entity's columns and the source's times; every other column that it returns is a
    feature. Each of its rows must follow from one row of the source, since online it sees new rows only.
    """

    name: str
    function: FrameFunction
    source: str  # the name of the function's parameter
    entity: tuple[str, ...]
    max_age: timedelta | None
    description: str
    place: str
    problems: tuple[TrimtabError, ...] = ()  # reported with all others when the system is applied

    @cached_property
    def version(self) -> str:
        """Digest of everything that decides its values."""
        age = None if self.max_age is None else duration_us(self.max_age)
        body: list[Json] = ["view", self.name, self.source, list(self.entity), age, code_digest(self.function)]
        return digest(body)


def feature_view(
    *, entity: str | tuple[str, ...], max_age: str | timedelta | None = None, name: str = ""
) -> Callable[[FrameFunction], FeatureView]:
    """Declare a feature view: a function from a source's lazy frame to features of an entity.

    Args:
        entity: the column, or columns, of the request that say which fact is meant.
        max_age: facts older than this (request time minus event time) count as missing; None: any age.
        name: defaults to the function's name.

    The parameter's name is the source's name.
    """
    place = caller()
    problems: list[TrimtabError] = []
    oldest = None
    try:
        oldest = None if max_age is None else duration(max_age, "max_age")
    except TrimtabError as error:
        problems.append(error.at(place))

    def declare(function: FrameFunction) -> FeatureView:
        parameters = list(inspect.signature(function).parameters)
        return FeatureView(
            name=name or function.__name__,
            function=function,
            source=parameters[0] if len(parameters) == 1 else "",
            entity=(entity,) if isinstance(entity, str) else tuple(entity),
            max_age=oldest,
            description=inspect.getdoc(function) or "",
            place=place,
            problems=tuple(problems),
        )

    return declare
