"""Rows that came late: known, as they say themselves, by an instant up to which the feed had been looked at.

Nobody could know such a row before it came. If it may be told when it became known, it is told: from this look on.
Where the event time is the known time there is nothing that may be told, and the row goes into quarantine.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trimtab.data.content import counted
from trimtab.data.contract import REASON, Sorted, refuse_too
from trimtab.data.storable import stored_schema
from trimtab.data.versions import VERSION
from trimtab.kernel.errors import ContractBreach
from trimtab.kernel.moment import from_us
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class Missed:
    """What no look has taken so far."""

    rows: pl.DataFrame  # as the feed offers them
    unoffered: pl.DataFrame  # accepted rows that it does not offer, or that the contract has changed on their way


def missed(source: Source, offered: pl.DataFrame, accepted: pl.DataFrame, refused: pl.DataFrame | None) -> Missed:
    """Compare as multisets, without the known time: what was taken may have been told another one.

    Args:
        source: where they come from.
        offered: what the feed holds now.
        accepted: what all versions hold.
        refused: their quarantine; None if there is none.

    Raises:
        ContractBreach: the columns have types that cannot be compared with the older ones.
    """
    left = offered
    if refused is not None:
        dated = refused.filter(pl.col(source.known).is_not_null()).drop(REASON, VERSION)
        left, _ = _unmatched(source, left, dated)
    rows, unoffered = _unmatched(source, left, accepted.drop(VERSION, strict=False))
    return Missed(rows, unoffered)


def taken_before(source: Source, accepted: pl.DataFrame, unoffered: pl.DataFrame, due_us: int) -> pl.DataFrame:
    """Less what a contract that changes rows (a default for nulls) has only now made equal to older rows."""
    if unoffered.is_empty():
        return accepted
    late = _due(source, due_us)
    fresh, _ = _unmatched(source, accepted.filter(late), unoffered)
    return pl.concat([fresh, accepted.filter(~late)])


def tell(source: Source, held: Sorted, due_us: int, now_us: int) -> tuple[Sorted, int]:
    """Accepted rows that were due by an earlier look are told that they became known now, or are refused.

    Returns:
        The rows, and how many of the accepted ones were told so.
    """
    late = _due(source, due_us)
    in_time, behind = held.accepted.filter(~late), held.accepted.filter(late)
    if behind.is_empty():
        return held, 0
    if source.known != source.event_time:
        told = behind.with_columns(pl.lit(from_us(now_us)).cast(behind.schema[source.known]).alias(source.known))
        return Sorted(pl.concat([in_time, told]), held.quarantined), behind.height
    reason = (
        f"delivered late: due by {from_us(due_us).isoformat()}, and without a known_time of its own"
        " it cannot say when it came"
    )
    refused = behind.with_columns(pl.lit(reason).alias(REASON))
    return Sorted(in_time, refuse_too(source, held.quarantined, refused)), 0


def _due(source: Source, due_us: int) -> pl.Expr:
    return pl.col(source.known).dt.epoch("us") <= due_us


def _unmatched(source: Source, offered: pl.DataFrame, held: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of either side without their equal on the other."""
    known = source.known if source.known != source.event_time else ""
    both = [name for name in held.columns if name in offered.columns and name != known]
    try:
        # A contract may have given a column another type.
        mine = offered.select(both).cast(stored_schema(source, offered.select(both).schema))
        mine = mine.cast(held.select(both).schema, strict=False)
    except pl.exceptions.PolarsError as error:
        raise ContractBreach(
            source.name,
            allowed="the columns and types of its older versions",
            got=str(error).splitlines()[0],
            do="mend the feed, or declare the new table as a source of another name; until then older data serve",
        ) from error
    ours, theirs = counted(mine), counted(held.select(both))
    return offered.filter(~ours.is_in(theirs.implode())), held.filter(~theirs.is_in(ours.implode()))
