"""What features are, said by brute force: every question looks at every fact. Slow, and readable at a glance."""

from __future__ import annotations

import math
import statistics
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
    key: tuple[Json, ...] = (None,)  # names the fact; with a null in it, the row is a fact of its own
    counts: bool = True  # what the aggregation's filter says of it


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


def current(facts: Sequence[Fact], at_us: int) -> list[Fact]:
    """Of each fact its newest version known at an instant: by known time, then by arrival."""
    versions: dict[tuple[Json, ...], tuple[int, int]] = {}
    for place, fact in enumerate(facts):
        key = fact.key if None not in fact.key else (None, place)
        if fact.known_us <= at_us:
            versions[key] = max(versions.get(key, (fact.known_us, place)), (fact.known_us, place))
    return [facts[place] for _, place in sorted(versions.values(), key=lambda one: one[1])]


def measurable(value: Json) -> bool:
    """Nulls and what is not finite do not count."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def in_window(
    facts: Sequence[Fact], entity: tuple[Json, ...], at_us: int, span_us: int, window_on: str
) -> list[Json]:
    """The measured values of a window, the newest last.

    They are known at the instant, and of the window's own time in (at - span, at].
    """
    found = []
    for place, fact in enumerate(current(facts, at_us)):
        time_us = fact.known_us if window_on == "known_time" else fact.event_us
        in_time = at_us - span_us < time_us <= at_us
        if fact.entity == entity and in_time and fact.counts and measurable(fact.values[0]):
            found.append((fact.event_us, fact.known_us, place, fact.values[0]))
    return [value for *_, value in sorted(found)]


def measured(how: str, values: Sequence[Json], entity: tuple[Json, ...]) -> Json:
    """One measure of a window's values; nothing is measured for an entity that has a null."""
    if None in entity:
        return None
    match how:
        case "count":
            return float(len(values))
        case "distinct":
            return float(len(set(values)))
        case "last":
            return values[-1] if values else None
    numbers = [float(value) for value in values]  # type: ignore[arg-type]
    match how:
        case "sum":
            return math.fsum(numbers)
        case "mean":
            return math.fsum(numbers) / len(numbers) if numbers else None
        case "min":
            return min(numbers, default=None)
        case "max":
            return max(numbers, default=None)
        case "std":
            return statistics.stdev(numbers) if len(numbers) > 1 else None
    return percentile(float(how.removeprefix("p")) / 100, sorted(numbers))


def percentile(share: float, ascending: Sequence[float]) -> float | None:
    """On the straight line between the two nearest values."""
    if not ascending:
        return None
    place = share * (len(ascending) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] * (1 - (place - below)) + ascending[above] * (place - below)


def age_of_window(facts: Sequence[Fact], entity: tuple[Json, ...], at_us: int, span_us: int) -> int | None:
    """How long ago the newest measured fact came into sight, if that was within the longest window."""
    if None in entity:
        return None
    seen_us = [
        max(fact.event_us, fact.known_us)
        for fact in current(facts, at_us)
        if fact.entity == entity and fact.counts and measurable(fact.values[0])
    ]
    ages_us = [at_us - one for one in seen_us if one <= at_us and at_us - one < span_us]
    return min(ages_us, default=None)
