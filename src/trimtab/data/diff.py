"""What changed between two versions of a source, and which of its columns became another.

Shares, means and lists of values must differ by more than chance. A range is told as it is: two rows make it, and
among new rows of the same kind there often is one beyond all older ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from trimtab.data.profile import Column, Profile, columns_of, lists_all, number, profile, values_of
from trimtab.data.versions import VERSION, Versions
from trimtab.kernel.errors import InvalidValue, Refused, listed

_STANDARD_ERRORS = 4.0  # that a share or a mean must differ by: chance alone does not
_SHARE = 0.01  # of the rows, that a share must differ by
_MEAN = 0.2  # standard deviations that a mean must differ by
_RANGE = 0.1  # of a range, that it must have grown by at one end


@dataclass(frozen=True)
class Change:
    """A column that is not what it was."""

    column: str
    what: str  # missing, mean, range, values, type, column
    text: str


@dataclass(frozen=True)
class Diff:
    """What version `after` has that version `before` had not."""

    source: str
    before: int
    after: int
    rows_before: int
    rows_added: int
    quarantined: int
    backfilled: int
    released: int
    changes: tuple[Change, ...]


def diff(versions: Versions, source: str, before: int, after: int) -> Diff:
    """The rows that were added, against all that there was.

    Raises:
        InvalidValue: `before` is not older than `after`.
        NotFound: no such version.
        Refused: the source has fewer than two versions.
    """
    if (count := versions.current(source)) < 2:
        has = "only one version" if count else "no version yet"
        raise Refused("telling versions apart", because=f"{source} has {has}", do="take the next: trimtab tick")
    if not before < after:
        raise InvalidValue("versions", f"{before} and {after}", allowed="an older version, then a newer one")
    old, new = versions.version(source, before), versions.version(source, after)
    between = [versions.version(source, number) for number in range(before + 1, after + 1)]
    was = versions.frame(source, before).drop(VERSION).collect()
    added = versions.frame(source, after, after=before).drop(VERSION).collect()
    changes = [*_schema(dict(old.schema), dict(new.schema)), *profile_changes(profile(was), profile(added))]
    return Diff(
        source=source,
        before=before,
        after=after,
        rows_before=was.height,
        rows_added=added.height,
        quarantined=sum(one.quarantined for one in between),
        backfilled=sum(one.backfilled for one in between),
        released=sum(one.released for one in between),
        changes=tuple(changes),
    )


def profile_changes(before: Profile, after: Profile) -> Iterator[Change]:
    """Columns whose new rows are unlike the older ones: by more than chance, and by enough to matter.

    Of ranges those that have grown by more than a tenth of their length, which chance alone often does.
    """
    rows_before, rows_after = _rows(before), _rows(after)
    if not rows_before or not rows_after:
        return
    old = columns_of(before)
    for name, now in columns_of(after).items():
        was = old.get(name)
        if was is None:
            continue
        yield from _missing(name, was, now, rows_before, rows_after)
        yield from _mean(name, was, now)
        yield from _range(name, was, now)
        yield from _values(name, was, now)


def _schema(old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Change(name, "column", "is gone")
        elif name not in old:
            yield Change(name, "column", f"is new: {new[name]}")
        elif old[name] != new[name]:
            yield Change(name, "type", f"{old[name]} → {new[name]}")


def _missing(name: str, was: Column, now: Column, rows_before: int, rows_after: int) -> Iterator[Change]:
    before, after = (number(was, "nulls") or 0.0) / rows_before, (number(now, "nulls") or 0.0) / rows_after
    pooled = (before * rows_before + after * rows_after) / (rows_before + rows_after)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows_before + 1 / rows_after))
    if abs(after - before) > max(_SHARE, _STANDARD_ERRORS * error):
        yield Change(name, "missing", f"{before:.1%} → {after:.1%}")


def _mean(name: str, was: Column, now: Column) -> Iterator[Change]:
    before, after = number(was, "mean"), number(now, "mean")
    if before is None or after is None:
        return
    spread, new_spread = number(was, "std") or 0.0, number(now, "std") or 0.0
    error = math.hypot(_error(spread, was), _error(new_spread, now))
    if abs(after - before) > max(_MEAN * spread, _STANDARD_ERRORS * error):
        off = f", {(after - before) / spread:+.1f} sd" if spread else ""
        yield Change(name, "mean", f"{before:.5g} → {after:.5g}{off}")


def _error(spread: float, column: Column) -> float:
    return spread / math.sqrt(number(column, "values") or 1.0)


def _range(name: str, was: Column, now: Column) -> Iterator[Change]:
    ends = [number(was, "min"), number(was, "max"), number(now, "min"), number(now, "max")]
    low, high, new_low, new_high = ends
    if low is None or high is None or new_low is None or new_high is None:
        return
    slack = (high - low) * _RANGE
    if new_low < low - slack or new_high > high + slack:
        yield Change(name, "range", f"{low:.5g} to {high:.5g} → {new_low:.5g} to {new_high:.5g}")


def _values(name: str, was: Column, now: Column) -> Iterator[Change]:
    if was["type"] not in ("String", "Boolean") or not (lists_all(was) and lists_all(now)):
        return
    new = [value for value in values_of(now) if value not in values_of(was)]
    if new and values_of(was):
        yield Change(name, "values", f"new: {listed(map(str, new), most=5)}")


def _rows(found: Profile) -> int:
    rows = found["rows"]
    assert isinstance(rows, int)
    return rows


def frame_at(versions: Versions, source: str, number: int) -> pl.LazyFrame:
    """Exactly the rows that a version knows, without the column that versions add."""
    versions.version(source, number)
    return versions.frame(source, number).drop(VERSION)
