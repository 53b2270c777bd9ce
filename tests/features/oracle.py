"""What features are, said by brute force: every question looks at every fact. Slow, and readable at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.kernel.canonical import Json


@dataclass(frozen=True)
class Fact:
    """A row of a source; its place in a list is its order of arrival."""

    entity: tuple[Json, ...]
    event_us: int  # when it was true
    known_us: int  # when it became knowable
    values: tuple[Json, ...]


def newest_known(
    facts: Sequence[Fact], entity: tuple[Json, ...], at_us: int, max_age_us: int | None
) -> tuple[tuple[Json, ...] | None, int | None]:
    """Values and age of the newest fact about an entity, of those that were true and known at an instant.

    Of facts of the same event time the one known last counts, of those the one that arrived last. A fact that is
    too old hides the older ones: then there is no value. Nothing is known about an entity that has a null.
    """
    if None in entity:
        return None, None
    seen = [
        (fact.event_us, fact.known_us, place)
        for place, fact in enumerate(facts)
        if fact.entity == entity and fact.event_us <= at_us and fact.known_us <= at_us
    ]
    if not seen:
        return None, None
    newest = facts[max(seen)[2]]
    age_us = at_us - newest.event_us
    if max_age_us is not None and age_us > max_age_us:
        return None, None
    return newest.values, age_us


def in_window(
    facts: Sequence[Fact], entity: tuple[Json, ...], at_us: int, span_us: int, window_on: str
) -> list[float]:
    """The measured values of a window: known at the instant, and of the window's own time in (at - span, at]."""
    found = []
    for fact in facts:
        time_us = fact.known_us if window_on == "known_time" else fact.event_us
        value = fact.values[0]
        if (
            fact.entity == entity
            and fact.known_us <= at_us
            and at_us - span_us < time_us <= at_us
            and isinstance(value, int | float)
            and math.isfinite(value)
        ):
            found.append(float(value))
    return found


def measured(how: str, values: Sequence[float], entity: tuple[Json, ...]) -> float | None:
    """One measure of a window's values; nothing is measured for an entity that has a null."""
    if None in entity:
        return None
    match how:
        case "count":
            return float(len(values))
        case "sum":
            return math.fsum(values)
        case "mean":
            return math.fsum(values) / len(values) if values else None
    raise AssertionError(how)


def age_of_window(facts: Sequence[Fact], entity: tuple[Json, ...], at_us: int, span_us: int) -> int | None:
    """How long ago the newest measured fact came into sight, if that was within the longest window."""
    if None in entity:
        return None
    seen_us = [
        max(fact.event_us, fact.known_us)
        for fact in facts
        if fact.entity == entity and isinstance(fact.values[0], int | float) and math.isfinite(fact.values[0])
    ]
    ages_us = [at_us - one for one in seen_us if one <= at_us and at_us - one < span_us]
    return min(ages_us, default=None)
