"""A table whose columns changed upstream: which are gone, new, of another type, or bear another name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from itertools import product

from trimtab.data.history import Seen
from trimtab.data.profile import Column, number, values_of
from trimtab.data.units import Conversion, conversions

Pairs = tuple[tuple[str, str], ...]
_NEAR = 1.5  # standard deviations that a mean may have moved, for the same column under a new name
_WORST = 1.0  # of the distances in `_distance`; more is another column


def schema_changes(before: Pairs, now: Pairs, past: Mapping[str, Seen], columns: Mapping[str, Column]) -> list[str]:
    """Each change in words; nothing where columns and types are the same, in any order.

    Args:
        before: columns and types of the older versions.
        now: those of the delivery.
        past: what the columns held so far.
        columns: profiles of the delivery's columns.
    """
    old, new = dict(before), dict(now)
    gone = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    renamed = _renamed(old, new, gone, added, past, columns)
    changes = [f"column '{one}' is gone and '{other}' is new, with {how}: renamed?" for one, other, how in renamed]
    paired = {name for one, other, _ in renamed for name in (one, other)}
    changes += [
        f"column '{name}' is {new.get(name, 'gone')}"
        for name, kind in before
        if new.get(name) != kind and name not in paired
    ]
    changes += [f"column '{name}' is new" for name in added if name not in paired]
    return changes


def _renamed(
    old: Mapping[str, str],
    new: Mapping[str, str],
    gone: list[str],
    added: list[str],
    past: Mapping[str, Seen],
    columns: Mapping[str, Column],
) -> list[tuple[str, str, str]]:
    """(old name, new name, what speaks for it); each name once, the likeliest pair first."""
    pairs = []
    for one, other in product(gone, added):
        if old[one] == new[other] and one in past and other in columns:
            far, how = _distance(one, other, past[one], columns[other])
            if far <= _WORST:
                pairs.append((far - SequenceMatcher(None, one, other).ratio(), one, other, how))
    found: list[tuple[str, str, str]] = []
    taken: set[str] = set()
    for _, one, other, how in sorted(pairs):
        if not taken & {one, other}:
            taken |= {one, other}
            found.append((one, other, how))
    return found


def _distance(one: str, other: str, seen: Seen, column: Column) -> tuple[float, str]:
    """How far the new column's values are from what the old one held: 0 for the same, above 1 for strangers."""
    mean = number(column, "mean")
    if mean is not None:
        if not seen.rows:
            return 2.0, ""
        straight = _off(seen, column, Conversion("", 1.0))
        if straight <= _WORST:
            return straight, "the same values"
        units = [(_off(seen, column, unit), unit.name) for unit in (*conversions(one), *conversions(other))]
        far, name = min(units, default=(2.0, ""))
        return far + 0.1, f"the same values in another unit ({name})"
    values = values_of(column)
    if seen.values and values:
        strange = sum(value not in seen.values for value in values) / len(values)
        return 2 * strange, "the same values"
    # Many values that are all different, such as keys: only the names can tell.
    alike = SequenceMatcher(None, one, other).ratio()
    return (1.0 if alike >= 0.5 else 2.0), "a name like it"


def _off(seen: Seen, column: Column, unit: Conversion) -> float:
    """The mean's distance in standard deviations, where all values lie in or near the range seen; else too much."""
    found = [number(column, name) for name in ("mean", "min", "max")]
    mean, *ends = (0.0 if one is None else one for one in found)
    mean, *ends = unit.back((mean, *ends))
    slack = (seen.high - seen.low) / 4 or abs(seen.high) / 4 or 1.0
    if min(ends) < seen.low - slack or max(ends) > seen.high + slack:
        return 2.0
    scale = seen.spread or slack
    return abs(mean - seen.mean) / scale / _NEAR / 2
